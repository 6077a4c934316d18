"""Runs while networks train: what they hold, how they end, which of them stay."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.tracking import runs
from glassnets.tracking.store import experiment

LOGS = {"loss": 1.5, "accuracy": 0.5, "val_loss": np.float32(2.5), "val_accuracy": 0.25}
MEMORY = "system/system_memory_usage_megabytes"


@pytest.fixture
def train(params):
    """``train(seed, epochs)``: a run of a training of cnn; gives its id."""

    def train(seed=0, epochs=1):
        with runs.training_run(params, "digits", "cnn", seed) as run:
            for epoch in range(1, 1 + epochs):
                run.log_epoch(epoch, LOGS)
        return run.id

    return train


def keys(params):
    return runs.keys(params, "digits", "cnn")


def whole(store, params, *run_ids, digest="results"):
    """As after the end of the stage: doubles are gone."""
    for run_id in run_ids:
        store.client.set_tag(run_id, runs.TRAINED, digest)
    with experiment("digits") as opened:
        runs.settle(opened, keys(params))


def ids(store):
    return {run.info.run_id for run in store.runs()}


# What a run holds


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_training_goes_on_without_mlflow(store, params, monkeypatch, capsys, lost):
    log_batch, said = mlflow.MlflowClient.log_batch, 0

    def unreachable(*arguments, **options):
        nonlocal said
        said += 1
        if said == lost:
            raise MlflowException("it went away")
        return log_batch(*arguments, **options)

    with runs.training_run(params, "digits", "cnn", 0) as run:
        monkeypatch.setattr(mlflow.MlflowClient, "log_batch", unreachable)
        run.log_epoch(1, LOGS)
        run.log_epoch(2, LOGS)
    assert said == lost  # then it is left alone
    assert store.curve("cnn-seed-0", "train/loss") == [(1, 1.5), (2, 1.5)][: lost - 1]
    assert store.run("cnn-seed-0").info.status == "RUNNING"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: expected to use MLflow at ")
    assert line.endswith("`glassnets track digits` logs it later")


def test_seeds_after_the_first_are_trained_without_mlflow(store, params, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "tea://pot")
    with pytest.raises(GlassnetsError), runs.training_run(params, "digits", "cnn", 0):
        pytest.fail("nothing is trained yet")
    with runs.training_run(params, "digits", "cnn", 1) as run:
        run.log_epoch(1, LOGS)
    assert capsys.readouterr().err.startswith("warning: expected to use MLflow at tea://pot")
    assert store.client.get_experiment_by_name("glassnets-digits") is None


def test_a_run_is_followed_live(store, params, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    with runs.training_run(params, "digits", "cnn", 1) as run:
        run.log_epoch(1, LOGS)
        assert store.curve("cnn-seed-1", "train/loss") == [(1, 1.5)]
        assert store.run("cnn-seed-1").info.status == "RUNNING"
        run.log_epoch(2, LOGS | {"val_loss": 0.75})
        patience = time.monotonic() + 60
        while time.monotonic() < patience and not store.curve("cnn-seed-1", MEMORY):
            time.sleep(0.05)
    run = store.run("cnn-seed-1")
    assert run.info.status == "FINISHED"
    assert store.curve("cnn-seed-1", "validation/loss") == [(1, 2.5), (2, 0.75)]
    curves = {"train/loss", "train/accuracy", "validation/loss", "validation/accuracy"}
    resources = {f"resources/{name}" for name in ("wall_seconds", "cpu_seconds", "peak_mib")}
    metrics = run.data.metrics
    assert {name for name in metrics if not name.startswith("system/")} == curves | resources
    assert metrics["resources/wall_seconds"] > 0
    assert metrics["resources/cpu_seconds"] > 0
    assert 20 < metrics["resources/peak_mib"] < 100_000
    assert metrics[MEMORY] > 0


def test_a_run_names_its_parameters_data_and_parent(store, params, train):
    train(seed=1)
    run, parent = store.run("cnn-seed-1"), store.run("cnn")
    cell = params.dataset("digits").family("cnn")
    assert run.data.params["network.filters"] == str(cell.network.filters)
    assert run.data.params["training.augmentation.rotation"] == "8.0"
    assert run.data.params == parent.data.params
    tags = {"dataset": "digits", "family": "cnn", "seed": "1"}
    assert {
        f"glassnets.{name}": value for name, value in tags.items()
    }.items() <= run.data.tags.items()
    assert parent.data.tags["glassnets.seed"] == "all"
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "mlflow.parentRunId" not in parent.data.tags
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "digits-train"
    assert json.loads(used.dataset.source)["uri"] == "data/processed/digits/train.npz"
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]


def test_the_datasets_digest_tells_images_and_labels_apart(store, train):
    arrays = artefacts.load_arrays(artefacts.part("digits", "train"))
    changed = {name: array.copy() for name, array in arrays.items()}
    changed["labels"][0] += 1
    for seed, each in enumerate([arrays, changed, arrays]):
        artefacts.save_arrays(artefacts.part("digits", "train"), each)
        train(seed)
    first, second, third = (
        store.run(f"cnn-seed-{seed}").inputs.dataset_inputs[0].dataset.digest for seed in range(3)
    )
    assert first == third != second


def test_the_commit_is_logged_and_whether_the_project_differs_from_it(store, train, monkeypatch):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    train(seed=0)
    git("init")
    train(seed=1)  # no commit yet
    git("add", "dvc.yaml", "params.yaml")
    git("commit", "-m", "first")
    (store.folder / "results" / "new.csv").touch()  # what the stages write does not count
    train(seed=2)
    (store.folder / "params.yaml").write_text("changed", encoding="utf-8")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    train(seed=3)
    tags = [store.run(f"cnn-seed-{seed}").data.tags for seed in range(4)]
    assert "mlflow.source.git.commit" not in tags[0]
    assert "mlflow.source.git.commit" not in tags[1]
    assert tags[2]["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert tags[2]["mlflow.source.git.dirty"] == "false"
    assert tags[3]["mlflow.source.git.dirty"] == "true"
    assert "dvc.experiment" not in tags[2]
    assert tags[3]["dvc.experiment"] == "bold-idea"


def test_a_server_told_of_the_same_data_at_the_same_moment_is_asked_again(
    store, train, monkeypatch
):
    """It looks, finds nothing, and is overtaken before it writes: its database refuses."""
    log_inputs, tries = mlflow.MlflowClient.log_inputs, []

    def overtaken(*arguments):
        tries.append(arguments)
        log_inputs(*arguments)
        if len(tries) == 1:
            raise MlflowException("UniqueViolation", BAD_REQUEST)

    monkeypatch.setattr(mlflow.MlflowClient, "log_inputs", overtaken)
    train()
    assert len(store.run("cnn").inputs.dataset_inputs) == 1
    assert len(tries) == 3


def test_nothing_random_is_drawn_and_nothing_printed(store, train, tensorflow, tmp_path, capfd):
    import keras
    import tensorflow as tf

    def draw() -> list[float]:
        drawn = [random.random(), np.random.random()]
        return [*drawn, float(tf.random.uniform([])), float(keras.random.uniform([]))]

    (store.folder / "mlflow.db").unlink()
    os.chdir(store.folder.rename(tmp_path / "where MLflow makes its tables"))
    keras.utils.set_random_seed(7)
    expected = draw()
    keras.utils.set_random_seed(7)
    capfd.readouterr()
    train()
    assert capfd.readouterr() == ("", "")
    assert draw() == expected


# How it ends


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_breaks_off_says_so_and_spares_the_whole_one(
    store, params, train, error, status
):
    whole(store, params, first := train(), store.run("cnn").info.run_id)
    with pytest.raises(error), runs.training_run(params, "digits", "cnn", 0):
        raise error
    by_status = {
        run.info.status: run.info.run_id for run in store.runs("tags.`glassnets.seed` = '0'")
    }
    assert by_status.keys() == {"FINISHED", status}
    assert by_status["FINISHED"] == first
    whole(store, params, again := train())
    assert ids(store) == {again, store.run("cnn").info.run_id}


@pytest.mark.exhaustive
def test_a_run_left_running_by_a_kill_is_replaced(store, params, train):
    code = (
        "import os, signal\n"
        "from glassnets import config\n"
        "from glassnets.pipeline import artefacts\n"
        "from glassnets.tracking import runs\n"
        "params = config.load(artefacts.params_file())\n"
        "with runs.training_run(params, 'digits', 'cnn', 0):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    killed = store.run("cnn-seed-0")
    assert killed.info.status == "RUNNING"
    whole(store, params, again := train(), store.run("cnn").info.run_id)
    assert store.run("cnn-seed-0").info.run_id == again


def test_a_run_at_work_in_another_process_is_let_be(store, params, train):
    with runs.training_run(params, "digits", "cnn", 0) as run:
        store.client.set_tag(run.id, runs.PROCESS, runs._process(os.getppid()))
        whole(store, params, train(), store.run("cnn").info.run_id)
        statuses = [run.info.status for run in store.runs("tags.`glassnets.seed` = '0'")]
        assert sorted(statuses) == ["FINISHED", "RUNNING"]
        run.log_epoch(1, LOGS)
    whole(store, params, run.id)
    assert store.run("cnn-seed-0").info.run_id == run.id, "the one that ended last stays"


@pytest.mark.parametrize(("hours", "spared"), [(1, True), (25, False)])
def test_a_run_of_another_machine_is_let_be_for_a_day(store, params, train, hours, spared):
    run_id = train()
    begun = int(time.time() * 1000) - hours * 3_600_000
    tags = {**keys(params)[1].tags, runs.PROCESS: "elsewhere/1/1"}
    other = store.client.create_run(store.experiment, start_time=begun, tags=tags)
    whole(store, params, run_id, store.run("cnn").info.run_id)
    assert (other.info.run_id in ids(store)) == spared


# Which stay


def test_running_again_replaces_and_other_inputs_add(store, params, train):
    first = train(epochs=2)
    whole(store, params, first, store.run("cnn").info.run_id)
    whole(store, params, train(epochs=2))
    assert first not in ids(store)
    assert store.curve("cnn-seed-0", "train/loss") == [(1, 1.5), (2, 1.5)]
    artefacts.save_json(artefacts.manifest("train", "digits", "cnn"), {"family": "other"})
    train()
    names = sorted(run.info.run_name for run in store.runs())
    assert names == ["cnn", "cnn", "cnn-seed-0", "cnn-seed-0"]


def test_of_two_that_ended_the_later_stays_whoever_asks(store, params):
    """As where two machines log at once: neither sees the other's before it ends."""
    begun = {}
    with experiment("digits") as opened:
        for key in keys(params)[:2]:
            for end in (2_000, 1_000):
                made = store.client.create_run(opened.id, start_time=500, tags=key.tags)
                store.client.set_terminated(made.info.run_id, end_time=end)
                begun[key.seed, end] = made.info.run_id
    whole(store, params, *begun.values())
    assert ids(store) == {begun[None, 2_000], begun[0, 2_000]}
    (child,) = store.runs("tags.`glassnets.seed` = '0'")
    assert child.data.tags["mlflow.parentRunId"] == begun[None, 2_000]


