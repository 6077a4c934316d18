"""A cell's leaderboard of attribution methods: read, put into words, and drawn.

A leaderboard is `verdicts.judgement`'s board, by rank, the controls last. Its methods are variants,
each a method with its reference: ``integrated_gradients:mean``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glassnets.attribution.scores import SCORES, Score
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED, VALUES
from glassnets.data.inputs import WORDS, Words
from glassnets.errors import GlassnetsError
from glassnets.report import languages
from glassnets.report.drawing import CAUTION, COLOURS, GREY, WARNING, figure, margins
from glassnets.report.formats import columns_of, interval, listed, percent
from glassnets.report.languages import Said, say

CONTROL = "control"
MARKS = {HOLDS: "✓", UNDECIDED: "?", FAILS: "✗", CONTROL: ""}
_COLOURS = {HOLDS: COLOURS[0], UNDECIDED: COLOURS[4], FAILS: GREY, CONTROL: "black"}
FRAMES = {HOLDS: None, UNDECIDED: CAUTION, FAILS: WARNING, CONTROL: WARNING}


def heading(score: Score) -> str:
    """A score's heading and the end that is better."""
    return f"{score.heading} {score.arrow}"


def values(leaderboard: pd.DataFrame) -> dict[str, str]:
    """What the verdict on each method is: holds, undecided, fails; or that it is a control."""
    verdicts = leaderboard["verdict"].mask(leaderboard["control"], CONTROL)
    return dict(zip(leaderboard["method"], verdicts, strict=True))


def reasons(leaderboard: pd.DataFrame) -> dict[str, str]:
    """Why the verdict on a method does not hold, of each of which it does not; no controls."""
    why = leaderboard[~leaderboard["control"] & (leaderboard["verdict"] != HOLDS)]
    return dict(zip(why["method"], why["reasons"].fillna(""), strict=True))


def marked(name: str, verdict: str | None) -> str:
    """A variant's name, ``rise:mean (?)`` where a verdict on it does not hold."""
    return name if verdict in (HOLDS, None) else f"{name} ({MARKS[verdict]})"


def unstable(leaderboard: pd.DataFrame, choices: pd.DataFrame) -> list[str]:
    """Of each variant whose verdict is unstable, under which choices it holds and under which it
    fails: ``✓ rise:mean fails under removal black alone``."""
    lines = []
    for method in leaderboard.loc[leaderboard["unstable"], "method"]:
        judged = values(leaderboard)[method]
        own = choices[choices["method"] == method]
        parts = [
            f"{value} under {listed(own.loc[own['verdict'] == value, 'choice'])}"
            for value in (HOLDS, FAILS)
            if value != judged
        ]
        lines.append(f"{MARKS[judged]} {method} {', and '.join(parts)}")
    return lines


def marked_reasons(leaderboard: pd.DataFrame) -> dict[str, str]:
    """`reasons`, each after the verdict's mark."""
    marks = values(leaderboard)
    return {method: f"{MARKS[marks[method]]} {why}" for method, why in reasons(leaderboard).items()}


def titled(variant: str) -> str:
    """A variant's name as pictures have it: ``integrated gradients, mean``."""
    return variant.replace(":", ", ").replace("_", " ")


def measured(leaderboard: pd.DataFrame) -> dict[str, Score]:
    """The scores that some method of the leaderboard has, in the order of `SCORES`."""
    return {
        name: score
        for name, score in SCORES.items()
        if name in leaderboard and leaderboard[name].notna().any()
    }


# What leaderboards let one conclude


class Shared(NamedTuple):
    """A method that every family has, and the families in which its verdict holds."""

    method: str
    holds: list[str]


def best_shared(leaderboards: Mapping[str, pd.DataFrame]) -> Shared | None:
    """Of the methods that every family has, the one whose verdict holds in most families, then of
    the best mean rank. None where no method is shared."""
    boards = pd.concat(leaderboards.values()).query("not control")
    methods = boards.assign(holds=boards["verdict"] == HOLDS).groupby("method")
    shared = methods.agg({"holds": "sum", "rank": "mean"})[methods.size() == len(leaderboards)]
    if shared.empty:
        return None
    order = shared.sort_values(["holds", "rank", "method"], ascending=[False, True, True])
    method: str = order.index[0]
    return Shared(
        method, [f for f, board in leaderboards.items() if values(board)[method] == HOLDS]
    )


