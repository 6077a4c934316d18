"""The board over HTTP: its page, and the predictions that the page requests."""

from collections.abc import Callable
from typing import Any

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glassnets.apps import picture
from glassnets.apps.board.board import Board
from glassnets.apps.board.inside import MAX_UNITS
from glassnets.data import pictures
from glassnets.errors import GlassnetsError
from glassnets.report import rendering

# The page may run its own scripts and request from this server, nothing else.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOADERS = [
    jinja2.PackageLoader("glassnets.apps.board", "."),
    jinja2.PackageLoader("glassnets.report"),
]
_ENVIRONMENT = rendering.ENVIRONMENT.overlay(loader=jinja2.ChoiceLoader(_LOADERS))


def app(board: Board) -> FastAPI:
    """``GET /``: the page. ``POST /predictions?method=…&drawn=…[&contrast=…]``, a picture file, or
    what else `Board.predictions` takes, as the body: what it gives as JSON, or 4xx with
    ``{"detail": …}``, a line for a person. ``POST /inside?family=…&drawn=…[&layer=…&unit=…]``, with
    the same body: what `Board.inside` gives."""
    built = FastAPI(title="glassnets", docs_url=None, redoc_url=None, openapi_url=None)
    # Against DNS rebinding: another site's name that resolves to this machine.
    built.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    values = {
        "methods": board.methods,
        "classes": board.networks[0].network.classes,
        "inputs": board.inputs,
        "examples": board.examples,
        "networks": board.networks,
        "max_bytes": pictures.MAX_BYTES,
        "max_units": MAX_UNITS,
    }
    own = board.data is not None and board.data.source is not None
    if layout := picture.LAYOUTS.get(board.networks[0].dataset):
        values["pen"] = layout.pen
    page = _ENVIRONMENT.get_template("inputs.html" if own else "board.html").render(values)

    @built.get("/")
    def index() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @built.post("/predictions")
    async def predict(
        request: Request, method: str, drawn: bool = False, contrast: int | None = None
    ) -> Response:
        return await _response(request, lambda c: board.predictions(c, method, drawn, contrast))

    @built.post("/inside")
    async def look(
        request: Request,
        family: str,
        drawn: bool = False,
        layer: str | None = None,
        unit: int | None = None,
    ) -> Response:
        return await _response(request, lambda c: board.inside(c, family, drawn, layer, unit))

    return built


async def _response(request: Request, answer: Callable[[bytes], dict[str, Any]]) -> Response:
    """What the board answers to the body of a request, or the refusal of it."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > pictures.MAX_BYTES:
            limit = f"{pictures.MAX_BYTES / 1e6:.0f} MB"
            return _refusal(413, f"expected a picture of at most {limit}, got a larger one")
    try:
        return JSONResponse(await run_in_threadpool(answer, bytes(content)))
    except GlassnetsError as error:
        return _refusal(422, str(error))


def _refusal(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)
