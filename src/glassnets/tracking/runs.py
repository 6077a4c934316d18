"""The life of a run: begun, followed while a network trains, found again, doubles deleted.

Nothing here draws a random number or changes a result.
"""

import hashlib
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import pandas as pd
import psutil
from matplotlib.figure import Figure
from mlflow import entities
from mlflow.data.sources import LocalArtifactDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from ruamel.yaml import YAML

from glassnets.config.schema import Params
from glassnets.data import Arrays
from glassnets.pipeline import artefacts
from glassnets.tracking import epochs, store
from glassnets.tracking.store import Experiment

DIGEST = "glassnets.inputs_digest"  # tag: see `inputs_digest`
INPUTS = "glassnets.inputs"  # tag: current, or other where the project's digest is another
PROCESS = "glassnets.process"  # tag: the process that began it
TRAINED = "glassnets.train"  # tag: what train@D-F wrote is logged; without it a run is not whole
CURVES = {  # by Keras' names
    "loss": "train/loss",
    "accuracy": "train/accuracy",
    "val_loss": "validation/loss",
    "val_accuracy": "validation/accuracy",
}
_ABANDONED = 24 * 60 * 60 * 1000  # milliseconds, of a run that another machine has begun


@dataclass(frozen=True)
class RunKey:
    """Whose run it is: the same key is the same run. seed: None for the parent run of all seeds;
    digest: see `inputs_digest`."""

    dataset: str
    family: str
    seed: int | None
    digest: str

    @property
    def name(self) -> str:
        return self.family if self.seed is None else f"{self.family}-seed-{self.seed}"

    @property
    def cell_tags(self) -> dict[str, str]:
        return {"glassnets.dataset": self.dataset, "glassnets.family": self.family}

    @property
    def tags(self) -> dict[str, str]:
        seed = "all" if self.seed is None else str(self.seed)
        return {**self.cell_tags, "glassnets.seed": seed, DIGEST: self.digest}


def keys(params: Params, dataset: str, family: str) -> list[RunKey]:
    """Of the runs of a cell under its present inputs: the parent run, then each seed's."""
    digest = inputs_digest(artefacts.root(), dataset, family)
    seeds = params.dataset(dataset).seeds
    return [RunKey(dataset, family, seed, digest) for seed in (None, *seeds)]


def inputs_digest(root: Path, dataset: str, family: str) -> str:
    """sha256 of all that train@dataset-family reads in the project root: its manifest and two parts
    of the data. What `dvc repro --allow-missing` left away counts as dvc.lock has it."""
    data = (artefacts.part(dataset, name) for name in ("train", "validation"))
    paths = (artefacts.manifest("train", dataset, family), *data)
    names = (path.relative_to(artefacts.root()) for path in paths)
    lines = "".join(f"{_md5(root, name)} {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def arrays_digest(arrays: Arrays) -> str:
    """sha256 of a part's images and labels."""
    return hashlib.sha256(arrays["images"].tobytes() + arrays["labels"].tobytes()).hexdigest()


def _md5(root: Path, name: Path) -> str:
    if (root / name).is_file():
        return hashlib.md5((root / name).read_bytes(), usedforsecurity=False).hexdigest()
    lock = root / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"].values() if lock.is_file() else ()
    outs = (out for stage in stages for out in stage.get("outs", ()))
    return next((out["md5"] for out in outs if out["path"] == str(name)), "absent")


@dataclass(frozen=True)
class Run:
    """A run of MLflow to write to."""

    experiment: Experiment
    id: str

    def log_epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """A point on each curve; epochs count from 1, names are Keras'."""
        self.log_metrics({name: logs[column] for column, name in CURVES.items()}, epoch)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0, **of: str) -> None:
        """of: model_id, dataset_name and dataset_digest of metrics that are a model's."""
        now = int(time.time() * 1000)  # milliseconds
        points = [entities.Metric(name, float(v), now, step, **of) for name, v in metrics.items()]
        self.experiment.client.log_batch(self.id, metrics=points)

    def log_figure(self, figure: Figure, name: str) -> None:
        self.experiment.client.log_figure(self.id, figure, f"plots/{name}.png")

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        self.experiment.client.log_text(self.id, table.to_csv(index=False), f"{name}.csv")

    def log_dataset(self, dataset: str, part: str, context: str) -> dict[str, str]:
        """Names a part of the split as an input of the run; gives the dataset_name and
        dataset_digest that MLflow knows it by."""
        path = artefacts.part(dataset, part)
        arrays = artefacts.load_arrays(path)
        described = mlflow.data.from_numpy(
            arrays["images"],
            source=LocalArtifactDatasetSource(str(path.relative_to(artefacts.root()))),
            targets=arrays["labels"],
            name=f"{dataset}-{part}",
            digest=arrays_digest(arrays)[:36],  # all that MLflow has room for
        )
        tag = entities.InputTag("mlflow.data.context", context)
        used = [entities.DatasetInput(entities.Dataset(**described.to_dict()), [tag])]
        try:
            self.experiment.client.log_inputs(self.id, used)
        except MlflowException:
            # Another process may have told a server of the same data at the same moment.
            self.experiment.client.log_inputs(self.id, used)
        return {"dataset_name": described.name, "dataset_digest": described.digest}


