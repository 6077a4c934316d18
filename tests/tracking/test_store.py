"""Where runs go, and what is said where they cannot."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from glassnets.errors import GlassnetsError
from glassnets.tracking import store as store_


def begin(dataset="digits"):
    """Makes a run with an artifact."""
    with store_.experiment(dataset) as experiment:
        run_id = experiment.client.create_run(experiment.id, run_name="one").info.run_id
        experiment.client.log_text(run_id, "held", "note.txt")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A project without a store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    return tmp_path


def test_runs_are_in_the_project_whichever_folder_the_command_started_in(store):
    deep = store.folder / "src" / "deep"
    deep.mkdir(parents=True)
    os.chdir(deep)
    begin()
    assert store.run("one").info.status == "RUNNING"
    assert list((store.folder / "mlruns").rglob("note.txt"))
    assert not list(deep.iterdir())


def test_the_tracking_uri_is_honoured_with_its_artifacts_beside_it(store, tables, monkeypatch):
    elsewhere = store.folder / "else where"
    elsewhere.mkdir()
    shutil.copy(tables, elsewhere / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}/mlflow.db")
    begin()
    client = mlflow.MlflowClient(f"sqlite:///{elsewhere}/mlflow.db")
    assert client.get_experiment_by_name("glassnets-digits")
    assert list((elsewhere / "mlruns").rglob("note.txt"))
    assert store.client.get_experiment_by_name("glassnets-digits") is None
    assert not (store.folder / "mlruns").exists()


def test_an_experiment_that_was_deleted_comes_back(store):
    begin()
    store.client.delete_experiment(store.experiment)
    begin()
    experiment = store.client.get_experiment_by_name("glassnets-digits")
    assert experiment.lifecycle_stage == "active"
    assert len(store.runs()) == 2
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


@pytest.mark.exhaustive
def test_two_processes_may_begin_at_once_where_nothing_is_yet(bare):
    code = (
        "from glassnets.tracking import store\n"
        "with store.experiment('digits') as experiment:\n"
        "    experiment.client.create_run(experiment.id)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=bare) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    client = mlflow.MlflowClient(f"sqlite:///{bare}/mlflow.db")
    experiment = client.get_experiment_by_name("glassnets-digits")
    assert len(client.search_runs([experiment.experiment_id])) == 2


def test_a_server_asked_for_the_same_experiment_at_the_same_moment_gives_it(store, monkeypatch):
    """It looks, finds none, and another process makes it before it does: its database refuses."""
    create = mlflow.MlflowClient.create_experiment

    def overtaken(*arguments):
        create(*arguments)
        raise MlflowException("UniqueViolation", BAD_REQUEST)

    monkeypatch.setattr(mlflow.MlflowClient, "create_experiment", overtaken)
    begin()
    assert len(store.runs()) == 1


def test_an_unreachable_server_is_named_with_the_way_forward(bare, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(GlassnetsError) as caught:
            begin()
    message = str(caught.value)
    assert message.startswith(f"expected to use MLflow at {uri}, got: ")
    assert "unset MLFLOW_TRACKING_URI" in message
    assert "\n" not in message


def test_no_password_is_printed(bare, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        for user in ("ana:secret@", "secret@", "ana:p@secret@"):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{user}{host}")
            with pytest.raises(GlassnetsError) as caught:
                begin()
            assert f"MLflow at http://…@{host}, got: " in str(caught.value)
            assert "secret" not in str(caught.value)


def test_a_uri_of_another_kind_is_refused_in_a_line(bare, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "tea://pot")
    with pytest.raises(GlassnetsError, match=r"expected to use MLflow at tea://pot, got: .*tea"):
        begin()


def test_a_broken_database_is_named_with_the_way_forward(bare):
    (bare / "mlflow.db").write_text("no database\n" * 100)
    with pytest.raises(GlassnetsError, match=r"mlflow\.db, got: .*; move mlflow\.db away"):
        begin()


def test_the_links_open_each_datasets_runs(store, capsys):
    begin()
    store_.main("5001")
    link = f"http://127.0.0.1:5001/#/experiments/{store.experiment}/runs"
    assert capsys.readouterr().out == f"glassnets-digits: {link}?workflowType=machine_learning\n"


# A folder that is moved


@pytest.mark.parametrize("target", ["moved", "moved to a longer % place_"])
def test_what_the_store_holds_is_found_after_the_folder_was_moved(logged, tmp_path, target):
    logged.client.create_registered_model("champion")
    (model,) = logged.models(filter_string="name = 'cnn-seed-0'")
    logged.client.create_model_version("champion", model.artifact_location)
    own = {"a person's own": "/elsewhere", "glassnets-a server's": "mlflow-artifacts:/1"}
    others = [logged.client.create_experiment(name, own[name]) for name in own]
    moved = tmp_path / target
    logged.folder.rename(moved)
    os.chdir(moved)
    store_.main()
    store = type(logged)(moved)
    assert "leaderboard.csv" in store.artifacts("cnn")
    (model,) = store.models(filter_string="name = 'cnn-seed-0'")
    version = store.client.get_model_version("champion", "1")
    for location in (model.artifact_location, version.source):
        assert model.model_id in mlflow.artifacts.load_text(f"{location}/MLmodel")
    kept = [store.client.get_experiment(other).artifact_location for other in others]
    assert kept == [*own.values()]
    begin()
    assert list((moved / "mlruns").rglob("note.txt"))


def test_a_copy_of_the_folder_keeps_its_artifacts_apart(logged, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(logged.folder, copy)
    os.chdir(copy)
    begin()
    assert list((copy / "mlruns").rglob("note.txt"))
    assert not list((logged.folder / "mlruns").rglob("note.txt"))
    assert "leaderboard.csv" in logged.artifacts("cnn")


# DVC's experiments


def test_from_a_copy_for_a_queued_experiment_runs_go_to_the_projects_store(store):
    for name in ("tmpabc", "standalone/tmpabc"):
        copy = store.folder / ".dvc" / "tmp" / "exps" / name
        copy.mkdir(parents=True)
        (copy / "dvc.yaml").touch()
        os.chdir(copy)
        begin()
        assert not (copy / "mlflow.db").exists()
    assert len(store.runs()) == 2
    assert len(list((store.folder / "mlruns").rglob("note.txt"))) == 2


STAGE = """
stages:
  track:
    cmd: python track.py
    params: [epochs]
    outs: [out.txt]
