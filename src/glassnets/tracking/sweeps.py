"""The runs of a sweep or a search: a parent run, and below it one of each network."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow import entities
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.validation import MAX_METRICS_PER_BATCH

from glassnets.pipeline.alone import alone
from glassnets.tracking import runs, store
from glassnets.tracking.runs import CURVES, Run

EXPERIMENT = "sweeps"  # glassnets-sweeps
DIGEST = "glassnets.sweep"  # tag: of the plan and its results


class Network(NamedTuple):
    """name: of the run. options: what was changed. figures: metrics. history: as Keras has it,
    column by column, those columns that there are."""

    name: str
    options: Mapping[str, str]
    figures: Mapping[str, float]
    history: Mapping[str, Sequence[float]]


def log(
    name: str,
    digest: str,
    options: Mapping[str, str],
    figures: Mapping[str, float],
    networks: Sequence[Network],
    folder: Path,
) -> bool:
    """Logs a sweep, unless MLflow has it; whether it was lacking.

    name: of the parent run. digest: the same sweep with the same results has the same one.
    options, figures: the parent run's parameters and metrics. networks: in the order of the
    children. folder: its files become the parent's artifacts. Raises GlassnetsError where MLflow
    cannot be used.
    """
    with alone(folder), store.experiment(EXPERIMENT) as experiment:
        client = experiment.client
        found = experiment.runs({DIGEST: digest})
        if any(run.info.status == "FINISHED" for run in found):
            return False
        for half in found:  # what a kill has left
            for child in experiment.runs({MLFLOW_PARENT_RUN_ID: half.info.run_id}):
                client.delete_run(child.info.run_id)
            client.delete_run(half.info.run_id)

        def begin(name: str, tags: Mapping[str, str], options: Mapping[str, str]) -> Run:
            tags = {**tags, **runs.source()}
            created = client.create_run(experiment.id, tags=tags, run_name=name)
            own = [entities.Param(key, value) for key, value in options.items()]
            client.log_batch(created.info.run_id, params=own)
            return Run(experiment, created.info.run_id)

        parent = begin(name, {DIGEST: digest}, options)
        parent.log_metrics(figures)
        for network in networks:
            run = begin(network.name, {MLFLOW_PARENT_RUN_ID: parent.id}, network.options)
            run.log_metrics(network.figures)
            now = int(time.time() * 1000)  # milliseconds
            points = [
                entities.Metric(CURVES[column], value, now, epoch)
                for column, values in network.history.items()
                for epoch, value in enumerate(values, 1)
            ]
            for first in range(0, len(points), MAX_METRICS_PER_BATCH):
                batch = points[first : first + MAX_METRICS_PER_BATCH]
                client.log_batch(run.id, metrics=batch)
            client.set_terminated(run.id)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            within = file.parent.relative_to(folder).as_posix()
            client.log_artifact(parent.id, str(file), None if within == "." else within)
        client.set_terminated(parent.id)
    return True
