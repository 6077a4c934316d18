"""MLflow: one run for each (dataset, family, seed) of the same inputs.

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
from collections.abc import Callable, Iterator, Mapping
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
from mlflow.protos.databricks_pb2 import BAD_REQUEST, ErrorCode
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.types import Schema, TensorSpec
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

# What goes wrong reaches us as an exception: it is said once, in a line, and without a traceback.
logging.getLogger("mlflow").setLevel(logging.CRITICAL)
logging.getLogger("alembic").setLevel(logging.ERROR)

PROCESS = "glassnets.process"  # tag: the process that wrote last
TRAINED = "glassnets.trained"  # tag: curves and model are whole, evaluate may go on from here
INPUTS = "glassnets.inputs"  # tag: whether dvc.yaml's stage reads what this run has read
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
ABANDONED = 24 * 60 * 60 * 1000  # milliseconds, of a run that another machine has begun


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


@dataclass(frozen=True, eq=False)
class Trained:
    """What training leaves of a seed: its parameters (may be nested), the arrays it learnt from,
    the history (columns epoch, loss, accuracy, val_loss, val_accuracy), and the Keras model."""

    params: Mapping[str, Any]
    train: Arrays
    history: pd.DataFrame
    model: Any


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
    """The run of one seed's training. When it is whole it replaces any earlier one of its key, and
    runs of other inputs are marked as such (tag ``glassnets.inputs``: current or earlier).

    params may be nested, ``{"training": {"epochs": 30}}`` is logged as ``training.epochs``; train
    is the arrays it learns from. While the block works, MLflow samples processor and memory once a
    second; after it, the run holds ``train/wall_seconds``, ``train/cpu_seconds`` (of the process,
    all threads) and ``train/peak_mib`` (of the process since its start). It ends FAILED on an
    exception, KILLED on a KeyboardInterrupt. Raises GlassnetsError when MLflow cannot be used.
    """
    with experiment(key.dataset) as (client, uri, experiment_id):
        with _ending(_begin(client, experiment_id, key, params, train)) as run:
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
            client.set_tag(run.run_id, TRAINED, "true")
        _settle(client, experiment_id, key)


@contextmanager
def reopened_run(key: RunKey, trained: Callable[[], Trained]) -> Iterator[Run]:
    """The run that training made, opened again by a later stage.

    Where there is none (DVC had the weights in its cache), or it lacks something, one is made of
    what training left. Raises GlassnetsError when MLflow cannot be used.
    """
    with experiment(key.dataset) as (client, _, experiment_id):
        if found := whole_run(client, experiment_id, key):
            run_id = found.info.run_id
            client.update_run(run_id, status="RUNNING")
            client.set_tag(run_id, PROCESS, _process(os.getpid()))
            with _ending(Run(client, experiment_id, run_id)) as run:
                yield run
        else:
            left = trained()
            with _ending(_begin(client, experiment_id, key, left.params, left.train)) as run:
                for row in left.history.to_dict("records"):
                    run.log_epoch(int(row.pop("epoch")), {str(name): row[name] for name in row})
                run.log_model(left.model, left.train["images"])
                client.set_tag(run.run_id, TRAINED, "true")
                yield run
        _settle(client, experiment_id, key)


def whole_run(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> entities.Run | None:
    """The run of this key that has all of its training; None where there is none."""
    whole = [
        run
        for run in _find(client, experiment_id, key)
        if TRAINED in run.data.tags and not lacks(client, run)
    ]
    return max(whole, key=_ended, default=None)


def disown(client: mlflow.MlflowClient, run: entities.Run) -> None:
    """Takes from a run that it is the one of its key: the next `reopened_run` makes another."""
    client.delete_tag(run.info.run_id, TRAINED)


def lacks(client: mlflow.MlflowClient, run: entities.Run) -> list[str]:
    """What of its training a run has not, in words."""
    lacking = [name for name in CURVES if name not in run.data.metrics]
    if not run.data.params:
        lacking.append("its parameters")
    models = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    if not any(model.name == "model" and model.status == "READY" for model in models):
        lacking.append("its model")
    return lacking


def stage_hash(dataset: str, family: str, locked: bool = False) -> str:
    """DVC's own key of all that train@dataset-family reads: command, dependencies, parameters, as
    they are now or, locked, as dvc.lock has them.

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
            if not locked:
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
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:  # else another process has just made it
                raise
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


def runs(
    client: mlflow.MlflowClient, experiment_id: str, tags: Mapping[str, str]
) -> list[entities.Run]:
    """The runs that have all of these tags, whatever their status."""
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found, page = [], None
    while page is None or page.token:
        page = client.search_runs([experiment_id], query, page_token=page and page.token)
        found += page
    return found


def _find(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> list[entities.Run]:
    """Runs of this key, without those that another process is writing just now."""
    found = runs(client, experiment_id, key.tags())
    return [run for run in found if not _at_work_elsewhere(run)]


def _at_work_elsewhere(run: entities.Run) -> bool:
    """Whether another process has the run open. What a kill left RUNNING is not; of another
    machine's that cannot be known, so it is let be for a day."""
    process = run.data.tags.get(PROCESS, "")
    if run.info.status != "RUNNING" or not process:
        return False
    machine, pid, _ = process.rsplit("/", 2)
    if machine != platform.node():
        return bool(time.time() * 1000 - run.info.start_time < ABANDONED)
    return pid != str(os.getpid()) and psutil.pid_exists(int(pid)) and process == _process(int(pid))


def _ended(run: entities.Run) -> tuple[int, str]:
    """Greatest of the run that ended last: the same one, whoever asks."""
    return run.info.end_time or 0, run.info.run_id


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
    try:
        client.log_inputs(run_id, [used])
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(BAD_REQUEST):
            raise
        # Another process told a server of the same images at the same moment; now they are known.
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


def _settle(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> None:
    """The run that was trained and ended last takes the place of all others of its key.

    Whoever ends last sees all others, so two processes that tell the same at once leave one run.
    """
    found = _find(client, experiment_id, key)
    trained = [run for run in found if TRAINED in run.data.tags]
    kept = max(trained, key=_ended, default=None)
    for other in found:
        if kept is not None and other.info.run_id != kept.info.run_id:
            _delete(client, other)
    mark(client, experiment_id, key)


def mark(client: mlflow.MlflowClient, experiment_id: str, key: RunKey) -> None:
    """Says of every run of the cell whether it is of the current inputs, the key's, or of earlier
    ones."""
    cell = {"glassnets.dataset": key.dataset, "glassnets.family": key.family}
    for run in runs(client, experiment_id, cell):
        current = run.data.tags.get("dvc.stage_hash") == key.stage_hash
        said = "current" if current else "earlier"
        if run.data.tags.get(INPUTS) != said:
            with _unless_gone():
                client.set_tag(run.info.run_id, INPUTS, said)


def _delete(client: mlflow.MlflowClient, run: entities.Run) -> None:
    models = f"source_run_id = '{run.info.run_id}'"
    with _unless_gone():
        for model in client.search_logged_models([run.info.experiment_id], models):
            client.delete_logged_model(model.model_id)
        client.delete_run(run.info.run_id)


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Another process may delete the same just now."""
    try:
        yield
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise


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
