"""The report's charts, as Vega-Lite specifications (Altair), each as wide as the place it is given.

Colours of text, axes and ground are left to the page, which has a light and a dark side.
"""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from glassnets.report.drawing import COLOURS
from glassnets.report.figures import FEWEST
from glassnets.report.leaderboards import MERITS
from glassnets.report.tables import Setting

Spec = dict[str, Any]

# Vega's names of the marks that drawing.MARKS gives the families, in the same order.
_SHAPES = ["circle", "square", "diamond", "triangle-down", "cross", "triangle-up", "stroke"]


def _spec(chart: Any, height: int) -> Spec:
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("$schema")  # an address, which a page that asks nothing of a network does without
    return spec


def _family(families: list[str]) -> tuple[Any, Any]:
    order = sorted(families)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(order))]
    shapes = [_SHAPES[i % len(_SHAPES)] for i in range(len(order))]
    legend = alt.Legend(title=None, orient="top")
    return (
        alt.Color("family:N", scale=alt.Scale(domain=order, range=colours), legend=legend),
        alt.Shape("family:N", scale=alt.Scale(domain=order, range=shapes), legend=legend),
    )


def accuracies(table: pd.DataFrame, by_seed: Mapping[str, list[float]], setting: Setting) -> Spec:
    """Test accuracy of each family: mean, interval, and every seed as a hollow point.

    table is ``tables.comparison``'s.
    """
    families = table["family"].tolist()
    colour, shape = _family(families)
    seeds = pd.DataFrame(
        [(f, seed, a) for f in families for seed, a in zip(setting.seeds, by_seed[f], strict=True)],
        columns=["family", "seed", "accuracy"],
    )
    kept = ["family", "accuracy", "accuracy_ci_low", "accuracy_ci_high"]
    family = alt.Y("family:N", sort=families, title=None)
    axis = alt.Axis(format=".2%", title=f"test accuracy: mean, {setting.percent} interval, seeds")
    x = alt.X("accuracy:Q", axis=axis, scale=alt.Scale(zero=False))
    means = alt.Chart(table[kept])
    drawn = alt.layer(
        means.mark_rule(strokeWidth=3, opacity=0.5).encode(
            y=family,
            x=alt.X("accuracy_ci_low:Q", scale=alt.Scale(zero=False)),
            x2="accuracy_ci_high:Q",
            color=colour,
        ),
        means.mark_point(size=110, filled=True, opacity=1).encode(
            y=family,
            x=x,
            color=colour,
            shape=shape,
            tooltip=[
                "family:N",
                *(alt.Tooltip(f"{name}:Q", format=".2%") for name in kept[1:]),
            ],
        ),
        alt.Chart(seeds)
        .mark_point(size=45, yOffset=11, opacity=0.9)
        .encode(
            y=family,
            x="accuracy:Q",
            color=colour,
            tooltip=["family:N", "seed:O", alt.Tooltip("accuracy:Q", format=".2%")],
        ),
    )
    return _spec(drawn, 45 * len(families) + 20)


def curves(histories: Mapping[str, pd.DataFrame], column: str, title: str) -> Spec:
    """A column of the histories by epoch, on a logarithmic axis: mean over seeds, and range."""
    table = pd.concat(
        [
            history.groupby("epoch")[column].agg(["mean", "min", "max"]).assign(family=family)
            for family, history in histories.items()
        ]
    ).reset_index()
    colour, _ = _family(list(histories))
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(type="log", nice=False))
    base = alt.Chart(table).encode(x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)), color=colour)
    drawn = alt.layer(
        base.mark_area(opacity=0.18).encode(y=alt.Y("min:Q", title=title), y2="max:Q"),
        base.mark_line(strokeWidth=2).encode(
            y=y,
            tooltip=["family:N", "epoch:Q", *(alt.Tooltip(f"{c}:Q", format=".4f") for c in _RANGE)],
        ),
    )
    return _spec(drawn, 240)


_RANGE = ("mean", "min", "max")


