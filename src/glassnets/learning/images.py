"""The images that the small networks learn from, and intervals over their seeds."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from glassnets.data import Arrays
from glassnets.learning.network import Array, one_hot


class Scale(NamedTuple):
    """Takes the mean training image (pixels,) away and divides by the training images' deviation
    from it, the same number for all pixels."""

    mean: Array
    deviation: float

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Self:
        flat = images.reshape(len(images), -1).astype(np.float64)
        mean = flat.mean(axis=0)
        return cls(mean, float((flat - mean).std()))

    def __call__(self, images: NDArray[np.uint8]) -> Array:
        """float64 (n, pixels) of images (n, h, w[, channels])."""
        scaled: Array = (images.reshape(len(images), -1) - self.mean) / self.deviation
        return scaled


class Images(NamedTuple):
    """Images of one part: pixels uint8 (n, h, w[, channels]), the same scaled, float64 (n, pixels),
    their labels uint8 (n,), and as targets (n, classes)."""

    pixels: NDArray[np.uint8]
    inputs: Array
    labels: NDArray[np.uint8]
    targets: Array

    @classmethod
    def of(cls, part: Arrays, scale: Scale, classes: int) -> Self:
        images, labels = part["images"], part["labels"]
        return cls(images, scale(images), labels, one_hot(labels, classes))

    def rows(self, rows: NDArray[np.int64]) -> "Images":
        return Images(self.pixels[rows], self.inputs[rows], self.labels[rows], self.targets[rows])

    def drawn(self, count: int, rng: np.random.Generator) -> "Images":
        """So many of them, or all where there are no more, in random order."""
        return self.rows(rng.permutation(len(self.labels))[:count])


class Parts(NamedTuple):
    """The parts of the split, all scaled as the training images are."""

    scale: Scale
    train: Images
    validation: Images
    test: Images

    @classmethod
    def of(cls, train: Arrays, validation: Arrays, test: Arrays, classes: int) -> Self:
        scale = Scale.of(train["images"])
        return cls(scale, *(Images.of(part, scale, classes) for part in (train, validation, test)))


def interval(values: Array, level: float) -> tuple[float, float, float]:
    """The mean of independent values, and Student's interval of it; no interval of a single one,
    nor where one is not finite."""
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():
        return mean, np.nan, np.nan
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1)
    half *= float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return mean, mean - half, mean + half


def over_seeds(
    tables: Sequence[pd.DataFrame],
    keys: Sequence[str],
    level: float,
    *,
    same: Collection[str] = (),
    factors: Collection[str] = (),
) -> pd.DataFrame:
    """Tables of seeds in one, a row for each combination of the keys, in the tables' order: of
    every other column the mean, and the ends of its `interval`, as <column>_low and <column>_high.

    same: columns without an interval, since all seeds have the same. factors: positive columns that
    vary by factors, of which mean and interval are those of the logarithm.
    """
    whole = pd.concat(tables)
    rows = []
    for values, group in whole.groupby([*keys], sort=False):
        row = dict(zip(keys, values, strict=True))
        for column in whole.columns.difference([*keys], sort=False):
            own = group[column].to_numpy(np.float64)
            if column in same:
                row[column] = own.mean()
                continue
            ends = np.array(interval(np.log(own) if column in factors else own, level))
            if column in factors:
                ends = np.exp(ends)
            row |= dict(zip((column, f"{column}_low", f"{column}_high"), ends, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)
