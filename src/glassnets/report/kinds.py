"""An input of any kind, and an attribution of it, drawn into a box of a Matplotlib axis.

- An image: its pixels; a map in the colours of `drawing.coloured`, over the image where it has
  colours of its own.
- A row of a table: the columns that count most, one under another, with a bar for what each counts
  for; the others joined into one.
- A series: a line a channel, and the map as colour behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from glassnets.data.inputs import Inputs
from glassnets.report.drawing import COLOURS, GREY, MAP, coloured

MAX_COLUMNS = 12  # of a table, in a picture
FOR, AGAINST = "#B2182B", "#2166AC"  # the ends of the colours of maps
_LINES = ["#222222", *COLOURS]
_GREY: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}
_MAP: dict[str, Any] = {"cmap": MAP, "vmin": -1, "vmax": 1}

Maps = NDArray[Any]


@dataclass(frozen=True)
class Box:
    """A part of an axis, by its data; y runs downwards."""

    left: float
    right: float
    top: float
    bottom: float

    def x(self, share: Any) -> Any:
        """The place so far from left to right, 0 to 1."""
        return self.left + share * (self.right - self.left)

    def y(self, share: Any) -> Any:
        """The place so far from top to bottom, 0 to 1."""
        return self.top + share * (self.bottom - self.top)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        return self.left, self.right, self.bottom, self.top


UNIT = Box(0, 1, 0, 1)


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a picture shows: their places, the most important first, and
    those of the others, which are joined."""

    places: tuple[int, ...]
    others: tuple[int, ...]

    @property
    def lines(self) -> int:
        return len(self.places) + bool(self.others)

    def names(self, inputs: Inputs) -> list[str]:
        names = [inputs.column_names[place] for place in self.places]
        return names + [f"{len(self.others)} others"] * bool(self.others)

    def values(self, inputs: Inputs, row: NDArray[Any]) -> list[str]:
        """The row's (1, columns, channels), "" of the others."""
        values = inputs.values(row)
        return [*(values[place] for place in self.places), *[""] * bool(self.others)]

    def of(self, map_: Maps) -> NDArray[np.float64]:
        """A map's numbers (1, columns), the others summed."""
        numbers = map_[0].astype(np.float64)
        own = numbers[list(self.places)]
        return np.append(own, numbers[list(self.others)].sum()) if self.others else own


def columns(maps: Maps, most: int = MAX_COLUMNS) -> Columns:
    """The columns that count most in maps (…, 1, columns) of any scale: by their mean absolute
    share."""
    shares = np.abs(maps.reshape(-1, maps.shape[-1]).astype(np.float64))
    largest = shares.max(axis=1, keepdims=True)
    means = (shares / np.where(largest > 0, largest, 1)).mean(axis=0)
    order = (-means).argsort(kind="stable").tolist()
    few = len(order) <= most + 1  # one other is no fewer lines than its name
    return Columns(tuple(order if few else order[:most]), () if few else tuple(order[most:]))


def draw_input(
    axes: Axes,
    image: NDArray[Any],
    inputs: Inputs,
    box: Box = UNIT,
    shown: Columns | None = None,
    names: bool = True,
) -> None:
    """Draws an input (h, w) or (h, w, c); of a table the columns shown, by value and, unless they
    stand elsewhere, name."""
    if inputs.kind == "image":
        _pixels(axes, image, box, _GREY if image.ndim == 2 else {})
    elif inputs.kind == "series":
        _lines(axes, inputs.lines(image), box)
    else:
        shown = shown or _first(inputs)
        texts = zip(shown.names(inputs), shown.values(inputs, image), strict=True)
        for line, (name, value) in enumerate(texts):
            text = beside(name, value) if names else short(value, 14)
            y = box.y((line + 0.5) / shown.lines)
            axes.text(box.x(0.97), y, text, ha="right", va="center", size=6.5, parse_math=False)


def draw_map(
    axes: Axes,
    image: NDArray[Any],
    map_: Maps,
    inputs: Inputs,
    box: Box = UNIT,
    shown: Columns | None = None,
) -> None:
    """Draws an attribution (h, w) of an input; of a table a bar for each of the columns shown."""
    if inputs.kind == "image" and image.ndim == 2:
        _pixels(axes, coloured(map_), box, _MAP)
    elif inputs.kind == "image":
        _pixels(axes, over(image, map_), box, {})
    elif inputs.kind == "series":
        _pixels(axes, _there(image, coloured(map_), inputs), box, _MAP | {"alpha": 0.75})
        _lines(axes, inputs.lines(image), box)
    else:
        _bars(axes, (shown or columns(map_)).of(map_), box)


def over(image: NDArray[np.uint8], map_: Maps) -> NDArray[np.float64]:
    """A map (h, w) over an RGB image (h, w, 3), which stays visible in light grey where the map is
    white: float64 (h, w, 3), 0…1."""
    levels = coloured(map_)[..., np.newaxis]
    grey = image @ np.array([0.299, 0.587, 0.114]) / 255  # as bright as the eye has it
    paper = (0.6 + 0.4 * grey)[..., np.newaxis]
    colours = colormaps[MAP]((levels[..., 0] + 1) / 2)[..., :3]
    opacity = np.abs(levels)
    blended: NDArray[np.float64] = opacity * colours + (1 - opacity) * paper
    return blended


