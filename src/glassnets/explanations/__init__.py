"""Attribution methods: how much each pixel of an image spoke for a class, in one signature.

    network = Explained(model, activations, references=train["images"])
    maps = explain("integrated_gradients", network, images, labels, steps=100)

A map is float32 (h, w), signed, in the image's own resolution; what is explained is the class
logit. Nothing here knows the families: `model` is any Keras model from raw images (n, h, w) to
logits (n, classes), `activations` its inner Keras tensors by name, for the methods that read them.
A method asked of a network it is not defined for raises GlassnetsError.

A new method is a function in one of the files and a line in METHODS.
"""

from typing import Any

from numpy.typing import NDArray

from glassnets.errors import ParameterError
from glassnets.explanations import activations, controls, gradients, perturbations
from glassnets.explanations.method import Method
from glassnets.explanations.network import Explained, Floats

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        gradients.gradient,
        gradients.gradient_x_input,
        gradients.integrated_gradients,
        gradients.expected_gradients,
        gradients.smoothgrad,
        perturbations.occlusion,
        perturbations.rise,
        perturbations.kernel_shap,
        activations.grad_cam,
        activations.grad_cam_plus_plus,
        activations.attention_rollout,
        activations.attention_relevance,
        activations.temporal_saliency_rescaling,
        controls.random_map,
        controls.edges,
        controls.image_itself,
    )
}

# Know nothing of the network; every other method must beat each of them.
CONTROLS = tuple(m.name for m in (controls.random_map, controls.edges, controls.image_itself))


__all__ = ["CONTROLS", "METHODS", "Explained", "explain", "named"]


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

    The method's own options are named one by one. See `Method.__call__` for the rest; raises
    GlassnetsError, and ParameterError for a wrong name or option.
    """
    method = named(name)
    return method(network, images, targets, options=method.with_options(**options), seed=seed)
