"""A person's inputs as the grid of players that methods and metrics work on, and back.

| kind | inputs | grid |
| --- | --- | --- |
| image | (n, h, w), (n, h, w, c) | the same |
| table | (n, columns) | (n, 1, columns) |
| series | (n, steps), (n, steps, c) | (n, 1, steps), (n, 1, steps, c) |

Tables (n, 1, columns[, c]) and series (n, 1, steps[, c]) are such grids already. The levels of an
image, from black to white, are 0…255 in the grid whatever they are in the inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.network import Floats
from glassnets.config.schema import InputShape, Kind
from glassnets.errors import GlassnetsError, ParameterError


class Scale(NamedTuple):
    """The level of a black pixel, and of a white one."""

    low: float
    high: float


RAW = Scale(0, 255)


@dataclass(frozen=True)
class Layout:
    """How inputs lie in the grid.

    own: the shape of one input, as the person has it. levels: of an image's pixels as the model
    takes them.
    """

    kind: Kind
    own: InputShape
    levels: Scale = RAW

    @property
    def grid(self) -> InputShape:
        """The shape of one input in the grid: (h, w) or (h, w, c)."""
        if self.kind == "image":
            return self.own
        return self.own if len(self.own) > 1 and self.own[0] == 1 else (1, *self.own)

    def to_grid(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Inputs (n, …) in the grid: uint8 images, else float32. Raises ParameterError for a shape
        that is not their own."""
        if inputs.shape[1:] != self.own:
            raise ParameterError(f"expected inputs (n, {_listed(self.own)}), got {inputs.shape}")
        placed = inputs.reshape(len(inputs), *self.grid)
        if placed.dtype == np.uint8 and self.kind == "image":
            return placed
        values = placed.astype(np.float64)
        if self.kind == "image" and self.levels != RAW:
            values = (values - self.levels.low) * (255 / (self.levels.high - self.levels.low))
        grid: Floats = values.astype(np.float32)
        return grid

    def from_grid(self, grid: Floats) -> Floats:
        """The inputs that lie in the grid, float32 (n, …), as the model takes them."""
        values = grid
        if self.kind == "image" and self.levels != RAW:
            low, high = self.levels
            values = (grid * np.float32((high - low) / 255) + np.float32(low)).astype(np.float32)
        return values.reshape(len(grid), *self.own)

    def function(self, function: Callable[[Floats], Any]) -> Callable[[Floats], Any]:
        """The function of inputs as one of the grid."""
        return lambda grid: function(self.from_grid(grid))

    def model(self, model: Any) -> Any:
        """The Keras model of inputs as one of the grid: by the same layers.
        Raises GlassnetsError where it takes inputs of another size."""
        import keras

        wanted = tuple(model.inputs[0].shape[1:])
        if None in wanted and len(wanted) == len(self.own):
            wanted = tuple(o if w is None else w for w, o in zip(wanted, self.own, strict=True))
        if None in wanted or prod(wanted) != prod(self.own):
            raise GlassnetsError(
                f"expected inputs (n, {_listed(wanted)}), which the model takes, got "
                f"(n, {_listed(self.own)})"
            )
        scaled = self.kind == "image" and self.levels != RAW
        if wanted == self.grid and not scaled and None not in model.inputs[0].shape[1:]:
            return model
        inputs = tensor = keras.Input(self.grid, name="grid")
        if scaled:
            low, high = self.levels
            tensor = keras.layers.Rescaling((high - low) / 255, low, name="levels")(tensor)
        if wanted != self.grid:
            tensor = keras.layers.Reshape(wanted, name="own_shape")(tensor)
        # Layer by layer: in a model that held the other as one layer, they could not be drawn anew.
        return keras.Model(inputs, keras.Model(model.inputs[0], model.outputs[0]).call(tensor))


def layout(
    inputs: NDArray[Any], kind: Kind, scale: tuple[float, float] | None
) -> tuple[Layout, str]:
    """How these inputs (n, …) lie in the grid, and in words how the levels of images were read.

    scale: the levels of black and white that the model takes; None reads them off the inputs:
    0…255 for uint8, else 0…1 or −1…1 where all lie within, 0…255 where all lie within, else the
    smallest and the largest. Images uint8 are brought to the scale, others are in it already.
    Raises ParameterError where they are not.
    """
    plain, own = {"image": (3, 4), "table": (2,), "series": (2, 3)}[kind], inputs.shape[1:]
    placed = kind != "image" and inputs.ndim in (3, 4) and own[0] == 1
    if not (inputs.ndim in plain or placed) or not inputs.size:
        many = {"image": "images", "table": "rows", "series": "series"}[kind]
        raise ParameterError(
            f"images: expected an array of {many}, {_SHAPES[kind]}, got one {inputs.shape}"
        )
    if kind != "image":
        if scale is not None:
            raise ParameterError(
                f"scale: expected none for a {kind}, got {scale[0]:g}..{scale[1]:g}"
            )
        return Layout(kind, own), ""
    low, high = float(inputs.min()), float(inputs.max())
    if scale is not None:
        levels = Scale(*scale)
        slack = 1e-3 * (levels.high - levels.low)
        if inputs.dtype != np.uint8 and (low < levels.low - slack or high > levels.high + slack):
            raise ParameterError(
                f"scale: expected images within {levels.low:g}..{levels.high:g}, or uint8, got "
                f"levels {low:g} to {high:g}"
            )
        how = "as given"
    elif inputs.dtype == np.uint8:
        levels, how = RAW, "as uint8 images have it"
    else:
        usual = [s for s in (Scale(0, 1), Scale(-1, 1), RAW) if s.low <= low and high <= s.high]
        levels, how = (usual or [Scale(low, high)])[0], "read off the images"
    if levels.low >= levels.high:
        raise ParameterError(
            f"scale: expected black below white, got {levels.low:g}..{levels.high:g}"
        )
    text = f"levels of black and white: {levels.low:g} and {levels.high:g}, {how}"
    return Layout(kind, own, levels), text


_SHAPES = {
    "image": "(n, height, width) or (n, height, width, channels)",
    "table": "(n, columns)",
    "series": "(n, steps) or (n, steps, channels)",
}


def _listed(shape: InputShape) -> str:
    return ", ".join(map(str, shape))
