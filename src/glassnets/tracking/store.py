"""Where runs go: ``MLFLOW_TRACKING_URI``, else the project's ``mlflow.db`` and ``mlruns/``.

``python -m glassnets.tracking.store [PORT]`` readies the store for ``mlflow ui --port PORT``, and
prints where that shows each dataset's runs.
"""

import logging
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import entities
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.pipeline.alone import alone

# What goes wrong is raised, and printed once, in a line.
logging.getLogger("mlflow").setLevel(logging.CRITICAL)
logging.getLogger("alembic").setLevel(logging.ERROR)

_SQLITE = "sqlite:///"
_LOCATIONS = (  # of artifacts: MLflow's table and column
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
# Have MLflow show runs, not traces of language models; 3.17 goes by the link alone.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_LINK = "http://127.0.0.1:{port}/#/experiments/{id}/runs?workflowType=machine_learning"


class TrackingError(GlassnetsError):
    """MLflow cannot be used."""


@dataclass(frozen=True)
class Experiment:
    """The experiment of a dataset, ``glassnets-<dataset>``."""

    client: mlflow.MlflowClient
    uri: str
    id: str

    def runs(self, tags: dict[str, str]) -> list[entities.Run]:
        """The runs that have all of these tags, whatever their status."""
        query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        return list(self.client.search_runs([self.id], query, max_results=10_000))

    def models(self, run_id: str | None = None) -> list[entities.LoggedModel]:
        """The models of all runs or one, newest first, without those made for the registry."""
        query = f"source_run_id = '{run_id}'" if run_id else None
        found = self.client.search_logged_models([self.id], query, max_results=10_000)
        return [model for model in found if "glassnets.family" in model.tags]


def project() -> Path:
    """The project's folder; from a copy in which DVC runs a queued experiment, the original's."""
    root = artefacts.root()
    exps = (folder for folder in root.parents if folder.parts[-3:] == (".dvc", "tmp", "exps"))
    return next((folder.parents[2] for folder in exps), root)


@contextmanager
def experiment(dataset: str) -> Iterator[Experiment]:
    """The dataset's experiment, made where there is none. Raises TrackingError when MLflow cannot
    be used, and for its errors in the block."""
    name = f"glassnets-{dataset}"
    with connected() as (client, uri, artifacts):
        if client.get_experiment_by_name(name) is None:
            # A server knows where artifacts go; without one they lie beside the database.
            location = artifacts and (artifacts / name).as_uri()
            try:
                client.create_experiment(name, location, _KIND)
            except MlflowException:
                if client.get_experiment_by_name(name) is None:
                    raise  # else another process has just made it
        found = client.get_experiment_by_name(name)
        if found.lifecycle_stage == entities.LifecycleStage.DELETED:
            client.restore_experiment(found.experiment_id)
        yield Experiment(client, uri, found.experiment_id)


@contextmanager
def connected() -> Iterator[tuple[mlflow.MlflowClient, str, Path | None]]:
    """A client, its URI and, where the store is a file, the folder of artifacts. Raises
    TrackingError when MLflow cannot be used, and for its errors in the block."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{project()}/mlflow.db"
    artifacts = None
    with usable(uri):
        if uri.startswith(_SQLITE):
            database = Path(uri.removeprefix(_SQLITE)).absolute()
            artifacts = database.parent / "mlruns"
            with alone(database.parent):  # two processes must not both create the tables
                client = mlflow.MlflowClient(uri)
                _relocate(database, artifacts.as_uri())
        else:
            if uri.startswith("http"):  # MLflow itself would try for minutes
                credentials = get_default_host_creds(uri)
                http_request(credentials, "/health", "GET", max_retries=0, timeout=10)
            client = mlflow.MlflowClient(uri)
        yield client, uri, artifacts


@contextmanager
def usable(uri: str) -> Iterator[None]:
    """Raises TrackingError for errors of MLflow in the block."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        shown = _without_credentials(uri)
        message = " ".join(str(error).replace(uri, shown).split())[:300]
        forward = (
            "start its server, or unset MLFLOW_TRACKING_URI to use mlflow.db in the project"
            if os.environ.get("MLFLOW_TRACKING_URI")
            else "move mlflow.db away to begin a new one"
        )
        raise TrackingError(
            f"expected to use MLflow at {shown}, got: {message}; {forward}"
        ) from error


@contextmanager
def put_off(dataset: str) -> Iterator[None]:
    """Says on standard error, where MLflow cannot be used in the block, what logs later what the
    block would have: work that is done is not lost for that."""
    try:
        yield
    except TrackingError as error:
        print(
            f"warning: {error}; the work goes on, and `glassnets track {dataset}` logs it later",
            file=sys.stderr,
        )


def _without_credentials(uri: str) -> str:
    """Without the user and the password that stand before an address's host."""
    return re.sub(r"(?<=://)[^/]*(?=@)", "…", uri)


def _relocate(database: Path, artifacts: str) -> None:
    """Corrects where artifacts are, which MLflow keeps absolute, after the folder was moved. What
    a server has made in the same database stays where it is."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        query = "SELECT name, artifact_location FROM experiments WHERE name LIKE 'glassnets-%'"
        found = connection.execute(query).fetchall()
        ours = (
            location.removesuffix(name)
            for name, location in found
            if location.startswith("file://") and location.endswith(f"/mlruns/{name}")
        )
        for old in {*ours} - {f"{artifacts}/"}:
            for table, column in _LOCATIONS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE substr({column}, 1, ?) = ?",
                    (f"{artifacts}/", len(old) + 1, len(old), old),
                )


def main(port: str = "5000") -> None:
    """Prints a link for each dataset."""
    with in_one_line("other programs closed"), connected() as (client, _, _):
        for found in client.search_experiments(filter_string="name LIKE 'glassnets-%'"):
            print(f"{found.name}: {_LINK.format(port=port, id=found.experiment_id)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
