"""``python -m glassnets.demo``: the drawing board, on this machine alone."""

import io
import socket
from typing import Annotated

import numpy as np
import typer
import uvicorn
from PIL import Image
from tqdm import tqdm

from glassnets import artefacts, params, runtime
from glassnets.demo.app import app
from glassnets.demo.board import Board
from glassnets.errors import ParameterError, in_one_line
from glassnets.explain import picture, trained
from glassnets.explanations import METHODS

HOST = "127.0.0.1"


def demo(dataset: str, seed: int | None, port: int) -> None:
    """Loads the dataset's networks and answers until it is interrupted."""
    loaded = params.load(artefacts.params_file())
    cells = loaded.dataset(dataset)
    if dataset not in picture.LAYOUTS:
        raise ParameterError(
            f"--dataset: expected one whose images were drawn by hand, "
            f"{' or '.join(picture.LAYOUTS)}, got {dataset}"
        )
    seed = trained.seed(dataset, cells, seed)
    for family in cells.families:
        trained.weights(dataset, family, seed)  # before the seconds that TensorFlow takes
    references = trained.references(dataset, METHODS)
    with _listening(port) as sock:
        runtime.start_tensorflow(loaded.runtime)
        families = tqdm(cells.families, desc="loading", unit="network", disable=None)
        board = Board(
            dataset,
            [trained.of_project(dataset, cells, name, seed, references) for name in families],
        )
        _warm(board)
        print(f"Draw at http://{HOST}:{sock.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        server = uvicorn.Server(uvicorn.Config(app(board), log_level="warning"))
        try:
            server.run(sockets=[sock])
        except KeyboardInterrupt:
            print()


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone; port 0 takes one that is free."""
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen()  # who comes before the server is up, waits
    except OSError as error:
        sock.close()
        raise ParameterError(
            f"--port: expected one that is free, got {port} ({error.strerror}): name another"
        ) from error
    return sock


def _warm(board: Board) -> None:
    """Lets every program be compiled that the first strokes would wait for."""
    stroke = np.zeros((280, 280), np.uint8)
    stroke[60:220, 130:150] = 255
    file = io.BytesIO()
    Image.fromarray(stroke).save(file, format="png")
    for method in tqdm(board.methods, desc="warming up", unit="method", disable=None):
        board.answers(file.getvalue(), method, drawn=True)


def command(
    dataset: Annotated[str, typer.Option(help="Whose networks: mnist or digits.")] = "mnist",
    seed: Annotated[int | None, typer.Option(help="Which networks. Default: the first.")] = None,
    port: Annotated[int, typer.Option(help="Where to listen.", min=0, max=65535)] = 8000,
) -> None:
    """Opens the drawing board on this machine alone, until it is interrupted."""
    with in_one_line("other programs closed"):
        demo(dataset, seed, port)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
