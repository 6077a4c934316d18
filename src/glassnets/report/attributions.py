"""Pictures of attributions: all methods of a network, and the families side by side.

Colours are `drawing.colour_scale`'s. A red frame: the verdict on the method fails, or it is a
control; a brown one: it is undecided.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from glassnets.attribution.verdicts import best
from glassnets.config.schema import Kind
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.report import agreement, leaderboards
from glassnets.report.drawing import WARNING, figure, margins
from glassnets.report.formats import number
from glassnets.report.kinds import Box, Columns, draw_input, draw_map, short
from glassnets.report.kinds import columns as columns_of
from glassnets.report.leaderboards import Named, name_method
from glassnets.report.results import Results

_EVIDENCE = "#007a33"


class _Size(NamedTuple):
    """Of a gallery, and of the picture of the families: tiles in inches, a line a column of a
    table; how many inputs a gallery shows; the margin for the names of columns."""

    inputs: int
    tile: tuple[float, float]
    large: tuple[float, float]
    per_line: float = 0.0
    right: float = 0.1

    def of(self, tile: tuple[float, float], shown: Columns | None) -> tuple[float, float]:
        return tile if shown is None else (tile[0], 0.1 + self.per_line * shown.lines)


_SIZES: dict[Kind, _Size] = {
    "image": _Size(12, (0.85, 0.85), (1.5, 1.5)),
    "table": _Size(8, (1.05, 0), (2.3, 0), per_line=0.14, right=1.8),
    "series": _Size(6, (1.8, 0.75), (2.4, 1.2)),
}
_GREY_IMAGES = Inputs()


def gallery(
    arrays: Arrays,
    leaderboard: pd.DataFrame,
    title: str,
    place: int,
    inputs: Inputs = _GREY_IMAGES,
) -> Figure:
    """One network's attributions of the sample's first images: a column an image, a row a method,
    in the leaderboard's order.

    arrays: `Results.attributions`. place: the network's among its seeds. Where there is evidence
    it is outlined. Where the verdict does not hold, the reason stands and the frame has its colour.
    Of a table, all maps show the columns that count most in them together, in one order.
    """
    size = _SIZES[inputs.kind]
    images = arrays["images"][: size.inputs]
    methods = [method for method in leaderboard["method"] if method in arrays]
    shown = None
    if inputs.kind == "table":
        shown = columns_of(np.stack([arrays[m][place][: len(images)] for m in methods]))
    names = leaderboards.names(leaderboard)
    rows, columns = 1 + len(methods), len(images)
    (wide, high), left = size.of(size.tile, shown), 3.1  # inches
    top = 0.65 if inputs.class_names is None else 0.85
    width, height = left + wide * columns + size.right, top + high * rows + 0.1
    with figure(width, height, dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.995, ha="left", weight="bold")
        sides = {"left": left, "top": top, "right": size.right, "bottom": 0.1}
        tiles = _Tiles(drawn, rows, columns, inputs, **sides)
        name_method(tiles.axes, 0.5, Named(inputs.words.one))
        for row, method in enumerate(methods, start=1):
            name_method(tiles.axes, row + 0.5, names[method])
        for column, image in enumerate(images):
            label, predicted = arrays["labels"][column], arrays["predictions"][place, column]
            tiles.write(column, -0.051 / high, *_class(inputs, label, predicted))
            tiles.draw(0, column, image, shown=shown)
            for row, method in enumerate(methods, start=1):
                map_ = arrays[method][place][column]
                tiles.draw(row, column, image, map_, names[method].frame, shown)
            if "evidence" in arrays:
                for row in range(rows):
                    tiles.outline(row, column, arrays["evidence"][column])
        if shown is not None:
            for row in range(rows):
                tiles.name_columns(row, shown)
    return drawn


def _class(inputs: Inputs, label: Any, predicted: Any) -> tuple[str, bool]:
    """What stands over an input, and whether the prediction is wrong."""
    own, came = inputs.class_list((label, predicted))
    if inputs.class_names is not None:
        own, came = short(own, 14), f"\n{short(came, 10)}"
    return (own, False) if label == predicted else (f"{own}, not {came}".replace(" \n", "\n"), True)


def families(results: Mapping[str, Results], each: int, inputs: Inputs = _GREY_IMAGES) -> Figure:
    """The families side by side: a row an example (`agreement.examples`, so many of each kind), a
    column a family, whose best method explains its own prediction. Of the first seed's networks.
    """
    attributions = {family: own.attributions for family, own in results.items()}
    methods = {family: best(own.leaderboard) for family, own in results.items()}
    examples = agreement.examples(attributions, methods, each)
    first = next(iter(attributions.values()))
    columns = 1 + len(attributions)
    shown: list[Columns | None] = [None for _ in examples]
    if inputs.kind == "table":
        shown = [
            columns_of(np.stack([attributions[f][m][0, e.position] for f, m in methods.items()]))
            for e in examples
        ]
    size = _SIZES[inputs.kind]
    (wide, tile), left, top, bottom = size.of(size.large, shown[0]), 1.75, 0.85, 0.3  # inches
    pitch = 1 + 0.255 / tile  # from row to row, in tiles
    text_size = 10 if inputs.class_names is None else 8
    letters = int(15 * wide) - 10  # of a class' name, of this size, beside "predicted"
    height = tile * pitch * len(examples)
    with figure(left + wide * columns + 0.1, top + height + bottom, dpi=110) as drawn:
        sides = {"left": left, "right": 0.1, "top": top, "bottom": bottom}
        tiles = _Tiles(drawn, len(examples), columns, inputs, pitch, **sides)
        over, below = 0.09 / tile, 1 + 0.165 / tile
        tiles.write(0, -over, inputs.words.one, weight="bold")
        for row, example in enumerate(examples):
            tiles.draw(row, 0, first["images"][example.position], shown=shown[row], names=True)
            label = short(inputs.class_name(first["labels"][example.position]), letters)
            tiles.write(0, row * pitch + below, f"label {label}", size=text_size)
            name = example.kind.replace(", ", ",\n")
            if example.similarity is not None:
                name += f"\n(similarity {number(example.similarity, 2)})"
            middle = row * pitch + 0.5
            aside = 0.12 / wide
            tiles.axes.text(-aside, middle, name, ha="right", va="center", size=10)
        for column, (family, arrays) in enumerate(attributions.items(), start=1):
            method = methods[family]
            name, why, frame = leaderboards.names(results[family].leaderboard)[method]
            above = over if why is None else 0.255 / tile
            name = name.replace(", ", ",\n")  # as wide as a tile
            tiles.write(column, -above, name, size=7.5, va="bottom")
            lines = 1 + name.count("\n")
            tiles.write(column, -above - (0.045 + 0.15 * lines) / tile, family, weight="bold")
            if why is not None:
                tiles.write(column, -over, why, size=7.5, color=frame)
            for row, example in enumerate(examples):
                predicted = arrays["predictions"][0, example.position]
                wrong = predicted != arrays["labels"][example.position]
                map_, image = arrays[method][0, example.position], first["images"][example.position]
                tiles.draw(row, column, image, map_, frame, shown[row])
                text = f"predicted {short(inputs.class_name(predicted), letters)}"
                tiles.write(column, row * pitch + below, text, wrong=wrong, size=text_size)
        key = "red: speaks for the predicted class   blue: against it"
        if "evidence" in first:
            key += f"   green: around the {inputs.words.players} that decide"
            for row, example in enumerate(examples):
                for column in range(columns):
                    tiles.outline(row, column, first["evidence"][example.position])
        drawn.text(0.5, 0.1 / drawn.get_figheight(), key, ha="center", size=9)
    return drawn


class _Tiles:
    """Axes laid with tiles one unit wide and high, a row each pitch; margins in inches."""

    def __init__(
        self,
        drawn: Figure,
        rows: int,
        columns: int,
        inputs: Inputs,
        pitch: float = 1,
        **sides: float,
    ) -> None:
        self.axes = drawn.subplots(gridspec_kw=margins(drawn, **sides))
        self.axes.set_axis_off()
        self._limits: dict[str, Any] = {"xlim": (0, columns), "ylim": (rows * pitch, 0)}
        self.axes.set(**self._limits)
        self._pitch, self._inputs = pitch, inputs

    def draw(
        self,
        row: int,
        column: int,
        image: NDArray[Any],
        map_: NDArray[Any] | None = None,
        frame: str | None = None,
        shown: Columns | None = None,
        names: bool = False,
    ) -> None:
        """Draws an input, or a map of it."""
        left, right, top, bottom = self._sides(row, column)
        box = Box(left, right, top, bottom)
        if map_ is None:
            draw_input(self.axes, image, self._inputs, box, shown, names)
        else:
            draw_map(self.axes, image, map_, self._inputs, box, shown)
        if self._inputs.kind != "image":
            self.axes.set(**self._limits)  # which lines change
        ec, lw = (frame, 1.4) if frame else ("#bbbbbb", 0.6)
        look: dict[str, Any] = {"fill": False, "clip_on": False, "ec": ec, "lw": lw}
        self.axes.add_patch(Rectangle((left, top), right - left, bottom - top, **look))

    def name_columns(self, row: int, shown: Columns) -> None:
        """Writes the names of a table's columns right of a row of tiles."""
        box = Box(*self._sides(row, 0))
        for line, name in enumerate(shown.names(self._inputs)):
            place = (1, box.y((line + 0.5) / shown.lines))
            self.axes.annotate(
                short(name),
                place,
                xytext=(4, 0),
                xycoords=self.axes.get_yaxis_transform(),
                textcoords="offset points",
                va="center",
                size=7,
                parse_math=False,
            )

    def _sides(self, row: int, column: int) -> tuple[float, float, float, float]:
        margin = 0.03
        top = row * self._pitch
        return column + margin, column + 1 - margin, top + margin, top + 1 - margin

    def outline(self, row: int, column: int, evidence: NDArray[np.bool_]) -> None:
        """Draws the border of the true pixels of evidence (h, w)."""
        left, right, top, bottom = self._sides(row, column)
        across = np.linspace(left, right, evidence.shape[1] + 1)
        down = np.linspace(top, bottom, evidence.shape[0] + 1)
        padded = np.pad(evidence, 1)
        upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])  # left of column j, in row i
        level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])  # above row i, in column j
        lines = [[(across[j], down[i]), (across[j], down[i + 1])] for i, j in upright]
        lines += [[(across[j], down[i]), (across[j + 1], down[i])] for i, j in level]
        self.axes.add_collection(LineCollection(lines, colors=_EVIDENCE, lw=1.6), autolim=False)

    def write(self, column: int, y: float, text: str, wrong: bool = False, **looks: Any) -> None:
        """Writes in the middle of a column, above y (which runs downwards)."""
        look: dict[str, Any] = {"size": 10, "color": WARNING if wrong else "black"} | looks
        self.axes.text(column + 0.5, y, text, ha="center", **look)
