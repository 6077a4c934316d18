"""Every test has a project of its own in tmp_path, with MLflow's tables already made."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.figure
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from glassnets import tracking
from glassnets.errors import GlassnetsError
from glassnets.tracking import RunKey

KEY = RunKey("digits", "cnn", seed=3, stage_hash="a" * 64)
PARAMS = {
    "network": {"filters": ((32,), (64, 64)), "batch_normalization": True},
    "training": {"epochs": 2, "learning_rate": 0.003, "augmentation": None},
}
TRAIN = {
    "images": np.random.default_rng(0).integers(0, 256, (12, 4, 5), dtype=np.uint8),
    "labels": np.arange(12, dtype=np.uint8) % 3,
}
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2],
        "loss": [1.0, 0.5],
        "accuracy": [0.6, 0.8],
        "val_loss": [1.1, 0.7],
        "val_accuracy": [0.5, 0.75],
    }
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    database = tmp_path_factory.mktemp("tables") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def bare(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    return tmp_path


@pytest.fixture
def project(bare, tables):
    shutil.copy(tables, bare / "mlflow.db")
    return bare


@pytest.fixture(scope="module")
def model(tensorflow):
    import keras

    images = keras.Input((4, 5), name="images")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, keras.layers.Dense(3)(x), name="tiny")
    model.compile("adam", "mse")
    return model


def client(project: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")


def experiment_id(project: Path, dataset: str = "digits") -> str:
    return client(project).get_experiment_by_name(f"glassnets-{dataset}").experiment_id


def runs(project: Path, view: int = ViewType.ACTIVE_ONLY):
    return client(project).search_runs([experiment_id(project)], run_view_type=view)


def train(key: RunKey = KEY, model: object = None) -> None:
    with tracking.training_run(key, PARAMS, TRAIN) as run:
        for row in HISTORY.to_dict("records"):
            run.log_epoch(row.pop("epoch"), row)
        if model:
            run.log_model(model, TRAIN["images"])


def left(model: object) -> tracking.Trained:
    return tracking.Trained(PARAMS, TRAIN, HISTORY, model)


def never() -> tracking.Trained:
    raise AssertionError("the run is whole, nothing need be made")


def curve(project: Path, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client(project).get_metric_history(run_id, name)]


def python(folder: Path, code: str, **popen: object) -> subprocess.Popen:
    """A process with `key` and `train` at hand, that never loads TensorFlow."""
    head = (
        "import os, signal, time, numpy as np\n"
        "from glassnets import tracking\n"
        f"key = tracking.{KEY!r}\n"
        "train = {'images': np.zeros((2, 4, 5), 'uint8'), 'labels': np.zeros(2, 'uint8')}\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + code], cwd=folder, **popen)


def test_a_run_says_what_was_trained_on_what_and_how(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    with tracking.training_run(KEY, PARAMS, TRAIN) as run:
        run.log_epoch(1, {"loss": 1.5, "val_loss": np.float32(2.5)})
        assert curve(project, run.run_id, "loss") == [(1, 1.5)], "the curve is live"
        assert runs(project)[0].info.status == "RUNNING"
        run.log_epoch(2, {"loss": 0.5, "val_loss": 0.75})
        patience = time.monotonic() + 60
        while time.monotonic() < patience and not curve(
            project, run.run_id, "system/system_memory_usage_megabytes"
        ):
            time.sleep(0.05)
    (logged,) = runs(project)
    assert logged.info.status == "FINISHED"
    assert logged.data.params == {
        "network.filters": "((32,), (64, 64))",
        "network.batch_normalization": "True",
        "training.epochs": "2",
        "training.learning_rate": "0.003",
        "training.augmentation": "None",
    }
    assert curve(project, run.run_id, "val_loss") == [(1, 2.5), (2, 0.75)]
    expected = {
        "glassnets.dataset": "digits",
        "glassnets.family": "cnn",
        "glassnets.seed": "3",
        "dvc.stage": "train@digits-cnn",
        "dvc.stage_hash": "a" * 64,
    }
    assert expected.items() <= logged.data.tags.items()
    metrics = logged.data.metrics
    assert metrics["train/wall_seconds"] > 0
    assert metrics["train/cpu_seconds"] > 0
    assert 20 < metrics["train/peak_mib"] < 100_000
    assert metrics["system/system_memory_usage_megabytes"] > 0
    (used,) = logged.inputs.dataset_inputs
    assert used.dataset.name == "digits"
    assert "data/processed/digits/train.npz" in used.dataset.source
    assert used.tags[0].value == "training"


def test_the_datasets_digest_tells_images_and_labels_apart(project):
    changed = {name: array.copy() for name, array in TRAIN.items()}
    changed["labels"][0] += 1
    for seed, arrays in enumerate([TRAIN, changed, TRAIN]):
        with tracking.training_run(RunKey("digits", "cnn", seed, "a"), PARAMS, arrays):
            pass
    digests = {
        run.data.tags["glassnets.seed"]: run.inputs.dataset_inputs[0].dataset.digest
        for run in runs(project)
    }
    assert digests["0"] == digests["2"] != digests["1"]


def test_running_again_replaces_and_other_inputs_add(project):
    train()
    first = runs(project)[0].info.run_id
    train()
    (again,) = runs(project)
    assert again.info.run_id != first
    assert curve(project, again.info.run_id, "loss") == [(1, 1.0), (2, 0.5)]
    for other in (
        RunKey("digits", "cnn", 3, "b" * 64),
        RunKey("digits", "cnn", 4, "a" * 64),
        RunKey("digits", "lstm", 3, "a" * 64),
    ):
        train(other)
    assert len(runs(project)) == 4


def test_a_run_left_running_by_a_kill_is_replaced(project):
    kill = "with tracking.training_run(key, {}, train):\n os.kill(os.getpid(), signal.SIGKILL)"
    assert python(project, kill).wait() == -9
    (killed,) = runs(project)
    assert killed.info.status == "RUNNING"
    train()
    (replaced,) = runs(project)
    assert replaced.info.run_id != killed.info.run_id
    assert replaced.info.status == "FINISHED"


def test_a_run_at_work_in_another_process_is_left_alone(project):
    with tracking.training_run(KEY, PARAMS, TRAIN) as run:
        other = tracking._process(os.getppid())
        client(project).set_tag(run.run_id, "glassnets.process", other)
        train()
        assert sorted(run.info.status for run in runs(project)) == ["FINISHED", "RUNNING"]
        run.log_epoch(1, {"loss": 1.0})
    (last,) = runs(project)
    assert last.info.run_id == run.run_id, "who finishes last replaces"


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_breaks_off_says_so_and_spares_the_whole_one(project, error, status):
    train()
    with pytest.raises(error), tracking.training_run(KEY, PARAMS, TRAIN):
        raise error
    assert sorted(run.info.status for run in runs(project)) == sorted([status, "FINISHED"])
    train()
    assert [run.info.status for run in runs(project)] == ["FINISHED"]


def test_evaluation_goes_on_in_the_run_of_training(project, model):
    train(model=model)
    (trained,) = runs(project)
    for _ in range(2):
        with tracking.reopened_run(KEY, never) as run:
            run.log_metrics({"test/accuracy": 0.75})
            run.log_figure(matplotlib.figure.Figure(), "confusion")
    (evaluated,) = runs(project)
    assert evaluated.info.run_id == trained.info.run_id
    assert evaluated.info.status == "FINISHED"
    assert evaluated.data.metrics["test/accuracy"] == 0.75
    assert curve(project, run.run_id, "loss") == [(1, 1.0), (2, 0.5)]
    (plot,) = client(project).list_artifacts(run.run_id, "plots")
    assert plot.path == "plots/confusion.png"
    assert plot.file_size > 100


def test_evaluation_makes_the_run_that_training_never_made(project, model):
    with pytest.raises(ValueError, match="half"), tracking.training_run(KEY, PARAMS, TRAIN):
        raise ValueError("half a training is no training")
    for _ in range(2):
        with tracking.reopened_run(KEY, lambda: left(model)) as run:
            run.log_metrics({"test/accuracy": 0.75})
    (made,) = runs(project)
    assert made.info.status == "FINISHED"
    assert made.data.params["training.epochs"] == "2"
    assert made.inputs.dataset_inputs[0].dataset.name == "digits"
    assert len(made.outputs.model_outputs) == 1
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expected = list(zip(HISTORY["epoch"], HISTORY[name], strict=True))
        assert curve(project, run.run_id, name) == expected


@pytest.mark.parametrize("what", ["a curve", "the model"])
def test_a_run_that_lacks_something_is_made_anew(project, model, what):
    with tracking.training_run(KEY, PARAMS, TRAIN) as run:
        run.log_epoch(
            1, {name: 0.5 for name in tracking.CURVES if what != "a curve" or "v" in name}
        )
        if what != "the model":
            run.log_model(model, TRAIN["images"])
    (damaged,) = runs(project)
    assert tracking.lacks(client(project), damaged)
    with tracking.reopened_run(KEY, lambda: left(model)):
        pass
    (made,) = runs(project)
    assert made.info.run_id != damaged.info.run_id
    assert tracking.lacks(client(project), made) == []


def test_one_that_is_disowned_is_made_anew(project, model):
    train(model=model)
    (other,) = runs(project)
    tracking.disown(client(project), other)
    with tracking.reopened_run(KEY, lambda: left(model)):
        pass
    (made,) = runs(project)
    assert made.info.run_id != other.info.run_id


def test_of_two_that_ended_the_later_stays_whoever_asks(project):
    """As where two processes tell at once: neither sees the other before it ends."""
    store, other = client(project), RunKey("digits", "cnn", 9, "z")
    train(other)
    for end in (2_000, 1_000):
        made = store.create_run(experiment_id(project), start_time=500, tags=KEY.tags())
        store.set_tag(made.info.run_id, tracking.TRAINED, "true")
        store.set_terminated(made.info.run_id, end_time=end)
    tracking._settle(store, experiment_id(project), KEY)
    (kept,) = [run for run in runs(project) if run.data.tags["glassnets.seed"] == "3"]
    assert kept.info.end_time == 2_000


def test_runs_of_other_inputs_are_marked(project):
    train()
    train(RunKey("digits", "lstm", 3, "b"))
    train(RunKey("digits", "cnn", 3, "b"))
    marks = {
        (run.data.tags["glassnets.family"], run.data.tags["dvc.stage_hash"]): run.data.tags[
            tracking.INPUTS
        ]
        for run in runs(project)
    }
    assert marks == {
        ("cnn", "a" * 64): "earlier",
        ("lstm", "b"): "current",
        ("cnn", "b"): "current",
    }
    tracking.mark(client(project), experiment_id(project), KEY)
    back = [run.data.tags[tracking.INPUTS] for run in runs(project)]
    assert sorted(back) == ["current", "current", "earlier"]


@pytest.mark.parametrize(("hours", "spared"), [(1, True), (25, False)])
def test_a_run_of_another_machine_is_let_be_for_a_day(project, hours, spared):
    train(RunKey("digits", "cnn", 9, "z"))
    begun = int(time.time() * 1000) - hours * 3_600_000
    tags = {**KEY.tags(), "glassnets.process": "elsewhere/1/1"}
    other = client(project).create_run(experiment_id(project), start_time=begun, tags=tags)
    train()
    assert (other.info.run_id in {run.info.run_id for run in runs(project)}) == spared


def test_the_logged_model_gives_the_same_logits_and_holds_no_pickle(project, model, monkeypatch):
    for _ in range(2):
        with tracking.training_run(KEY, PARAMS, TRAIN) as run:
            run.log_model(model, TRAIN["images"])
    (logged,) = client(project).search_logged_models([experiment_id(project)])
    assert logged.source_run_id == run.run_id, "the replaced run's model is gone"
    assert logged.status == "READY"
    folder = project / "mlruns" / "glassnets-digits" / "models" / logged.model_id / "artifacts"
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes <= {".keras", ".json", ".yaml", ".txt", ""}
    assert not [path for path in folder.rglob("*") if "pickle" in path.name]
    requirements = (folder / "requirements.txt").read_text()
    assert "tensorflow-cpu==" in requirements
    assert "pickle" not in requirements

    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 4, 5)
    assert loaded.metadata.signature.inputs.inputs[0].type == np.dtype("uint8")
    assert loaded.metadata.signature.outputs.inputs[0].shape == (-1, 3)
    np.testing.assert_array_equal(loaded.input_example, TRAIN["images"][:1])
    expected = model.predict(TRAIN["images"], verbose=0)
    logits = loaded.predict(TRAIN["images"])
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, expected)
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        loaded.predict(np.zeros((2, 9, 9), np.uint8))


def test_tracking_draws_no_random_number_and_prints_nothing(bare, model, capfd):
    import keras
    import tensorflow as tf

    def draw() -> list[float]:
        drawn = [random.random(), np.random.random()]
        return [*drawn, float(tf.random.uniform([])), float(keras.random.uniform([]))]

    keras.utils.set_random_seed(7)
    expected = draw()
    weights = [array.copy() for array in model.get_weights()]
    keras.utils.set_random_seed(7)
    capfd.readouterr()
    with tracking.training_run(KEY, PARAMS, TRAIN) as run:  # creates the tables too
        run.log_epoch(1, dict.fromkeys(tracking.CURVES, 1.0))
        run.log_model(model, TRAIN["images"])
    with tracking.reopened_run(KEY, never) as run:
        run.log_metrics({"test/accuracy": 0.5})
        run.log_figure(matplotlib.figure.Figure(), "confusion")
    assert capfd.readouterr() == ("", "")
    assert draw() == expected
    for array, untouched in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(array, untouched)
    assert model.optimizer is not None, "the model in training keeps its optimizer"


def test_runs_lie_in_the_project_whichever_folder_the_command_started_in(
    project, model, monkeypatch
):
    deep = project / "src" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    train(model=model)
    with tracking.reopened_run(KEY, never) as run:
        run.log_figure(matplotlib.figure.Figure(), "confusion")
    assert len(runs(project)) == 1
    assert list((project / "mlruns").rglob("confusion.png"))
    assert not list(deep.iterdir())


def test_the_tracking_uri_is_honoured_with_its_artifacts_beside_it(
    project, model, tables, monkeypatch
):
    elsewhere = project / "else where"
    elsewhere.mkdir()
    shutil.copy(tables, elsewhere / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}/mlflow.db")
    train(model=model)
    with tracking.reopened_run(KEY, never) as run:
        run.log_figure(matplotlib.figure.Figure(), "confusion")
    assert len(runs(elsewhere)) == 1
    assert list((elsewhere / "mlruns").rglob("confusion.png"))
    assert client(project).get_experiment_by_name("glassnets-digits") is None
    assert not (project / "mlruns").exists()


def test_an_experiment_that_was_deleted_comes_back(project):
    train()
    client(project).delete_experiment(experiment_id(project))
    train()
    assert client(project).get_experiment_by_name("glassnets-digits").lifecycle_stage == "active"
    assert len(runs(project)) == 1


def test_two_processes_may_begin_at_once_where_nothing_is_yet(bare):
    code = (
        "with tracking.training_run(tracking.RunKey('digits', 'cnn', {}, 'a'), {{}}, train): pass"
    )
    both = [python(bare, code.format(seed)) for seed in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert [run.info.status for run in runs(bare)] == ["FINISHED"] * 2


@pytest.mark.parametrize("asked", ["create_experiment", "log_inputs"])
def test_a_server_told_of_the_same_at_the_same_moment_is_asked_again(bare, monkeypatch, asked):
    """It looks, finds nothing, and is overtaken before it writes: its database refuses."""
    told = getattr(mlflow.MlflowClient, asked)
    tries = []

    def overtaken(*arguments, **options):
        tries.append(asked)
        made = told(*arguments, **options)
        if len(tries) == 1:
            raise MlflowException("UniqueViolation", BAD_REQUEST)
        return made

    monkeypatch.setattr(mlflow.MlflowClient, asked, overtaken)
    train()
    (run,) = runs(bare)
    assert run.info.status == "FINISHED"
    assert len(run.inputs.dataset_inputs) == 1
    assert tries == [asked] * (2 if asked == "log_inputs" else 1)


def test_an_unreachable_server_is_named_with_the_way_forward(bare, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(GlassnetsError) as caught:
            train()
    message = str(caught.value)
    assert message.startswith(f"expected to use MLflow at {uri}, got: ")
    assert "unset MLFLOW_TRACKING_URI" in message
    assert "\n" not in message


def test_a_broken_database_is_named_with_the_way_forward(bare):
    (bare / "mlflow.db").write_text("no database\n" * 100)
    with pytest.raises(GlassnetsError, match=r"mlflow\.db, got: .*; move mlflow\.db away"):
        train()


def test_the_commit_is_logged_and_whether_the_project_differs_from_it(project):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    train()
    git("init")
    train(RunKey("digits", "cnn", 0, "no commit yet"))
    git("add", "dvc.yaml")
    git("commit", "-m", "first")
    (project / "results.csv").touch()  # what the stages write does not count
    train(RunKey("digits", "cnn", 0, "clean"))
    (project / "params.yaml").touch()
    train(RunKey("digits", "cnn", 0, "dirty"))
    tags = {run.data.tags["dvc.stage_hash"]: run.data.tags for run in runs(project)}
    assert "mlflow.source.git.commit" not in tags["a" * 64]
    assert "mlflow.source.git.commit" not in tags["no commit yet"]
    assert tags["clean"]["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert tags["clean"]["mlflow.source.git.dirty"] == "false"
    assert tags["dirty"]["mlflow.source.git.dirty"] == "true"


def test_a_project_that_dvc_does_not_know_is_refused(bare):
    with pytest.raises(GlassnetsError, match="expected DVC to know the stage train@digits-cnn"):
        tracking.stage_hash("digits", "cnn")


PIPELINE = """
stages:
  train:
    matrix: {dataset: [digits], family: [cnn, lstm]}
    cmd: python ask.py ${item.dataset} ${item.family} train
    deps: [ask.py, data]
    params: ["${item.dataset}.${item.family}"]
    outs: ["train-${item.dataset}-${item.family}.txt"]
  evaluate:
    matrix: {dataset: [digits], family: [cnn, lstm]}
    cmd: python ask.py ${item.dataset} ${item.family} evaluate
    deps: ["train-${item.dataset}-${item.family}.txt"]
    outs: ["evaluate-${item.dataset}-${item.family}.txt"]