def reliability(reliabilities: Mapping[str, pd.DataFrame]) -> Spec:
    """Accuracy by confidence, in bins of enough images; on the dashed line they are the same."""
    table = pd.concat([t.assign(family=family) for family, t in reliabilities.items()])
    table = table[table["count"] >= FEWEST]
    colour, shape = _family(list(reliabilities))
    percent = alt.Axis(format=".0%")
    base = alt.Chart(table).encode(
        x=alt.X("confidence:Q", axis=percent, title=f"confidence (bins of {FEWEST} or more)"),
        y=alt.Y("accuracy:Q", axis=percent),
        color=colour,
    )
    ends = alt.Chart(pd.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]}))
    said = [*(alt.Tooltip(f"{c}:Q", format=".1%") for c in ("confidence", "accuracy")), "count:Q"]
    drawn = alt.layer(
        ends.mark_line(strokeDash=[4, 4], color="#888", strokeWidth=1).encode(
            x="confidence:Q", y="accuracy:Q"
        ),
        base.mark_line(strokeWidth=1.5),
        base.mark_point(filled=True, size=50, opacity=1).encode(
            shape=shape, tooltip=["family:N", *said]
        ),
    )
    return _spec(drawn, 240)


def confusions(matrix: pd.DataFrame) -> Spec:
    """A family's wrong answers by true label and answer, all seeds together.

    matrix has the columns label, prediction, count.
    """
    wrong = matrix[(matrix["label"] != matrix["prediction"]) & (matrix["count"] > 0)]
    classes = sorted(matrix["label"].unique().tolist())
    x = alt.X("prediction:O", title="answer", scale=alt.Scale(domain=classes))
    y = alt.Y("label:O", title="label", scale=alt.Scale(domain=classes))
    # Bright enough at its low end for numbers in black, whatever the page's ground.
    shade = alt.Color("count:Q", scale=alt.Scale(range=["#fde0c5", "#eb4a40"]), legend=None)
    base = alt.Chart(wrong).encode(
        x=x.axis(labelAngle=0), y=y, tooltip=["label:O", "prediction:O", "count:Q"]
    )
    drawn = alt.layer(
        base.mark_rect().encode(color=shade),
        base.mark_text(fontSize=10, color="black").encode(text="count:Q"),
    )
    return _spec(drawn, 230)


def leaderboard(board: pd.DataFrame, figure: str) -> Spec:
    """A cell's methods by a figure, with intervals: those that pass, those that do not, controls.

    board is a leaderboard as `leaderboards` describes it.
    """
    kinds = ["passes", "not to be believed", "control"]
    table = board[["method", "marks", figure, f"{figure}_ci_low", f"{figure}_ci_high"]].assign(
        kind=[
            "control" if control else kinds[0] if passes else kinds[1]
            for control, passes in zip(board["control"], board["passes"], strict=True)
        ],
        marks=board["marks"].fillna(""),
    )
    table.columns = ["method", "marks", "value", "low", "high", "kind"]
    table = table.dropna(subset=["value"])
    order = table["method"].tolist()
    colours = alt.Scale(domain=kinds, range=[COLOURS[0], COLOURS[1], "#8a8a8a"])
    shapes = alt.Scale(domain=kinds, range=["circle", "cross", "square"])
    base = alt.Chart(table).encode(
        y=alt.Y("method:N", sort=order, title=None),
        color=alt.Color("kind:N", scale=colours, legend=None),
    )
    merit = MERITS[figure]
    drawn = alt.layer(
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("low:Q", title=f"{merit.heading} {merit.arrow}"), x2="high:Q"
        ),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("value:Q", scale=alt.Scale(zero=False)),
            shape=alt.Shape("kind:N", scale=shapes, legend=None),
            tooltip=[
                "method:N",
                "kind:N",
                "marks:N",
                *(alt.Tooltip(f"{c}:Q", format=".3f") for c in ("value", "low", "high")),
            ],
        ),
    )
    return _spec(drawn, 20 * len(order) + 20)
