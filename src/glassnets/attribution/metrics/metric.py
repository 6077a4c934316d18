"""The interface that all metrics have: what they judge, the scores they return."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.methods.method import Options
from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.config.schema import Removal, Strict

Values = NDArray[np.float64]

# method → score → a number for each image (n,), or a curve for each image (n, points). NaN where
# the score is not defined for an image or was not computed for it.
Scores = dict[str, dict[str, Values]]

# method, images (n, h, w), targets (n,) → maps (n, h, w) of the network in its current weights.
Attribute = Callable[[str, Floats, Targets], Floats]


@dataclass(frozen=True, eq=False)
class Judged:
    """One network's maps of the same images by every method, and what metrics need beside them.

    images: float32 (n, h, w), raw pixels.
    targets: int32 (n,), the class each map explains.
    maps: float32 (n, h, w) by method.
    attribute: applies a method to other images or weights, with the same options and draws.
    mean_image: float32 (h, w), the mean of the training images.
    removal: parameters of what stands in the place of removed pixels.
    references: the pixel value that a method compares with, where it is not black.
    evidence: bool (n, h, w), the pixels that decide the label, where they are known.
    memorised: the weights (as ``model.get_weights()``) of a network of the same shape that
    memorised shuffled labels, where there is one.
    """

    network: Explained
    images: Floats
    targets: Targets
    maps: Mapping[str, Floats]
    attribute: Attribute
    mean_image: Floats
    removal: Removal
    references: Mapping[str, float] = field(default_factory=dict)
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
    """A metric of attribution methods: ``metric(judged, options, seed)``."""

    function: Function
    options: type[Options]

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.function)

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, judged: Judged, options: Strict | None = None, seed: int = 0) -> Scores:
        """Scores of every method. Whether high or low is good, the metric's docstring says."""
        return self.function(judged, self.options() if options is None else options, seed)


def metric(options: type[Options] = Options) -> Callable[[Function], Metric]:
    """Makes a `Metric` of a function."""
    return lambda function: Metric(function, options)


def in_first(scores: Values, images: int) -> Values:
    """Scores (k, …) of the first k images and NaN for the rest: (images, …)."""
    padding = [(0, images - len(scores)), *[(0, 0)] * (scores.ndim - 1)]
    return np.pad(scores, padding, constant_values=np.nan)
