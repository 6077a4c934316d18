"""One picture explained: what the networks answered, why, and whether to believe it."""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from glassnets.errors import GlassnetsError
from glassnets.report import drawing
from glassnets.report.leaderboards import GREY, MERITS, WARNING, interval, measured

# Named in each picture's file, so that none but ours is ever written over.
SOFTWARE = "glassnets.explain"


@dataclass(frozen=True)
class Trust:
    """How far to believe a method of a cell: what its row of the leaderboard says.

    figures: name and value with its interval, of each that is known.
    """

    verdict: str
    doubtful: bool
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Explanation:
    """One network's answer: probabilities (classes,), the class explained, and by method the map
    float32 (h, w) with what is known of its trust."""

    family: str
    seed: int
    probabilities: NDArray[np.float64]
    target: int
    maps: Mapping[str, tuple[NDArray[np.float32], Trust]]

    @property
    def called(self) -> int:
        return int(self.probabilities.argmax())


# Trust


def trust(leaderboard: pd.DataFrame | None, method: str, control: bool, judge: str) -> Trust:
    """What a cell's leaderboard says of a method; None where there is none yet.

    control: whether the method knows nothing of the network, which no leaderboard needs to say.
    judge is the command that judges the cell. Raises GlassnetsError for a table of another kind.
    """
    nothing = "a control: knows nothing of the network"
    if leaderboard is None:
        return Trust(nothing if control else f"not judged yet: {judge}", doubtful=control)
    try:
        rows = leaderboard[leaderboard["method"] == method].to_dict("records")
        if not rows:
            return Trust(nothing if control else f"not judged: {judge}", doubtful=control)
        figures = tuple(
            (f"{MERITS[name].heading} {MERITS[name].arrow}", said)
            for name in measured(leaderboard)
            if (said := interval(*(rows[0][f"{name}{e}"] for e in _ENDS))) != "–"
        )
        if control:
            return Trust(nothing, doubtful=True, figures=figures)
        ranked = int(leaderboard["rank"].notna().sum())
        return Trust(*_verdict(rows[0], ranked), figures=figures)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise GlassnetsError(
            f"expected a leaderboard of methods, got another table ({error}); {judge} writes it"
        ) from error


_ENDS = ("", "_ci_low", "_ci_high")


def _verdict(row: Mapping[Any, Any], ranked: int) -> tuple[str, bool]:
    """What to say of a method that is no control, and whether it is not to be believed."""
    marks = "" if pd.isna(row["marks"]) else str(row["marks"])
    if row["passes"]:
        said = f"rank {int(row['rank'])} of {ranked}: passes every gate, beats every control"
        return f"{said}; but {marks}" if marks else said, False
    return f"not to be believed: {marks}" if marks else "not to be believed", True


# In words


def text(explanations: Sequence[Explanation], confidence_level: float) -> str:
    """Every answer with its probabilities, every method with its trust figures."""
    lines = []
    for explanation in explanations:
        lines.append(_answer(explanation))
        for method, (_, found) in explanation.maps.items():
            lines.append(f"  {method}: {found.verdict}")
            figures = "; ".join(": ".join(figure) for figure in found.figures)
            lines += textwrap.wrap(
                figures, 96, initial_indent="    ", subsequent_indent="    ", break_long_words=False
            )
    return "\n".join([*lines, *_what_trust_is(explanations, confidence_level)])


def _answer(explanation: Explanation) -> str:
    p = explanation.probabilities
    first, *others = (int(k) for k in p.argsort(kind="stable")[::-1][:3])
    also = ", ".join(f"{k} ({_percent(p[k])})" for k in others)
    asked = "" if explanation.target == first else f"; explained: {explanation.target}, as asked"
    return (
        f"{explanation.family} (seed {explanation.seed}) answers {first} "
        f"({_percent(p[first])}), then {also}{asked}"
    )


def _percent(share: float) -> str:
    """Never 100 % of what is not sure, nor 0 % of what is not impossible."""
    if share > 0.9995:
        return "over 99.9 %"
    return f"{100 * share:.1f} %" if share >= 0.0005 else "under 0.1 %"


