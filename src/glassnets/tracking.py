"""MLflow: one run for each (dataset, family, seed) of the same inputs. The only importer of mlflow.

Train opens the run; evaluate and explain come back to it. Tracking listens: it draws no random
number and changes no result. Where the runs go is ``MLFLOW_TRACKING_URI``'s choice, else
``mlflow.db`` and ``mlruns`` in the project's folder.
"""

import fcntl
import hashlib
import logging
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from sqlalchemy.exc import SQLAlchemyError

from glassnets import artefacts
from glassnets.artefacts import Arrays
from glassnets.errors import GlassnetsError

# MLflow reads these: no telemetry, no links, no bars, and no jitter between tries, which would be
# drawn from Python's global random numbers.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")

import mlflow
from mlflow import entities
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.types import Schema, TensorSpec
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

# What goes wrong reaches us as an exception: it is said once, in a line, and without a traceback.
logging.getLogger("mlflow").setLevel(logging.CRITICAL)
logging.getLogger("alembic").setLevel(logging.ERROR)

PROCESS = "glassnets.process"  # tag: the process that wrote last
TRAINED = "glassnets.trained"  # tag: curves and model are whole, evaluate may go on from here


@dataclass(frozen=True)
class RunKey:
    """Whose run it is. The same key is the same run; other inputs are another ``stage_hash``."""

    dataset: str
    family: str
    seed: int
    stage_hash: str

    def tags(self) -> dict[str, str]:
        return {
            "glassnets.dataset": self.dataset,
            "glassnets.family": self.family,
            "glassnets.seed": str(self.seed),
            "dvc.stage": _train_stage(self.dataset, self.family),
            "dvc.stage_hash": self.stage_hash,
        }


