"""Every command of the README and of docs/ works, in a temporary clone. CI itself runs `make test`
and `make run`. Blocks of `bash` are commands as they stand; those of `sh` have names to be put in.
"""

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

ROOT = artefacts.root()
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if ROOT / "docs" / "zh" not in path.parents  # whose commands are those of the English pages
}


def commands(*pages):
    """Of the pages' blocks of bash, each once."""
    text = "\n".join(PAGES[page] for page in pages)
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line))


def titled(page):
    """(file, text) of each block of a page that is to be saved as, or appended to, a file."""
    return re.findall(r'```python title="(.+?)"\n(.*?)```', PAGES[page], re.DOTALL)


IMAGES, TABLE, MODEL, METHOD = (
    f"docs/tutorials/{name}.md"
    for name in ("own-images", "own-table", "own-keras-model", "add-a-method")
)
TUTORIALS = (IMAGES, TABLE, MODEL, METHOD)
COMMANDS = commands(*(page for page in PAGES if page not in TUTORIALS))
[ASK] = re.findall(r"```python\n(.*?)```", PAGES["docs/guides/serve.md"], re.DOTALL)
OF_DVC_AND_GIT = [line for line in COMMANDS if line.startswith(("dvc ", "git "))]
[EXPLAIN] = [line for line in COMMANDS if line.startswith("glassnets explain my-")]
[EXAMPLE] = [line for line in COMMANDS if line.startswith("glassnets explain --row")]


def make(target):
    """`make target` without building an environment in the clone."""
    return ["make", "--old-file=.venv/.complete", *target.split()]


def test_every_command_is_one_that_something_runs():
    others = {"make run", "make test", "make run DATASET=mnist", "make ui", EXPLAIN, EXAMPLE}
    others |= {"make demo", "make demo DATASET=mnist", "make serve DATASET=digits FAMILY=cnn"}
    others |= {
        "make track",
        "make verify",
        "make verify DATASET=mnist",
        "glassnets run digits",  # which `make run` runs
        "source .venv/bin/activate",
    }
    assert {line for line in COMMANDS if line not in OF_DVC_AND_GIT} == others
    ci = (artefacts.root() / ".ci" / "run").read_text().splitlines()
    assert {"make run", "make test"} <= set(ci)


def follow(clone, page, *left_out):
    """Saves or appends a tutorial's files and runs its commands, but those that the others stand
    for; gives what each command printed."""
    own = commands(page)
    assert {"source .venv/bin/activate", *left_out} <= set(own)
    for file, text in titled(page):
        before = ""
        if (clone.folder / file).exists():
            before = (clone.folder / file).read_text(encoding="utf-8") + "\n\n"
        (clone.folder / file).write_text(before + text, encoding="utf-8")
    return {
        line: clone.run("bash", "-c", line)
        for line in own
        if line not in ("source .venv/bin/activate", *left_out)
    }


def undo(clone):
    clone.run("git", "checkout", "--quiet", ".")
    clone.run("git", "clean", "--quiet", "--force", "-d")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(line, marks=[pytest.mark.release] if line.startswith("dvc exp run") else [])
        for line in OF_DVC_AND_GIT
    ],
)
def test_commands_of_dvc_and_git(clone, command):
    clone.run("bash", "-c", command)
    clone.run("git", "checkout", "--quiet", ".")


# What `make run` of a person's data does is tested elsewhere: here one network of each is trained.


@pytest.mark.release
def test_a_table_is_taken_in_and_a_row_explained(clone):
    run, explain = "make run DATASET=wine", "glassnets explain wine.csv --row 3 --dataset wine"
    output = follow(clone, TABLE, run, explain)
    assert "next: make run DATASET=wine" in "".join(output.values())
    clone.run("dvc", "repro", "preprocess@wine")
    changed = clone.run("git", "diff", "--name-only").split()
    assert {name for name in changed if not name.startswith("manifests/")} <= {
        "params.yaml",
        "dvc.lock",
    }
    clone.run("dvc", "repro", "train@wine-cnn")
    assert "cnn" in clone.run(*explain.split())
    assert (clone.folder / "wine-3-explained.png").is_file()
    undo(clone)


