"""What results were made of, in forms that other programs read: packages as CycloneDX, runs of
stages as a Provenance Run RO-Crate, datasets as Croissant. The same inputs give the same bytes."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from glassnets.errors import GlassnetsError

LICENCE = "https://spdx.org/licenses/Apache-2.0"


@dataclass(frozen=True)
class Project:
    """What is checked out in the folder root. datasets: those that are told of."""

    root: Path
    datasets: tuple[str, ...]

    def text(self, name: str) -> str:
        """The text of a file of the project. Raises OSError where there is none."""
        return (self.root / name).read_text(encoding="utf-8")

    def yaml(self, name: str) -> Any:
        return _parsed(self.text(name))

    @property
    def version(self) -> str:
        return str(tomllib.loads(self.text("pyproject.toml"))["project"]["version"])

    @property
    def description(self) -> str:
        return str(tomllib.loads(self.text("pyproject.toml"))["project"]["description"])

    @property
    def citation(self) -> str:
        return f"{self.yaml('CITATION.cff')['authors'][0]['name']}, version {self.version}"

    @property
    def released(self) -> date:
        """When this version was released: there is no clock in what is written."""
        released = self.yaml("CITATION.cff")["date-released"]
        assert isinstance(released, date)
        return released

    def stages(self) -> dict[str, Any]:
        """The stages that dvc.lock has of the datasets, by name: each a ``cmd``, and ``deps`` and
        ``outs``, of which each has a ``path``, an ``md5`` and a ``size``."""
        locked = self.yaml("dvc.lock")["stages"]
        found = {name: locked[name] for name in sorted(locked) if cell(name)[0] in self.datasets}
        if missing := set(self.datasets) - {cell(name)[0] for name in found}:
            raise GlassnetsError(
                f"expected stages of {', '.join(sorted(missing))} in dvc.lock, got none: "
                "`make run DATASET=…` makes them, or name the datasets that are there"
            )
        return found


@lru_cache(8)
def _parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)  # of dvc.lock it takes a second


def cell(stage: str) -> tuple[str, str]:
    """The dataset and the family that a stage of dvc.lock is of, "" where it is of none."""
    dataset, _, family = stage.partition("@")[2].partition("-")
    return dataset, family
