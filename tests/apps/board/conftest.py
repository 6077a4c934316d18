"""The board of digits' untrained networks, served over HTTP, and drawings for it."""

import io
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

from glassnets import config
from glassnets.apps.board.app import app
from glassnets.apps.board.board import Board
from glassnets.attribution.methods import METHODS
from glassnets.pipeline import trained


@pytest.fixture(scope="module")
def project(untrained_project, tmp_path_factory):
    return shutil.copytree(untrained_project, tmp_path_factory.mktemp("board"), dirs_exist_ok=True)


@pytest.fixture(scope="module")
def networks(tensorflow, project):
    """One of each family; the project is the current folder, as it is the board's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        data = config.load(Path("params.yaml")).dataset("digits")
        train = trained.training("digits", METHODS)
        yield [trained.of_project(data, "digits", f, 0, train) for f in data.families]


@pytest.fixture(scope="module")
def url(networks):
    """The address of the board, served in this process."""
    server = uvicorn.Server(uvicorn.Config(app(Board(networks)), log_level="warning"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def stroke():
    """A picture file of an upright stroke, as the board draws it."""
    grey = np.zeros((280, 280), np.uint8)
    grey[56:224, 140:163] = 255
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="png")
    return file.getvalue()


@pytest.fixture
def draw():
    """``draw(page, (x, y), …)``: draws a line on the board, and waits for predictions."""

    def draw(page, *points):
        page.locator("#canvas").scroll_into_view_if_needed()
        board = page.locator("#canvas").bounding_box()
        (x, y), *others = points
        page.mouse.move(board["x"] + x, board["y"] + y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(board["x"] + x, board["y"] + y, steps=5)
        page.mouse.up()
        page.locator("#status", has_text="Predicted in").wait_for()

    return draw
