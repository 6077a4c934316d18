"""Every command of the README works, in a temporary clone. CI itself runs `make test` and
`make run`."""

import ast
import re
import socket
import time
from contextlib import contextmanager, suppress

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from glassnets.pipeline import artefacts

pytestmark = pytest.mark.exhaustive

README = (artefacts.root() / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
[ASK] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if line]
OF_DVC_AND_GIT = [line for line in COMMANDS if line.startswith(("dvc ", "git "))]
[EXPLAIN] = [line for line in COMMANDS if line.startswith("glassnets explain ")]


def make(target):
    """`make target` without building an environment in the clone."""
    return ["make", "--old-file=.venv/.complete", *target.split()]


def test_every_command_is_one_that_something_runs():
    others = {"make run", "make test", "make run DATASET=mnist", "make ui", EXPLAIN}
    others |= {"make demo", "make demo DATASET=mnist", "make serve DATASET=digits FAMILY=cnn"}
    others |= {
        "make track",
        "make verify",
        "make verify DATASET=mnist",
        "source .venv/bin/activate",
    }
    assert {line for line in COMMANDS if line not in OF_DVC_AND_GIT} == others
    ci = (artefacts.root() / ".ci" / "run").read_text().splitlines()
    assert {"make run", "make test"} <= set(ci)


@pytest.mark.parametrize("command", OF_DVC_AND_GIT)
def test_commands_of_dvc_and_git(clone, command):
    clone.run("bash", "-c", command)
    clone.run("git", "checkout", "--quiet", ".")


def test_make_run_shows_the_table_and_the_way_on(clone):
    output = clone.run(*make("run"))
    assert "| feedforward |" in output
    assert "make ui" in output
    for family in ("attention", "cnn", "feedforward", "lstm"):
        assert re.search(rf"glassnets-digits-{family}: version \d+ is the champion", output)
    said = [line for line in output.splitlines() if not line.startswith("make")]
    assert said[-1].endswith(" results/digits/report.html")
    assert (clone.folder / "results" / "digits" / "report.html").is_file()


def test_make_track_tells_of_all_that_is_here(clone):
    output = clone.run(*make("track DATASET=digits"))
    assert output.splitlines()[-1].startswith("digits: 8 runs below 4 parent runs in MLflow")


def test_make_help_lists_the_targets(clone):
    output = clone.run(*make("help"))
    for target in ("run", "test", "ui", "lock"):
        assert re.search(rf"^{target} ", output, re.MULTILINE)


def listening(pid):
    """Addresses at which a process, or one that it started, listens."""
    process = psutil.Process(pid)
    found = set()
    for member in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a worker may end while we look
            connections = member.net_connections("inet")
            found |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    return found


@contextmanager
def started(clone, target):
    """The address of the server that `make target` starts, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = clone.start(*make(f"{target} PORT={port}"))
    try:
        for _ in range(240):
            time.sleep(0.5)
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=60)
                break
            except requests.ConnectionError:
                assert server.poll() is None, server.stdout.read()
        assert listening(server.pid) == {"127.0.0.1"}
        yield f"http://127.0.0.1:{port}"
    finally:
        clone.kill(server)


def test_make_ui_opens_mlflow_on_this_machine_alone(clone):
    with started(clone, "ui") as url:
        assert "MLflow" in requests.get(url, timeout=60).text


def test_make_demo_opens_the_drawing_board(clone):
    with started(clone, "demo") as url:
        assert "Draw a digit" in requests.get(url, timeout=60).text


def test_a_champion_is_served_and_asked(clone, capsys):
    clone.run("python", "-m", "glassnets.tracking.register", "digits")
    with started(clone, "serve DATASET=digits FAMILY=cnn") as url:
        exec(ASK.replace("http://127.0.0.1:5001", url))
    [answer] = ast.literal_eval(capsys.readouterr().out)
    assert np.argmax(answer["probabilities"]) == answer["class"]
    assert np.shape(answer["explanation"]["map"]) == (8, 8)
    assert isinstance(answer["explanation"]["doubtful"], bool)


def test_a_picture_is_explained(clone):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(clone.folder / "my-digit.png")
    output = clone.run(*EXPLAIN.split())
    for family in ("feedforward", "lstm", "cnn", "attention"):
        assert family in output
    with Image.open(clone.folder / "my-digit-explained.png") as figure:
        assert figure.width > 500
    for made in clone.folder.glob("my-digit*.png"):
        made.unlink()
