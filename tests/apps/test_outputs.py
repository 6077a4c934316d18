"""Where commands write to: nothing of a person's is replaced."""

import tarfile

import pytest

from glassnets.apps import outputs
from glassnets.errors import ParameterError


def test_results_take_the_place_of_results_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert outputs.folder(tmp_path / "new", "plan.json") == tmp_path / "new"
    (tmp_path / "docs").mkdir()
    assert outputs.folder(tmp_path / "docs", "plan.json") == tmp_path / "docs"
    (tmp_path / "docs" / "mine.txt").write_text("hours of work")
    for wrong in ("docs", ".", "docs/mine.txt"):
        with pytest.raises(ParameterError, match=r"^--out: expected a new folder"):
            outputs.folder(tmp_path / wrong, "plan.json")
    (tmp_path / "docs" / "plan.json").write_text("{}")
    outputs.folder(tmp_path / "docs", "plan.json")


def test_an_archive_takes_the_place_of_such_an_archive_alone(tmp_path):
    (tmp_path / "README.md").write_text("of an archive")
    for name, first in (("ours", "README.md"), ("other", "thesis.md")):
        with tarfile.open(tmp_path / name, "w:xz") as tar:
            tar.add(tmp_path / "README.md", first)
    for name in ("new", "ours"):
        assert outputs.archive(tmp_path / name, "README.md") == tmp_path / name
    with tarfile.open(tmp_path / "none", "w:xz"):
        pass
    (tmp_path / "cut").write_bytes((tmp_path / "ours").read_bytes()[:20])
    (tmp_path / "empty").touch()
    for name in ("other", "none", "cut", "empty", "README.md", "."):
        with pytest.raises(ParameterError, match=r"^--out: expected a new file"):
            outputs.archive(tmp_path / name, "README.md")
