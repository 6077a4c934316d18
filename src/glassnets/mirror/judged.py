"""All that results/D/F hold to tell MLflow."""

from glassnets.mirror.evaluation import EvaluatedCell
from glassnets.mirror.explanation import ExplainedCell
from glassnets.params import Params

Judged = tuple[EvaluatedCell, ExplainedCell]


def read(params: Params, dataset: str, family: str) -> Judged:
    """Raises GlassnetsError where evaluate or explain has not run."""
    return (
        EvaluatedCell.read(dataset, family, params.evaluation.calibration_bins),
        ExplainedCell.read(dataset, family),
    )