"""
TRACK = """
from glassnets.pipeline import artefacts
from glassnets.tracking import store
with store.experiment("digits") as experiment:
    name = (artefacts.root() / "params.yaml").read_text().strip()
    experiment.client.create_run(experiment.id, run_name=name)
open("out.txt", "w").write(name)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["--temp", "--queue"])
def test_dvcs_own_experiments_reach_the_projects_store(bare, tables, monkeypatch, how):
    def run(*command):
        subprocess.run(command, check=True, timeout=300)

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    for name in ("author", "committer"):
        monkeypatch.setenv(f"GIT_{name.upper()}_NAME", "test")
        monkeypatch.setenv(f"GIT_{name.upper()}_EMAIL", "test@localhost")
    shutil.copy(tables, bare / "mlflow.db")
    files = {"dvc.yaml": STAGE, "track.py": TRACK, "params.yaml": "epochs: 1\n"}
    for name, text in files.items():
        (bare / name).write_text(text)
    (bare / ".gitignore").write_text("mlflow.db\nmlruns\nout.txt\n")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("git", "add", "--all")
    run("git", "commit", "-q", "-m", "first")
    run("dvc", "exp", "run", how, "-S", "epochs=2")
    if how == "--queue":
        run("dvc", "exp", "run", "--run-all")
    client = mlflow.MlflowClient(f"sqlite:///{bare}/mlflow.db")
    experiment = client.get_experiment_by_name("glassnets-digits")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "epochs: 2"
