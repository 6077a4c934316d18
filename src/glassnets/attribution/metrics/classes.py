"""Does a map depend on the class that it explains?"""

import numpy as np

from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import (
    Classes,
    Judged,
    Scores,
    Values,
    in_first,
    metric,
)
from glassnets.attribution.metrics.randomization import rank_correlations, ranked
from glassnets.config.schema import Positive
from glassnets.runtime import concurrently


class ClassSensitivity(Options):
    images: Positive = 50  # how many, from the first; each costs a map of every variant


@metric(ClassSensitivity)
def class_sensitivity(judged: Judged, options: ClassSensitivity, seed: int) -> Scores:
    """``class_correlation``: Spearman's rank correlation of the map of the class that is explained
    and the map of the most probable other class; lower is better. 1 is a map that is the same for
    every class, and so answers no question about one.
    """
    images, targets = judged.images[: options.images], judged.targets[: options.images]
    others = most_probable_others(judged, len(images))

    def score(name: str) -> dict[str, Values]:
        maps, of_others = judged.maps[name], judged.attribute(name, images, others)
        signed, _ = rank_correlations(ranked(maps[: len(targets)]), ranked(of_others))
        return {"class_correlation": in_first(signed, len(judged.images))}

    return dict(zip(judged.maps, concurrently(score, judged.maps), strict=True))


def most_probable_others(judged: Judged, count: int) -> Classes:
    """The most probable class beside the one explained, of the first images: int32 (count,)."""
    logits = judged.network.outputs(judged.images[:count])
    logits[np.arange(count), judged.targets[:count]] = -np.inf
    others: Classes = logits.argmax(axis=1).astype(np.int32)
    return others