@dataclass(frozen=True)
class Run:
    """An open run of MLflow."""

    client: mlflow.MlflowClient
    experiment_id: str
    run_id: str

    def log_epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """A point on each curve; epochs count from 1."""
        self._log(logs, epoch)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Final figures."""
        self._log(metrics, 0)

    def log_figure(self, figure: Any, name: str) -> None:
        """A matplotlib figure as ``plots/<name>.png``."""
        self.client.log_figure(self.run_id, figure, f"plots/{name}.png")

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """A table as ``<name>.csv``."""
        self.client.log_text(self.run_id, table.to_csv(index=False), f"{name}.csv")

    def log_model(self, model: Any, images: Any) -> None:
        """A Keras model from images uint8 (n, h, w) to logits (n, classes) float32, without its
        optimizer, and the first of the images as its example.

        What `mlflow.tensorflow.log_model` does, without its trial: that loads the model anew,
        which draws from the global random numbers and prints.
        """
        import keras
        import mlflow.tensorflow

        inputs = TensorSpec(np.dtype("uint8"), (-1, *images.shape[1:]))
        outputs = TensorSpec(np.dtype("float32"), (-1, model.output_shape[-1]))
        logged = self.client.create_logged_model(self.experiment_id, "model", self.run_id)
        output = entities.LoggedModelOutput(logged.model_id, step=0)
        self.client.log_outputs(self.run_id, [output])
        with tempfile.TemporaryDirectory() as folder:
            mlflow.tensorflow.save_model(
                keras.Model(model.inputs, model.outputs, name=model.name),  # not compiled
                f"{folder}/model",
                mlflow_model=Model(logged.artifact_location, self.run_id, model_id=logged.model_id),
                signature=ModelSignature(Schema([inputs]), Schema([outputs])),
                input_example=images[:1],
                # Named, for MLflow would look for them by running the model in a new process.
                pip_requirements=[
                    f"{name}=={version(name)}" for name in ("tensorflow-cpu", "keras", "numpy")
                ],
            )
            self.client.log_model_artifacts(logged.model_id, f"{folder}/model")
        self.client.finalize_logged_model(logged.model_id, "READY")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)  # milliseconds
        points = [entities.Metric(key, float(value), now, step) for key, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=points)


@contextmanager
def training_run(key: RunKey, params: Mapping[str, Any], train: Arrays) -> Iterator[Run]:
    """The run of one seed's training. When it is whole it replaces any earlier one of its key.

    params may be nested, ``{"training": {"epochs": 30}}`` is logged as ``training.epochs``; train
    is the arrays it learns from. While the block works, MLflow samples processor and memory once a
    second; after it, the run holds ``train/wall_seconds``, ``train/cpu_seconds`` (of the process,
    all threads) and ``train/peak_mib`` (of the process since its start). It ends FAILED on an
    exception, KILLED on a KeyboardInterrupt. Raises GlassnetsError when MLflow cannot be used.
    """
    with (
        experiment(key.dataset) as (client, uri, experiment_id),
        _ending(_begin(client, experiment_id, key, params, train)) as run,
    ):
        monitor = SystemMetricsMonitor(run.run_id, sampling_interval=1, tracking_uri=uri)
        monitor.start()
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield run
        finally:
            monitor.finish()
        run.log_metrics(
            {
                "train/wall_seconds": time.perf_counter() - wall,
                "train/cpu_seconds": time.process_time() - cpu,
                "train/peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        _settle(run, key)


@contextmanager
def reopened_run(
    key: RunKey, params: Mapping[str, Any], train: Arrays, history: pd.DataFrame, model: Any
) -> Iterator[Run]:
    """The run that training made, opened again by a later stage.

    Where there is none (DVC had the weights in its cache), one is made of the parameters, the
    history (columns epoch, loss, accuracy, val_loss, val_accuracy) and the model.
    Raises GlassnetsError when MLflow cannot be used.
    """
    with experiment(key.dataset) as (client, _, experiment_id):
        if found := run_id(client, experiment_id, key):
            client.update_run(found, status="RUNNING")
            client.set_tag(found, PROCESS, _process(os.getpid()))
            with _ending(Run(client, experiment_id, found)) as run:
                yield run
            return
        with _ending(_begin(client, experiment_id, key, params, train)) as run:
            for row in history.to_dict("records"):
                run.log_epoch(int(row.pop("epoch")), {str(name): row[name] for name in row})
            run.log_model(model, train["images"])
            _settle(run, key)
            yield run


def run_id(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> str | None:
    """The run that training made of this key; None where there is none."""
    found = _find(client, experiment_id, key)
    trained = [run.info.run_id for run in found if TRAINED in run.data.tags]
    return trained[0] if trained else None


def stage_hash(dataset: str, family: str) -> str:
    """DVC's own key of all that train@dataset-family reads: command, dependencies, parameters.

    It names the folder of the stage's result in DVC's run cache, ``.dvc/cache/runs/xx/<key>``.
    Raises GlassnetsError when dvc.yaml has no such stage or the project is no DVC repository.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    try:
        with closing(Repo(str(artefacts.root()))) as repo:
            (stage,) = repo.stage.collect(_train_stage(dataset, family))
            # Into this object alone: no file is written, no lock is needed. What `dvc repro
            # --allow-missing` left away keeps its hash from dvc.lock.
            stage.save_deps(allow_missing=True)
            return str(_get_cache_hash(to_single_stage_lockfile(stage), key=True))
    except DvcException as error:
        name = _train_stage(dataset, family)
        raise GlassnetsError(
            f"expected DVC to know the stage {name}, got: {error}; "
            "`dvc stage list` says what it knows"
        ) from error


def _train_stage(dataset: str, family: str) -> str:
    return f"train@{dataset}-{family}"


