"""The one shape of every trust metric: what it judges, what it gives."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.explanations.method import Options
from glassnets.explanations.network import Explained, Floats, Targets

Values = NDArray[np.float64]

# method → figure → a score of each image (n,), or a curve of each image (n, points). NaN where
# the figure is not defined for an image or was not asked of it.
Scores = dict[str, dict[str, Values]]

# method, images (n, h, w), targets (n,) → maps (n, h, w) of the network in its current weights.
Explainer = Callable[[str, Floats, Targets], Floats]


@dataclass(frozen=True, eq=False)
class Judged:
    """One network's maps of the same images by every method, and what metrics ask beside them.

    images float32 (n, h, w), raw pixels; targets int32 (n,), the class each map explains; maps by
    method, float32 (n, h, w); explain asks a method anew, with the same options and draws;
    mean_image float32 (h, w) is the mean of the training images.
    baselines: the pixel value that a method compares with, where it is not black.
    evidence bool (n, h, w): the pixels that truly decide, where they are known.
    memorised: the weights (as ``model.get_weights()``) of a network of the same shape that learnt
    shuffled labels by heart, where there is one.
    """

    network: Explained
    images: Floats
    targets: Targets
    maps: Mapping[str, Floats]
    explain: Explainer
    mean_image: Floats
    baselines: Mapping[str, float] = field(default_factory=dict)
    evidence: NDArray[np.bool_] | None = None
    memorised: list[NDArray[Any]] | None = None

    @contextmanager
    def other_weights(self) -> Iterator[Any]:
        """The model, whose weights the block may change: they are as before when it ends."""
        kept = self.network.model.get_weights()
        try:
            yield self.network.model
        finally:
            self.network.model.set_weights(kept)


# judged, options, seed → scores
Function = Callable[[Judged, Any, int], Scores]


@dataclass(eq=False)
class Metric:
    """A trust metric: ``metric(judged, options, seed)``."""

    function: Function
    options: type[Options]

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.function)

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, judged: Judged, options: Options | None = None, seed: int = 0) -> Scores:
        """Scores of every method; higher or lower is better, as the metric's docstring says."""
        return self.function(judged, self.options() if options is None else options, seed)


def metric(options: type[Options] = Options) -> Callable[[Function], Metric]:
    """Makes a metric of a function."""
    return lambda function: Metric(function, options)


def in_first(scores: Values, images: int) -> Values:
    """Scores (k, …) of the first k images, with NaN for the rest: (images, …)."""
    padding = [(0, images - len(scores)), *[(0, 0)] * (scores.ndim - 1)]
    return np.pad(scores, padding, constant_values=np.nan)
