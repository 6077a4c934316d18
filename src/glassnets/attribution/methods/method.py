"""The interface that all attribution methods have: arguments, result, errors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.attribution.references import FROM_TRAINING
from glassnets.config.schema import Reference, Strict
from glassnets.errors import GlassnetsError, ParameterError


class Options(Strict):
    """Options of a method or metric: each that has any derives its own class."""


class Referenced(Options):
    """Options of a method that puts a reference in the place of absent pixels; one that takes only
    some references narrows the type. A method averages over `draws` of the reference draws."""

    reference: Reference = "black"


class Need(Enum):
    """What a method may need of a network beyond its logits."""

    FEATURE_MAPS = "feature maps, a named activation (n, rows, columns, channels)"
    ATTENTION = "attention scores, named activations attention_0, … (n, heads, t, t), and tokens"
    GRADIENTS = "gradients of its logits, which a function in Python does not give"
    NEIGHBOURS = "players in an order, as pixels and steps are and the columns of a table are not"
    SEQUENCE = "steps in time, a named activation tokens (n, t, d), and no attention over them"
    REFERENCES = "training images to take references from, Explained(…, references=…)"
    LABELS = "training images and their labels, Explained(…, references=…, labels=…)"

    def met_by(self, network: Explained) -> bool:
        match self:
            case Need.FEATURE_MAPS:
                return bool(network.feature_maps)
            case Need.ATTENTION:
                return bool(network.attentions) and "tokens" in network.activations
            case Need.SEQUENCE:
                return "tokens" in network.activations and not network.attentions
            case Need.GRADIENTS:
                return network.model is not None
            case Need.NEIGHBOURS:
                return network.kind != "table"
            case Need.REFERENCES:
                return network.references is not None
            case Need.LABELS:
                return network.labels is not None


# network, images float32 (n, h, w), targets float32 (n, classes), options, seed → maps (n, h, w)
Function = Callable[[Explained, Floats, Targets, Any, int], Floats]


@dataclass(eq=False)
class Method:
    """An attribution method: calling it checks the arguments, then runs the function.

    need: what it needs of a network, None if logits are enough.
    complete: its maps sum to f(x) − f(reference), f what is explained.
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

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references that it can take, none of a method that has no absent pixels."""
        if not issubclass(self.options, Referenced):
            return ()
        return get_args(self.options.model_fields["reference"].annotation)

    def needs(self, reference: Reference | None) -> list[Need]:
        """What it needs of a network with this reference, beyond logits."""
        needs = [self.need] if self.need else []
        needs += [Need.REFERENCES] if reference in FROM_TRAINING else []
        return [*needs, Need.NEIGHBOURS] if reference == "blur" else needs

    def lacks(self, network: Explained, reference: Reference | None = None) -> str | None:
        """What it needs of a network with this reference, and this one has not, in words; None
        where it is defined."""
        return next((n.value for n in self.needs(reference) if not n.met_by(network)), None)

    def __call__(
        self,
        network: Explained,
        images: NDArray[Any],
        targets: NDArray[Any],
        *,
        contrast: NDArray[Any] | None = None,
        options: Strict | None = None,
        seed: int = 0,
    ) -> Floats:
        """Maps float32 (n, h, w): how much each pixel counts for the class, or against it.

        network: the network to explain.
        images: (n, h, w) or (n, h, w, c), uint8 or float32, raw: pixels 0…255.
        targets: (n,), whole numbers, the class whose logit is explained.
        contrast: (n,), another class of each: "why the target and not this one", the difference of
        their logits is explained, which does not change with what is added to all logits alike.
        options: of the method's own class; None takes its defaults.
        seed: of all that is drawn at random.

        A map depends on its image, target, contrast, options and seed alone: neither on the other
        images nor, but for rounding, on the network's batch_size.

        Raises GlassnetsError where the method is not defined for the network, or an argument is
        not as said here.
        """
        options = self.options() if options is None else options
        if not isinstance(options, self.options):
            raise ParameterError(
                f"{self.name}: expected options of {self.options.__name__}, "
                f"got {type(options).__name__}"
            )
        if lack := self.lacks(network, getattr(options, "reference", None)):
            raise GlassnetsError(
                f"{self.name}: expected a network with {lack}, got one of the activations "
                f"{', '.join(network.activations) or 'none'}"
            )
        images, targets = np.asarray(images), np.asarray(targets)
        if images.shape[1:] != network.input_shape:
            shape = ", ".join(map(str, network.input_shape))
            raise GlassnetsError(f"images: expected an array (n, {shape}), got {images.shape}")
        if images.dtype not in (np.uint8, np.float32) or not np.isfinite(images).all():
            raise GlassnetsError(
                f"images: expected raw numbers, finite, uint8 or float32, got {images.dtype}"
            )
        explained = weights(network, len(images), targets, contrast)
        if len(images) == 0:
            return np.empty(images.shape[:3], np.float32)
        return self.function(network, images.astype(np.float32), explained, options, seed)

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


def weights(
    network: Explained, images: int, targets: NDArray[Any], contrast: NDArray[Any] | None
) -> Targets:
    """Which class logits are explained: float32 (n, classes), 1 for the target and −1 for the class
    that it is contrasted with. Raises GlassnetsError where these are no classes, or the same."""
    values = np.zeros((images, network.classes), np.float32)
    for name, classes, weight in (("targets", targets, 1), ("contrast", contrast, -1)):
        if classes is None:
            continue
        classes = np.asarray(classes)
        if classes.shape != (images,) or not np.issubdtype(classes.dtype, np.integer):
            raise GlassnetsError(
                f"{name}: expected {images} whole numbers, one for each image, "
                f"got an array {classes.shape} of {classes.dtype}"
            )
        if images and (classes.min() < 0 or classes.max() >= network.classes):
            raise GlassnetsError(
                f"{name}: expected classes 0 to {network.classes - 1}, "
                f"got {classes.min()} to {classes.max()}"
            )
        values[np.arange(images), classes] += weight
    if contrast is not None and (np.asarray(targets) == contrast).any():
        raise GlassnetsError("contrast: expected another class than the target, got the same")
    return values


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
