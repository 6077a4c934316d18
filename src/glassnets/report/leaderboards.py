"""A cell's leaderboard of attribution methods: read, put into words, and drawn.

A leaderboard is `verdicts.leaderboard`'s table, best method first and the controls last.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glassnets.attribution.scores import SCORES, Score
from glassnets.errors import GlassnetsError
from glassnets.report.drawing import COLOURS, GREY, WARNING, figure, margins
from glassnets.report.formats import columns_of, interval

_PASSES = COLOURS[0]


def heading(score: Score) -> str:
    """A score's heading and the end that is better."""
    return f"{score.heading} {score.arrow}"


def marks(leaderboard: pd.DataFrame) -> dict[str, str]:
    """Each method's marks, "" where it has none (which a file turns into NaN)."""
    return dict(zip(leaderboard["method"], leaderboard["marks"].fillna(""), strict=True))


def reasons(leaderboard: pd.DataFrame) -> dict[str, str]:
    """The marks of each method that does not pass, controls left out."""
    return marks(leaderboard[~leaderboard["passes"] & ~leaderboard["control"]])


def measured(leaderboard: pd.DataFrame) -> dict[str, Score]:
    """The scores that some method of the leaderboard has, in the order of `SCORES`."""
    return {
        name: score
        for name, score in SCORES.items()
        if name in leaderboard and leaderboard[name].notna().any()
    }


# What leaderboards let one conclude


class Shared(NamedTuple):
    """A method that every family has, and the families in which it passes."""

    method: str
    passes: list[str]


def best_shared(leaderboards: Mapping[str, pd.DataFrame]) -> Shared | None:
    """Of the methods that every family has, the one that passes in most families, then of the
    best mean rank. None where no method is shared."""
    methods = pd.concat(leaderboards.values()).query("not control").groupby("method")
    shared = methods.agg({"passes": "sum", "rank": "mean"})[methods.size() == len(leaderboards)]
    if shared.empty:
        return None
    order = shared.sort_values(["passes", "rank", "method"], ascending=[False, True, True])
    method: str = order.index[0]
    return Shared(method, [f for f, board in leaderboards.items() if method not in reasons(board)])


def by_rank(leaderboards: Mapping[str, pd.DataFrame]) -> list[str]:
    """Every method of any family, by mean rank, the controls last."""
    methods = pd.concat(leaderboards.values()).groupby("method")
    each = methods.agg({"control": "any", "rank": "mean"})
    order: list[str] = each.sort_values(["control", "rank", "method"]).index.tolist()
    return order


# In words


@dataclass(frozen=True)
class Verdict:
    """What a leaderboard says of a method.

    doubtful: a control, or it does not pass; pictures frame its attributions in red. scores:
    heading and value with its interval, of each that is known.
    """

    text: str
    doubtful: bool
    scores: tuple[tuple[str, str], ...] = ()

    def as_data(self) -> dict[str, Any]:
        """``verdict``, the text; ``doubtful``; ``scores``."""
        return {"verdict": self.text, "doubtful": self.doubtful, "scores": self.scores}


def verdict(leaderboard: pd.DataFrame | None, method: str, control: bool, command: str) -> Verdict:
    """The verdict on a method, by its cell's leaderboard, or None where there is none yet.

    control: whether the method is one, which holds without a leaderboard too. command: the one
    that makes the leaderboard. Raises GlassnetsError for a table of another kind.
    """
    try:
        if leaderboard is None or method not in set(leaderboard["method"]):
            text = _CONTROL if control else f"no verdict yet: `{command}` gives it"
            return Verdict(text, doubtful=control)
        row = leaderboard.set_index("method").loc[method]
        scores = tuple(
            (heading(score), text)
            for name, score in measured(leaderboard).items()
            if (text := interval(*row[columns_of(name)], like=leaderboard[columns_of(name)])) != "–"
        )
        why = marks(leaderboard)[method]
        if control:
            text = _CONTROL
        elif row["passes"]:
            rank = f"{row['rank']:.0f} of {leaderboard['rank'].count()}"
            text = f"passes, rank {rank}{f'; but {why}' if why else ''}"
        else:
            text = f"does not pass{f': {why}' if why else ''}"
        return Verdict(text, doubtful=bool(control or not row["passes"]), scores=scores)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise GlassnetsError(
            f"expected a leaderboard of methods, got another table ({error}); `{command}` writes it"
        ) from error


_CONTROL = "a control: it does not depend on the network"


