"""`glassnets track`: MLflow holds a run of each (dataset, family, seed) of dvc.lock,
wherever the networks came from and whoever else writes."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from glassnets.tracking.runs import DIGEST

pytestmark = pytest.mark.exhaustive
MIRROR = ("python", "-m", "glassnets.tracking", "digits")
VERIFY = ("python", "-m", "glassnets.pipeline.verify", "--only", "runs", "--dataset", "digits")
ALL = "digits: 4 runs below 2 parent runs in MLflow, 6 of them written now\n"
NONE = ALL.replace("6", "none")


@pytest.fixture
def own(clone):
    """The store that the pipeline told to."""
    return f"sqlite:///{clone.folder}/mlflow.db"


@pytest.fixture
def empty(clone, tmp_path):
    """An empty store, as a fresh clone has it, which the clone's commands use meanwhile."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    clone.environment["MLFLOW_TRACKING_URI"] = uri
    yield uri
    del clone.environment["MLFLOW_TRACKING_URI"]


def runs(uri) -> dict[str, mlflow.entities.Run]:
    """Those of digits that are marked as the lock's, by name: `cnn-seed-0`."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("glassnets-digits")
    found = client.search_runs([experiment.experiment_id], "tags.`glassnets.inputs` = 'current'")
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found), "one of each name"
    return {name: run for name, run in by_name.items() if "seed" in name}


def artifacts(uri, run) -> set[str]:
    client = mlflow.MlflowClient(uri)
    top = client.list_artifacts(run.info.run_id)
    return {a.path for a in (*top, *client.list_artifacts(run.info.run_id, "plots"))}


def measured(run) -> dict[str, float]:
    """What the mirror cannot know: the costs of training."""
    return {
        name: value
        for name, value in run.data.metrics.items()
        if not name.startswith(("resources/", "system/"))
    }


def test_what_the_pipeline_told_needs_no_telling(clone):
    assert clone.run(*MIRROR) == NONE


@pytest.mark.release
def test_it_tells_all_that_the_pipeline_told(clone, own, empty):
    told = clone.run(*MIRROR)
    assert told == ALL
    live, mirrored = runs(own), runs(empty)
    assert live.keys() == mirrored.keys()
    history = pd.read_csv(clone.folder / "results" / "digits" / "cells" / "cnn" / "history.csv")
    curve = mlflow.MlflowClient(empty).get_metric_history(
        mirrored["cnn-seed-1"].info.run_id, "validation/loss"
    )
    assert [point.value for point in curve] == history.query("seed == 1")["val_loss"].tolist()
    for name, run in live.items():
        other = mirrored[name]
        assert measured(other) == pytest.approx(measured(run), rel=1e-7)
        assert other.data.params == run.data.params
        assert other.data.tags[DIGEST] == run.data.tags[DIGEST]
        assert artifacts(empty, other) == artifacts(own, run) >= {"attribution_scores.csv"}
        digest = other.inputs.dataset_inputs[0].dataset.digest
        assert digest == run.inputs.dataset_inputs[0].dataset.digest
    clone.run(*VERIFY)

    assert clone.run(*MIRROR) == NONE
    again = runs(empty)
    assert [run.info.end_time for run in again.values()] == [
        run.info.end_time for run in mirrored.values()
    ]


@pytest.mark.release
def test_the_lock_is_followed_there_and_back(clone, own):
    """Runs of another recipe stay, marked; the mark follows the lock."""
    first = runs(own)

    def edit(content):
        content["digits"]["feedforward"]["training"]["epochs"] = 2

    clone.edit_params(edit)
    refused = clone.run(*MIRROR, check=False)
    assert re.search(r"error: digits: .* in .*train@digits-feedforward.*dvc repro", refused)
    clone.run("dvc", "repro", "compare@digits")
    assert clone.run(*MIRROR) == NONE
    second = runs(own)
    changed = {name for name in first if first[name].info.run_id != second[name].info.run_id}
    assert changed == {"feedforward-seed-0", "feedforward-seed-1"}
    clone.run("git", "checkout", "--quiet", "--force", "HEAD")
    clone.run("dvc", "checkout", "--quiet", "compare@digits", "--with-deps")
    assert clone.run(*MIRROR) == NONE
    third = runs(own)
    assert {n: run.info.run_id for n, run in third.items()} == {
        n: run.info.run_id for n, run in first.items()
    }


@pytest.mark.release
def test_what_was_damaged_is_told_again(clone, own):
    client = mlflow.MlflowClient(own)
    before = runs(own)
    other = before["cnn-seed-0"].info.run_id
    client.log_metric(other, "test/accuracy", 0.125)
    stripped = before["feedforward-seed-1"].info
    (model,) = client.search_logged_models(
        [stripped.experiment_id], f"source_run_id = '{stripped.run_id}'"
    )
    client.delete_logged_model(model.model_id)
    said = clone.run(*VERIFY, check=False)
    assert "runs: cnn-seed-0 of digits: expected test/accuracy " in said
    assert "runs: feedforward-seed-1 of digits: expected " in said
    assert re.search(r" [1-4] of them written now\n", clone.run(*MIRROR))
    clone.run(*VERIFY)
    after = runs(own)
    assert after["cnn-seed-0"].info.run_id == other
    assert after["feedforward-seed-1"].info.run_id != stripped.run_id


@pytest.mark.release
def test_two_at_once_leave_one_run_each(clone, empty):
    both = [clone.start(*MIRROR) for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    clone.run(*VERIFY)
    assert clone.run(*MIRROR) == NONE


# A server, as a team has one


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        assert process.poll() is None, "it ended at once"
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("it does not answer")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URI of an empty database, of a PostgreSQL of its own on loopback."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder, port = tmp_path_factory.mktemp("postgres"), free_port()
    as_other = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        for path in (folder, *folder.parents):
            if path == Path(tempfile.gettempdir()):
                break
            path.chmod(0o711)
        shutil.chown(folder, "postgres")
        as_other = {"user": "postgres", "group": "postgres", "extra_groups": []}
    programs, data = found[-1].parent, folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "glassnets"],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_other,
    )
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
    with subprocess.Popen(
        [programs / "postgres", "-D", data, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_other,
    ) as server:
        wait_for(port, server)
        yield f"postgresql://glassnets@127.0.0.1:{port}/postgres"
        server.terminate()


@pytest.fixture
def server(clone, postgres, tmp_path):
    """The URI of an MLflow server over PostgreSQL, which the clone's commands use."""
    port = free_port()
    process = clone.start(
        "mlflow",
        "server",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "2"),
        *("--backend-store-uri", postgres, "--artifacts-destination", str(tmp_path)),
        stdout=subprocess.DEVNULL,  # what nobody reads fills its pipe, and the server waits
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(port, process)
        clone.environment["MLFLOW_TRACKING_URI"] = uri
        yield uri
    finally:
        clone.environment.pop("MLFLOW_TRACKING_URI", None)
        clone.kill(process)


@pytest.mark.release
def test_a_server_over_postgresql_holds_the_same_whoever_writes(clone, own, server):
    both = [clone.start(*MIRROR) for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    clone.run(*VERIFY)
    assert clone.run(*MIRROR) == NONE
    clone.run("dvc", "repro", "--force", "--single-item", "train@digits-feedforward")
    assert re.search(r" ([1-3]|none) of them written now\n", clone.run(*MIRROR))
    clone.run(*VERIFY)
    local, over_http = runs(own), runs(server)
    assert local.keys() == over_http.keys()
    for name, run in local.items():
        assert measured(over_http[name]) == pytest.approx(measured(run), rel=1e-7)
        assert artifacts(server, over_http[name]) == artifacts(own, run)
    assert "resources/cpu_seconds" in over_http["feedforward-seed-0"].data.metrics
