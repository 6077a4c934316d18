"""The interface that all metrics have: what they judge, the scores they return."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.methods import Variant
from glassnets.attribution.methods.method import Options
from glassnets.attribution.network import Explained, Floats
from glassnets.config.schema import Strict

Classes = NDArray[np.int32]
Values = NDArray[np.float64]

# variant → score → a number for each image (n,), or a curve for each image (n, points). NaN where
# the score is not defined for an image or was not computed for it.
Scores = dict[str, dict[str, Values]]
NETWORK = "network"  # in the place of a variant, for what is of the network and not of a map

# variant, images (n, h, w), targets (n,) → maps (n, h, w) of the network in its current weights.
Attribute = Callable[[str, Floats, Classes], Floats]


@dataclass(frozen=True, eq=False)
class Judged:
    """One network's maps of the same images by every variant, and what metrics need beside them.

    images: float32 (n, h, w), raw pixels.
    targets: int32 (n,), the class each map explains.
    maps: float32 (n, h, w) by variant.
    attribute: applies a variant to other images or weights, with the same options and draws; it is
    called on several threads at once, so it must leave the network as it is.
    noise: standard deviation of the noise of the removal noisy_linear, of the range 0…255.
    variants: what the maps are by, as far as they are by methods of ours.
    seed: of the variants' draws.
    others: by variant, float32 (networks, n, h, w), maps of the images for the same classes by
    other networks, NaN where such a network predicts another class.
    evidence: bool (n, h, w), the pixels that decide the label, where they are known.
    suppressor: bool (n, h, w), pixels that help the decision and are no evidence.
    memorised: the weights (as ``model.get_weights()``) of a network of the same shape that
    memorised shuffled labels, where there is one.
    """

    network: Explained
    images: Floats
    targets: Classes
    maps: Mapping[str, Floats]
    attribute: Attribute
    noise: float = 0.01
    variants: Mapping[str, Variant] = field(default_factory=dict)
    seed: int = 0
    others: Mapping[str, Floats] = field(default_factory=dict)
    evidence: NDArray[np.bool_] | None = None
    suppressor: NDArray[np.bool_] | None = None
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
