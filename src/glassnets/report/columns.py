"""Global pictures of a table: what each column counts for over all rows, and row by row.

Both are of a cell's best supported variant, and say the verdict on it: means of attributions that
cannot be believed cannot be believed either.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glassnets.attribution.verdicts import best
from glassnets.config.schema import Evaluation
from glassnets.data.inputs import Inputs
from glassnets.evaluation import bootstrap
from glassnets.report import leaderboards
from glassnets.report.drawing import COLOURS, GREY, figure, margins
from glassnets.report.kinds import MAX_COLUMNS, short
from glassnets.report.results import Results

_MAX_CLASSES = 3  # with a beeswarm each
_VALUES = colormaps["cividis"]  # of low to high, told apart by colour-blind people too
_BINS = 40  # over an axis of the beeswarm, in each of which points are laid apart


def table(results: Mapping[str, Results], inputs: Inputs, evaluation: Evaluation) -> pd.DataFrame:
    """How much each column counts, a row a family and column, the most important first.

    Columns: family, variant (the family's best supported), verdict (on it), column,
    mean_absolute_attribution over the sample's rows and the seeds, with ci_low and ci_high,
    bootstrapped over both.
    """
    rows = []
    for family, each in results.items():
        variant = best(each.leaderboard)
        maps = np.abs(each.attributions[variant][:, :, 0].astype(np.float64))  # (seeds, n, columns)
        by_column = maps.transpose(2, 0, 1)
        means = bootstrap.means(by_column, evaluation)
        value = leaderboards.values(each.leaderboard)[variant]
        for place in np.argsort(-by_column.mean(axis=(1, 2)), kind="stable").tolist():
            low, high = bootstrap.interval(means[place], evaluation.confidence_level)
            rows.append(
                {
                    "family": family,
                    "variant": variant,
                    "verdict": value,
                    "column": inputs.column_names[place],
                    "mean_absolute_attribution": by_column[place].mean(),
                    "ci_low": low,
                    "ci_high": high,
                }
            )
    return pd.DataFrame(rows)


def picture(
    family: str, results: Results, inputs: Inputs, table: pd.DataFrame, percent: str
) -> Figure:
    """A family's columns: mean absolute attribution with intervals; then, for each of the classes
    that are predicted most often, a point a row of the sample, as the network of the first seed has
    it, right where the column's value speaks for the class, in colour by the value.

    table: `table`'s. percent: the level of its intervals.
    """
    own = table[table["family"] == family].head(MAX_COLUMNS).reset_index(drop=True)
    variant = best(results.leaderboard)
    named = leaderboards.names(results.leaderboard)[variant]
    verdict = leaderboards.verdict(results.leaderboard, variant, False, "make run").text
    arrays = results.attributions
    predicted = arrays["predictions"][0]
    counts = np.bincount(predicted)
    classes = (-counts).argsort(kind="stable")[: min(_MAX_CLASSES, np.count_nonzero(counts))]
    widths = [1.0, *[1.25] * len(classes)]
    width, height = 2.4 + 2.7 * sum(widths), 2.15 + 0.3 * len(own)
    with figure(width, height, dpi=100) as drawn:
        title = f"{family}: {named.title}"
        drawn.suptitle(title, x=0.01, y=0.995, ha="left", va="top", weight="bold")
        under = 1 - 0.28 / height
        said = short(verdict, int(width * 13))
        look: dict[str, Any] = {"va": "top", "size": 9, "color": named.frame or GREY}
        drawn.text(0.01, under, said, parse_math=False, **look)
        place = margins(drawn, left=2.3, right=0.2, top=0.95, bottom=0.95) | {"wspace": 0.08}
        grid = drawn.subplots(1, len(widths), width_ratios=widths, squeeze=False, gridspec_kw=place)
        means, *swarms = grid[0]
        _means(means, own, percent)
        places = [inputs.column_names.index(name) for name in own["column"]]
        maps = arrays[variant][0][:, 0][:, places].astype(np.float64)
        limit = np.abs(maps).max() or 1.0
        for axes, label in zip(swarms, classes.tolist(), strict=True):
            rows = predicted == label
            axes.set_title(
                f"{rows.sum()} rows predicted {short(inputs.class_name(label), 18)}",
                fontsize=9,
                weight="normal",
            )
            for line, column in enumerate(places):
                values = inputs.numbers(arrays["images"], column)
                if values is None:
                    values = np.full(len(rows), np.nan)
                _swarm(axes, line, maps[rows, line], _colours(values)[rows], limit)
            axes.axvline(0, color="#999999", lw=0.8)
            axes.set(xlim=(-1.08 * limit, 1.08 * limit), ylim=(len(own) - 0.5, -0.5))
            axes.set_yticks(range(len(own)), [""] * len(own))
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelsize=8)
            axes.set_xlabel("for the class →", fontsize=8)
        key = (
            "Left: over all rows of the sample and seeds. Right: a point a row, of the first "
            "seed's network; dark: a low value, bright: a high one, grey: a category, or missing."
        )
        drawn.text(0.01, 0.1 / height, key, size=8, color=GREY)
    return drawn


def _means(axes: Axes, own: pd.DataFrame, percent: str) -> None:
    places = np.arange(len(own))
    axes.barh(places, own["mean_absolute_attribution"], color=COLOURS[0], height=0.6, alpha=0.75)
    ends = own[["ci_low", "ci_high"]].to_numpy()
    for place, (low, high) in enumerate(ends):
        axes.plot([low, high], [place, place], color="black", lw=1.2)
    axes.set_yticks(places.tolist(), [short(name, 30) for name in own["column"]])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(own) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.tick_params(axis="both", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"mean |attribution|, {percent} interval", fontsize=8)


def _colours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour for each value, by its rank among them; grey where there is none. (n, 4)."""
    grey = np.array([0.6, 0.6, 0.6, 1])
    known = ~np.isnan(values)
    ranks = np.zeros(len(values))
    if known.any():
        different, ranks[known] = np.unique(values[known], return_inverse=True)
        ranks /= max(1, len(different) - 1)
    return np.where(known[:, np.newaxis], _VALUES(ranks), grey)


def _swarm(
    axes: Axes,
    line: int,
    numbers: NDArray[np.float64],
    colours: NDArray[np.float64],
    limit: float,
) -> None:
    """Points at numbers (n,), those of one bin laid apart, from the middle outwards."""
    bins = np.rint(numbers / limit * _BINS / 2).astype(int)
    place = np.zeros(len(numbers))
    for each in np.unique(bins):
        members = np.flatnonzero(bins == each)
        order = np.arange(len(members))
        place[members] = (order + 1) // 2 * np.where(order % 2, 1, -1)
    widest = np.abs(place).max(initial=0)
    apart = min(0.1, 0.4 / widest) if widest else 0
    axes.scatter(numbers, line + apart * place, s=11, c=colours, lw=0)
