"""What tasks came to, kept on disk, so that a sweep goes on where it was stopped."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.sweeps.tasks import Outcome, Task
from glassnets.tracking.epochs import Limits


class Outcomes:
    """A folder with a file a task. A training that was stopped is another result than a whole one,
    by the limits under which it was stopped."""

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, task: Task, limits: Limits | None = None) -> Outcome | None:
        """The outcome of a task under limits; None where it has none yet. A whole training that
        exceeds the limits counts as stopped there."""
        if (whole := self._read(self._path(task, None))) is not None:
            epoch = limits.exceeded(whole.history[limits.column]) if limits else None
            if epoch is None:
                return whole
            return Outcome({}, {name: values[:epoch] for name, values in whole.history.items()})
        return self._read(self._path(task, limits)) if limits else None

    def put(self, task: Task, limits: Limits | None, outcome: Outcome) -> None:
        """Keeps an outcome. Raises GlassnetsError where the task has another one: then it is not
        known which is right."""
        path = self._path(task, None if outcome.outputs else limits)
        before = self._read(path)
        if before is not None and before != outcome:
            raise GlassnetsError(
                f"expected one result of {task.stage} under {' '.join(task.overrides)}, got two: "
                f"{_differing(before, outcome)}; the workers do not compute alike"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with artefacts.replacing(path) as (partial,):
            artefacts.save_json(partial, outcome._asdict())

    def _path(self, task: Task, limits: Limits | None) -> Path:
        stopped = (
            hashlib.sha256(json.dumps(limits).encode()).hexdigest()[:16] if limits else "whole"
        )
        return self.folder / f"{task.digest}-{stopped}.json"

    def drop(self, task: Task) -> None:
        """Forgets what a task came to."""
        self._path(task, None).unlink(missing_ok=True)

    def _read(self, path: Path) -> Outcome | None:
        if path.is_file():
            with suppress(GlassnetsError):  # cut short with the power: as if it had not been run
                return Outcome(**artefacts.load_json(path))
        return None


def _differing(a: Outcome, b: Outcome) -> str:
    paths = {p for p in a.outputs.keys() | b.outputs.keys() if a.outputs.get(p) != b.outputs.get(p)}
    return ", ".join(sorted(paths)) or "their histories"
