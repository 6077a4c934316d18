"""Attribution methods: how much each pixel of an image counts for a class, in one signature.

    network = Explained(model, activations, references=train["images"])
    maps = explain("integrated_gradients", network, images, labels, steps=100)

A map is float32 (h, w), signed, in the image's own resolution; what is explained is the class
logit. `model` is any Keras model from raw images (n, h, w) to logits (n, classes), `activations`
are its inner Keras tensors by name, for the methods that read them.

A new method is a function with the decorator `method.method` in one of the modules.
"""

from typing import Any

from numpy.typing import NDArray

from glassnets.attribution.methods import activations, controls, gradients, perturbations
from glassnets.attribution.methods.method import Method, Options
from glassnets.attribution.network import Explained, Floats
from glassnets.config.schema import Attribution, requested
from glassnets.errors import ParameterError

# In the order in which the modules define them.
METHODS: dict[str, Method] = {
    member.name: member
    for module in (gradients, perturbations, activations, controls)
    for member in vars(module).values()
    if isinstance(member, Method)
}
COMPLETE = tuple(name for name, method in METHODS.items() if method.complete)
SENSITIVITIES = tuple(name for name, method in METHODS.items() if method.sensitivity)
CONTROLS = tuple(name for name, method in METHODS.items() if method.control)


__all__ = [
    "COMPLETE",
    "CONTROLS",
    "METHODS",
    "SENSITIVITIES",
    "Explained",
    "explain",
    "named",
    "requested_methods",
]


def requested_methods(settings: Attribution, network: Explained) -> dict[str, Options | None]:
    """The requested methods that are defined for the network, and every control, each with its
    options, in the order of METHODS. Raises ParameterError where there are only controls."""
    options: dict[str, Any] = dict.fromkeys(CONTROLS) | requested(settings.methods)
    methods = {
        name: options[name]
        for name, method in METHODS.items()
        if name in options and method.is_defined_for(network)
    }
    if len(methods) == len(CONTROLS):
        raise ParameterError(
            "attribution.methods: expected at least one that is defined for the network, "
            f"got {', '.join(requested(settings.methods)) or 'none'}"
        )
    return methods


def named(name: str) -> Method:
    """The method of this name. Raises ParameterError."""
    if name not in METHODS:
        raise ParameterError(f"method: expected one of {', '.join(METHODS)}, got '{name}'")
    return METHODS[name]


def explain(
    name: str,
    network: Explained,
    images: NDArray[Any],
    targets: NDArray[Any],
    *,
    seed: int = 0,
    **options: Any,
) -> Floats:
    """Maps float32 (n, h, w) of images (n, h, w) and targets (n,) by the method of this name.

    options are the method's own; the other arguments are those of `Method.__call__`. Raises
    GlassnetsError as there, and ParameterError for a wrong name or option.
    """
    method = named(name)
    return method(network, images, targets, options=method.with_options(**options), seed=seed)
