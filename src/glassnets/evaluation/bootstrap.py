"""The one bootstrap: images and seeds drawn with replacement, the percentile interval of a mean.

Efron & Tibshirani (1993), "An introduction to the bootstrap", ch. 13. A resample is how often it
draws each seed and each image, so every mean over a resample is a product of matrices, and
whatever is compared is compared on the same draws.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Evaluation

Values = NDArray[np.float64]

_RESAMPLES_AT_ONCE = 200  # bounds the memory


def blocks(seeds: int, images: int, evaluation: Evaluation) -> Iterator[tuple[Values, Values]]:
    """How often each resample draws each seed, float64 (r, seeds), and each image, (r, images),
    some resamples at a time; evaluation.bootstrap_resamples in all."""
    rng = np.random.default_rng(evaluation.random_state)
    resamples = evaluation.bootstrap_resamples
    of_seed = _drawn(rng, seeds, resamples)
    for block in np.array_split(of_seed, max(1, resamples // _RESAMPLES_AT_ONCE)):
        yield block, _drawn(rng, images, len(block))


@lru_cache(maxsize=8)
def draws(seeds: int, images: int, evaluation: Evaluation) -> tuple[Values, Values]:
    """`blocks`, all resamples at once."""
    of_seed, of_image = zip(*blocks(seeds, images, evaluation), strict=True)
    return np.concatenate(of_seed), np.concatenate(of_image)


def means(values: Values, evaluation: Evaluation) -> Values:
    """The mean of each of values (c, seeds, n) in every resample, over what is not NaN: (c, r); NaN
    where a resample drew nothing that is defined. Columns with the same NaN may be subtracted: the
    mean of a difference is the difference of the means, on the same draws."""
    of_seed, of_image = draws(*values.shape[1:], evaluation)

    def total(part: Values) -> Values:
        by_seed = [(part[:, s] @ of_image.T) * of_seed[:, s] for s in range(values.shape[1])]
        summed: Values = np.sum(by_seed, axis=0)
        return summed

    defined = ~np.isnan(values)
    sums = total(np.where(defined, values, 0))
    if defined.all():  # every resample draws as many
        count = np.full_like(sums, np.prod(values.shape[1:]))
    else:
        count = total(defined.astype(np.float64))
    means: Values = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
    return means


def _drawn(rng: np.random.Generator, count: int, resamples: int) -> Values:
    return rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)


def interval(means: Values, confidence_level: float) -> tuple[float, float]:
    """The percentile interval of a mean's resamples (r,)."""
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def summary(by_seed: list[float], means: Values, confidence_level: float) -> dict[str, Any]:
    """The one shape that every metric of a cell is reported in: mean, sd (over seeds, ddof 1; 0 of
    a single one), ci_low, ci_high, by_seed. means (r,) are its resamples."""
    low, high = interval(means, confidence_level)
    return {
        "mean": float(np.mean(by_seed)),
        "sd": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
        "ci_low": low,
        "ci_high": high,
        "by_seed": by_seed,
    }