@contextmanager
def experiment(dataset: str) -> Iterator[tuple[mlflow.MlflowClient, str, str]]:
    """A client, its URI and the id of the dataset's experiment; MLflow's errors in plain words."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{artefacts.root()}/mlflow.db"
    try:
        if uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).absolute().parent
            with _alone(folder):  # two processes must not both create the tables
                client = mlflow.MlflowClient(uri)
                experiment_id = _experiment_id(client, dataset, folder / "mlruns")
        else:
            if uri.startswith("http"):  # MLflow itself would try for minutes
                http_request(
                    get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=10
                )
            client = mlflow.MlflowClient(uri)
            experiment_id = _experiment_id(client, dataset, None)
        yield client, uri, experiment_id
    except (MlflowException, SQLAlchemyError) as error:
        said = " ".join(str(error).split())[:300]
        forward = (
            "start its server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project"
            if os.environ.get("MLFLOW_TRACKING_URI")
            else "move mlflow.db away to begin a new one"
        )
        raise GlassnetsError(f"expected to use MLflow at {uri}, got: {said}; {forward}") from error


def _experiment_id(client: mlflow.MlflowClient, dataset: str, artifacts: Path | None) -> str:
    name = f"glassnets-{dataset}"
    found = client.get_experiment_by_name(name)
    if found is None:
        # A server knows where artifacts go; without one they lie beside the database.
        location = None if artifacts is None else (artifacts / name).as_uri()
        return str(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage == entities.LifecycleStage.DELETED:
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes waiting that want the same folder alone."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _find(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> list[entities.Run]:
    """Runs of this key, newest first, without those that another process is writing just now."""
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in key.tags().items())
    found = client.search_runs([experiment_id], query, order_by=["attributes.start_time DESC"])
    return [run for run in found if not _at_work_elsewhere(run)]


def _at_work_elsewhere(run: entities.Run) -> bool:
    """Whether a process of this machine has the run open. What a kill left RUNNING is not."""
    process = run.data.tags.get(PROCESS, "")
    pid = int(process.split("/")[1]) if process else os.getpid()
    return (
        run.info.status == "RUNNING"
        and pid != os.getpid()
        and psutil.pid_exists(pid)
        and process == _process(pid)
    )


def _process(pid: int) -> str:
    """machine/pid/start: no process that takes over the number is taken for this one."""
    return f"{platform.node()}/{pid}/{psutil.Process(pid).create_time():.0f}"


def _begin(
    client: mlflow.MlflowClient,
    experiment_id: str,
    key: RunKey,
    params: Mapping[str, Any],
    train: Arrays,
) -> Run:
    tags = {**key.tags(), **_git_tags(), PROCESS: _process(os.getpid())}
    run_name = f"{key.family}-seed-{key.seed}"
    run_id = client.create_run(experiment_id, tags=tags, run_name=run_name).info.run_id
    (flat,) = pd.json_normalize(dict(params)).to_dict("records")
    logged = [entities.Param(str(name), str(value)) for name, value in flat.items()]
    client.log_batch(run_id, params=logged)
    digest = hashlib.sha256(train["images"].tobytes() + train["labels"].tobytes()).hexdigest()
    source = artefacts.part(key.dataset, "train").relative_to(artefacts.root())
    dataset = mlflow.data.from_numpy(
        train["images"],
        source=LocalArtifactDatasetSource(str(source)),
        targets=train["labels"],
        name=key.dataset,
        digest=digest[:36],  # all that MLflow has room for
    )
    context = entities.InputTag("mlflow.data.context", "training")
    used = entities.DatasetInput(entities.Dataset(**dataset.to_dict()), [context])
    client.log_inputs(run_id, [used])
    return Run(client, experiment_id, run_id)


@contextmanager
def _ending(run: Run) -> Iterator[Run]:
    """Gives the run the status that the block's end deserves."""
    try:
        yield run
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt)
        run.client.set_terminated(run.run_id, "KILLED" if killed else "FAILED")
        raise
    run.client.set_terminated(run.run_id, "FINISHED")


def _settle(run: Run, key: RunKey) -> None:
    """Curves and model are whole: the run takes the place of all others of its key."""
    client = run.client
    client.set_tag(run.run_id, TRAINED, "true")
    for other in _find(client, run.experiment_id, key):
        if other.info.run_id != run.run_id:
            models = f"source_run_id = '{other.info.run_id}'"
            for model in client.search_logged_models([run.experiment_id], models):
                client.delete_logged_model(model.model_id)
            client.delete_run(other.info.run_id)


def _git_tags() -> dict[str, str]:
    """The commit, and whether what the stages read differs from it; nothing outside of git."""
    commit = _git("rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return {}
    dirty = _git("status", "--porcelain", "--", "src", "params.yaml", "dvc.yaml")
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(dirty)).lower()}


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    ran = subprocess.run(command, cwd=artefacts.root(), capture_output=True, text=True)
    return ran.stdout.strip()