def marks(store):
    found = store.runs(f"tags.`{runs.INPUTS}` LIKE '%'")
    return sorted(
        (
            run.data.tags["glassnets.seed"],
            run.data.tags[runs.DIGEST][:4],
            run.data.tags[runs.INPUTS],
        )
        for run in found
    )


def test_runs_are_marked_by_whether_the_project_has_their_inputs_now(store, params, train):
    manifest = artefacts.manifest("train", "digits", "cnn")
    digests = []
    for recipe in ("old", "new"):
        artefacts.save_json(manifest, {"recipe": recipe})
        train()
        (parent,) = store.runs(
            f"tags.`{runs.DIGEST}` = '{keys(params)[0].digest}' AND attributes.run_name = 'cnn'"
        )
        (seed,) = store.runs(f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
        whole(store, params, parent.info.run_id, seed.info.run_id)
        digests.append(keys(params)[0].digest[:4])
    old, new = digests
    expected = [(seed, digest) for seed in ("0", "all") for digest in digests]
    mark = {old: "other", new: "current"}
    assert marks(store) == sorted((seed, digest, mark[digest]) for seed, digest in expected)
    artefacts.save_json(manifest, {"recipe": "old"})
    whole(store, params)
    mark = {old: "current", new: "other"}
    assert marks(store) == sorted((seed, digest, mark[digest]) for seed, digest in expected)


def test_a_queued_experiment_leaves_the_projects_runs_current(store, params, train):
    whole(store, params, train(), store.run("cnn").info.run_id)
    own = keys(params)[0].digest
    copy = store.folder / ".dvc" / "tmp" / "exps" / "tmpabc"
    shutil.copytree(store.folder, copy, ignore=shutil.ignore_patterns(".dvc", "mlflow.db"))
    os.chdir(copy)
    artefacts.save_json(artefacts.manifest("train", "digits", "cnn"), {"recipe": "queued"})
    run_id = train()
    whole(store, params, run_id, store.client.get_run(run_id).data.tags["mlflow.parentRunId"])
    by_digest = {run.data.tags[runs.DIGEST]: run.data.tags[runs.INPUTS] for run in store.runs()}
    assert by_digest == {own: "current", keys(params)[0].digest: "other"}


# Of what inputs


def test_the_inputs_digest_depends_on_manifest_and_data_of_the_training_alone(store):
    def digests():
        return [runs.inputs_digest(store.folder, "digits", f) for f in ("cnn", "feedforward")]

    first = digests()
    assert first[0] != first[1]
    artefacts.save_json(artefacts.manifest("train", "digits", "cnn"), {"family": "other"})
    second = digests()
    assert second[0] != first[0]
    assert second[1] == first[1]
    for part in ("train", "validation"):
        path = artefacts.part("digits", part)
        path.write_bytes(path.read_bytes() + b"\0")
        before, second = second, digests()
        assert all(a != b for a, b in zip(before, second, strict=True))
    artefacts.part("digits", "test").unlink()
    shutil.rmtree(artefacts.results("digits"))
    assert digests() == second


def test_data_that_is_not_here_counts_as_dvcs_lock_has_it(store):
    path, whole = (
        artefacts.part("digits", "train"),
        runs.inputs_digest(store.folder, "digits", "cnn"),
    )
    md5 = subprocess.run(["md5sum", path], capture_output=True, text=True, check=True).stdout[:32]
    path.unlink()
    assert runs.inputs_digest(store.folder, "digits", "cnn") != whole
    outs = [{"path": "data/processed/digits/train.npz", "md5": md5}]
    artefacts.save_json(
        store.folder / "dvc.lock", {"stages": {"preprocess@digits": {"outs": outs}}}
    )
    assert runs.inputs_digest(store.folder, "digits", "cnn") == whole
