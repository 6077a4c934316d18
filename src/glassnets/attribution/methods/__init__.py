"""Attribution methods: how much each pixel of an image counts for a class, in one signature.

    network = Explained(model, activations, references=train["images"])
    maps = explain("integrated_gradients", network, images, labels, steps=100, reference="mean")

A map is float32 (h, w), signed, in the image's own resolution; what is explained is the class
logit, or with ``contrast`` the difference of two. `model` is any Keras model from raw images
(n, h, w) to logits (n, classes), `activations` are its inner Keras tensors by name, for the methods
that read them.

A *variant* is a method with a reference, ``integrated_gradients:mean``: what stands in the place of
absent pixels matters as much as the method. A method without absent pixels is its only variant.

A new method is a function with the decorator `method.method` in one of the modules.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from glassnets.attribution.methods import activations, controls, gradients, perturbations
from glassnets.attribution.methods.method import Method, Need, Options
from glassnets.attribution.network import Explained, Floats
from glassnets.config.schema import Attribution, Reference, requested
from glassnets.errors import ParameterError

# In the order in which the modules define them.
METHODS: dict[str, Method] = {
    member.name: member
    for module in (gradients, perturbations, activations, controls)
    for member in vars(module).values()
    if isinstance(member, Method)
}
CONTROLS = tuple(name for name, method in METHODS.items() if method.control)


@dataclass(frozen=True, eq=False)
class Variant:
    """A method with its options, a reference among them where the method has absent pixels."""

    method: Method
    options: Options

    @property
    def reference(self) -> Reference | None:
        return getattr(self.options, "reference", None)

    @property
    def name(self) -> str:
        return f"{self.method.name}:{self.reference}" if self.reference else self.method.name

    @property
    def control(self) -> bool:
        return self.method.control

    @property
    def needs_training(self) -> bool:
        """Whether it needs training images."""
        return not {Need.REFERENCES, Need.LABELS}.isdisjoint(self.method.needs(self.reference))

    def lacks(self, network: Explained) -> str | None:
        """See `Method.lacks`."""
        return self.method.lacks(network, self.reference)

    def __call__(
        self,
        network: Explained,
        images: NDArray[Any],
        targets: NDArray[Any],
        *,
        contrast: NDArray[Any] | None = None,
        seed: int = 0,
    ) -> Floats:
        """See `Method.__call__`."""
        return self.method(
            network, images, targets, contrast=contrast, options=self.options, seed=seed
        )


def variants(settings: Attribution) -> dict[str, Variant]:
    """Every variant of the requested methods, with the requested references, and of every control,
    by name, in the order of METHODS."""
    options: dict[str, Any] = dict.fromkeys(CONTROLS) | requested(settings.methods)
    each = []
    for name, method in METHODS.items():
        if name not in options:
            continue
        own = options[name] or method.options()
        if not method.references:
            each.append(Variant(method, own))
        each += [
            Variant(method, own.model_copy(update={"reference": reference}))
            for reference in settings.references
            if reference in method.references
        ]
    return {variant.name: variant for variant in each}


def requested_variants(settings: Attribution, network: Explained) -> dict[str, Variant]:
    """Those of `variants` that are defined for the network. Raises ParameterError where there are
    only controls."""
    defined = {n: v for n, v in variants(settings).items() if v.lacks(network) is None}
    if all(variant.control for variant in defined.values()):
        raise ParameterError(
            "attribution.methods: expected at least one that is defined for the network, "
            f"got {', '.join(requested(settings.methods)) or 'none'}"
        )
    return defined


def split(name: str) -> tuple[str, str | None]:
    """The method and the reference of a variant's name."""
    method, _, reference = name.partition(":")
    return method, reference or None


def named(name: str, settings: Attribution | None = None) -> Variant:
    """The variant of this name, with the options of the settings, else the method's own; a method
    that takes references but is named without one has its first. Raises ParameterError."""
    method_name, reference = split(name)
    if method_name not in METHODS:
        raise ParameterError(f"method: expected one of {', '.join(METHODS)}, got '{method_name}'")
    method = METHODS[method_name]
    options: Any = requested(settings.methods).get(method_name) if settings else None
    options = options or method.options()
    if reference is None:
        return Variant(method, options)
    if reference not in method.references:
        known = ", ".join(method.references) or "none"
        raise ParameterError(
            f"{method_name}: expected a reference among {known}, got '{reference}'"
        )
    return Variant(method, options.model_copy(update={"reference": reference}))


def explain(
    name: str,
    network: Explained,
    images: NDArray[Any],
    targets: NDArray[Any],
    *,
    contrast: NDArray[Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> Floats:
    """Maps float32 (n, h, w) of images (n, h, w) and targets (n,) by the method of this name.

    options are the method's own; the other arguments are those of `Method.__call__`. Raises
    GlassnetsError as there, and ParameterError for a wrong name or option.
    """
    _, reference = split(name)
    method = named(name).method
    own = method.with_options(**({"reference": reference} if reference else {}) | options)
    return method(network, images, targets, contrast=contrast, options=own, seed=seed)


__all__ = [
    "CONTROLS",
    "METHODS",
    "Explained",
    "Variant",
    "explain",
    "named",
    "requested_variants",
    "split",
    "variants",
]
