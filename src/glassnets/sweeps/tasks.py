"""A task of a sweep, and what a worker does with it.

A worker is any process that has the project's packages and its code: of this machine, or of
another. It runs a task by DVC in a clean copy of its own, which it keeps for the next; what a stage
computes, it computes in a process of its own, with the threads that params.yaml says.
"""

import functools
import hashlib
import json
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import glassnets
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, manifests
from glassnets.tracking import epochs


class Task(NamedTuple):
    """A stage of a cell, ``train@digits-cnn``, at a commit, under overrides of params.yaml."""

    commit: str
    overrides: tuple[str, ...]
    stage: str

    @property
    def digest(self) -> str:
        """The same task has the same digest."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:32]

    @property
    def cell(self) -> tuple[str, str]:
        """Its dataset and its family."""
        dataset, _, family = self.stage.partition("@")[2].partition("-")
        return dataset, family


class Places(NamedTuple):
    """repository: path or URL that a worker clones the project from. remote: path or URL of the DVC
    remote, which workers put their results into."""

    repository: str
    remote: str


class Outcome(NamedTuple):
    """outputs: the hash of every output that was built, by its path; none where a training was
    stopped. history: of the network, column by column, as far as it was trained."""

    outputs: dict[str, str]
    history: dict[str, list[float]]


class StageError(GlassnetsError):
    """A training diverges under these overrides: a result, which any worker would have."""


class KilledError(GlassnetsError):
    """A stage was ended by a signal, as where memory is short: another worker may finish it."""


_DIVERGED = "expected a finite loss"  # as `training.fit` says
_at_work = threading.Lock()  # a worker of several threads runs one task after the other
_copies: dict[tuple[Places, str], tempfile.TemporaryDirectory[str]] = {}


def run(task: Task, places: Places, limits: epochs.Limits | None = None) -> Outcome:
    """Runs a task in a copy of this process and puts its results into the remote.

    limits: of the training, see `epochs.Limits`. Raises StageError where a training diverges, and
    GlassnetsError where the stage fails otherwise, or where packages or code of this process are
    not the commit's.
    """
    from glassnets.sweeps import copies  # imports DVC

    with _at_work:
        _use_own_python()
        folder = _copy(task.commit, places)
        copies.change(folder, task.overrides)
        _check_packages(folder, task)
        with _printed() as printed, epochs.file(limits) as followed:
            try:
                built, outputs = copies.build(folder, task.stage)
            except GlassnetsError as error:
                if followed.stopped():
                    return Outcome({}, followed.history())
                said = " ".join(printed().rpartition("error: ")[2].split())[-300:]
                message = f"{task.stage} under {' '.join(task.overrides)}: {said or error}"
                # What else fails may be the machine's fault, and another's work.
                raise (StageError if _DIVERGED in said else type(error))(message) from error
        copies.push(folder, built)
        return Outcome(outputs, history(folder, *task.cell))


@functools.cache
def _use_own_python() -> None:
    """Has stages, which dvc.yaml runs by `python`, run by this process's, whose packages are
    looked at, also where its environment is not activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def history(folder: Path, dataset: str, family: str) -> dict[str, list[float]]:
    """The history of a copy's network, of one seed, column by column."""
    path = folder / "results" / dataset / "cells" / family / "history.csv"
    table = pd.read_csv(path, float_precision="round_trip").drop(columns=["seed", "epoch"])
    return {str(name): values.tolist() for name, values in table.items()}


def _copy(commit: str, places: Places) -> Path:
    """The folder of this process's copy, which goes with the process."""
    from glassnets.sweeps import copies

    if (places, commit) not in _copies:
        made = tempfile.TemporaryDirectory(prefix="glassnets-sweep-")
        # What DVC notes of a project outside of it, which would stay.
        os.environ["DVC_SITE_CACHE_DIR"] = tempfile.mkdtemp(dir=made.name)
        folder = Path(made.name) / "project"
        copies.clone(places.repository, commit, folder, places.remote)
        check_code(folder)
        _copies[places, commit] = made
    return Path(_copies[places, commit].name) / "project"


def check_code(folder: Path) -> None:
    """Raises GlassnetsError where the code of this process is not that of the copy."""
    own = _digests()
    theirs = manifests.read(folder / "src").digests
    if other := sorted(name for name, digest in theirs.items() if own.get(name) != digest):
        raise GlassnetsError(
            f"expected workers to have the code of the commit, got other in {', '.join(other[:3])} "
            f"of {len(other)} files on {platform.node()}: git checkout the commit there, and start "
            "the worker again"
        )


@functools.cache
def _digests() -> dict[str, str]:
    """Of the code of this process, as it was when it was first asked for."""
    return manifests.read(Path(glassnets.__file__).parents[1]).digests


def _check_packages(folder: Path, task: Task) -> None:
    """Raises GlassnetsError where packages here are not those that the task's manifest names."""
    dataset, family = task.cell
    stage = task.stage.partition("@")[0]
    path = folder / "manifests" / dataset / family / f"{stage}.json"
    for name, pinned in artefacts.load_json(path)["packages"].items():
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        if here != pinned:
            raise GlassnetsError(
                f"expected {name} {pinned}, with which {task.stage} computes by its manifest, got "
                f"{here} on {platform.node()}: make env there"
            )


@contextmanager
def _printed() -> Iterator[Callable[[], str]]:
    """Keeps what this process and those that it starts print; gives what reads it."""
    with tempfile.TemporaryFile() as file:
        kept = [os.dup(descriptor) for descriptor in (1, 2)]
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)

        def read() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        try:
            yield read
        finally:
            for descriptor, before in zip((1, 2), kept, strict=True):
                os.dup2(before, descriptor)
                os.close(before)
