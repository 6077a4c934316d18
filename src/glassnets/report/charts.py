"""The charts of report.html, as Vega-Lite specifications (Altair), each as wide as its place.

Colours of text, axes and background are left to the page, which has a light and a dark scheme.
"""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import altair as alt
import pandas as pd

from glassnets.attribution.scores import SCORES
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED
from glassnets.data.inputs import Inputs
from glassnets.report.drawing import COLOURS
from glassnets.report.figures import MIN_IMAGES
from glassnets.report.formats import columns_of
from glassnets.report.leaderboards import CONTROL, heading
from glassnets.report.results import Setting

Spec = dict[str, Any]
_GREY_IMAGES = Inputs()

# Vega's names of the marks that drawing.MARKS gives the families, in the same order.
_SHAPES = ["circle", "square", "diamond", "triangle-down", "cross", "triangle-up", "stroke"]
_NOT_FROM_ZERO = alt.Scale(zero=False)


def _spec(layers: list[Any], height: int) -> Spec:
    spec: Spec = alt.layer(*layers).properties(width="container", height=height).to_dict()
    spec.pop("$schema")  # an address, which a page that requests nothing does without
    return spec


def _family(families: list[str]) -> tuple[Any, Any]:
    order = sorted(families)
    colours, shapes = ([*islice(cycle(each), len(order))] for each in (COLOURS, _SHAPES))
    legend = alt.Legend(title=None, orient="top")
    return (
        alt.Color("family:N", scale=alt.Scale(domain=order, range=colours), legend=legend),
        alt.Shape("family:N", scale=alt.Scale(domain=order, range=shapes), legend=legend),
    )


def _tooltip(*names: str, **formats: str) -> list[Any]:
    """Columns as they are, then columns in a format."""
    return [*names, *(alt.Tooltip(f"{name}:Q", format=form) for name, form in formats.items())]


def accuracies(table: pd.DataFrame, by_seed: Mapping[str, list[float]], setting: Setting) -> Spec:
    """Test accuracy of each family: mean, interval, and every seed as a hollow point.

    table: ``comparison.table``'s.
    """
    families = table["family"].tolist()
    colour, shape = _family(families)
    seeds = pd.DataFrame(
        [(f, seed, a) for f in families for seed, a in zip(setting.seeds, by_seed[f], strict=True)],
        columns=["family", "seed", "accuracy"],
    )
    columns = columns_of("accuracy")
    y = alt.Y("family:N", sort=families, title=None)
    axis = alt.Axis(format=".2%", title=f"test accuracy: mean, {setting.percent} interval, seeds")
    means = alt.Chart(table[["family", *columns]]).encode(y=y, color=colour)
    layers = [
        means.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("accuracy_ci_low:Q", scale=_NOT_FROM_ZERO), x2="accuracy_ci_high:Q"
        ),
        means.mark_point(size=110, filled=True, opacity=1).encode(
            x=alt.X("accuracy:Q", axis=axis, scale=_NOT_FROM_ZERO),
            shape=shape,
            tooltip=_tooltip("family:N", **dict.fromkeys(columns, ".2%")),
        ),
        alt.Chart(seeds)
        .mark_point(size=45, yOffset=11, opacity=0.9)
        .encode(
            y=y,
            x="accuracy:Q",
            color=colour,
            tooltip=_tooltip("family:N", "seed:O", accuracy=".2%"),
        ),
    ]
    return _spec(layers, 45 * len(families) + 20)


def curves(histories: Mapping[str, pd.DataFrame], column: str, title: str) -> Spec:
    """A column of the histories by epoch, on a logarithmic axis: mean over seeds, and range."""
    table = pd.concat(
        [
            history.groupby("epoch")[column].agg(["mean", "min", "max"]).assign(family=family)
            for family, history in histories.items()
        ]
    ).reset_index()
    colour, _ = _family(list(histories))
    base = alt.Chart(table).encode(x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)), color=colour)
    layers = [
        base.mark_area(opacity=0.18).encode(y=alt.Y("min:Q", title=title), y2="max:Q"),
        base.mark_line(strokeWidth=2).encode(
            y=alt.Y("mean:Q", title=title, scale=alt.Scale(type="log", nice=False)),
            tooltip=_tooltip("family:N", "epoch:Q", mean=".4f", min=".4f", max=".4f"),
        ),
    ]
    return _spec(layers, 240)


