"""`make env`: uv where it is on the path, else pip, on the same hashed files."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Stands for Python, pip and uv: it says who was called and how; `-m venv` gives an environment.
STUB = """#!/usr/bin/env bash
echo "${0##*/} $*" >> "$LOG"
[ "$2" != venv ] || rm -rf .venv
[ "$2" != venv ] || mkdir -p .venv/bin
[ "$2" != venv ] || cp "$0" .venv/bin/python
[ "$2" != venv ] || cp "$0" .venv/bin/pip
"""
HASHED = "--require-hashes -r requirements.txt -r requirements-dev.txt"


@pytest.fixture
def build(tmp_path):
    """``build(*commands, arguments)``: what `make env` calls where these are on the path."""
    folder = tmp_path / "project"
    (folder / ".dvc" / "plots").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)

    def run(*commands, arguments=()):
        there = tmp_path / "bin"
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        for name in ("bash", "cat", "cp", "env", "make", "mkdir", "rm", "touch"):
            (there / name).symlink_to(shutil.which(name))
        for name in ("python3", *commands):
            (there / name).write_text(STUB)
            (there / name).chmod(0o755)
        log = tmp_path / "log"
        log.write_text("")
        ran = subprocess.run(
            ["make", "env", *arguments],
            cwd=folder,
            env={"PATH": str(there), "LOG": str(log)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        assert (folder / ".venv" / ".complete").is_file()
        (folder / ".venv" / ".complete").unlink()
        calls = [line for line in log.read_text().splitlines() if " install " in line]
        assert [HASHED in line for line in calls] == [True, False]
        assert "--no-deps --no-build-isolation --editable ." in calls[1]
        return [line.partition(" install")[0] for line in calls]

    return run


def test_uv_builds_the_environment_where_it_is(build):
    assert build("uv") == ["uv pip", "uv pip"]


def test_pip_does_without_it(build):
    assert build() == ["pip", "pip"]


def test_pip_does_where_uv_is_not_wanted(build):
    assert build("uv", arguments=["UV="]) == ["pip", "pip"]


def test_the_uv_of_an_environment_that_is_built_anew_is_not_used(build, tmp_path):
    own = tmp_path / "project" / ".venv" / "bin" / "uv"
    own.parent.mkdir(parents=True)
    own.write_text(STUB)
    own.chmod(0o755)
    assert build() == ["pip", "pip"]


def test_an_environment_that_could_not_be_filled_is_not_taken_for_whole(build, tmp_path):
    failing = STUB + '[ "$2" != install ] || [[ "$*" != *editable* ]]\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "STUB", failing)
        with pytest.raises(AssertionError):
            build("uv")
    assert not (tmp_path / "project" / ".venv" / ".complete").exists()
