"""Every command of the README works, in a temporary clone. CI itself runs `make test` and
`make run`."""

import re
import shutil
import socket
import time
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import numpy as np
import pytest
from PIL import Image

from glassnets import artefacts

pytestmark = pytest.mark.slow

BLOCKS = re.findall(r"```bash\n(.*?)```", (artefacts.root() / "README.md").read_text(), re.DOTALL)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if line]
MNIST = artefacts.external("mnist")
[EXPLAIN] = [line for line in COMMANDS if line.startswith("python -m glassnets.explain ")]


def make(target):
    """`make target` without building an environment in the clone."""
    return ["make", "--old-file=.venv/.complete", *target.split()]


def test_every_command_is_one_that_something_runs():
    others = {"make run", "make test", "make run DATASET=mnist", "make ui", EXPLAIN}
    assert {line for line in COMMANDS if not line.startswith("dvc ")} == others
    ci = (artefacts.root() / ".ci" / "run").read_text().splitlines()
    assert {"make run", "make test"} <= set(ci)


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("dvc ")])
def test_dvcs_commands(clone, command):
    clone.run(*command.split())
    clone.run("git", "checkout", "--quiet", ".")


def test_make_run_shows_the_table_and_the_way_on(clone):
    output = clone.run(*make("run"))
    assert "| feedforward |" in output
    assert "make ui" in output
    said = [line for line in output.splitlines() if not line.startswith("make")]
    assert said[-1].endswith(" results/digits/report.html")
    assert (clone.folder / "results" / "digits" / "report.html").is_file()


def test_make_help_lists_the_targets(clone):
    output = clone.run(*make("help"))
    for target in ("run", "test", "ui", "lock"):
        assert re.search(rf"^{target} ", output, re.MULTILINE)


def test_make_ui_opens_mlflow_on_this_machine_alone(clone):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = clone.start(*make(f"ui PORT={port}"))
    browser = build_opener(ProxyHandler({}))
    try:
        for _ in range(120):
            time.sleep(0.5)
            try:
                page = browser.open(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
                break
            except URLError:
                assert server.poll() is None, server.stdout.read()
        assert "MLflow" in page
    finally:
        clone.kill(server)


def test_a_picture_is_explained(clone):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(clone.folder / "my-digit.png")
    output = clone.run(*EXPLAIN.split(), "--dataset", "digits")
    for family in ("feedforward", "lstm", "cnn", "attention"):
        assert family in output
    with Image.open(clone.folder / "my-digit-explained.png") as figure:
        assert figure.width > 500
    for made in clone.folder.glob("my-digit*.png"):
        made.unlink()


@pytest.mark.skipif(
    not MNIST.exists(), reason=f"MNIST's files are not in {MNIST}, so its pipeline is not run"
)
def test_make_run_for_mnist(clone):
    shutil.copytree(MNIST, clone.folder / "data" / "external" / "mnist")

    def edit(content):
        mnist = content["mnist"]
        mnist["max_images"] = 1000
        mnist["seeds"] = [0, 1]
        for family in ("feedforward", "lstm", "cnn", "attention"):
            mnist[family]["training"].update(epochs=1, warmup_epochs=0)
        clone.quick(mnist["explanations"])

    clone.edit_params(edit)
    output = clone.run(*make("run DATASET=mnist"))
    clone.run("git", "checkout", "--quiet", ".")
    assert "mnist: 70000 images, hashes as pinned" in output
    assert "of the first 1,000 images" in output
    assert "| feedforward |" in output
