"""A cell's leaderboard of attribution methods: read, told, and drawn.

A leaderboard has a row a method, best first and the controls last: method; control (knows nothing
of the network); passes (no mark fails it); marks, in words, "; " between them; rank (1 = best, none
for a control); and of each figure f that was measured f, f_ci_low and f_ci_high, NaN where a method
has none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glassnets.report.drawing import COLOURS, figure, room

GREY, WARNING = "#767676", "#c00000"
_PASSES = COLOURS[0]


@dataclass(frozen=True)
class Merit:
    """How people read a figure: its heading, the end that is better, what it says."""

    heading: str
    better: str  # higher, lower, or near 0
    meaning: str

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", "near 0": "→ 0"}[self.better]


# The ranking is by the first.
MERITS = {
    "insertion_minus_deletion": Merit(
        "insertion − deletion",
        "higher",
        "pixels put in from the highest down should raise the probability of the answer soon, "
        "taken out they should lower it soon; the area between the two curves",
    ),
    "faithfulness_correlation": Merit(
        "faithfulness",
        "higher",
        "correlation between what the map says of random sets of pixels and how the logit falls "
        "without them",
    ),
    "infidelity": Merit(
        "infidelity",
        "lower",
        "squared error of the map, optimally scaled, in foretelling how the logit falls without "
        "random squares",
    ),
    "max_sensitivity": Merit(
        "max-sensitivity",
        "lower",
        "largest relative change of the map under tiny changes of the image; a map that never "
        "changes is perfect here, so read it beside faithfulness",
    ),
    "parameter_randomization_signed": Merit(
        "weights redrawn",
        "near 0",
        "rank correlation with the map of the same network after all its weights were redrawn",
    ),
    "parameter_randomization_unsigned": Merit(
        "weights redrawn, unsigned",
        "near 0",
        "the same of absolute values, which only warns: where the image is black, most methods say "
        "0 whatever the network",
    ),
    "label_randomization_signed": Merit(
        "labels shuffled",
        "near 0",
        "rank correlation with the map of a network that learnt shuffled labels by heart",
    ),
    "label_randomization_unsigned": Merit(
        "labels shuffled, unsigned", "near 0", "the same of absolute values, which fails no method"
    ),
    "relevance_mass": Merit(
        "relevance mass",
        "higher",
        "share of the map's positive part that lies on the planted evidence",
    ),
    "relevance_rank": Merit(
        "relevance rank",
        "higher",
        "share of the k highest pixels that are evidence, where k pixels are",
    ),
    "pointing_game": Merit("pointing game", "higher", "how often the highest pixel is evidence"),
}
HEADLINE, *_ = MERITS


def reasons(leaderboard: pd.DataFrame) -> dict[str, str]:
    """Why not to believe a method: its marks, of each that is no control and does not pass."""
    failed = leaderboard[~leaderboard["passes"] & ~leaderboard["control"]]
    return dict(zip(failed["method"], failed["marks"].fillna(""), strict=True))


def above_controls(leaderboard: pd.DataFrame, name: str) -> list[str]:
    """The methods whose interval of a figure (higher is better) lies above every control's."""
    control = leaderboard["control"]
    above = leaderboard[f"{name}_ci_low"] > leaderboard.loc[control, f"{name}_ci_high"].max()
    found: list[str] = leaderboard.loc[above & ~control, "method"].tolist()
    return found


