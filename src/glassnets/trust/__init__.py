"""Trust metrics: whether an attribution method's maps deserve belief, in one signature.

    judged = Judged(network, images, targets, maps, explain, mean_image)
    scores = METRICS["deletion_insertion"](judged, DeletionInsertion(steps=32), seed)

A metric judges the maps of all methods for one network at once, for what it does to the network
or to the images is the same for all of them. It gives scores[method][figure], float64 (n,), an
image each; `verdicts` makes means with intervals, gates and a leaderboard of them.

A new metric is a function in one of the files and a line in METRICS.
"""

from glassnets.trust import description, faithfulness, localization, randomization, robustness
from glassnets.trust.metric import Judged, Metric, Scores

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        faithfulness.deletion_insertion,
        faithfulness.faithfulness_correlation,
        faithfulness.infidelity,
        robustness.max_sensitivity,
        randomization.parameter_randomization,
        randomization.label_randomization,
        localization.localization,
        description.completeness,
        description.complexity,
    )
}

__all__ = ["METRICS", "Judged", "Metric", "Scores"]