class Live:
    """What a network's training says to its run, until MLflow cannot be used: the training goes on
    then, and from its files all is logged later."""

    def __init__(self, dataset: str, run: Run | None) -> None:
        self.id = run and run.id
        self._dataset, self._run = dataset, run

    def log_epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._say(lambda run: run.log_epoch(epoch, logs))

    def end(self, resources: Mapping[str, float], status: str) -> None:
        self._say(lambda run: run.log_metrics(resources))
        self._say(lambda run: run.experiment.client.set_terminated(run.id, status))

    def _say(self, something: Callable[[Run], None]) -> None:
        if self._run is None:
            return
        with store.put_off(self._dataset):
            try:
                with store.usable(self._run.experiment.uri):
                    something(self._run)
            except store.TrackingError:
                self._run = None
                raise


@contextmanager
def training_run(
    params: Params, dataset: str, family: str, seed: int
) -> Iterator[Live | epochs.Followed]:
    """The run of one seed's training, below its cell's parent run; where another process follows
    the training, its file in the place of one.

    While the block works, MLflow samples processor and memory once a second; after it, the run
    holds ``resources/wall_seconds``, ``resources/cpu_seconds`` (of the process, all threads) and
    ``resources/peak_mib`` (of the process since its start). It ends FAILED on an exception, KILLED
    on a KeyboardInterrupt. Raises GlassnetsError when MLflow cannot be used and nothing is lost by
    that: at the beginning, with the first seed.
    """
    if file := epochs.followed():
        yield file
        return
    key = RunKey(dataset, family, seed, inputs_digest(artefacts.root(), dataset, family))
    live, monitor = Live(dataset, None), None
    is_first = seed == params.dataset(dataset).seeds[0]
    with nullcontext() if is_first else store.put_off(dataset):
        with store.experiment(dataset) as experiment:
            run = begin(experiment, key, params)
        live = Live(dataset, run)
        monitor = SystemMetricsMonitor(run.id, sampling_interval=1, tracking_uri=experiment.uri)
        monitor.start()
    wall, cpu = time.perf_counter(), time.process_time()
    status = "FAILED"
    try:
        yield live
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if monitor:
            monitor.finish()
        resources = {
            "resources/wall_seconds": time.perf_counter() - wall,
            "resources/cpu_seconds": time.process_time() - cpu,
            "resources/peak_mib": _peak() / 2**20,
        }
        live.end(resources, status)


