"""A clean copy of a commit: what is built in it and what is taken, what a kill leaves, runs that
differ or are not there."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import networkx
import pytest
from dvc.exceptions import ReproductionError
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.rebuild import copy_project
from glassnets.sweeps import copies, tasks


def git(folder, *words):
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    ran = ["git", "-C", folder, *identity, *words]
    return subprocess.run(ran, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project as it is, committed anew, and that commit."""
    folder = tmp_path_factory.mktemp("project") / "project"
    copy_project(artefacts.root(), folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder, git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def copy(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "project"
    copies.clone(str(project[0]), project[1], folder, str(folder.parent / "remote"))
    return folder


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("overrides", "target", "built", "taken"),
    [
        (
            ("digits.cnn.training.learning_rate=0.02",),
            "train@digits-cnn",
            ["train@digits-cnn"],
            ["preprocess@digits"],
        ),
        (
            ("digits.validation_size=0.1",),
            "train@digits-cnn",
            ["preprocess@digits", "train@digits-cnn"],
            ["fetch@digits"],
        ),
        (
            ("evaluation.bootstrap_resamples=100",),
            "evaluate@digits-cnn",
            ["train@digits-cnn", "evaluate@digits-cnn"],
            ["preprocess@digits"],
        ),
    ],
)
def test_what_overrides_change_is_built_and_the_rest_taken(copy, overrides, target, built, taken):
    copies.change(copy, overrides)
    assert copies.stages(copy, target) == (built, taken)


def test_the_chain_of_a_stage_is_all_that_dvc_has_before_it(copy):
    with Repo(str(copy)) as repo:
        graph = repo.index.graph
        for cell in ("digits-cnn", "planted-lstm", "mnist-spiking"):
            for name in ("train", "evaluate"):
                [stage] = [each for each in graph if each.name == f"{name}@{cell}"]
                before = {each.name for each in networkx.descendants(graph, stage)} - {"manifest"}
                *needed, last = copies.chain(stage.name)
                assert {*needed} == before
                assert last == stage.name
                for own, following in itertools.pairwise(copies.chain(stage.name)):
                    edges = {(a.name, b.name) for a, b in graph.edges}
                    assert (following, own) in edges
    with pytest.raises(GlassnetsError, match="expected a stage of train, evaluate, got judge"):
        copies.chain("judge@digits-cnn")


def test_a_copy_has_what_the_commit_has_again(copy, project):
    copies.change(copy, ("digits.validation_size=0.1",))
    copies.change(copy, ())
    assert (copy / "params.yaml").read_bytes() == (project[0] / "params.yaml").read_bytes()
    assert git(copy, "status", "--porcelain", "--", "manifests", "params.yaml") == ""
    kept = (copy / "dvc.lock").read_text()
    assert "preprocess@digits" in kept
    assert "train@digits-cnn" not in kept


def test_what_a_kill_leaves_is_taken_away(copy):
    (copy / ".git" / "index.lock").touch()
    (copy / ".dvc" / "tmp" / "rwlock").write_text('{"cut sh')
    with pytest.raises(GlassnetsError, match=r"^expected git reset to work, got: .*index.lock"):
        copies.change(copy, ())
    copies.mend(copy)
    copies.change(copy, ())


def test_a_run_that_no_worker_made_is_not_made(copy, monkeypatch):
    copies.change(copy, ("digits.cnn.training.learning_rate=0.03",))
    monkeypatch.setattr(copies, "stages", lambda *_: (["train@digits-cnn"], []))
    for name in ("train", "validation"):
        path = copy / "data" / "processed" / "digits" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(GlassnetsError, match=r"^expected a run of train@digits-cnn, got none"):
        copies.restore(copy, "train@digits-cnn")
    assert not (copy / "models").exists()


def test_a_run_that_is_not_in_the_remote_is_kept_here(copy):
    runs = copy / ".dvc" / "cache" / "runs" / "cd" / ("cd" + "0" * 62)
    runs.mkdir(parents=True)
    (runs / ("1" * 64)).write_text("cmd: python\nouts:\n- path: a\n  md5: abc\n")
    blocked = copy.parent / "remote" / "runs" / "cd"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("no folder")
    with pytest.raises(GlassnetsError, match=r"^expected to write the run cd0+ into the remote"):
        copies.push(copy, [])
    assert (runs / ("1" * 64)).is_file()
    blocked.unlink()
    copies.push(copy, [])
    assert (blocked / runs.name / ("1" * 64)).is_file()
    assert not runs.exists()
    shutil.rmtree(blocked)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (-9, tasks.KilledError),
        (137, tasks.KilledError),
        (1, GlassnetsError),
        (127, GlassnetsError),
    ],
)
def test_a_stage_that_a_signal_ended_is_told_from_one_that_failed(copy, status, kind):
    with pytest.raises(GlassnetsError) as caught, copies._dvc(copy, "built"):
        raise ReproductionError("train") from StageCmdFailedError("python -m train", status)
    assert type(caught.value) is kind
    assert f"python -m train, exited with {status}" in str(caught.value)


def test_two_runs_of_the_same_inputs_are_an_error_and_half_ones_none(copy):
    own = copy.parent / "remote" / "runs" / "ab" / ("ab" + "0" * 62)
    own.mkdir(parents=True)
    (own / ("1" * 64)).write_text("cmd: python\nouts:\n- path: a\n  md5: abc\n")
    (own / ".abc.tmp").write_text("cm")
    copies.fetch_runs(copy)
    (own / ("2" * 64)).write_text("cmd: python\nouts:\n- path: a\n  md5: abd\n")
    with pytest.raises(GlassnetsError, match=r"^expected one result of a stage .* got 2 in the"):
        copies.fetch_runs(copy)


@pytest.mark.parametrize("remote", ["foo://x/y", "s3://bucket/sweeps"])
def test_a_remote_that_cannot_be_used_is_said_in_a_line(copy, remote):
    def use():
        copies.set_remote(copy, remote)
        copies.fetch_runs(copy)

    with pytest.raises(GlassnetsError, match="by DVC, got: ") as refused:
        use()
    assert "\n" not in str(refused.value)


def test_stages_are_run_by_the_python_whose_packages_are_looked_at(tmp_path, monkeypatch):
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    assert shutil.which("python") == str(other)
    tasks._use_own_python.__wrapped__()
    assert shutil.which("python") == str(Path(sys.executable).parent / "python")


def test_other_code_is_refused(copy):
    tasks.check_code(copy)
    path = copy / "src" / "glassnets" / "errors.py"
    path.write_text(path.read_text() + "\n# a comment\n")
    tasks.check_code(copy)
    path.write_text(path.read_text() + "\nNEW = 1\n")
    with pytest.raises(GlassnetsError, match=r"got other in glassnets\.errors of 1 files"):
        tasks.check_code(copy)


def test_a_commit_that_is_not_there_is_said_in_a_line(project, tmp_path):
    with pytest.raises(GlassnetsError, match=r"^expected git checkout to work"):
        copies.clone(str(project[0]), "0" * 40, tmp_path / "copy", str(tmp_path))
