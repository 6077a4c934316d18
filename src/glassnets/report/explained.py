"""One picture explained: what networks predict, their attributions, and the verdicts on these."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from glassnets.config.schema import Kind
from glassnets.data.inputs import Inputs
from glassnets.report import drawing, kinds, verdicts
from glassnets.report.drawing import GREY
from glassnets.report.formats import percent, probability
from glassnets.report.leaderboards import CONTROL, FRAMES, MARKS, Verdict, titled

# Named in each figure's file, so that none but ours is ever written over.
SOFTWARE = "glassnets.explain"
_GREY_IMAGES = Inputs()
_CALLED: Mapping[Kind, str] = {"image": "picture", "table": "row", "series": "series"}


@dataclass(frozen=True, eq=False)
class Explanation:
    """One network's prediction: probabilities (classes,), the class explained, the class that it is
    contrasted with, if any, by method the attribution float32 (h, w) with its verdict, and of those
    that the family's leaderboard ranks the rank."""

    family: str
    seed: int
    probabilities: NDArray[np.float64]
    target: int
    contrast: int | None
    attributions: Mapping[str, tuple[NDArray[np.float32], Verdict]]
    ranks: Mapping[str, int] = field(default_factory=dict)


# In words

MAX_LISTED = 10  # attributions, each with its scores; more are a table
_MARKS = MARKS | {"": " "}


def text(
    explanations: Sequence[Explanation], confidence_level: float, inputs: Inputs = _GREY_IMAGES
) -> str:
    """Every prediction with its probabilities, every method with its verdict and scores; of more
    than `MAX_LISTED` attributions a table of verdicts and ranks in place of these."""
    lines = []
    if sum(len(each.attributions) for each in explanations) > MAX_LISTED:
        predictions = [_prediction(each, inputs) for each in explanations]
        return "\n".join([*predictions, "", *_table(explanations), "", *_TABLE_KEY])
    for explanation in explanations:
        lines.append(_prediction(explanation, inputs))
        for method, (_, verdict) in explanation.attributions.items():
            scores = "; ".join(": ".join(score) for score in verdict.scores)
            wrapped = textwrap.wrap(scores, 92, break_long_words=False)
            lines += [f"  {method}: {verdict.text}", *(f"    {line}" for line in wrapped)]
    return "\n".join([*lines, *_about_scores(explanations, confidence_level, inputs)])


_TABLE_KEY = (
    "✓ the verdict holds, ? undecided, ✗ fails; then the rank among all variants of the family,",
    "and the reference. Without a mark: a control, or not judged; –: not defined for the family.",
    "Scores, and why: name a method, as --method occlusion.",
)


def _by_method(explanations: Sequence[Explanation]) -> dict[str, dict[str, str]]:
    """Of each method by family the variant, by mean rank, those that no leaderboard ranks last; a
    method of which a family has several variants stands once for each."""
    pairs = [(each, variant) for each in explanations for variant in each.attributions]
    methods = [(each.family, _method(variant)) for each, variant in pairs]
    rows: dict[str, dict[str, str]] = {}
    ranks: dict[str, list[float]] = {}
    for (each, variant), (family, method) in zip(pairs, methods, strict=True):
        row = variant if methods.count((family, method)) > 1 else method
        rows.setdefault(row, {})[family] = variant
        ranks.setdefault(row, []).append(each.ranks.get(variant, math.inf))
    return dict(sorted(rows.items(), key=lambda item: _mean_of_known(ranks[item[0]])))


def _method(variant: str) -> str:
    """A variant's name without its reference, a channel's part as such."""
    return re.sub(r":\w+", "", variant)


def _mean_of_known(ranks: Sequence[float]) -> float:
    known = [rank for rank in ranks if rank < math.inf]
    return sum(known) / len(known) if known else math.inf


def _marked(explanation: Explanation, variant: str | None) -> str:
    """``✓ 3 mean``: of a variant the verdict's mark, its rank and its reference."""
    if variant is None:
        return "–"
    _, verdict = explanation.attributions[variant]
    rank = explanation.ranks.get(variant, "")
    reference = re.search(r":(\w+)", variant)
    return f"{_MARKS[verdict.value] or ' '} {rank:>2} {reference[1] if reference else ''}".rstrip()


