"""The board over HTTP: its page, and the answers that the page asks for."""

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glassnets.demo.board import Board
from glassnets.errors import GlassnetsError
from glassnets.explain import picture

# The page may run what stands in it and ask this server; nothing else, whatever it is made to say.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def app(board: Board) -> FastAPI:
    """``GET /``: the page. ``POST /answers?method=…&drawn=…``, a picture's file as the body:
    `Board.answers` as JSON, or 4xx with ``{"detail": …}``, a line for a person."""
    built = FastAPI(title="glassnets", docs_url=None, redoc_url=None, openapi_url=None)
    # A page of another site that had its own name point here would come with that name.
    built.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    page = _page(board)

    @built.get("/")
    def show() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @built.post("/answers")
    async def answer(request: Request, method: str, drawn: bool = False) -> Response:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > picture.MOST_BYTES:
                at_most = f"{picture.MOST_BYTES / 1e6:.0f} MB"
                return _refused(413, f"expected a picture of at most {at_most}, got a larger one")
        try:
            answers = await run_in_threadpool(board.answers, bytes(content), method, drawn)
        except GlassnetsError as error:
            return _refused(422, str(error))
        return JSONResponse(answers)

    return built


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


def _page(board: Board) -> str:
    loaders = [jinja2.PackageLoader(f"glassnets.{room}", ".") for room in ("demo", "report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("board.html").render(
        dataset=board.dataset,
        methods=board.methods,
        networks=[(network.family, network.seed) for network in board.networks],
        classes=range(board.networks[0].network.classes),
        most_bytes=picture.MOST_BYTES,
    )