@pytest.mark.release
def test_pictures_are_taken_in_and_one_explained(clone):
    run = "make run DATASET=pieces"
    explain = "glassnets explain pictures/flower/0-0.png --dataset pieces --by-channel"
    output = follow(clone, IMAGES, run, explain)
    assert "next: make run DATASET=pieces" in "".join(output.values())
    clone.run("dvc", "repro", "train@pieces-cnn")
    assert re.search("flower|temple", clone.run(*explain.split()))
    assert (clone.folder / "0-0-explained.png").is_file()
    undo(clone)


@pytest.mark.release
def test_a_model_of_keras_is_judged(clone):
    output = follow(clone, MODEL)
    [judged] = [text for line, text in output.items() if line.startswith("glassnets judge")]
    assert "verdicts.md" in judged
    page = clone.folder / "model-0-verdicts" / "verdicts.md"
    assert "absolute_difference" in page.read_text(encoding="utf-8")
    undo(clone)


@pytest.mark.release
def test_a_method_is_added(clone):
    clone.edit_params(
        lambda content: content["defaults"]["attribution"]["methods"].update(absolute_gradient={})
    )
    assert "      absolute_gradient: {}\n" in PAGES[METHOD]
    output = follow(clone, METHOD, "make run")
    assert "1 passed" in output["pytest tests/attribution/methods/test_gradients.py -k absolute"]
    [changed] = [text for line, text in output.items() if line.startswith("git diff")]
    assert "attribute.json" in changed
    assert "train.json" not in changed
    undo(clone)
    clone.run("dvc", "repro", "compare@digits")


def test_make_run_shows_the_table_and_the_way_on(clone):
    output = clone.run(*make("run"))
    assert "| feedforward |" in output
    assert "make ui" in output
    for family in clone.families:
        assert re.search(rf"glassnets-digits-{family}: version \d+ is the champion", output)
    said = [line for line in output.splitlines() if not line.startswith("make")]
    assert said[-1].endswith(" results/digits/report.html")
    assert (clone.folder / "results" / "digits" / "report.html").is_file()


def test_make_track_tells_of_all_that_is_here(clone):
    output = clone.run(*make("track DATASET=digits"))
    assert output.splitlines()[-1].startswith("digits: 4 runs below 2 parent runs in MLflow")


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
                requests.get(f"http://127.0.0.1:{port}/", timeout=300)
                break
            except requests.ConnectionError:
                assert server.poll() is None, server.stdout.read()
        assert listening(server.pid) == {"127.0.0.1"}
        yield f"http://127.0.0.1:{port}"
    finally:
        clone.kill(server)


def test_make_ui_opens_mlflow_on_this_machine_alone(clone):
    with started(clone, "ui") as url:
        assert "MLflow" in requests.get(url, timeout=300).text


def test_make_demo_opens_the_drawing_board(clone):
    with started(clone, "demo") as url:
        assert "Draw a digit" in requests.get(url, timeout=300).text


def test_a_champion_is_served_and_asked(clone, capsys):
    clone.run("python", "-m", "glassnets.tracking.register", "digits")
    with started(clone, "serve DATASET=digits FAMILY=cnn") as url:
        exec(ASK.replace("http://127.0.0.1:5001", url))
    [answer] = ast.literal_eval(capsys.readouterr().out)
    assert np.argmax(answer["probabilities"]) == answer["class"]
    assert np.shape(answer["explanation"]["map"]) == (8, 8)
    assert isinstance(answer["explanation"]["doubtful"], bool)


def test_an_example_of_the_dataset_is_explained(clone):
    assert "cnn" in clone.run(*EXAMPLE.split())
    for made in clone.folder.glob("*-explained.png"):
        made.unlink()


def test_a_picture_is_explained(clone):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(clone.folder / "my-digit.png")
    output = clone.run(*EXPLAIN.split())
    for family in clone.families:
        assert family in output
    with Image.open(clone.folder / "my-digit-explained.png") as figure:
        assert figure.width > 500
    for made in clone.folder.glob("my-digit*.png"):
        made.unlink()