def _what_trust_is(explanations: Sequence[Explanation], confidence_level: float) -> list[str]:
    if not any(found.figures for e in explanations for _, found in e.maps.values()):
        return []
    lines = [
        f"Trust figures are means over the dataset's panel, {confidence_level:.0%} interval; they "
        "judge the method, not this picture.",
        "↑: the higher the better; ↓: the lower; → 0: the nearer to 0.",
    ]
    if any(e.target != e.called for e in explanations):
        lines.append("They judge maps of the network's own answer, not of another class.")
    return lines


# As a picture; all lengths in inches

_MAP, _FIGURES, _GAP, _MARGIN = 1.75, 2.95, 0.25, 0.3
_TILE = (_MAP + _GAP / 2 + _FIGURES, 2.55)  # a map beside its figures, below two lines of title
_BARS = 1.6
_HEADER, _FAMILY, _FOOTER = 1.95, 0.45, 0.62
_MOST_TILES = 3  # side by side
_NARROWEST = 9.6  # has room for an answer in one line


class _Sheet:
    """A figure on which things are put by their distance from its left and upper edge."""

    def __init__(self, drawn: Figure) -> None:
        self.figure = drawn
        self.size = drawn.get_size_inches()

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.size[1] - top - height
        place = np.array([left, bottom, width, height]) / [*self.size, *self.size]
        return self.figure.add_axes(tuple(place))

    def rule(self, top: float) -> None:
        ends = [_MARGIN / self.size[0], 1 - _MARGIN / self.size[0]]
        height = 1 - top / self.size[1]
        self.figure.add_artist(Line2D(ends, [height, height], color="#cccccc", lw=0.8))

    def write(self, left: float, top: float, said: str, size: float, **look: Any) -> None:
        place = left / self.size[0], 1 - top / self.size[1]
        self.figure.text(*place, said, fontsize=size, va="top", parse_math=False, **look)


def figure(
    image: NDArray[np.uint8],
    done: Sequence[str],
    explanations: Sequence[Explanation],
    confidence_level: float,
) -> bytes:
    """A PNG: the image (h, w) as the network sees it, then for each network its probabilities and
    every map, each beside its trust figures. Same input, same bytes."""
    across = min(_MOST_TILES, max(len(e.maps) for e in explanations))
    rows = [math.ceil(len(e.maps) / across) for e in explanations]
    width = max(_NARROWEST, 2 * _MARGIN + _BARS + across * (_TILE[0] + _GAP))
    height = _HEADER + sum(_FAMILY + r * _TILE[1] for r in rows) + _FOOTER + _MARGIN
    with drawing.figure(width, height, dpi=110) as drawn:
        sheet = _Sheet(drawn)
        _header(sheet, image, done)
        top = _HEADER
        for explanation, count in zip(explanations, rows, strict=True):
            _family(sheet, top, image, explanation, across)
            top += _FAMILY + count * _TILE[1]
        _footer(sheet, top, explanations, confidence_level)
        png = io.BytesIO()
        drawn.savefig(png, format="png", metadata={"Software": SOFTWARE})
    return png.getvalue()


def _header(sheet: _Sheet, image: NDArray[np.uint8], done: Sequence[str]) -> None:
    axes = sheet.axes(_MARGIN, _MARGIN, 1.45, 1.45)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    _without_ticks(axes)
    left = _MARGIN + _BARS + _GAP
    sheet.write(left, _MARGIN, "The picture as the network sees it", 12, weight="bold")
    room = int((sheet.size[0] - left - _MARGIN) * 12.5)  # letters of size 9 to the inch
    lines = [line for said in done for line in textwrap.wrap(said, room)]
    sheet.write(left, _MARGIN + 0.32, "\n".join(lines), 9, color=GREY, linespacing=1.5)


