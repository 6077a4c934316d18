"""Methods and metrics with the options that suit a kind of data and its size, for who has no
params.yaml.
"""

import math
from typing import Any, get_args

from pydantic import create_model

from glassnets.attribution.methods import CONTROLS, METHODS
from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics import METRICS
from glassnets.config.schema import (
    Attribution,
    Evaluation,
    Kind,
    Reference,
    Removal,
    Shape,
    Strict,
    Verdict,
)
from glassnets.errors import ParameterError

EVALUATION = Evaluation(
    bootstrap_resamples=2000, confidence_level=0.95, calibration_bins=15, random_state=0
)
THRESHOLDS = Verdict(max_correlation=0.5, max_class_correlation=0.9, min_followed=0.9)

# What may stand for an absent player. The columns of a table have no neighbours to blur, and 0 is
# no absence where values are not levels of grey.
REFERENCES: dict[Kind, tuple[Reference, ...]] = {
    "image": ("black", "mean", "blur", "draws"),
    "table": ("mean", "draws"),
    "series": ("mean", "blur", "draws"),
}
_PATCHES = 49  # at most about so many in an image, or stretches of a series
_FEW = 5  # draws, where each costs many calls of a function
_ON_REQUEST = "kernel_shap_shifted"  # four times the cost of kernel_shap


def settings(
    kind: Kind,
    shape: Shape,
    *,
    methods: tuple[str, ...] | None = None,
    references: tuple[Reference, ...] | None = None,
    function: bool = False,
    seed: int = 0,
) -> Attribution:
    """What is run on inputs of this kind and shape (height, width).

    methods, references: those alone, None for all that suit the kind (of methods that differ in
    the grid alone, one). function: whether what is
    explained is a function of which nothing is known, so that every map costs many calls of it.
    Raises ParameterError for a method or reference that there is not, or not for this kind.
    """
    known = tuple(name for name in METHODS if name not in CONTROLS)
    _check("methods", methods or (), known)
    _check("references", references or (), get_args(Reference))
    options = _methods(kind, shape)
    names = methods or tuple(name for name in known if name != _ON_REQUEST)
    return Attribution(
        random_state=seed,
        references=references or REFERENCES[kind],
        removal=Removal(blur=0.25, noise=0.01),
        methods=_group({name: options.get(name, METHODS[name].options()) for name in names}),
        metrics=_group(_metrics(kind, function)),
    )


def _check(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise ParameterError(f"{what}: expected some of {', '.join(known)}, got {name!r}")


def _methods(kind: Kind, shape: Shape) -> dict[str, Options]:
    players = math.prod(shape)
    if kind == "table":
        patch = stride = 1
    elif kind == "series":
        patch = max(1, round(players / _PATCHES))
        stride = max(1, patch // 2)
    else:
        patch = min(max(2, round(math.sqrt(players / _PATCHES))), *shape)
        stride = max(1, patch // 2)
    patches = math.prod(math.ceil(side / patch) for side in shape)
    shapley = {"patch_size": patch, "coalitions": max(300, 8 * patches), "draws": 5}
    options: dict[str, dict[str, Any]] = {
        "gradient_x_input": {"draws": 50},
        "integrated_gradients": {"steps": 50},
        "smoothgrad": {"draws": 25, "noise": 0.15},
        "occlusion": {"patch_size": patch, "stride": stride, "draws": 5},
        "rise": {"masks": 400, "grid": min(4 if max(shape) <= 32 else 7, max(2, max(shape) // 2))},
        "kernel_shap": shapley,
        "kernel_shap_shifted": shapley,
        "temporal_saliency_rescaling": {"draws": 5},
    }
    return {name: METHODS[name].with_options(**own) for name, own in options.items()}


def _metrics(kind: Kind, function: bool) -> dict[str, Options]:
    removals = REFERENCES[kind] if kind == "table" else (*REFERENCES[kind], "noisy_linear")
    few = {"draws": _FEW} if function else {"draws": 20}
    options: dict[str, dict[str, Any]] = {
        "deletion_insertion": {"steps": 16, "draws": 2, "removals": removals},
        "faithfulness_correlation": {
            "subsets": 200,
            "fraction": 0.3 if kind == "table" else 0.15,
            "draws": 2,
            "removals": removals,
        },
        "infidelity": {"draws": 200, "max_side": 0.5, "removal": "mean"},
        "max_sensitivity": {"radius": 0.05, "images": 2, **few},
        "parameter_randomization": {"draws": 5, "images": 40, "cascade_images": 2},
        "label_randomization": {"images": 40},
        "class_sensitivity": {"images": 40},
        "completeness": {},
        "complexity": {},
    }
    return {
        name: METRICS[name].options(**own)
        for name, own in options.items()
        if not (function and name.endswith("_randomization"))
    }


def _group(options: dict[str, Options]) -> Strict:
    fields = {name: (type(own), own) for name, own in options.items()}
    return create_model("Group", __base__=Strict, **fields)()  # type: ignore[call-overload,no-any-return]
