"""What evaluate@D-F found, told to MLflow seed by seed."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from glassnets import artefacts, evaluation, tracking
from glassnets.report import seed as pictures


@dataclass(frozen=True, eq=False)
class EvaluatedCell:
    """What is in metrics.json and predictions.csv of results/D/F. bins: of the reliability
    diagram."""

    title: str
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    bins: int

    @classmethod
    def read(cls, dataset: str, family: str, bins: int) -> "EvaluatedCell":
        """Raises GlassnetsError where evaluate has not run."""
        results = artefacts.results(dataset, family)
        return cls(
            f"{family} on {dataset}",
            artefacts.load_json(results / "metrics.json"),
            artefacts.load_table(results / "predictions.csv"),
            bins,
        )

    def figures(self, seed: int) -> dict[str, float]:
        """Test figures of one seed, as MLflow names them."""
        place = list(self.predictions["seed"].unique()).index(seed)
        return {f"test/{name}": m["by_seed"][place] for name, m in self.metrics.items()}

    def log(self, run: tracking.Run, seed: int) -> None:
        """The figures last: a run that has them has the pictures."""
        own = self.predictions[self.predictions["seed"] == seed]
        labels = own["label"].to_numpy()
        title = f"{self.title}, seed {seed}"
        matrix = pictures.confusion_matrix(labels, own["prediction"].to_numpy(), title)
        run.log_figure(matrix, "confusion_matrix")
        probabilities = own.filter(regex=r"^probability_\d+$").to_numpy()
        table = evaluation.reliability(labels, probabilities, self.bins)
        run.log_figure(pictures.reliability(table, title), "reliability")
        run.log_metrics(self.figures(seed))