def panel(
    axes: Axes,
    image: NDArray[Any],
    inputs: Inputs,
    map_: Maps | None = None,
    size: float = 7,
) -> None:
    """Draws an input, or an attribution of it, over a whole axis of its own, with the names and
    values of columns, or the numbers of steps, beside it."""
    axes.grid(visible=False)
    shown = None
    if inputs.kind == "table":
        shown = _first(inputs) if map_ is None else columns(map_)
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
    if inputs.kind == "table" and map_ is None:
        draw_input(axes, image, inputs, shown=shown)
        axes.spines[:].set_visible(False)
        return
    if map_ is None:
        draw_input(axes, image, inputs)
    else:
        draw_map(axes, image, map_, inputs, shown=shown)
    axes.set(xlim=(0, 1), ylim=(1, 0))
    if shown is not None:
        texts = zip(shown.names(inputs), shown.values(inputs, image), strict=True)
        names = [beside(name, value) for name, value in texts]
        places = (np.arange(shown.lines) + 0.5) / shown.lines
        axes.set_yticks(places.tolist(), names)
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
        axes.tick_params(length=0, labelsize=size)
    elif inputs.kind == "series":
        steps = image.shape[1]
        axes.set_xticks([0.5 / steps, 1 - 0.5 / steps], ["0", f"{steps - 1}"])
        axes.tick_params(length=0, labelsize=size, labelcolor=GREY)


def _first(inputs: Inputs) -> Columns:
    places = tuple(range(len(inputs.columns or ())))
    few = len(places) <= MAX_COLUMNS + 1
    return Columns(places, ()) if few else Columns(places[:MAX_COLUMNS], places[MAX_COLUMNS:])


def beside(name: str, value: str) -> str:
    """A column's name and value, as they stand beside its bar."""
    return f"{short(name)} = {short(value)}" if value else short(name)


def short(text: str, most: int = 24) -> str:
    """A text of no more than so many letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _pixels(axes: Axes, pixels: NDArray[Any], box: Box, look: dict[str, Any]) -> None:
    axes.imshow(pixels, extent=box.extent, aspect="auto", interpolation="nearest", **look)


def _there(image: NDArray[Any], levels: NDArray[Any], inputs: Inputs) -> NDArray[Any]:
    """Levels (1, steps) of a series, masked where it is padded."""
    absent: NDArray[np.bool_] = np.all(np.isnan(inputs.lines(image)), axis=0, keepdims=True)
    return np.ma.masked_array(levels, absent)


def _lines(axes: Axes, channels: NDArray[np.float64], box: Box) -> None:
    """A line a channel (channels, steps), each in a scale of its own."""
    steps = channels.shape[1]
    x = box.x((np.arange(steps) + 0.5) / steps)
    for line, colour in zip(scaled(channels), _cycled(len(channels)), strict=True):
        axes.plot(x, box.y(0.92 - 0.84 * line), color=colour, lw=0.9, solid_joinstyle="round")


def scaled(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each channel (channels, steps) from its lowest, 0, to its highest value, 1; NaN where it
    has none, and 0.5 where it is constant."""
    known = np.nan_to_num(channels, nan=np.inf).min(axis=1, keepdims=True, initial=np.inf)
    low = np.where(np.isfinite(known), known, 0)
    high = np.nan_to_num(channels, nan=-np.inf).max(axis=1, keepdims=True)
    span = np.where(high > low, high - low, 1)
    lines: NDArray[np.float64] = np.where(high > low, (channels - low) / span, 0.5 + 0 * channels)
    return lines


def _cycled(count: int) -> Sequence[str]:
    return [_LINES[i % len(_LINES)] for i in range(count)]


def _bars(axes: Axes, numbers: NDArray[np.float64], box: Box) -> None:
    """Horizontal bars from a zero that lies where both sides have room."""
    low, high = min(0, numbers.min()), max(0, numbers.max())
    span = high - low or 1
    zero = 0.04 + 0.92 * (0 - low) / span
    height = 0.72 / len(numbers)
    bars, colours = [], []
    for line, number in enumerate(numbers):
        left = 0.04 + 0.92 * (min(0, number) - low) / span
        start = box.x(left), box.y((line + 0.14) / len(numbers))
        wide = box.x(left + 0.92 * abs(number) / span) - start[0]
        bars.append(Rectangle(start, wide, box.y(height) - box.y(0)))
        colours.append(FOR if number > 0 else AGAINST)
    axes.add_collection(PatchCollection(bars, facecolors=colours, edgecolors="none"), autolim=False)
    axes.plot([box.x(zero)] * 2, [box.top, box.bottom], color="#999999", lw=0.6)