def _family(
    sheet: _Sheet, top: float, image: NDArray[np.uint8], explanation: Explanation, across: int
) -> None:
    sheet.rule(top)
    sheet.write(_MARGIN, top + 0.12, _answer(explanation), 11, weight="bold")
    top += _FAMILY
    _probabilities(sheet.axes(_MARGIN + 0.2, top + 0.5, _BARS - 0.4, _MAP), explanation)
    for place, (method, (heat, found)) in enumerate(explanation.maps.items()):
        row, column = divmod(place, across)
        left = _MARGIN + _BARS + _GAP + column * (_TILE[0] + _GAP)
        _tile(sheet, left, top + row * _TILE[1], image, method, heat, found)


def _probabilities(axes: Axes, explanation: Explanation) -> None:
    p = explanation.probabilities
    classes = np.arange(len(p))
    colours = ["#B2182B" if k == explanation.target else "#9db4c8" for k in classes]
    axes.barh(classes, p, color=colours, height=0.75)
    axes.set(xlim=(0, 1), ylim=(len(p) - 0.4, -0.6), yticks=classes)
    axes.set_xticks([0, 1], ["0", "100 %"])
    axes.tick_params(length=0, labelsize=7, labelcolor=GREY)
    axes.set_title("probability", fontsize=8, color=GREY, pad=4, loc="center", weight="normal")
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)


def _tile(
    sheet: _Sheet,
    left: float,
    top: float,
    image: NDArray[np.uint8],
    method: str,
    heat: NDArray[np.float32],
    found: Trust,
) -> None:
    colour = WARNING if found.doubtful else GREY
    sheet.write(left, top, method, 10, weight="bold", color=WARNING if found.doubtful else "black")
    verdict = textwrap.shorten(found.verdict, 150, placeholder=" …")
    sheet.write(left, top + 0.19, "\n".join(textwrap.wrap(verdict, 76)), 8, color=colour)
    _map(sheet.axes(left, top + 0.5, _MAP, _MAP), image, heat)
    names, values = left + _MAP + _GAP / 2, left + _TILE[0]
    step = min(0.165, _MAP / max(1, len(found.figures)))
    for i, (name, value) in enumerate(found.figures):
        down = top + 0.5 + i * step
        sheet.write(names, down, name, 7.5, color=GREY)
        sheet.write(values, down, value, 7.5, ha="right")


def _map(axes: Axes, image: NDArray[np.uint8], heat: NDArray[np.float32]) -> None:
    """Red speaks for the class, blue against it; the outline of the ink lies over them. White is
    0, or of a map that has one sign everywhere, its value nearest to 0."""
    white = float(np.clip(0, heat.min(), heat.max()))
    most = float(np.abs(heat - white).max())
    axes.imshow(heat, cmap="RdBu_r", vmin=white - (most or 1), vmax=white + (most or 1))
    height, width = image.shape
    across, down = np.arange(-1, width + 1), np.arange(-1, height + 1)
    outline: dict[str, Any] = {"colors": "black", "linewidths": 0.7, "alpha": 0.45}
    axes.contour(across, down, np.pad(image, 1), levels=[image.max() / 2], **outline)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    around = f"{white:.2g} " if white else ""
    axes.set_xlabel(f"{around}± {float(f'{most:.2g}'):g}", fontsize=6.5, color=GREY)
    axes.xaxis.labelpad = 2
    _without_ticks(axes)


def _without_ticks(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#bbbbbb", linewidth=0.6)


def _footer(
    sheet: _Sheet, top: float, explanations: Sequence[Explanation], confidence_level: float
) -> None:
    said = (
        "Maps: red pixels speak for the class, blue ones against it; each has its own scale, "
        "written below it: white is 0, or the value nearest to 0. The line is the ink's outline."
    )
    trust_is = " ".join(_what_trust_is(explanations, confidence_level))
    room = int((sheet.size[0] - 2 * _MARGIN) * 17)  # letters of size 8 to the inch
    lines = [line for each in (said, trust_is) for line in textwrap.wrap(each, room)]
    sheet.write(_MARGIN, top + 0.05, "\n".join(lines), 8, color=GREY, linespacing=1.4)
