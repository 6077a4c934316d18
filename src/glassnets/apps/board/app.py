"""The board over HTTP: its page, and the predictions that the page requests."""

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glassnets.apps import picture
from glassnets.apps.board.board import Board
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
    """``GET /``: the page. ``POST /predictions?method=…&drawn=…[&contrast=…]``, a picture file as
    the body: `Board.predictions` as JSON, or 4xx with ``{"detail": …}``, a line for a person."""
    built = FastAPI(title="glassnets", docs_url=None, redoc_url=None, openapi_url=None)
    # Against DNS rebinding: another site's name that resolves to this machine.
    built.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    values = {
        "methods": board.methods,
        "classes": board.networks[0].network.classes,
        "networks": board.networks,
        "max_bytes": picture.MAX_BYTES,
    }
    page = _ENVIRONMENT.get_template("board.html").render(values)

    @built.get("/")
    def index() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @built.post("/predictions")
    async def predict(
        request: Request, method: str, drawn: bool = False, contrast: int | None = None
    ) -> Response:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > picture.MAX_BYTES:
                limit = f"{picture.MAX_BYTES / 1e6:.0f} MB"
                return _refusal(413, f"expected a picture of at most {limit}, got a larger one")
        try:
            return JSONResponse(
                await run_in_threadpool(board.predictions, bytes(content), method, drawn, contrast)
            )
        except GlassnetsError as error:
            return _refusal(422, str(error))

    return built


def _refusal(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)