def readable(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard as text: method, verdict, and each score as ``mean (low to high)``."""
    text = pd.DataFrame({"method": leaderboard["method"]})
    text["verdict"] = [
        "control"
        if row["control"]
        else f"{'–' if pd.isna(row['rank']) else int(row['rank'])} {'✓' if row['passes'] else '✗'}"
        for row in leaderboard.to_dict("records")
    ]
    for name, score in measured(leaderboard).items():
        values = leaderboard[columns_of(name)].to_numpy()
        text[heading(score)] = [interval(*each, like=values) for each in values]
    return text


# As pictures


def chart(leaderboard: pd.DataFrame, title: str) -> Figure:
    """Every method's scores as a dot and an interval, a column a score, best method on top.

    Methods that do not pass are grey, with a red ✗ and the reason; controls are hollow. The
    vertical line is the best control's value of a score of which higher or lower is better.
    """
    scores = measured(leaderboard)
    with figure(2.5 + 1.7 * len(scores), 1.8 + 0.34 * len(leaderboard), dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.99, ha="left", weight="bold")
        grid = margins(drawn, left=2.4, right=0.15, top=1.0, bottom=0.75) | {"wspace": 0.1}
        columns = drawn.subplots(1, len(scores), squeeze=False, gridspec_kw=grid)[0]
        for axes, (name, score) in zip(columns, scores.items(), strict=True):
            _dots(axes, leaderboard, name, score)
        for place, named in enumerate(names(leaderboard).values()):
            name_method(columns[0], place, *named)
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


def _dots(axes: Axes, leaderboard: pd.DataFrame, name: str, score: Score) -> None:
    axes.set_title(f"{score.heading.replace(', ', chr(10))}\n{score.arrow}", fontsize=9)
    for place, row in enumerate(leaderboard.to_dict("records")):
        colour = "black" if row["control"] else _PASSES if row["passes"] else GREY
        face = "white" if row["control"] else colour
        ends = [row[f"{name}_ci_low"], row[f"{name}_ci_high"]]
        axes.plot(ends, [place, place], color=colour, lw=2.5, alpha=0.5)
        axes.plot(row[name], place, "o", color=colour, mfc=face, ms=6)
    controls = leaderboard.loc[leaderboard["control"], name].dropna()
    if score.better == "near 0":
        axes.axvline(0, color="black", lw=0.8)
    elif len(controls):
        level = controls.max() if score.better == "higher" else controls.min()
        axes.axvline(level, color="black", ls="--", lw=1)
    axes.locator_params(axis="x", nbins=3)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_yticks(range(len(leaderboard)), [""] * len(leaderboard))
    axes.set_ylim(len(leaderboard) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="x")


def names(leaderboard: pd.DataFrame) -> dict[str, tuple[str, str | None]]:
    """Every method's name as pictures have it, which says of a control that it is one; and of one
    that does not pass ``✗`` and the first reason, with … where there are more."""
    named: dict[str, tuple[str, str | None]] = {}
    why = reasons(leaderboard)
    for method, control in zip(leaderboard["method"], leaderboard["control"], strict=True):
        title = method.replace("_", " ") + (" (control)" if control else "")
        first, more, _ = why.get(method, "").partition("; ")
        named[method] = title, f"✗ {first}{' …' if more else ''}" if method in why else None
    return named


def name_method(axes: Axes, y: float, title: str, why: str | None) -> None:
    """Writes one of `names` left of the axes at y, in data, the reason under the name."""
    place: dict[str, Any] = {
        "xy": (0, y),
        "xycoords": axes.get_yaxis_transform(),
        "textcoords": "offset points",
        "ha": "right",
        "va": "center",
    }
    axes.annotate(title, xytext=(-6, 5 if why else 0), color=GREY if why else "black", **place)
    if why:
        axes.annotate(why, xytext=(-6, -6), color=WARNING, fontsize=7.5, **place)


def curves(table: pd.DataFrame, reference: str, leaderboard: pd.DataFrame, title: str) -> Figure:
    """Deletion and insertion curves with one reference, a small chart a method, best method first.

    table: `verdicts.curves`'s. What ranks the methods is the area where insertion is above deletion
    (green of a method that passes, else grey) less the area where it is below (orange).
    """
    of_reference = table[table["reference"] == reference]
    methods = leaderboard[leaderboard["method"].isin(of_reference["method"])]
    columns = min(5, len(methods))
    rows = math.ceil(len(methods) / columns)
    named = names(leaderboard)
    with figure(0.6 + 2.4 * columns, 0.8 + 2.1 * rows, dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.99, ha="left", weight="bold")
        place = margins(drawn, left=0.8, right=0.1, top=0.9, bottom=0.65)
        place |= {"wspace": 0.12, "hspace": 0.45}
        grid = drawn.subplots(rows, columns, squeeze=False, gridspec_kw=place)
        for axes in grid.flat[len(methods) :]:
            axes.remove()
        for axes, row in zip(grid.flat, methods.to_dict("records"), strict=False):
            points = of_reference[of_reference["method"] == row["method"]]
            _two_curves(axes, points, gain=COLOURS[2] if row["passes"] else GREY)
            axes.tick_params(labelsize=8, labelleft=axes in list(grid[:, 0]))
            name, why = named[row["method"]]
            axes.set_title(name, size=9, color=GREY if why else "black", pad=14 if why else None)
            if why:
                above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
                axes.annotate(why, (0, 1), (0, 4), color=WARNING, fontsize=7.5, **above)
        text = "share of the pixels removed (deletion) or put back (insertion), highest first"
        drawn.text(0.5, 0.15 / drawn.get_figheight(), text, ha="center", size=9)
        grid[0, 0].set_ylabel("probability of the predicted class", size=8)
        handles = grid[0, 0].get_legend_handles_labels()
        drawn.legend(*handles, loc="upper right", ncols=2, frameon=False)
    return drawn


def _two_curves(axes: Axes, points: pd.DataFrame, gain: str) -> None:
    both = points.pivot(index="fraction", columns="curve", values="probability")
    fraction, deletion, insertion = both.index, both["deletion"], both["insertion"]
    for colour, where in ((gain, insertion >= deletion), (COLOURS[4], insertion <= deletion)):
        area: dict[str, Any] = {"where": where, "interpolate": True, "alpha": 0.25, "lw": 0}
        axes.fill_between(fraction, deletion, insertion, color=colour, **area)
    axes.plot(fraction, insertion, color=COLOURS[0], lw=1.8, label="insertion")
    axes.plot(fraction, deletion, color=COLOURS[1], lw=1.8, ls="--", label="deletion")
    axes.set(ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
