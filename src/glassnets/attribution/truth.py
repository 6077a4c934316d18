"""Attributions against the truth, where it is known: what each patch of an image counts for.

For a network whose patches add up (`models.additive`), patch p counts g_p(x_p) − g_p(r_p) for a
class under the reference r, exactly. Maps are compared with it patch by patch.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.attribution import verdicts
from glassnets.attribution.verdicts import Scores, method_of, reference_of
from glassnets.config.schema import Evaluation
from glassnets.evaluation.bootstrap import Values

Floats = NDArray[np.float32]

# Methods whose map at a pixel is what a whole window around it does, not the pixel's share of it:
# a patch's value is the mean of its pixels, of all others their sum.
OF_WINDOWS = ("occlusion", "rise")


def difference(own: Floats, absent: Floats, targets: NDArray[np.int_]) -> Values:
    """What each patch truly counts for: g_{p,c}(x_p) − mean over draws of g_{p,c}(r_p), float64
    (n, patches), signed, in logits.

    own: g of the images, (n, patches, classes), as `models.additive.contributions` gives it.
    absent: g of what stands for absent pixels, (n or 1, d, patches, classes).
    targets: the classes c, (n,).
    """
    values = own - absent.mean(axis=1, dtype=np.float64)
    return np.take_along_axis(values, targets[:, np.newaxis, np.newaxis], axis=2)[..., 0]


def by_patch(maps: Floats, patches: NDArray[np.int64], method: str) -> Values:
    """Maps (n, h, w) summed over each patch, or averaged for a method of `OF_WINDOWS`: float64
    (n, patches).

    patches: each pixel's patch, from 0, int64 (h, w).
    """
    members = np.eye(patches.max() + 1)[patches]  # (h, w, patches)
    if method in OF_WINDOWS:
        members /= members.sum(axis=(0, 1))
    values: Values = np.tensordot(maps.astype(np.float64), members, 2)
    return values


def error(maps: Values, truth: Values) -> Values:
    """‖map − truth‖₂ / ‖truth‖₂ of each image, (n,): 0 is exact, 1 what a map of zeros has. NaN
    where no patch counts for anything.

    maps, truth: (n, patches), both in logits.
    """
    size = np.linalg.norm(truth, axis=1)
    wrong = np.linalg.norm(maps - truth, axis=1)
    relative: Values = np.divide(wrong, size, out=np.full(len(size), np.nan), where=size > 0)
    return relative


def dissimilarity(maps: Values, truth: Values) -> Values:
    """1 − Pearson's correlation over the patches, (n,), whatever the map's unit: 0 is the truth up
    to scale and constant, 1 what a constant map has, 2 the reverse. NaN where all patches truly
    count for the same.

    maps, truth: (n, patches).
    """
    (one, size), (other, true_size) = map(_centred, (maps, truth))
    both = size * true_size
    correlation = np.divide(
        (one * other).sum(axis=1), both, out=np.zeros(len(both)), where=both > 0
    )
    return np.where(true_size > 0, 1 - np.clip(correlation, -1, 1), np.nan)


def _centred(values: Values) -> tuple[Values, Values]:
    """Rows less their mean, and their norms; 0 for rows of one value but for rounding."""
    centred = values - values.mean(axis=1, keepdims=True)
    centred[np.ptp(values, axis=1) <= 1e-9 * np.abs(values).max(axis=1)] = 0
    return centred, np.linalg.norm(centred, axis=1)


def table(
    seeds: Sequence[Scores], controls: Collection[str], evaluation: Evaluation
) -> pd.DataFrame:
    """A row a variant: ``variant``, ``method``, ``reference`` (None for a method without one),
    ``control``, and each score s as s, s_ci_low and s_ci_high, intervals over images and seeds as
    `verdicts.summaries` has them; NaN where it is not defined.

    seeds: of each seed, by variant, then by score: ``error`` and ``dissimilarity`` against the
    truth of the variant's own reference, ``error_<r>`` and ``dissimilarity_<r>`` against that of
    each reference r; float64 (n,).
    """
    stacked = {
        variant: {name: np.stack([each[variant][name] for each in seeds]) for name in own}
        for variant, own in seeds[0].items()
    }
    known = dict.fromkeys(name for own in stacked.values() for name in own)
    names = sorted(known, key=lambda name: "_" in name)  # against the own reference's truth first
    rows = []
    for variant, summary in verdicts.summaries(stacked, evaluation).items():
        row: dict[str, Any] = {"variant": variant, "method": method_of(variant)}
        row |= {"reference": reference_of(variant), "control": variant in controls}
        for name in names:
            own = summary.get(name, {})
            row[name] = own.get("mean", np.nan)
            row |= {f"{name}_{end}": own.get(end, np.nan) for end in ("ci_low", "ci_high")}
        rows.append(row)
    return pd.DataFrame(rows)
