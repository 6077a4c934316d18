"""The interface that all attribution methods have: arguments, result, errors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.config.schema import Strict
from glassnets.errors import GlassnetsError, ParameterError


class Options(Strict):
    """Options of a method or metric: each that has any derives its own class."""


class Need(Enum):
    """What a method may need of a network beyond its logits."""

    FEATURE_MAPS = "feature maps, a named activation (n, rows, columns, channels)"
    ATTENTION = "attention scores, named activations attention_0, … (n, heads, t, t), and tokens"
    SEQUENCE = "steps in time, a named activation tokens (n, t, d), and no attention over them"
    REFERENCES = "training images to draw references from, Explained(…, references=…)"

    def met_by(self, network: Explained) -> bool:
        match self:
            case Need.FEATURE_MAPS:
                return bool(network.feature_maps)
            case Need.ATTENTION:
                return bool(network.attentions) and "tokens" in network.activations
            case Need.SEQUENCE:
                return "tokens" in network.activations and not network.attentions
            case Need.REFERENCES:
                return network.references is not None


# network, images float32 (n, h, w), targets int32 (n,), options, seed → maps float32 (n, h, w)
Function = Callable[[Explained, Floats, Targets, Any, int], Floats]


@dataclass(eq=False)
class Method:
    """An attribution method: calling it checks the arguments, then runs the function.

    need: what it needs of a network, None if logits are enough.
    complete: its maps sum to f(x) − f(reference), f the class logit.
    sensitivity: its maps are in logits a grey level, to be multiplied by a change of the pixels;
    those of all other methods are in logits, and sum to a change of the logit.
    control: its maps do not depend on the network.
    """

    function: Function
    options: type[Options]
    need: Need | None
    complete: bool
    sensitivity: bool
    control: bool

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.function)

    @property
    def name(self) -> str:
        return self.function.__name__

    def is_defined_for(self, network: Explained) -> bool:
        return self.need is None or self.need.met_by(network)

    def __call__(
        self,
        network: Explained,
        images: NDArray[Any],
        targets: NDArray[Any],
        *,
        options: Strict | None = None,
        seed: int = 0,
    ) -> Floats:
        """Maps float32 (n, h, w): how much each pixel counts for the class, or against it.

        network: the network to explain.
        images: (n, h, w), uint8 or float32, raw pixels 0…255.
        targets: (n,), whole numbers, the class whose logit is explained.
        options: of the method's own class; None takes its defaults.
        seed: of all that is drawn at random.

        A map depends on its image, target, options and seed alone: neither on the other images
        nor, but for rounding, on the network's batch_size.

        Raises GlassnetsError where the method is not defined for the network, or an argument is
        not as said here.
        """
        if self.need is not None and not self.need.met_by(network):
            raise GlassnetsError(
                f"{self.name}: expected a network with {self.need.value}, got one of the "
                f"activations {', '.join(network.activations) or 'none'}"
            )
        options = self.options() if options is None else options
        if not isinstance(options, self.options):
            raise ParameterError(
                f"{self.name}: expected options of {self.options.__name__}, "
                f"got {type(options).__name__}"
            )
        images, targets = np.asarray(images), np.asarray(targets)
        if images.ndim != 3 or images.shape[1:] != network.image_shape:
            height, width = network.image_shape
            raise GlassnetsError(
                f"images: expected an array (n, {height}, {width}), got {images.shape}"
            )
        if images.dtype not in (np.uint8, np.float32) or not np.isfinite(images).all():
            raise GlassnetsError(
                f"images: expected raw pixels 0…255, finite, uint8 or float32, got {images.dtype}"
            )
        if targets.shape != images.shape[:1] or not np.issubdtype(targets.dtype, np.integer):
            raise GlassnetsError(
                f"targets: expected {len(images)} whole numbers, one for each image, "
                f"got an array {targets.shape} of {targets.dtype}"
            )
        if len(images) == 0:
            return np.empty(images.shape, np.float32)
        if targets.min() < 0 or targets.max() >= network.classes:
            raise GlassnetsError(
                f"targets: expected classes 0 to {network.classes - 1}, "
                f"got {targets.min()} to {targets.max()}"
            )
        return self.function(
            network, images.astype(np.float32), targets.astype(np.int32), options, seed
        )

    def with_options(self, **values: Any) -> Options:
        """The method's options from single values. Raises ParameterError."""
        try:
            return self.options(**values)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            key = ".".join(map(str, problem["loc"]))
            known = ", ".join(self.options.model_fields) or "none"
            raise ParameterError(
                f"{self.name}: {key}: {problem['msg']}, got {problem['input']!r} (options: {known})"
            ) from None


def method(
    options: type[Options] = Options,
    need: Need | None = None,
    *,
    complete: bool = False,
    sensitivity: bool = False,
    control: bool = False,
) -> Callable[[Function], Method]:
    """Makes a `Method`, where the arguments are explained, of a function."""
    return lambda function: Method(function, options, need, complete, sensitivity, control)
