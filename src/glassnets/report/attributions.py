"""Attribution maps as pictures: red spoke for the answer, blue against it.

Each map has a scale of its own, symmetric about 0, so that white always says nothing: maps can be
compared in their pattern, never in their strength. Of a map that has one sign everywhere (as of
RISE and rollout), the value nearest to 0 is white.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from glassnets.artefacts import Arrays
from glassnets.report.drawing import figure, png, room
from glassnets.report.leaderboards import (
    WARNING,
    best,
    first_reason,
    name_method,
    reasons,
    titles,
)

Maps = NDArray[np.float32]
_EVIDENCE = "#007a33"


def gallery(
    images: NDArray[np.uint8],
    maps: Mapping[str, Maps],
    labels: NDArray[np.uint8],
    predictions: NDArray[np.int64],
    leaderboard: pd.DataFrame,
    title: str,
    evidence: NDArray[np.bool_] | None = None,
) -> Figure:
    """One network's maps: a column an image, a row a method, in the leaderboard's order.

    images (n, h, w); maps by method, float32 (n, h, w); labels and predictions (n,); evidence bool
    (n, h, w) is outlined. Methods that do not pass have a red ✗ and the reason.
    """
    methods = [method for method in leaderboard["method"] if method in maps]
    why = reasons(leaderboard)
    rows, columns = 1 + len(methods), len(images)
    tile, left, top = 0.85, 2.3, 0.65  # inches
    with figure(left + tile * columns + 0.1, top + tile * rows + 0.1, dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.995, ha="left", weight="bold")
        board = _Board(drawn, rows, columns, gap=0, left=left, top=top, right=0.1, bottom=0.1)
        name_method(board.axes, 0.5, "image", None)
        names = titles(leaderboard)
        for row, method in enumerate(methods, start=1):
            name_method(board.axes, board.top(row) + 0.5, names[method], why.get(method))
        for column, image in enumerate(images):
            label, answer = labels[column], predictions[column]
            said = f"{label}" if label == answer else f"{label}, said {answer}"
            board.say(column, -0.06, said, wrong=label != answer)
            board.image(0, column, image)
            for row, method in enumerate(methods, start=1):
                board.map(row, column, maps[method][column])
            if evidence is not None:
                for row in range(rows):
                    board.outline(row, column, evidence[column])
    return drawn


def families(
    cells: Mapping[str, Arrays],
    groups: Mapping[str, Sequence[int]],
    leaderboards: Mapping[str, pd.DataFrame],
) -> bytes:
    """A PNG: a row an image, a column a family, whose best method (`leaderboards.best`) explains
    its own answer. The same input gives the same bytes.

    cells holds a family's explanations.npz each, of which the first seed's network is shown;
    groups are places of images in it by what they show, which is said beside them.
    """
    first = next(iter(cells.values()))
    groups = {said: group for said, group in groups.items() if group}
    positions = [position for group in groups.values() for position in group]
    columns = 1 + len(cells)
    gap = 0.17
    tile, left, top = 1.5, 1.6, 0.6  # inches
    height = tile * (1 + gap) * len(positions)
    with figure(left + tile * columns + 0.1, top + height + 0.3, dpi=110) as drawn:
        margins = {"left": left, "right": 0.1, "top": top, "bottom": 0.3}
        board = _Board(drawn, len(positions), columns, gap, **margins)
        board.say(0, -0.06, "image", weight="bold")
        for row, position in enumerate(positions):
            board.image(row, 0, first["images"][position])
            board.say(0, board.top(row) + 1.11, f"label {first['labels'][position]}")
        for column, (family, cell) in enumerate(cells.items(), start=1):
            method = best(leaderboards[family])
            why = reasons(leaderboards[family]).get(method)
            board.say(column, -0.06 if why is None else -0.17, method.replace("_", " "), size=9)
            board.say(column, -0.18 if why is None else -0.29, family, weight="bold")
            if why is not None:
                board.say(column, -0.06, first_reason(why), size=7.5, wrong=True)
            for row, position in enumerate(positions):
                answer = cell["predictions"][0, position]
                wrong = answer != cell["labels"][position]
                board.map(row, column, cell[method][0, position])
                board.say(column, board.top(row) + 1.11, f"said {answer}", wrong=wrong)
        key = "red: spoke for the answer   blue: against it"
        if "evidence" in first:
            key += "   green: around the pixels that truly decide"
            for row, position in enumerate(positions):
                for column in range(columns):
                    board.outline(row, column, first["evidence"][position])
        drawn.text(0.5, 0.1 / drawn.get_figheight(), key, ha="center", size=9)
        row = 0
        for said, group in groups.items():
            board.group(row, len(group), said)
            row += len(group)
    return png(drawn)


class _Board:
    """Axes laid with tiles one unit wide and high, and a gap below each row; margins in inches."""

    def __init__(
        self, drawn: Figure, rows: int, columns: int, gap: float, **margins: float
    ) -> None:
        self.axes = drawn.subplots(gridspec_kw=room(drawn, **margins))
        self.axes.set_axis_off()
        self.axes.set(xlim=(0, columns), ylim=(rows * (1 + gap), 0))
        self._pitch = 1 + gap
        self._columns = columns

    def top(self, row: int) -> float:
        return row * self._pitch

    def image(self, row: int, column: int, image: NDArray[np.uint8]) -> None:
        self._tile(row, column, image, cmap="gray_r", vmin=0, vmax=255)

    def map(self, row: int, column: int, map_: Maps) -> None:
        white = float(np.clip(0, map_.min(), map_.max()))
        most = float(np.abs(map_ - white).max()) or 1.0
        self._tile(row, column, map_, cmap="RdBu_r", vmin=white - most, vmax=white + most)

    def _tile(self, row: int, column: int, pixels: NDArray[Any], **looks: Any) -> None:
        left, right, top, bottom = self._sides(row, column)
        extent = (left, right, bottom, top)
        self.axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", **looks)
        frame: dict[str, Any] = {"fill": False, "ec": "#bbbbbb", "lw": 0.6, "clip_on": False}
        self.axes.add_patch(Rectangle((left, top), right - left, bottom - top, **frame))

    def _sides(self, row: int, column: int) -> tuple[float, float, float, float]:
        margin = 0.03
        top = self.top(row)
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

    def say(self, column: int, y: float, text: str, wrong: bool = False, **looks: Any) -> None:
        """Writes in the middle of a column, above y (which runs downwards)."""
        colour = WARNING if wrong else "black"
        self.axes.text(column + 0.5, y, text, ha="center", color=colour, **{"size": 10} | looks)

    def group(self, row: int, rows: int, text: str) -> None:
        """Names rows, at their left, and draws a line above them."""
        top = self.top(row)
        self.axes.text(
            -0.08, top + rows * self._pitch / 2, text.replace(", ", ",\n"), ha="right", va="center"
        )
        if row:
            ends = [0, self._columns]
            self.axes.plot(ends, [top - 0.02] * 2, color="#999999", lw=1, clip_on=False)