def reliability(reliabilities: Mapping[str, pd.DataFrame]) -> Spec:
    """Accuracy by confidence, in bins of enough images; on the dashed line they are the same."""
    table = pd.concat([t.assign(family=family) for family, t in reliabilities.items()])
    colour, shape = _family(list(reliabilities))
    percent = alt.Axis(format=".0%")
    base = alt.Chart(table[table["count"] >= MIN_IMAGES]).encode(
        x=alt.X("confidence:Q", axis=percent, title=f"confidence (bins of {MIN_IMAGES} or more)"),
        y=alt.Y("accuracy:Q", axis=percent),
        color=colour,
    )
    ends = alt.Chart(pd.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]}))
    layers = [
        ends.mark_line(strokeDash=[4, 4], color="#888", strokeWidth=1).encode(
            x="confidence:Q", y="accuracy:Q"
        ),
        base.mark_line(strokeWidth=1.5),
        base.mark_point(filled=True, size=50, opacity=1).encode(
            shape=shape,
            tooltip=_tooltip("family:N", "count:Q", confidence=".1%", accuracy=".1%"),
        ),
    ]
    return _spec(layers, 240)


def confusions(matrix: pd.DataFrame, inputs: Inputs = _GREY_IMAGES) -> Spec:
    """A family's wrong predictions by true label and prediction, all seeds together.

    matrix: `Results.confusion_matrix`.
    """
    wrong = matrix[(matrix["label"] != matrix["prediction"]) & (matrix["count"] > 0)]
    classes = sorted(matrix["label"].unique().tolist())
    if inputs.class_names is not None:
        wrong = wrong.assign(**{c: inputs.class_list(wrong[c]) for c in ("label", "prediction")})
        classes = inputs.class_list(classes)
    scale = alt.Scale(domain=classes)
    # Bright enough at its low end for numbers in black, whatever the page's background.
    shade = alt.Color("count:Q", scale=alt.Scale(range=["#fde0c5", "#eb4a40"]), legend=None)
    base = alt.Chart(wrong).encode(
        x=alt.X("prediction:O", title="prediction", scale=scale).axis(labelAngle=0),
        y=alt.Y("label:O", title="label", scale=scale),
        tooltip=_tooltip("label:O", "prediction:O", "count:Q"),
    )
    layers = [
        base.mark_rect().encode(color=shade),
        base.mark_text(fontSize=10, color="black").encode(text="count:Q"),
    ]
    return _spec(layers, 230)


def leaderboard(board: pd.DataFrame, score: str) -> Spec:
    """A cell's methods by a score, with intervals: by verdict, and the controls."""
    kinds = [HOLDS, UNDECIDED, FAILS, CONTROL]
    kind = board["verdict"].mask(board["control"], CONTROL)
    table = board.assign(reasons=board["reasons"].fillna(""), kind=kind).dropna(subset=[score])
    table = table[["method", "reasons", *columns_of(score), "kind"]]
    table.columns = pd.Index(["method", "reasons", "value", "low", "high", "kind"])
    colours = alt.Scale(domain=kinds, range=[COLOURS[0], COLOURS[4], COLOURS[1], "#8a8a8a"])
    shapes = alt.Scale(domain=kinds, range=["circle", "diamond", "cross", "square"])
    base = alt.Chart(table).encode(
        y=alt.Y("method:N", sort=table["method"].tolist(), title=None),
        color=alt.Color("kind:N", scale=colours, legend=None),
    )
    layers = [
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("low:Q", title=heading(SCORES[score])), x2="high:Q"
        ),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("value:Q", scale=_NOT_FROM_ZERO),
            shape=alt.Shape("kind:N", scale=shapes, legend=None),
            tooltip=_tooltip("method:N", "kind:N", "reasons:N", value=".3f", low=".3f", high=".3f"),
        ),
    ]
    return _spec(layers, 20 * len(table) + 20)
