"""``glassnets board``: the drawing board, on this machine alone."""

import io
import json
import logging
import os
import socket
from typing import Annotated

import numpy as np
import typer
import uvicorn
from PIL import Image
from tqdm import tqdm

from glassnets import config, runtime
from glassnets.apps import networks, picture
from glassnets.apps.board.app import app
from glassnets.apps.board.board import Board
from glassnets.attribution.methods import METHODS
from glassnets.errors import ParameterError, in_one_line
from glassnets.pipeline import artefacts, trained

HOST = "127.0.0.1"


@in_one_line("other programs closed")
def command(
    dataset: Annotated[
        str | None,
        typer.Option(help="Whose networks, as digits. Default: the first that has some here."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which networks. Default: the first.")] = None,
    port: Annotated[int, typer.Option(help="Where to listen.", min=0, max=65535)] = 8000,
) -> None:
    """Serves the drawing board on this machine alone, until it is interrupted."""
    params = config.load(artefacts.params_file())
    drawn = [n for n in params.datasets if n in picture.LAYOUTS or params.dataset(n).source]
    dataset = trained.dataset(dataset, params.datasets if dataset else drawn)
    data = params.dataset(dataset)
    if dataset not in picture.LAYOUTS and data.source is None:
        raise ParameterError(
            f"--dataset: expected handwriting, {' or '.join(picture.LAYOUTS)}, or data of your "
            f"own, got {dataset}"
        )
    seed = trained.seed(data, dataset, seed)
    networks.check_trained(dataset, data.families, seed)
    train = trained.training(dataset, METHODS, data.kind)
    with _listening(port) as sock:
        runtime.start_tensorflow(params.runtime)
        # Each layer of each network is traced once, which TensorFlow takes for too often.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        families = tqdm(data.families, desc="loading", unit="network", disable=None)
        loaded = [trained.of_project(data, dataset, f, seed, train) for f in families]
        own = data.source is not None and data.kind != "image"
        test = artefacts.load_arrays(artefacts.part(dataset, "test")) if own else None
        board = Board(loaded, data, test)
        _warm_up(board)
        do = "Draw" if data.source is None else "Open the board"
        print(f"{do} at http://{HOST}:{sock.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        server = uvicorn.Server(uvicorn.Config(app(board), log_level="warning"))
        try:
            server.run(sockets=[sock])
        except KeyboardInterrupt:
            print()


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone, on which requests wait until the server has started; port 0
    takes one that is free."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ParameterError(
            f"--port: expected one that is free, got {port} ({os.strerror(error.errno or 0)}): "
            "name another"
        ) from error


def _warm_up(board: Board) -> None:
    """Compiles every method's computation, which the first requests would wait for otherwise."""
    if board.examples:
        example = board.examples[0]
        content = json.dumps(example["record"] or example["index"]).encode()
    else:
        stroke = np.pad(np.full((160, 20), 255, np.uint8), ((60, 60), (130, 130)))
        file = io.BytesIO()
        Image.fromarray(stroke).save(file, format="png")
        content = file.getvalue()
    for method in tqdm(board.methods, desc="warming up", unit="method", disable=None):
        board.predictions(content, method, drawn=True)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
