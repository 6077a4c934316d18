"""Is a map about this network, or would another family's do as well? Is it about this image, or
would that of another image of the class?

Either map is held against what the network does: the correlation of its sums over random sets of
pixels with the drops of the logit, as in `metrics.faithfulness.faithfulness_correlation`, which
left the drops. So no network is needed here.
"""

from collections.abc import Mapping
from itertools import permutations
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from glassnets.attribution.references import REMOVALS
from glassnets.attribution.subsets import random_subsets
from glassnets.attribution.verdicts import reference_of
from glassnets.config.schema import Evaluation
from glassnets.data import Arrays
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values
from glassnets.evaluation.multiplicity import holm


class Subsets(Protocol):
    """Of the metric's options, what its sets of pixels are drawn by."""

    @property
    def subsets(self) -> int: ...
    @property
    def fraction(self) -> float: ...


Drops = Mapping[str, Values]  # by removal: standardised, float64 (seeds, n, subsets)


def drops_of(of_network: Mapping[str, Values]) -> Drops:
    """The drops that the metric left among a network's scores."""
    return {
        name.removeprefix("drops_"): values
        for name, values in of_network.items()
        if name.startswith("drops_")
    }


def of_other_images(
    attributions: Arrays, drops: Drops, options: Subsets, random_state: int
) -> dict[str, dict[str, Values]]:
    """The faithfulness correlation of each image's drops with the map of the next image of the
    sample of which the same network predicts the same class: by variant and removal, float64
    (seeds, n), NaN where there is no such image.

    Arguments as in `between_families`, of one family.
    """
    subsets = _subsets(attributions, options, random_state)
    following = np.stack([_next_of_class(row) for row in attributions["predictions"]])
    alone = following == np.arange(following.shape[1])
    seeds = np.arange(len(following))[:, np.newaxis]
    return {
        name: {
            removal: np.where(alone, np.nan, _correlations(maps[seeds, following], subsets, each))
            for removal, each in drops.items()
        }
        for name, maps in attributions.items()
        if _is_map(name, maps)
    }


def _next_of_class(predictions: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each image the next of the same class, after the last the first; itself where alone."""
    following = np.arange(len(predictions))
    for label in np.unique(predictions):
        members = np.flatnonzero(predictions == label)
        following[members] = np.roll(members, -1)
    return following


def _subsets(attributions: Arrays, options: Subsets, random_state: int) -> list[NDArray[np.bool_]]:
    """The sets of pixels that the metric drew for each seed's network."""
    shape = attributions["images"].shape[1:3]
    return [
        random_subsets(shape, options.subsets, options.fraction, random_state + int(seed))
        for seed in attributions["seeds"]
    ]


def between_families(
    attributions: Mapping[str, Arrays],
    drops: Mapping[str, Drops],
    options: Subsets,
    random_state: int,
    evaluation: Evaluation,
) -> pd.DataFrame:
    """How much better than another family's maps a network's own tell what it does, a row for each
    variant that two families share and ordered pair of these.

    attributions: by family, as `Results.attributions`. drops: by family. options, random_state: of
    the metric, which drew the same subsets; a network's seed is added to random_state.

    Columns: method, a variant; family, whose networks are judged; other, whose maps of the same
    seed; images, on how many of them some seed's two networks agree; difference, own less other,
    the mean over images, seeds and the removals that are not the variant's reference, with ci_low
    and ci_high; p_holm, of a difference of 0 or below, over all rows.
    """
    rows = []
    for family, other in permutations(attributions, 2):
        own, others = attributions[family], attributions[other]
        same = own["predictions"] == others["predictions"]
        subsets = _subsets(own, options, random_state)
        for name in (name for name in own if name in others and _is_map(name, own[name])):
            mine, theirs = (
                _mean_correlation(arrays[name], subsets, drops[family], name)
                for arrays in (own, others)
            )
            difference = np.where(same, mine - theirs, np.nan)
            if np.isnan(difference).all():
                continue
            draws = bootstrap.means(difference[np.newaxis], evaluation)[0]
            low, high = bootstrap.interval(draws[~np.isnan(draws)], evaluation.confidence_level)
            mean, spread = float(np.nanmean(difference)), float(np.nanstd(draws))
            rows.append(
                {
                    "method": name,
                    "family": family,
                    "other": other,
                    "images": int(same.any(axis=0).sum()),
                    "difference": mean,
                    "ci_low": low,
                    "ci_high": high,
                    "p_holm": float(norm.sf(mean / spread)) if spread > 1e-12 else 1.0,
                }
            )
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = holm(table["p_holm"])
    return table


def _is_map(name: str, array: NDArray[np.generic]) -> bool:
    return array.ndim == 4 and name != "images"


def _mean_correlation(
    maps: NDArray[np.float32], subsets: list[NDArray[np.bool_]], drops: Drops, variant: str
) -> Values:
    """Of maps (seeds, n, h, w), mean over the removals that are not the variant's reference:
    float64 (seeds, n)."""
    removals = [r for r in REMOVALS if r in drops and r != reference_of(variant)]
    mean: Values = np.mean([_correlations(maps, subsets, drops[r]) for r in removals], axis=0)
    return mean


def _correlations(
    maps: NDArray[np.float32], subsets: list[NDArray[np.bool_]], drops: Values
) -> Values:
    """Pearson's correlation of each map's (seeds, n, h, w) sums over its seed's subsets (k, h, w)
    with its drops, standardised, (seeds, n, k): (seeds, n), 0 where the sums are the same."""
    masks = np.stack(subsets).reshape(*drops.shape[::2], -1).astype(np.float64)
    sums = maps.reshape(*maps.shape[:2], -1) @ masks.transpose(0, 2, 1)
    sums -= sums.mean(axis=2, keepdims=True)
    length = np.sqrt((sums**2).mean(axis=2))
    correlations: Values = np.divide(
        (sums * drops).mean(axis=2), length, out=np.zeros_like(length), where=length > 0
    )
    return correlations
