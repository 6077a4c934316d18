"""What the tasks of a checkout work with: a copy that has what they need, outcomes, an executor."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from glassnets.errors import ParameterError
from glassnets.pipeline import artefacts
from glassnets.pipeline.alone import alone
from glassnets.sweeps import copies, executors
from glassnets.sweeps.driver import Driver, Opened
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Plan
from glassnets.sweeps.tasks import Places

_BUSY = (
    "expected one sweep or search of this checkout at a time, got another at work: wait, or git "
    "clone the project for it"
)


class Workers(NamedTuple):
    """Where tasks run. processes: how many of this machine, where there is no scheduler. scheduler:
    address of Dask's. repository, remote: see `tasks.Places`; else this checkout, and a folder of
    its own that all sweeps of it share."""

    processes: int
    scheduler: str | None = None
    repository: str | None = None
    remote: str | None = None


@contextmanager
def begin(asked: Plan, workers: Workers) -> Iterator[tuple[Driver, Path]]:
    """A driver of a plan's tasks, and a copy of its commit in which all is built that they share.
    They stay for the next sweep of the commit.

    Raises ParameterError where workers cannot be reached as asked, GlassnetsError where another
    sweep of this checkout is at work.
    """
    if workers.scheduler:
        executors.check_safe(workers.scheduler)
        if not executors.is_here(workers.scheduler) and not workers.remote:
            raise ParameterError(
                "--remote: expected a path or URL that all workers reach, got none"
            )
    root = artefacts.root()
    scratch = root / ".dvc" / "tmp" / "sweeps"  # where neither git nor DVC looks
    own = str(scratch / "remote")
    folder = scratch / asked.commit[:16]
    folder.mkdir(parents=True, exist_ok=True)
    places = Places(_absolute(workers.repository or str(root)), _absolute(workers.remote or own))
    with alone(scratch, _BUSY):
        copy = folder / "project"
        if not copy.is_dir():
            with artefacts.replacing(copy) as (made,):
                copies.clone(str(root), asked.commit, made, places.remote)
        copies.mend(copy)
        copies.set_remote(copy, places.remote)
        copies.link_data(root, copy)
        copies.change(copy, ())
        shared = copies.build_shared(copy, {f"{asked.stage}@{cell.name}" for cell in asked.cells})
        copies.push(copy, shared)

        def opened() -> Opened:
            if workers.scheduler:
                return executors.dask(workers.scheduler)
            return executors.processes(workers.processes, folder / "workers")

        # What is in one remote is not in another.
        digest = hashlib.sha256(places.remote.encode()).hexdigest()[:8]
        driver = Driver(opened, places, Outcomes(folder / f"outcomes-{digest}"))
        try:
            yield driver, copy
        finally:
            driver.close()


def _absolute(place: str) -> str:
    """A path as every process has it, whatever its folder; a URL as it is."""
    is_url = "://" in place or ("@" in place and ":" in place)
    return place if is_url else str(Path(place).resolve())