def _peak() -> int:
    """Bytes of memory that the process has held at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def begin(experiment: Experiment, key: RunKey, params: Params) -> Run:
    """A new run, with its parameters and training data, below the parent run of its cell."""
    tags = {**key.tags, **source(), PROCESS: _process(os.getpid())}
    if key.seed is not None:
        of_all = replace(key, seed=None)
        if found := find(experiment, of_all):
            tags[MLFLOW_PARENT_RUN_ID] = max(found, key=ended).info.run_id
        else:
            tags[MLFLOW_PARENT_RUN_ID] = begin(experiment, of_all, params).id
            experiment.client.set_terminated(tags[MLFLOW_PARENT_RUN_ID])
    created = experiment.client.create_run(experiment.id, tags=tags, run_name=key.name)
    run = Run(experiment, created.info.run_id)
    cell = params.dataset(key.dataset).family(key.family).model_dump()
    (flat,) = pd.json_normalize(cell).to_dict("records")
    logged = [entities.Param(str(name), str(value)) for name, value in flat.items()]
    experiment.client.log_batch(run.id, params=logged)
    run.log_dataset(key.dataset, "train", "training")
    return run


def find(experiment: Experiment, key: RunKey) -> list[entities.Run]:
    """Runs of this key, without those that another process is writing just now."""
    return [run for run in experiment.runs(key.tags) if not _at_work_elsewhere(run)]


def ended(run: entities.Run) -> tuple[int, str]:
    """Greatest of the run that ended last: the same one, whoever asks."""
    return run.info.end_time or 0, run.info.run_id


def _at_work_elsewhere(run: entities.Run) -> bool:
    """Whether another process has the run open. What a kill left RUNNING is not; of another
    machine's that cannot be known, so it is let be for a day."""
    machine, pid, _ = run.data.tags.get(PROCESS, "//").rsplit("/", 2)
    if run.info.status != "RUNNING" or not pid or pid == str(os.getpid()):
        return False
    if machine != platform.node():
        return bool(time.time() * 1000 - run.info.start_time < _ABANDONED)
    return psutil.pid_exists(int(pid)) and run.data.tags[PROCESS] == _process(int(pid))


def _process(pid: int) -> str:
    """machine/pid/start: no process that takes over the number is taken for this one."""
    return f"{platform.node()}/{pid}/{psutil.Process(pid).create_time():.0f}"


def settle(experiment: Experiment, keys: list[RunKey]) -> None:
    """Leaves one run of each key, the seeds' below the parent's, which is the first key's; and
    marks the cell's runs and models as `INPUTS` says. Of whole runs the one that ended last stays:
    whoever ends last sees all others, so processes that log the same at once leave one."""
    client, parent = experiment.client, ""
    for key in keys:
        found = find(experiment, key)
        kept = max((run for run in found if TRAINED in run.data.tags), key=ended, default=None)
        if kept is None:  # another machine has it open
            continue
        for other in found:
            if other is not kept:
                with suppress(MlflowException):  # another machine may be deleting it too
                    for model in experiment.models(other.info.run_id):
                        client.delete_logged_model(model.model_id)
                    client.delete_run(other.info.run_id)
        if key.seed is None:
            parent = kept.info.run_id
        elif parent and kept.data.tags.get(MLFLOW_PARENT_RUN_ID) != parent:
            client.set_tag(kept.info.run_id, MLFLOW_PARENT_RUN_ID, parent)

    current = inputs_digest(store.project(), keys[0].dataset, keys[0].family)
    for run in experiment.runs(keys[0].cell_tags):
        mark = "current" if run.data.tags.get(DIGEST) == current else "other"
        if run.data.tags.get(INPUTS) != mark:
            client.set_tag(run.info.run_id, INPUTS, mark)
    for model in experiment.models():
        mark = "current" if model.tags.get(DIGEST) == current else "other"
        if model.tags["glassnets.family"] == keys[0].family and model.tags.get(INPUTS) != mark:
            client.set_logged_model_tags(model.model_id, {INPUTS: mark})


def source() -> dict[str, str]:
    """Tags of where the code is from: the commit, and whether what the stages read differs from it,
    where the project is in git; the name of DVC's experiment where it runs one."""
    name = os.environ.get("DVC_EXP_NAME")
    tags = {"dvc.experiment": name} if name else {}
    if commit := get_git_commit(str(artefacts.root())):
        status = ["git", "--no-optional-locks", "status", "--porcelain", "--"]
        read = ["src", "params.yaml", "dvc.yaml"]
        ran = subprocess.run([*status, *read], cwd=artefacts.root(), capture_output=True)
        tags["mlflow.source.git.commit"] = commit
        tags["mlflow.source.git.dirty"] = str(bool(ran.stdout)).lower()
    return tags