"""
ASK = """
import sys
from glassnets import tracking
dataset, family, stage = sys.argv[1:]
with open(f"{stage}-{dataset}-{family}.txt", "w") as file:
    file.write(tracking.stage_hash(dataset, family))
"""


@pytest.mark.slow
def test_the_stage_hash_is_the_key_of_dvcs_run_cache(bare, monkeypatch):
    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)

    def hashes(family: str) -> set[str]:
        return {
            (bare / f"{name}-digits-{family}.txt").read_text() for name in ("train", "evaluate")
        }

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    (bare / "dvc.yaml").write_text(PIPELINE)
    (bare / "ask.py").write_text(ASK)
    (bare / "params.yaml").write_text(
        "digits: {cnn: {rate: 0.1, units: [1, 2]}, lstm: {rate: 0.2}}"
    )
    (bare / "data").mkdir()
    (bare / "data" / "train.npz").write_bytes(b"arrays")
    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init", "-q")
    dvc("repro", "-q")

    keys = {path.name for path in (bare / ".dvc" / "cache" / "runs").glob("*/*")}
    (cnn,) = hashes("cnn")  # asked by train at work and by evaluate after it: one answer
    (lstm,) = hashes("lstm")
    assert cnn != lstm
    assert {cnn, lstm} <= keys

    # What is left away (`dvc repro --allow-missing`) keeps the hash that dvc.lock has of it.
    shutil.rmtree(bare / "data")
    assert tracking.stage_hash("digits", "cnn") == cnn
    (bare / "params.yaml").write_text(
        "digits: {cnn: {rate: 0.3, units: [1, 2]}, lstm: {rate: 0.2}}"
    )
    assert tracking.stage_hash("digits", "cnn") != cnn
    assert tracking.stage_hash("digits", "lstm") == lstm