def _table(explanations: Sequence[Explanation]) -> list[str]:
    """Lines of a row a method, a column a family."""
    rows = [["", *(each.family for each in explanations)]]
    for method, variants in _by_method(explanations).items():
        cells = [_marked(each, variants.get(each.family)) for each in explanations]
        rows.append([titled(method), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [zip(row, widths, strict=True) for row in rows]
    return ["  ".join(text.ljust(width) for text, width in line).rstrip() for line in lines]


def _prediction(explanation: Explanation, inputs: Inputs) -> str:
    named = inputs.class_name
    p = explanation.probabilities
    first, *others = (int(k) for k in p.argsort(kind="stable")[::-1][:3])
    then = ", ".join(f"{named(k)} ({probability(p[k])})" for k in others)
    target = "" if explanation.target == first else f"; explained: {named(explanation.target)}"
    if explanation.contrast is not None:
        why = named(explanation.target), named(explanation.contrast)
        target = "; explained: why {} and not {}".format(*why)
    return (
        f"{explanation.family} (seed {explanation.seed}) predicts {named(first)} "
        f"({probability(p[first])}), then {then}{target}"
    )


def _references(explanation: Explanation) -> set[str]:
    return {match[1] for v in explanation.attributions if (match := re.search(r":(\w+)", v))}


def _absent(explanations: Sequence[Explanation], inputs: Inputs) -> str:
    """``In place of absent pixels: mean (the mean training image).``"""
    present = set().union(*map(_references, explanations))
    words = inputs.words
    return f"In place of absent {words.players}: {verdicts.absent(present, words)}."


def _about_scores(
    explanations: Sequence[Explanation], confidence_level: float, inputs: Inputs
) -> list[str]:
    if not any(verdict.scores for e in explanations for _, verdict in e.attributions.values()):
        return []
    lines = [_absent(explanations, inputs)] * any(map(_references, explanations))
    lines += [
        f"Scores are means over the dataset's sample, with {percent(confidence_level)} intervals; "
        f"they judge the method, not this {_CALLED[inputs.kind]}.",
        "↑: higher is better; ↓: lower; → 0: nearer to 0; unsigned: warns, but fails none.",
    ]
    if any(e.contrast is not None or e.target != e.probabilities.argmax() for e in explanations):
        lines.append("They judge attributions of the predicted class, not of another question.")
    return lines


# As a figure; all lengths in inches

_MAP, _SCORES, _GAP, _MARGIN = 1.75, 2.95, 0.25, 0.3
_OVER = 0.8  # two lines of title over a map beside its scores, and a scale below it
# The width of a map, its height, and of the former what names of columns take.
_SIZES: Mapping[Kind, tuple[float, float, float]] = {
    "image": (_MAP, _MAP, 0),
    "table": (3.6, 2.1, 2.1),
    "series": (3.0, 1.6, 0),
}
_BARS = 1.6
_HEADER, _FAMILY, _FOOTER = 1.95, 0.45, 0.62
_MAX_TILES = 3  # side by side
MAX_HEIGHT = 18
# Of a grid: the width and height of a map, what lies below it, the width of a method's name, and
# the rows of one of the blocks that stand side by side.
_CELLS: Mapping[Kind, tuple[float, float]] = {
    "image": (0.8, 0.8),
    "table": (1.4, 0.8),
    "series": (1.4, 0.8),
}
_UNDER, _NAMES, _MAX_ROWS, _FEW_COLUMNS = 0.28, 1.75, 12, 6
_MIN_WIDTH = 9.6  # has room for a prediction in one line
_FRAMES = "Red frame: the verdict on the method fails, or it is a control; brown: undecided."
_SCALE = (
    "speak for the class, blue ones against it; each has its own scale, written below it, and "
    "white is 0, or the lowest value of a map that has one sign everywhere."
)
_GREY_KEY = f"Maps: red pixels {_SCALE} The line is the ink's outline. {_FRAMES}"
_KEYS: Mapping[Kind, str] = {
    "image": "Maps, over the image in grey: red pixels speak for the class, blue ones against it; "
    "each has its own scale, written below it, and grey is 0, or the lowest value of a map that "
    f"has one sign everywhere. {_FRAMES}",
    "table": "Bars: red columns speak for the class, blue ones against it, those that count most "
    f"first; each picture has its own scale, written below it. {_FRAMES}",
    "series": f"Maps, behind the line of each channel: red steps {_SCALE} {_FRAMES}",
}


class _Sheet:
    """A figure on which things are put by their distance from its left and upper edge."""

    def __init__(self, drawn: Figure) -> None:
        self.figure = drawn
        self.size = drawn.get_size_inches()

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.size[1] - top - height
        place = np.array([left, bottom, width, height]) / [*self.size, *self.size]
        return self.figure.add_axes(tuple(place))

    def write(
        self, left: float, top: float, text: str, size: float, width: int = 0, **look: Any
    ) -> None:
        """Text below and right of this place, its lines broken after width letters, if any."""
        if width:
            lines = [line for each in text.split("\n") for line in textwrap.wrap(each, width)]
            text = "\n".join(lines)
        place = left / self.size[0], 1 - top / self.size[1]
        self.figure.text(*place, text, fontsize=size, va="top", parse_math=False, **look)


def figure(
    image: NDArray[Any],
    steps: Sequence[str],
    explanations: Sequence[Explanation],
    confidence_level: float,
    inputs: Inputs = _GREY_IMAGES,
) -> bytes:
    """A PNG: the networks' input, then for each network its probabilities and every attribution,
    each beside its method's scores. Same input, same bytes.

    Attributions that would need a figure higher than `MAX_HEIGHT` become a grid of small maps, a
    row a method by rank, a column a family.

    image: (h, w) or (h, w, c), the input. steps: in words, from the picture to it.
    """
    wide, high, _ = _SIZES[inputs.kind]
    tile = wide + _GAP / 2 + _SCORES
    most = _MAX_TILES if inputs.kind == "image" else _MAX_TILES - 1
    across = min(most, max(len(e.attributions) for e in explanations))
    rows = [math.ceil(len(e.attributions) / across) for e in explanations]
    width = max(_MIN_WIDTH, 2 * _MARGIN + _BARS + across * (tile + _GAP))
    header = 0.95 if inputs.kind == "table" else _HEADER  # the values stand beside the bars
    height = header + sum(_FAMILY + r * (high + _OVER) for r in rows) + _FOOTER + _MARGIN
    if height > MAX_HEIGHT:
        return _grid(image, steps, explanations, inputs)
    with drawing.figure(width, height, dpi=110) as drawn:
        sheet = _Sheet(drawn)
        _header(sheet, image, steps, inputs)
        top = header
        for explanation, count in zip(explanations, rows, strict=True):
            _family(sheet, top, image, explanation, across, inputs)
            top += _FAMILY + count * (high + _OVER)
        key = _GREY_KEY if image.ndim == 2 else _KEYS[inputs.kind]
        about = " ".join(_about_scores(explanations, confidence_level, inputs))
        footer = f"{key}\n{about}"
        letters = int((width - 2 * _MARGIN) * 17)  # of size 8 to the inch
        sheet.write(_MARGIN, top + 0.05, footer, 8, letters, color=GREY, linespacing=1.4)
    return drawing.png(drawn, SOFTWARE)


def _grid(
    image: NDArray[Any],
    steps: Sequence[str],
    explanations: Sequence[Explanation],
    inputs: Inputs,
) -> bytes:
    methods = _by_method(explanations)
    wide, high = _CELLS[inputs.kind]
    blocks = math.ceil(len(methods) / _MAX_ROWS)
    rows = math.ceil(len(methods) / blocks)
    block = _NAMES + len(explanations) * (wide + _GAP / 2)
    width = max(_MIN_WIDTH, 2 * _MARGIN + blocks * block + (blocks - 1) * _GAP)
    header = (0.95 if inputs.kind == "table" else _HEADER) + 0.22 * len(explanations) + 0.15
    height = header + 0.3 + rows * (high + _UNDER) + _FOOTER + 2 * _MARGIN
    maps = [map_ for each in explanations for map_, _ in each.attributions.values()]
    shown = kinds.columns(np.stack(maps), _FEW_COLUMNS) if inputs.kind == "table" else None
    with drawing.figure(width, height, dpi=110) as drawn:
        sheet = _Sheet(drawn)
        _header(sheet, image, steps, inputs)
        for i, each in enumerate(explanations):
            top = header - 0.15 - 0.22 * (len(explanations) - i)
            sheet.write(_MARGIN, top, _prediction(each, inputs), 9, weight="bold")
        for place, (method, variants) in enumerate(methods.items()):
            left = _MARGIN + place // rows * (block + _GAP)
            top = header + 0.3 + place % rows * (high + _UNDER)
            sheet.write(left, top + 0.1, titled(method), 8.5, 22)
            for i, each in enumerate(explanations):
                across = left + _NAMES + i * (wide + _GAP / 2)
                if place % rows == 0:
                    sheet.write(across, header, each.family, 8.5, weight="bold")
                variant = variants.get(each.family)
                under = _marked(each, variant).strip()
                if variant is not None:
                    map_, verdict = each.attributions[variant]
                    under = under or (CONTROL if verdict.value == CONTROL else "not judged")
                    axes = sheet.axes(across, top, wide, high)
                    kinds.draw_map(axes, image, map_, inputs, shown=shown)
                    axes.set(xlim=(0, 1), ylim=(1, 0))
                    axes.grid(visible=False)
                    _frame(axes, FRAMES.get(verdict.value))
                sheet.write(across, top + high + 0.03, under, 7, color=GREY)
        key = _GREY_KEY if image.ndim == 2 else _KEYS[inputs.kind]
        key = key.replace(", written below it,", "").replace(" The line is the ink's outline.", "")
        if shown is not None:
            key += f" Bars, from the top: {', '.join(shown.names(inputs))}."
        letters = int((width - 2 * _MARGIN) * 17)
        top = height - _FOOTER - _MARGIN
        footer = f"{key}\n{' '.join(_TABLE_KEY)}"
        sheet.write(_MARGIN, top, footer, 8, letters, color=GREY, linespacing=1.4)
    return drawing.png(drawn, SOFTWARE)


def _header(sheet: _Sheet, image: NDArray[Any], steps: Sequence[str], inputs: Inputs) -> None:
    left = _MARGIN + _BARS + _GAP
    if inputs.kind == "image":
        axes = sheet.axes(_MARGIN, _MARGIN, 1.45, 1.45)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        _frame(axes, None)
    elif inputs.kind == "series":
        axes = sheet.axes(_MARGIN, _MARGIN, 2.6, 1.3)
        left += 1.2
        kinds.panel(axes, image, inputs, size=6.5)
        _frame(axes, None, ticks=True)
    else:  # whose values stand beside the bars
        left = _MARGIN
    sheet.write(left, _MARGIN, "The networks' input", 12, weight="bold")
    width = int((sheet.size[0] - left - _MARGIN) * 12.5)  # letters of size 9 to the inch
    sheet.write(left, _MARGIN + 0.32, "\n".join(steps), 9, width, color=GREY, linespacing=1.5)


def _family(
    sheet: _Sheet,
    top: float,
    image: NDArray[Any],
    explanation: Explanation,
    across: int,
    inputs: Inputs,
) -> None:
    wide, high, named = _SIZES[inputs.kind]
    tile = wide + _GAP / 2 + _SCORES
    margin, height = _MARGIN / sheet.size[0], 1 - top / sheet.size[1]
    rule = Line2D([margin, 1 - margin], [height, height], color="#cccccc", lw=0.8)
    sheet.figure.add_artist(rule)
    sheet.write(_MARGIN, top + 0.12, _prediction(explanation, inputs), 11, weight="bold")
    top += _FAMILY
    names = 0.2 if inputs.class_names is None else 0.75
    room = sheet.axes(_MARGIN + names, top + 0.5, _BARS - 0.2 - names, high)
    _probabilities(room, explanation, inputs)
    for place, (method, (map_, verdict)) in enumerate(explanation.attributions.items()):
        row, column = divmod(place, across)
        left = _MARGIN + _BARS + _GAP + column * (tile + _GAP)
        over = top + row * (high + _OVER)
        frame = FRAMES.get(verdict.value)
        name, colour = (frame, frame) if frame else ("black", GREY)
        sheet.write(left, over, titled(method), 10, weight="bold", color=name)
        text = textwrap.shorten(verdict.text, 150, placeholder=" …")
        sheet.write(left, over + 0.19, text, 8, width=76, color=colour)
        place_of_map = sheet.axes(left + named, over + 0.5, wide - named, high)
        _map(place_of_map, image, map_, frame, inputs)
        headings, values = left + wide + _GAP / 2, left + tile
        step = min(0.165, high / max(1, len(verdict.scores)))
        for i, (name, value) in enumerate(verdict.scores):
            sheet.write(headings, over + 0.5 + i * step, name, 7.5, color=GREY)
            sheet.write(values, over + 0.5 + i * step, value, 7.5, ha="right")


def _probabilities(axes: Axes, explanation: Explanation, inputs: Inputs) -> None:
    p = explanation.probabilities
    classes = np.arange(len(p))
    colours = ["#B2182B" if k == explanation.target else "#9db4c8" for k in classes]
    axes.barh(classes, p, color=colours, height=0.75)
    axes.set(xlim=(0, 1), ylim=(len(p) - 0.4, -0.6), yticks=classes)
    if inputs.class_names is not None:
        names = [kinds.short(inputs.class_name(k), 13) for k in classes]
        axes.set_yticks(classes, names, parse_math=False)
    axes.set_xticks([0, 1], ["0", "100 %"])
    axes.tick_params(length=0, labelsize=7, labelcolor=GREY)
    axes.set_title("probability", fontsize=8, color=GREY, pad=4, loc="center", weight="normal")
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)


def _map(
    axes: Axes,
    image: NDArray[Any],
    map_: NDArray[np.float32],
    frame: str | None,
    inputs: Inputs,
) -> None:
    """An attribution, of a grey image the outline of the ink over it; its scale below it."""
    if image.ndim == 2:
        _grey_map(axes, image, map_)
    else:
        kinds.panel(axes, image, inputs, map_, size=6.5)
    rounded = (f"{float(f'{value:.2g}'):g}" for value in (*drawing.colour_scale(map_), map_.max()))
    white, radius, red = (text.replace("-", "−") for text in rounded)
    scale = f"white {white}, red {red}" if white != "0" else f"± {radius}"
    if inputs.kind == "table":
        longest = f"{float(f'{np.abs(map_).max():.2g}'):g}"
        scale = f"the longest bar of a column: {longest}"
    axes.set_xlabel(scale, fontsize=6.5, color=GREY, labelpad=2)
    _frame(axes, frame, ticks=inputs.kind != "image")


def _grey_map(axes: Axes, image: NDArray[np.uint8], map_: NDArray[np.float32]) -> None:
    axes.imshow(drawing.coloured(map_), cmap=drawing.MAP, vmin=-1, vmax=1)
    height, width = image.shape
    across, down = np.arange(-1, width + 1), np.arange(-1, height + 1)
    outline: dict[str, Any] = {"colors": "black", "linewidths": 0.7, "alpha": 0.45}
    axes.contour(across, down, np.pad(image, 1), levels=[image.max() / 2], **outline)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _frame(axes: Axes, colour: str | None, ticks: bool = False) -> None:
    if not ticks:
        axes.set(xticks=[], yticks=[])
    look: dict[str, Any] = {"color": colour or "#bbbbbb", "linewidth": 1.6 if colour else 0.6}
    axes.spines[:].set(visible=True, **look)
