"""Metrics of attribution methods, in one signature.

    judged = Judged(network, images, targets, maps, attribute)
    scores = METRICS["deletion_insertion"](judged, DeletionInsertion(steps=32), seed)

A metric scores the maps of all variants for one network at once, since what it does to the network
or to the images is the same for all of them: scores[variant][score], float64 (n,), an image each.
`verdicts` makes intervals, a leaderboard and verdicts of them.

A new metric is a function with the decorator `metric.metric` in one of the modules.
"""

from glassnets.attribution.metrics import (
    classes,
    description,
    faithfulness,
    localization,
    randomization,
    robustness,
)
from glassnets.attribution.metrics.metric import Judged, Metric, Scores

# In the order in which the modules define them.
METRICS: dict[str, Metric] = {
    member.name: member
    for module in (faithfulness, robustness, randomization, classes, localization, description)
    for member in vars(module).values()
    if isinstance(member, Metric)
}

__all__ = ["METRICS", "Judged", "Metric", "Scores"]
