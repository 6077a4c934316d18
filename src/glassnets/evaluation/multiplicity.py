"""Correction of p-values for the number of tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p-values (n,) corrected by Holm's step-down procedure: float64 (n,), at most 1.

    The smallest is multiplied by n, the next by n − 1 and so on, none below the one before it.
    statsmodels' ``multipletests`` gives the same, and collects garbage at each call, which beside
    TensorFlow takes nearly all of the time of a verdict.

    Source: Holm, Scand. J. Statist. 6 (1979).
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(corrected, 1)
