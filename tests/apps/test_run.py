"""`glassnets run`: which stages it runs beside each other, and what it does where one fails."""

import os
import shutil
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from glassnets.apps import run
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, manifests
from glassnets.pipeline.alone import alone

ROOT = artefacts.root()


def test_every_stage_but_the_shared_and_the_last_is_in_one_chain(parameters):
    for dataset in parameters.datasets:
        data = parameters.dataset(dataset)
        chains = run.chains(parameters, dataset)
        names = [stage for chain in chains for stage in chain]
        assert len(names) == len(set(names))
        for family in data.families:
            [own] = [chain for chain in chains if f"train@{dataset}-{family}" in chain]
            assert own[: len(manifests.OF_CELL)] == [
                f"{stage}@{dataset}-{family}" for stage in manifests.OF_CELL
            ]
        shared = {f"{stage}@{dataset}" for stage in ("fetch", "preprocess", "sample")}
        assert not shared & {*names}
        assert not {*manifests.goals(parameters, dataset)} & {*names}


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """In DVC's place, a program that waits for the stages `slow` and, once `slow` has begun, fails
    at the stage `bad`."""
    program = tmp_path / "dvc"
    program.write_text(
        '#!/bin/bash\nshift 3\nfor stage in "$@"; do\n'
        "  echo \"Running stage '$stage':\"\n"
        f"  echo begun >> {tmp_path}/$stage\n"
        "  [ $stage = slow ] && sleep 600\n"
        f"  [ $stage = bad ] && {{ until [ -s {tmp_path}/slow ]; do sleep 0.01; done; "
        'echo "error: it is bad"; exit 1; }\n'
        f"  echo done >> {tmp_path}/$stage\n"
        "done\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lambda stage: (tmp_path / stage).read_text().split()


def test_chains_run_in_order_and_are_listed(dvc, capsys):
    run._beside([["one", "two"], ["three"], ["four"]], 2)
    for stage in ("one", "two", "three", "four"):
        assert dvc(stage) == ["begun", "done"]
    said = capsys.readouterr().out.split()
    assert said.index("one") < said.index("two")
    assert {*said} == {"one", "two", "three", "four"}


def test_where_one_fails_the_others_are_interrupted_and_it_is_shown(dvc, capsys):
    with pytest.raises(GlassnetsError, match=r"^expected good, bad to be built"):
        run._beside([["slow"], ["good", "bad"], ["never"]], 2)
    assert "error: it is bad" in capsys.readouterr().out
    assert dvc("slow") == ["begun"]
    with pytest.raises(FileNotFoundError):
        dvc("never")


def test_what_is_started_while_another_fails_is_interrupted_too(dvc, monkeypatch):
    started = subprocess.Popen

    def late(command, **settings):
        process = started(command, **settings)
        if command[-1] == "slow":
            failed.wait()
        return process

    def end(processes, end=run._end):
        end(processes)
        failed.set()

    failed = threading.Event()
    monkeypatch.setattr(subprocess, "Popen", late)
    monkeypatch.setattr(run, "_end", end)
    with pytest.raises(GlassnetsError, match=r"^expected bad to be built"):
        run._beside([["slow"], ["bad"]], 2)
    assert dvc("slow") == ["begun"]


def test_from_any_folder_without_the_environments_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.chdir(ROOT / "docs")
    ran = []
    monkeypatch.setattr(run, "alone", lambda *_: nullcontext())
    monkeypatch.setattr(
        run, "run", lambda *_: ran.append((Path.cwd(), shutil.which("dvc"), shutil.which("python")))
    )
    run.command("digits", jobs=1)
    environment = Path(sys.executable).parent
    assert ran == [(ROOT, str(environment / "dvc"), str(environment / "python"))]


def test_a_second_one_of_the_checkout_is_refused_before_it_runs_anything(
    dvc, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)  # which the command changes
    monkeypatch.setattr(run.artefacts, "root", lambda: tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    with alone(tmp_path / ".dvc"), pytest.raises(SystemExit, match="1"):
        run.command("digits", jobs=1)
    assert capfd.readouterr() == ("", f"error: {run._BUSY}\n")
    run.command("digits", jobs=1)
    assert "similarity@digits" in capfd.readouterr().out
