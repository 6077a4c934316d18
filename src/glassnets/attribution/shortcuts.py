"""Does a method tell a network that has taken a shortcut from one that has not?

Both explain the same images, on which the tag stands, for the class that the tag stood for in
training. A method is usable to find the shortcut if its maps point to the tag for the one network
and not for the other: a map of the network alone would not do, for a method may point to the tag
whatever the network has learnt. Adebayo, Muelly, Abelson & Kim (2022), "Post hoc explanations may
be ineffective for detecting unknown spurious correlation".
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.attribution.metrics.localization import average_precision, relevance_mass
from glassnets.attribution.verdicts import Scores, mean_of, method_of, reference_of
from glassnets.config.schema import Evaluation
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values

SCORES = ("mass", "precision")


def scores(maps: NDArray[np.float32], tag: NDArray[np.bool_]) -> dict[str, Values]:
    """How far maps (n, h, w) point to the tag's pixels, bool (n, h, w), each (n,) in 0…1:
    ``mass``, the share of the map's positive part that lies on the tag (0 for a map without one),
    and ``precision``, the average precision of the map as a ranking of the pixels.
    """
    rows = maps.reshape(len(maps), -1).astype(np.float64)
    pixels = tag.reshape(len(tag), -1)
    return {"mass": relevance_mass(rows, pixels), "precision": average_precision(rows, pixels)}


def area(tagged: Values, clean: Values, evaluation: Evaluation) -> dict[str, float]:
    """The area under the ROC curve of a score that is to tell tagged networks from clean ones, over
    all images and seeds, with its percentile interval: ``auc``, ``ci_low``, ``ci_high``. NaN where
    no image has a score.

    The area is the probability that an image of a tagged network scores above one of a clean
    network, ties counting half (Hanley & McNeil 1982): a resample's is the mean of those pairs,
    weighted by how often it draws the seeds and images of both, the same for both networks.

    tagged, clean: float64 (seeds, n), NaN in both where an image does not count.
    """
    from sklearn.metrics import roc_auc_score

    counts = ~(np.isnan(tagged) | np.isnan(clean))
    if not counts.any():
        return dict.fromkeys(("auc", "ci_low", "ci_high"), np.nan)
    one, other = tagged[counts], clean[counts]
    auc = roc_auc_score(np.repeat([1, 0], len(one)), np.concatenate([one, other]))
    above = (one[:, np.newaxis] > other) + (one[:, np.newaxis] == other) / 2
    of_seed, of_image = bootstrap.draws(*tagged.shape, evaluation)
    weights = (of_seed[:, :, np.newaxis] * of_image[:, np.newaxis])[:, counts]  # (r, scores)
    drawn = weights.sum(axis=1)
    weights = weights[drawn > 0] / drawn[drawn > 0, np.newaxis]
    areas = ((weights @ above) * weights).sum(axis=1)
    low, high = bootstrap.interval(areas, evaluation.confidence_level)
    return {"auc": float(auc), "ci_low": low, "ci_high": high}


def only(scores: Scores, counts: NDArray[np.bool_]) -> Scores:
    """The scores of images that count, bool (n,), and NaN for the others."""
    return {
        name: {score: np.where(counts, values, np.nan) for score, values in own.items()}
        for name, own in scores.items()
    }


def table(
    tagged: Sequence[Scores],
    clean: Sequence[Scores],
    controls: Collection[str],
    min_auc: float,
    evaluation: Evaluation,
) -> pd.DataFrame:
    """A row a variant: ``variant``, ``method``, ``reference`` (None for a method without one),
    ``control``, the ``auc`` of mass with ``ci_low`` and ``ci_high``, ``usable`` (whether it is
    min_auc or more), the same of precision as ``precision_auc``, …, and the means of the scores,
    ``mass_tagged``, ``mass_clean``, ``precision_tagged``, ``precision_clean``.

    tagged, clean: of each seed, the `scores` by variant of the network that has learnt with the tag
    and of the one that has not.
    """
    rows = []
    for name in tagged[0]:
        values = {
            (score, kind): np.stack([of_seed[name][score] for of_seed in seeds])
            for kind, seeds in (("tagged", tagged), ("clean", clean))
            for score in SCORES
        }
        mass, precision = (
            area(values[score, "tagged"], values[score, "clean"], evaluation) for score in SCORES
        )
        rows.append(
            {"variant": name, "method": method_of(name)}
            | {"reference": reference_of(name), "control": name in controls}
            | mass
            | {"usable": mass["auc"] >= min_auc}
            | {f"precision_{key}": value for key, value in precision.items()}
            | {f"{score}_{kind}": mean_of(each) for (score, kind), each in values.items()}
        )
    return pd.DataFrame(rows)
