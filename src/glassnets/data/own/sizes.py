"""What the size of a person's data decides, as it stands in their group of params.yaml."""

import math
from collections.abc import Mapping
from typing import Any

from glassnets.config.schema import Kind, Shape

# Rows that are explained, and memorised, so that a whole run takes some ten minutes: a picture has
# many patches, and an LSTM goes through a series step by step.
_MAX_EXPLAINED: Mapping[Kind, int] = {"image": 40, "table": 100, "series": 40}
_MAX_MEMORISED: Mapping[Kind, int] = {"image": 100, "table": 200, "series": 100}
_MAX_TOKENS = 256  # of a network with attention: its time grows with their square
_MAX_PATCHES = 100  # of a picture: what KernelSHAP takes as players
# Of params.yaml's defaults for a kind. Three coalitions a patch tell patches apart.
_DEFAULT_PATCH = 4
_COALITIONS: Mapping[Kind, int] = {"image": 100, "table": 300, "series": 100}
_SMALL = 1000  # rows, below which a tenth (of what the test part leaves) is too few to validate


def of_rows(rows: int, classes: int) -> dict[str, Any]:
    """Keys that decide the parts."""
    return {"validation_size": 0.2} if rows < max(_SMALL, 25 * classes) else {}


def of_parts(kind: Kind, train: int, test: int) -> dict[str, Any]:
    """Keys that the numbers of rows of the training and the test part decide. The number of
    updates grows with the root of the number of rows, as in the recipes of digits, planted, MNIST.
    """
    batch_size = next(size for most, size in _BATCHES if train < most)
    updates = 1000 * math.sqrt(train / 1000)
    epochs = min(100, max(10, round(updates * batch_size / train)))
    training = {"batch_size": batch_size, "epochs": epochs}
    group: dict[str, Any] = {
        "sample": {"images": min(_MAX_EXPLAINED[kind], test)},
        "memorise": {"images": min(_MAX_MEMORISED[kind], train)},
        "training": training,
    }
    if train >= _BATCHES[1][0]:  # where the default number of epochs takes long
        group["additive"] = {"training": training}
    return group


_BATCHES = ((500, 16), (5000, 32), (20_000, 64), (math.inf, 128))  # below so many rows


def of_shape(kind: Kind, shape: Shape) -> dict[str, Any]:
    """Keys that the numbers of players along height and width decide: patches, and coalitions.
    Of a picture or a series, its sides must be ones that patches tile, as `tokens` says."""
    sides = [side for side in shape if side > 1]
    patch = 1 if kind == "table" else _patch(kind, sides)
    patches = math.prod(math.ceil(side / patch) for side in sides)
    methods: dict[str, Any] = {}
    group: dict[str, Any] = {}
    if kind != "table":
        network = dict(zip(("patch_size", "stride"), tokens(shape), strict=True))
        group["attention"] = {"network": network}
        if patch != _DEFAULT_PATCH:
            group["additive"] = {"patch_size": patch}
            methods["occlusion"] = {"patch_size": patch, "stride": max(1, patch // 2)}
            methods["kernel_shap"] = {"patch_size": patch}
    if 3 * patches > _COALITIONS[kind]:
        methods.setdefault("kernel_shap", {})["coalitions"] = 3 * patches
    if methods:
        group["attribution"] = {"methods": methods}
    return group


def _patch(kind: Kind, sides: list[int]) -> int:
    side = min(sides)
    if kind == "series":
        return max(1, round(side / 32))
    patch = 2 if side <= 12 else _DEFAULT_PATCH if side <= 40 else side // 8
    return max(patch, min(side - 1, math.ceil(math.sqrt(math.prod(sides) / _MAX_PATCHES))))


def tokens(shape: Shape) -> tuple[int, int]:
    """Size and stride of patches that tile these sides: their number is near a sixteenth of the
    pixels (of a series, a quarter of the steps), and within what attention takes.

    A stride s below a side fits with patches of s + side mod s, if that is the same for all sides.
    """
    sides = [side for side in shape if side > 1]
    pixels = math.prod(sides)
    target = min(64, max(9, pixels / 4 ** len(sides)))

    def distance(stride: int) -> float:
        return abs(math.log(_number(sides, stride) / target))

    fitting = [s for s in range(1, min(sides)) if len({side % s for side in sides}) == 1]
    stride = min(fitting, key=distance)
    return stride + sides[0] % stride, stride


def are_tiled(shape: Shape) -> bool:
    """Whether patches, not too many of them, tile these sides."""
    _, stride = tokens(shape)
    return _number([side for side in shape if side > 1], stride) <= _MAX_TOKENS


def tiled(shape: Shape) -> Shape:
    """Sides near these that patches tile, but for very long pictures."""
    if are_tiled(shape):
        return shape
    step = 4 if max(shape) <= 48 else 8 if max(shape) <= 128 else math.ceil(max(shape) / 16)
    height, width = (max(step, step * round(side / step)) for side in shape)
    return height, width


def _number(sides: list[int], stride: int) -> int:
    return math.prod((side - side % stride) // stride for side in sides)