def controls(leaderboards: Mapping[str, pd.DataFrame]) -> set[str]:
    """The controls of any family."""
    boards = pd.concat(leaderboards.values())
    return set(boards.loc[boards["control"], "method"])


def by_rank(leaderboards: Mapping[str, pd.DataFrame]) -> list[str]:
    """Every method of any family, the best supported first (whose verdict holds, or is undecided,
    in more of the families that have it), then by mean rank; the controls last."""
    boards = pd.concat(leaderboards.values())
    doubt = boards["verdict"].map({HOLDS: 0, UNDECIDED: 1, FAILS: 2})
    methods = boards.assign(doubt=doubt).groupby("method")
    each = methods.agg({"control": "any", "doubt": "mean", "rank": "mean"})
    order: list[str] = each.sort_values(["control", "doubt", "rank", "method"]).index.tolist()
    return order


# In words


@dataclass(frozen=True)
class Verdict:
    """What a leaderboard says of a method.

    value: holds, undecided, fails, control, or "" where there is no verdict. Pictures frame the
    attributions by `FRAMES`. scores: heading and value with its interval, of each that is known.
    """

    text: str
    value: str
    scores: tuple[tuple[str, str], ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether the tests do not support the method's attributions."""
        return self.value not in (HOLDS, "")

    def as_data(self) -> dict[str, Any]:
        """``verdict``, the text; ``value``; ``doubtful``; ``scores``."""
        about = {"verdict": self.text, "value": self.value, "doubtful": self.doubtful}
        return about | {"scores": self.scores}


def verdict(leaderboard: pd.DataFrame | None, method: str, control: bool, command: str) -> Verdict:
    """The verdict on a method, by its cell's leaderboard, or None where there is none yet.

    control: whether the method is one, which holds without a leaderboard too. command: the one
    that makes the leaderboard. Raises GlassnetsError for a table of another kind.
    """
    try:
        if leaderboard is None or method not in set(leaderboard["method"]):
            text = _CONTROL if control else f"no verdict yet: `{command}` gives it"
            return Verdict(text, CONTROL if control else "")
        row = leaderboard.set_index("method").loc[method]
        scores = tuple(
            (heading(score), text)
            for name, score in measured(leaderboard).items()
            if (text := interval(*row[columns_of(name)], like=leaderboard[columns_of(name)])) != "–"
        )
        value = values(leaderboard)[method]
        text = _CONTROL if control else _in_words(row, leaderboard["rank"].count())
        return Verdict(text, value, scores=scores)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise GlassnetsError(
            f"expected a leaderboard of methods, got another table ({error}); `{command}` writes it"
        ) from error


def _in_words(row: Any, ranked: int) -> Said:
    """``holds, and under 80 % of the choices (unstable); rank 1 of 24 by score``; else why it does
    not."""
    unstable = say(" (unstable)") if row["unstable"] else ""
    if row["verdict"] == HOLDS:
        return say(
            "holds, and under {share} of the choices{unstable}; rank {rank} of {ranked} by score",
            share=percent(round(row["share"], 2)),
            unstable=unstable,
            rank=f"{row['rank']:.0f}",
            ranked=ranked,
        )
    why = languages.reasons(row["reasons"])
    if row["verdict"] == UNDECIDED:
        form = "{why}{unstable}" if why.startswith("undecided") else "undecided: {why}{unstable}"
        return say(form, why=why, unstable=unstable)
    if row["verdict"] == FAILS:
        return say("fails{unstable}: {why}", why=why, unstable=unstable)
    raise ValueError(f"verdict {row['verdict']}")


_CONTROL = say("a control: it does not depend on the network")


def readable(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard as text: method, verdict, the share of choices under which it holds, and each
    score as ``mean (low to high)``."""
    text = pd.DataFrame({"method": leaderboard["method"]})
    text["verdict"] = [
        CONTROL
        if row["control"]
        else f"{MARKS[row['verdict']]} {row['verdict']}{', unstable' if row['unstable'] else ''}"
        for row in leaderboard.to_dict("records")
    ]
    text["share"] = [
        "–" if pd.isna(share) else percent(round(share, 2)) for share in leaderboard["share"]
    ]
    for name, score in measured(leaderboard).items():
        known = leaderboard[columns_of(name)].to_numpy()
        text[heading(score)] = [interval(*each, like=known) for each in known]
    return text


# As pictures


def chart(leaderboard: pd.DataFrame, title: str) -> Figure:
    """Every method's scores as a dot and an interval, a column a score, best method on top.

    Methods whose verdict does not hold have ✗, or ? where undecided, and the reason. The
    vertical line is the best control's value of a score of which higher or lower is better.
    """
    scores = measured(leaderboard)
    with figure(3.3 + 1.7 * len(scores), 1.8 + 0.34 * len(leaderboard), dpi=100) as drawn:
        drawn.suptitle(title, x=0.01, y=0.99, ha="left", weight="bold")
        grid = margins(drawn, left=3.2, right=0.15, top=1.0, bottom=0.75) | {"wspace": 0.1}
        columns = drawn.subplots(1, len(scores), squeeze=False, gridspec_kw=grid)[0]
        for axes, (name, score) in zip(columns, scores.items(), strict=True):
            _dots(axes, leaderboard, name, score)
        for place, named in enumerate(names(leaderboard).values()):
            name_method(columns[0], place, named)
        dot = partial(Line2D, [], [], ls="", marker="o")
        handles = [dot(color=_COLOURS[value], label=f"{MARKS[value]} {value}") for value in VALUES]
        handles.append(dot(mfc="none", color="black", label="control"))
        handles.append(Line2D([], [], ls="--", color="black", lw=1, label="best control"))
        drawn.legend(handles=handles, loc="lower center", ncols=5, frameon=False)
    return drawn


def _dots(axes: Axes, leaderboard: pd.DataFrame, name: str, score: Score) -> None:
    axes.set_title(f"{score.heading.replace(', ', chr(10))}\n{score.arrow}", fontsize=9)
    of_methods = values(leaderboard)
    for place, row in enumerate(leaderboard.to_dict("records")):
        colour = _COLOURS[of_methods[row["method"]]]
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


class Named(NamedTuple):
    """A method's name as pictures have it, and under it why its verdict does not hold."""

    title: str
    why: str | None = None
    frame: str | None = None  # colour of its reason and of its attributions' frame


def names(leaderboard: pd.DataFrame) -> dict[str, Named]:
    """Every method's name, which says of a control that it is one; and of one whose verdict does
    not hold ``✗`` or ``?`` and the first reason, with … where there are more."""
    named: dict[str, Named] = {}
    why = reasons(leaderboard)
    for method, value in values(leaderboard).items():
        title = titled(method) + (" (control)" if value == CONTROL else "")
        first, more, _ = why.get(method, "").removeprefix("undecided whether ").partition("; ")
        short = first.partition(" (")[0]
        reason = f"{MARKS[value]} {short}{' …' if more else ''}" if method in why else None
        named[method] = Named(title, reason, FRAMES[value])
    return named


def name_method(axes: Axes, y: float, named: Named) -> None:
    """Writes one of `names` left of the axes at y, in data, the reason under the name."""
    place: dict[str, Any] = {
        "xy": (0, y),
        "xycoords": axes.get_yaxis_transform(),
        "textcoords": "offset points",
        "ha": "right",
        "va": "center",
    }
    why, colour = named.why, GREY if named.why else "black"
    axes.annotate(named.title, xytext=(-6, 5 if why else 0), color=colour, **place)
    if why:
        axes.annotate(why, xytext=(-6, -6), color=named.frame, fontsize=7.5, **place)


def curves(
    table: pd.DataFrame,
    removal: str,
    leaderboard: pd.DataFrame,
    title: str,
    words: Words = WORDS["image"],
) -> Figure:
    """Deletion and insertion curves by one removal, a small chart a method, best method first.

    table: `verdicts.curves`'s. What ranks the methods is the area where insertion is above deletion
    (green where the verdict holds, else grey) less the area where it is below (orange).
    """
    of_removal = table[table["removal"] == removal]
    methods = leaderboard[leaderboard["method"].isin(of_removal["method"])]
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
            points = of_removal[of_removal["method"] == row["method"]]
            _two_curves(axes, points, gain=COLOURS[2] if row["verdict"] == HOLDS else GREY)
            axes.tick_params(labelsize=8, labelleft=axes in list(grid[:, 0]))
            name, why, frame = named[row["method"]]
            axes.set_title(name, size=9, color=GREY if why else "black", pad=14 if why else None)
            if why:
                above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
                axes.annotate(why, (0, 1), (0, 4), color=frame, fontsize=7.5, **above)
        removed = "removed (deletion) or put back (insertion), highest first"
        text = f"share of the {words.players} {removed}"
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
