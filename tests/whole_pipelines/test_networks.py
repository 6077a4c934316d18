"""Networks of a clone that trained them, in one that never did."""

import json
import re
import tarfile

import pytest

from glassnets.apps.release import OUTPUTS

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def archive(clone, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "networks.tar.xz"
    clone.run("glassnets", "release", "digits", "--out", str(path))
    return path


@pytest.fixture(scope="module")
def other(clone, archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other") / "project"
    clone.run("git", "clone", "--quiet", str(clone.folder), str(folder))
    made = type(clone)(folder)
    made.run("glassnets", "fetch-networks", str(archive))
    yield made
    assert made.outside() == []


def test_outputs_are_as_the_lock_has_them(clone, archive, other):
    with tarfile.open(archive) as tar:
        outputs = json.load(tar.extractfile(OUTPUTS))
    assert {f"models/digits/{family}" for family in clone.families} < set(outputs)
    status = json.loads(other.run("dvc", "data", "status", "--json"))
    changed = {path.rstrip("/") for path in status["uncommitted"].get("deleted", ())}
    assert "results/digits/cells/cnn/scores.npz" in changed  # which no archive has
    assert changed & set(outputs) == set()
    assert status["uncommitted"].keys() <= {"deleted"}
    up_to_date = other.run(
        "dvc", "status", *(f"train@digits-{family}" for family in clone.families)
    )
    assert "up to date" in up_to_date
    assert other.run("git", "status", "--porcelain") == ""
    same = clone.hashes("models/digits", "data/processed/digits")
    assert other.hashes("models/digits", "data/processed/digits") == same


def test_a_row_is_explained(clone, other):
    explain = ("glassnets", "explain", "--row", "3", "--dataset", "digits", "--family", "all")
    output = other.run(*explain)
    assert output == clone.run(*explain)
    for folder in (clone.folder, other.folder):
        for made in folder.glob("*-explained.png"):
            made.unlink()
    assert all(family in output for family in clone.families)


def test_champions_are_registered_and_the_board_starts(other):
    output = other.run("glassnets", "register", "digits")
    for family in other.families:
        assert re.search(rf"glassnets-digits-{family}: version 1 is the champion", output)
    board = other.start("glassnets", "board", "--dataset", "digits", "--port", "0")
    try:
        said = []
        for line in board.stdout:
            said.append(line)
            if "Draw at http" in line:
                break
        assert "Draw at http" in said[-1], "".join(said)
    finally:
        other.kill(board)
