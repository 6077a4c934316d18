"""A training followed from another process, epoch by epoch, in the place of MLflow: what a worker
of a sweep sees of it. Whoever asked for the sweep tells MLflow, once, when all is there.

The stage finds the file to write to in an environment variable, which nothing else of it reads.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from glassnets.errors import GlassnetsError

FILE = "GLASSNETS_EPOCHS"


class Limits(NamedTuple):
    """When a training is stopped: at the end of the first epoch at which the best value so far is
    worse than its limit.

    column: of the history. sign: 1 where low values are good, -1 where high ones are. values: the
    limit of each epoch, from the first on; None, and after the last, where there is none.
    """

    column: str
    sign: int
    values: tuple[float | None, ...]

    def exceeded(self, history: Sequence[float]) -> int | None:
        """The epoch, counted from 1, at which a training is stopped; None where it is not."""
        best = float("inf")
        for epoch, (value, limit) in enumerate(zip(history, self.values, strict=False), 1):
            best = min(best, self.sign * value)
            if limit is not None and best > self.sign * limit:
                return epoch
        return None


class Followed:
    """The file of one training: its limits, then a line an epoch."""

    def __init__(self, path: Path):
        self.path = path

    def begin(self, limits: Limits | None) -> None:
        self.path.write_text(json.dumps(limits) + "\n", encoding="utf-8")

    def log_epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Writes what Keras says of an epoch. Raises GlassnetsError where the limits are
        exceeded, which ends the stage."""
        # With the digits that the table of the history has.
        rounded = {name: float(f"{value:.9g}") for name, value in logs.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rounded) + "\n")
        if self.stopped():
            raise GlassnetsError(f"stopped after epoch {epoch}: others were better by then")

    def history(self) -> dict[str, list[float]]:
        """The history so far, column by column."""
        rows = [json.loads(line) for line in self._lines()[1:]]
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def stopped(self) -> bool:
        """Whether the limits are exceeded."""
        limits = json.loads(self._lines()[0])
        if limits is None:
            return False
        own, history = Limits(*limits), self.history()
        if not all(math.isfinite(value) for values in history.values() for value in values):
            return False  # the training says so itself, in the end
        return own.exceeded(history.get(own.column, [])) is not None

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()


def followed() -> Followed | None:
    """The file of this process's training, where another process follows it."""
    path = os.environ.get(FILE)
    return Followed(Path(path)) if path else None


@contextmanager
def file(limits: Limits | None) -> Iterator[Followed]:
    """A file that trainings begun within write to, with the limits under which they go on."""
    before = os.environ.get(FILE)
    with tempfile.TemporaryDirectory(prefix="glassnets-") as folder:
        own = Followed(Path(folder) / "epochs")
        own.begin(limits)
        os.environ[FILE] = str(own.path)
        try:
            yield own
        finally:
            os.environ.pop(FILE)
            if before is not None:
                os.environ[FILE] = before
