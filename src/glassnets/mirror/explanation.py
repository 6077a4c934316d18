"""What explain@D-F found, told to MLflow seed by seed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from glassnets import artefacts, tracking
from glassnets.artefacts import Arrays
from glassnets.report import attributions, leaderboards


@dataclass(frozen=True, eq=False)
class ExplainedCell:
    """What is in trust.json, leaderboard.csv, curves.csv and explanations.npz of results/D/F."""

    title: str
    trust: dict[str, Any]
    leaderboard: pd.DataFrame
    curves: pd.DataFrame
    arrays: Arrays

    @classmethod
    def read(cls, dataset: str, family: str) -> "ExplainedCell":
        """Raises GlassnetsError where explain has not run."""
        results = artefacts.results(dataset, family)
        return cls(
            f"{family} on {dataset}",
            artefacts.load_json(results / "trust.json"),
            artefacts.load_table(results / "leaderboard.csv"),
            artefacts.load_table(results / "curves.csv"),
            artefacts.load_arrays(results / "explanations.npz"),
        )

    def figures(self, seed: int) -> dict[str, float]:
        """Trust figures of one seed, as MLflow names them; without those it has none of."""
        place = self._place(seed)
        return {
            f"trust/{method}/{figure}": value
            for method, figures in self.trust.items()
            for figure, values in figures.items()
            if (value := values["by_seed"][place]) is not None
        }

    def gallery(self, seed: int) -> Figure:
        """The first twelve images of the panel and their maps."""
        place, first = self._place(seed), slice(12)
        return attributions.gallery(
            self.arrays["images"][first],
            {name: self.arrays[name][place][first] for name in self.leaderboard["method"]},
            self.arrays["labels"][first],
            self.arrays["predictions"][place][first],
            self.leaderboard,
            f"{self.title}, seed {seed}",
            self.arrays["evidence"][first] if "evidence" in self.arrays else None,
        )

    @cached_property
    def chart(self) -> Figure:
        return leaderboards.chart(self.leaderboard, self.title)

    @cached_property
    def _curves(self) -> dict[str, Figure]:
        """By what was put in the place of removed pixels."""
        return {
            removed: leaderboards.curves(
                self.curves,
                removed,
                self.leaderboard,
                f"{self.title}, all seeds, removed: {removed}",
            )
            for removed in self.curves["baseline"].unique()
        }

    def log(self, run: tracking.Run, seed: int) -> None:
        """The figures last: a run that has them has the pictures."""
        run.log_table(self.leaderboard, "leaderboard")
        run.log_figure(self.gallery(seed), "gallery")
        run.log_figure(self.chart, "leaderboard")
        for removed, picture in self._curves.items():
            run.log_figure(picture, f"curves_{removed}")
        run.log_metrics(self.figures(seed))

    def _place(self, seed: int) -> int:
        return list(self.arrays["seeds"]).index(seed)
