"""Pictures of attributions: all methods of a network, and the families side by side.

Colours are `drawing.colour_scale`'s. A red frame: the verdict on the method fails, or it is a
control; a brown one: it is undecided.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from glassnets.attribution.verdicts import best
from glassnets.data import Arrays
from glassnets.report import agreement, leaderboards
from glassnets.report.drawing import MAP, WARNING, coloured, figure, margins
from glassnets.report.formats import number
from glassnets.report.leaderboards import Named, name_method
from glassnets.report.results import Results

_EVIDENCE = "#007a33"
_GALLERY = 12  # images
_IMAGE: dict[str, Any] = {"cmap": "gray_r", "vmin": 0, "vmax": 255}
_MAP: dict[str, Any] = {"cmap": MAP, "vmin": -1, "vmax": 1}


def gallery(arrays: Arrays, leaderboard: pd.DataFrame, title: str, place: int) -> Figure:
    """One network's attributions of the sample's first images: a column an image, a row a method,
    in the leaderboard's order.

    arrays: `Results.attributions`. place: the network's among its seeds. Where there is evidence
    it is outlined. Where the verdict does not hold, the reason stands and the frame has its colour.
    """
    images = arrays["images"][:_GALLERY]
    methods = [method for method in leaderboard["method"] if method in arrays]
    names = leaderboards.names(leaderboard)
    rows, columns = 1 + len(methods), len(images)
    tile, left, top = 0.85, 3.1, 0.65  # inches
    with figure(left + tile * columns + 0.1, top + tile * rows + 0.1, dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.995, ha="left", weight="bold")
        tiles = _Tiles(drawn, rows, columns, left=left, top=top, right=0.1, bottom=0.1)
        name_method(tiles.axes, 0.5, Named("image"))
        for row, method in enumerate(methods, start=1):
            name_method(tiles.axes, row + 0.5, names[method])
        for column, image in enumerate(images):
            label, predicted = arrays["labels"][column], arrays["predictions"][place, column]
            text = f"{label}" if label == predicted else f"{label}, not {predicted}"
            tiles.write(column, -0.06, text, wrong=label != predicted)
            tiles.draw(0, column, image, **_IMAGE)
            for row, method in enumerate(methods, start=1):
                map_ = coloured(arrays[method][place][column])
                tiles.draw(row, column, map_, names[method].frame, **_MAP)
            if "evidence" in arrays:
                for row in range(rows):
                    tiles.outline(row, column, arrays["evidence"][column])
    return drawn


def families(results: Mapping[str, Results], each: int) -> Figure:
    """The families side by side: a row an example (`agreement.examples`, so many of each kind), a
    column a family, whose best method explains its own prediction. Of the first seed's networks.
    """
    attributions = {family: own.attributions for family, own in results.items()}
    methods = {family: best(own.leaderboard) for family, own in results.items()}
    examples = agreement.examples(attributions, methods, each)
    first = next(iter(attributions.values()))
    columns = 1 + len(attributions)
    tile, left, top, bottom = 1.5, 1.75, 0.85, 0.3  # inches
    pitch = 1.17  # from row to row, in tiles
    height = tile * pitch * len(examples)
    with figure(left + tile * columns + 0.1, top + height + bottom, dpi=110) as drawn:
        tiles = _Tiles(
            drawn, len(examples), columns, pitch, left=left, right=0.1, top=top, bottom=bottom
        )
        tiles.write(0, -0.06, "image", weight="bold")
        for row, example in enumerate(examples):
            tiles.draw(row, 0, first["images"][example.position], **_IMAGE)
            tiles.write(0, row * pitch + 1.11, f"label {first['labels'][example.position]}")
            name = example.kind.replace(", ", ",\n")
            if example.similarity is not None:
                name += f"\n(similarity {number(example.similarity, 2)})"
            middle = row * pitch + 0.5
            tiles.axes.text(-0.08, middle, name, ha="right", va="center", size=10)
        for column, (family, arrays) in enumerate(attributions.items(), start=1):
            method = methods[family]
            name, why, frame = leaderboards.names(results[family].leaderboard)[method]
            over = -0.06 if why is None else -0.17
            name = name.replace(", ", ",\n")  # as wide as a tile
            tiles.write(column, over, name, size=7.5, va="bottom")
            lines = 1 + name.count("\n")
            tiles.write(column, over - 0.03 - 0.1 * lines, family, weight="bold")
            if why is not None:
                tiles.write(column, -0.06, why, size=7.5, color=frame)
            for row, example in enumerate(examples):
                predicted = arrays["predictions"][0, example.position]
                wrong = predicted != arrays["labels"][example.position]
                map_ = coloured(arrays[method][0, example.position])
                tiles.draw(row, column, map_, frame, **_MAP)
                tiles.write(column, row * pitch + 1.11, f"predicted {predicted}", wrong=wrong)
        key = "red: speaks for the predicted class   blue: against it"
        if "evidence" in first:
            key += "   green: around the pixels that decide"
            for row, example in enumerate(examples):
                for column in range(columns):
                    tiles.outline(row, column, first["evidence"][example.position])
        drawn.text(0.5, 0.1 / drawn.get_figheight(), key, ha="center", size=9)
    return drawn


class _Tiles:
    """Axes laid with tiles one unit wide and high, a row each pitch; margins in inches."""

    def __init__(
        self, drawn: Figure, rows: int, columns: int, pitch: float = 1, **sides: float
    ) -> None:
        self.axes = drawn.subplots(gridspec_kw=margins(drawn, **sides))
        self.axes.set_axis_off()
        self.axes.set(xlim=(0, columns), ylim=(rows * pitch, 0))
        self._pitch = pitch

    def draw(
        self, row: int, column: int, pixels: NDArray[Any], frame: str | None = None, **looks: Any
    ) -> None:
        left, right, top, bottom = self._sides(row, column)
        extent = (left, right, bottom, top)
        self.axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", **looks)
        ec, lw = (frame, 1.4) if frame else ("#bbbbbb", 0.6)
        look: dict[str, Any] = {"fill": False, "clip_on": False, "ec": ec, "lw": lw}
        self.axes.add_patch(Rectangle((left, top), right - left, bottom - top, **look))

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