def passing(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the methods that pass, best first."""
    passed = leaderboard["passes"] & ~leaderboard["control"]
    return leaderboard[passed].sort_values(["rank", "method"], ignore_index=True)


def best(leaderboard: pd.DataFrame) -> str:
    """The best method that passes, or where none does, the best that is no control."""
    methods = leaderboard[~leaderboard["control"]]
    methods = methods.sort_values(["passes", "rank", "method"], ascending=[False, True, True])
    found: str = methods["method"].iloc[0]
    return found


def best_shared(leaderboards: Mapping[str, pd.DataFrame]) -> tuple[str, list[str]] | None:
    """Of the methods that every family has, the one that passes in most families, then of the
    best mean rank; and the families in which it passes. None where no method is shared.
    """
    methods = pd.concat(
        [board[~board["control"]].assign(family=family) for family, board in leaderboards.items()]
    )
    each = methods.groupby("method").agg(
        families=("family", "size"), passes=("passes", "sum"), rank=("rank", "mean")
    )
    shared = each[each["families"] == len(leaderboards)].reset_index()
    if shared.empty:
        return None
    order = shared.sort_values(["passes", "rank", "method"], ascending=[False, True, True])
    method: str = order["method"].iloc[0]
    return method, [f for f, board in leaderboards.items() if method not in reasons(board)]


def rivals(leaderboard: pd.DataFrame) -> list[str]:
    """The methods that pass and that the best one is not told apart from: the intervals of their
    `HEADLINE` overlap."""
    top, *others = passing(leaderboard).to_dict("records")
    low = top[f"{HEADLINE}_ci_low"]
    return [row["method"] for row in others if row[f"{HEADLINE}_ci_high"] >= low]


def readable(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard as text: method, verdict, and each figure as ``mean (low to high)``."""
    shown = pd.DataFrame({"method": leaderboard["method"]})
    shown["verdict"] = [
        "control" if control else f"{rank} {'✓' if passes else '✗'}"
        for control, rank, passes in zip(
            leaderboard["control"], _ranks(leaderboard), leaderboard["passes"], strict=True
        )
    ]
    for name, merit in measured(leaderboard).items():
        ends = leaderboard[[name, f"{name}_ci_low", f"{name}_ci_high"]].to_numpy()
        shown[f"{merit.heading} {merit.arrow}"] = [
            interval(mean, low, high, like=ends) for mean, low, high in ends
        ]
    return shown


def _ranks(leaderboard: pd.DataFrame) -> list[str]:
    return ["–" if pd.isna(rank) else f"{rank:.0f}" for rank in leaderboard["rank"]]


def measured(leaderboard: pd.DataFrame) -> dict[str, Merit]:
    """The figures that some method of the leaderboard has, in the order in which they are shown."""
    return {
        name: merit
        for name, merit in MERITS.items()
        if name in leaderboard and leaderboard[name].notna().any()
    }


def interval(mean: float, low: float, high: float, like: Any = None) -> str:
    """``0.41 (0.38 to 0.44)``, – where there is none; with two decimals, or four where none of the
    three, or of the values ``like``, is as large as 0.1."""
    if np.isnan(mean):
        return "–"
    decimals = 2 if np.nanmax(np.abs([mean, low, high] if like is None else like)) >= 0.1 else 4
    said = f"{mean:,.{decimals}f} ({low:,.{decimals}f} to {high:,.{decimals}f})"
    return said.replace("-", "−")


def chart(leaderboard: pd.DataFrame, title: str) -> Figure:
    """Every method's figures as a dot and an interval, a column a figure, best method on top.

    Methods that do not pass are grey, with a red ✗ and the reason; controls are hollow. The
    vertical line is the best control's value of a figure of which higher or lower is better.
    """
    shown = measured(leaderboard)
    with figure(2.5 + 1.7 * len(shown), 1.8 + 0.34 * len(leaderboard), dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.99, ha="left", weight="bold")
        grid = room(drawn, left=2.4, right=0.15, top=1.0, bottom=0.75) | {"wspace": 0.1}
        columns = drawn.subplots(1, len(shown), squeeze=False, gridspec_kw=grid)[0]
        for axes, (name, merit) in zip(columns, shown.items(), strict=True):
            _dots(axes, leaderboard, name, merit)
        why, names = reasons(leaderboard), titles(leaderboard)
        for place, method in enumerate(leaderboard["method"]):
            name_method(columns[0], place, names[method], why.get(method))
        drawn.legend(
            handles=[
                Line2D([], [], ls="", marker="o", color=_PASSES, label="passes"),
                Line2D([], [], ls="", marker="o", color=GREY, label="✗ does not pass"),
                Line2D([], [], ls="", marker="o", mfc="none", color="black", label="control"),
                Line2D([], [], ls="--", color="black", lw=1, label="best control"),
            ],
            loc="lower center",
            ncols=4,
            frameon=False,
        )
    return drawn


def _dots(axes: Axes, leaderboard: pd.DataFrame, name: str, merit: Merit) -> None:
    axes.set_title(f"{merit.heading.replace(', ', chr(10))}\n{merit.arrow}", fontsize=9)
    for place, row in enumerate(leaderboard.to_dict("records")):
        colour = "black" if row["control"] else _PASSES if row["passes"] else GREY
        face = "white" if row["control"] else colour
        ends = [row[f"{name}_ci_low"], row[f"{name}_ci_high"]]
        axes.plot(ends, [place, place], color=colour, lw=2.5, alpha=0.5)
        axes.plot(row[name], place, "o", color=colour, mfc=face, ms=6)
    controls = leaderboard.loc[leaderboard["control"], name].dropna()
    if merit.better == "near 0":
        axes.axvline(0, color="black", lw=0.8)
    elif len(controls):
        level = controls.max() if merit.better == "higher" else controls.min()
        axes.axvline(level, color="black", ls="--", lw=1)
    axes.locator_params(axis="x", nbins=3)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_yticks(range(len(leaderboard)), [""] * len(leaderboard))
    axes.set_ylim(len(leaderboard) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="x")


def titles(leaderboard: pd.DataFrame) -> dict[str, str]:
    """Every method's name as pictures have it, which says of a control that it is one."""
    return {
        method: method.replace("_", " ") + (" (control)" if control else "")
        for method, control in zip(leaderboard["method"], leaderboard["control"], strict=True)
    }


def name_method(axes: Axes, y: float, title: str, why: str | None) -> None:
    """Writes a method's name left of the axes at y, in data; of one that does not pass in grey,
    with the first reason under it."""
    place: dict[str, Any] = {
        "xy": (0, y),
        "xycoords": axes.get_yaxis_transform(),
        "textcoords": "offset points",
        "ha": "right",
        "va": "center",
    }
    if why is None:
        axes.annotate(title, xytext=(-6, 0), **place)
    else:
        axes.annotate(title, xytext=(-6, 5), color=GREY, **place)
        axes.annotate(first_reason(why), xytext=(-6, -6), color=WARNING, fontsize=7.5, **place)


def first_reason(marks: str) -> str:
    """``✗`` and the first of the marks, and that there are more where there are."""
    first, *more = marks.split("; ")
    return f"✗ {first}{' …' if more else ''}"


def curves(table: pd.DataFrame, baseline: str, leaderboard: pd.DataFrame, title: str) -> Figure:
    """Deletion and insertion curves with one baseline, a small chart a method, best method first.

    table has a row a point: method; curve, "deletion" or "insertion"; baseline; probability, of
    the answer, when this fraction of the pixels, from the highest down, was taken out or put in.
    What ranks the methods is the area where insertion is above deletion (green of a method that
    passes, else grey) less the area where it is below (orange).
    """
    of_baseline = table[table["baseline"] == baseline]
    methods = [m for m in leaderboard["method"] if m in set(of_baseline["method"])]
    why, names = reasons(leaderboard), titles(leaderboard)
    passes = set(passing(leaderboard)["method"])
    columns = min(5, len(methods))
    rows = math.ceil(len(methods) / columns)
    with figure(0.6 + 2.4 * columns, 0.8 + 2.1 * rows, dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.99, ha="left", weight="bold")
        place = room(drawn, left=0.8, right=0.1, top=0.9, bottom=0.65)
        place |= {"wspace": 0.12, "hspace": 0.45}
        grid = drawn.subplots(rows, columns, squeeze=False, gridspec_kw=place)
        for axes in grid.flat[len(methods) :]:
            axes.remove()
        for axes, method in zip(grid.flat, methods, strict=False):
            points = of_baseline[of_baseline["method"] == method]
            both = points.pivot(index="fraction", columns="curve", values="probability")
            fraction, taken, put = both.index, both["deletion"], both["insertion"]
            gain = COLOURS[2] if method in passes else GREY
            for colour, where in ((gain, put >= taken), (COLOURS[4], put <= taken)):
                area = {"where": where, "interpolate": True, "alpha": 0.25, "lw": 0}
                axes.fill_between(fraction, taken, put, color=colour, **area)
            axes.plot(fraction, put, color=COLOURS[0], lw=1.8, label="insertion")
            axes.plot(fraction, taken, color=COLOURS[1], lw=1.8, ls="--", label="deletion")
            axes.set(ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            axes.tick_params(labelsize=8, labelleft=axes in list(grid[:, 0]))
            _head(axes, names[method], why.get(method))
        said = "share of the pixels taken out or put in, from the highest down"
        drawn.text(0.5, 0.15 / drawn.get_figheight(), said, ha="center", size=9)
        grid[0, 0].set_ylabel("probability of the answer", size=9)
        handles = grid[0, 0].get_legend_handles_labels()
        drawn.legend(*handles, loc="upper right", ncols=2, frameon=False)
    return drawn


def _head(axes: Axes, title: str, why: str | None) -> None:
    if why is None:
        axes.set_title(title, size=9)
    else:
        axes.set_title(title, size=9, color=GREY, pad=14)
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(first_reason(why), (0, 1), (0, 4), color=WARNING, fontsize=7.5, **place)
