"""The charts of report.html, as Vega-Lite specifications (Altair), each as wide as its place.

Each is made in a language. Colours are the page's, as CSS variables, for it has a light and a dark
scheme; so are the keys to them, which stand once beside several charts.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd

from glassnets.attribution.scores import SCORES
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED
from glassnets.data.inputs import Inputs
from glassnets.report import languages
from glassnets.report.drawing import family_places
from glassnets.report.figures import MIN_IMAGES
from glassnets.report.formats import columns_of
from glassnets.report.languages import say
from glassnets.report.leaderboards import CONTROL
from glassnets.report.results import Setting

Spec = dict[str, Any]
_GREY_IMAGES = Inputs()

# Vega's names of the marks that drawing.MARKS gives the families, in the same order.
_SHAPES = [
    *("circle", "square", "diamond", "triangle-down", "cross", "triangle-up", "stroke"),
    "triangle-right",
]
_NOT_FROM_ZERO = alt.Scale(zero=False)


def _spec(layers: list[Any], height: int) -> Spec:
    spec: Spec = alt.layer(*layers).properties(width="container", height=height).to_dict()
    spec.pop("$schema")  # an address, which a page that requests nothing does without
    return spec


def colour(family: str) -> str:
    """A family's colour on the page."""
    return f"var(--family-{family})"


def _family(families: Iterable[str], language: str) -> tuple[Any, Any]:
    """A family's colour and shape, of a column ``family`` of `_named` families."""
    places = family_places(families)
    domain = [_named(family, language) for family in places]
    scales = (
        alt.Scale(domain=domain, range=[colour(family) for family in places]),
        alt.Scale(domain=domain, range=[_SHAPES[place] for place in places.values()]),
    )
    return (
        alt.Color("family:N", scale=scales[0], legend=None),
        alt.Shape("family:N", scale=scales[1], legend=None),
    )


def _named(family: str, language: str) -> str:
    return _in(languages.family(family), language)


def _in(text: languages.Said, language: str) -> str:
    said: str = getattr(text, language)
    return said


def _tooltip(language: str, *names: str, **formats: str) -> list[Any]:
    """Columns as they are, then columns in a format, by their headings in the language."""

    def heading(name: str) -> str:
        return _in(say(_HEADINGS[name.partition(":")[0]]), language)

    return [
        *(alt.Tooltip(name, title=heading(name)) for name in names),
        *(alt.Tooltip(f"{n}:Q", title=heading(n), format=form) for n, form in formats.items()),
    ]


_HEADINGS = {
    "family": "family",
    "seed": "seed",
    "epoch": "epoch",
    "accuracy": "accuracy",
    "accuracy_ci_low": "interval from",
    "accuracy_ci_high": "interval to",
    "mean": "mean",
    "min": "lowest",
    "max": "highest",
    "count": "count",
    "confidence": "confidence",
    "label": "label",
    "prediction": "prediction",
    "method": "method",
    "kind": "verdict",
    "reasons": "reasons",
    "value": "score",
    "low": "interval from",
    "high": "interval to",
}


def accuracies(
    table: pd.DataFrame,
    by_seed: Mapping[str, list[float]],
    setting: Setting,
    language: str = "en",
) -> Spec:
    """Test accuracy of each family: mean, interval, and every seed as a hollow point.

    table: ``comparison.table``'s.
    """
    families = table["family"].tolist()
    names = [_named(family, language) for family in families]
    colours, shapes = _family(families, language)
    seeds = pd.DataFrame(
        [
            (name, seed, accuracy)
            for family, name in zip(families, names, strict=True)
            for seed, accuracy in zip(setting.seeds, by_seed[family], strict=True)
        ],
        columns=["family", "seed", "accuracy"],
    )
    columns = columns_of("accuracy")
    y = alt.Y("family:N", sort=names, title=None)
    form = "test accuracy: mean, {percent} interval, seeds"
    title = _in(say(form, percent=setting.percent), language)
    axis = alt.Axis(format=".2%", title=title, labelFlush=True, tickCount=5)
    means = alt.Chart(table[columns].assign(family=names)).encode(y=y, color=colours)
    layers = [
        means.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("accuracy_ci_low:Q", scale=_NOT_FROM_ZERO), x2="accuracy_ci_high:Q"
        ),
        means.mark_point(size=110, filled=True, opacity=1).encode(
            x=alt.X("accuracy:Q", axis=axis, scale=_NOT_FROM_ZERO),
            shape=shapes,
            tooltip=_tooltip(language, "family:N", **dict.fromkeys(columns, ".2%")),
        ),
        alt.Chart(seeds)
        .mark_point(size=45, yOffset=11, opacity=0.9)
        .encode(
            y=y,
            x="accuracy:Q",
            color=colours,
            tooltip=_tooltip(language, "family:N", "seed:O", accuracy=".2%"),
        ),
    ]
    return _spec(layers, 45 * len(families) + 20)


def curves(
    histories: Mapping[str, pd.DataFrame],
    column: str,
    title: languages.Said,
    language: str = "en",
) -> Spec:
    """A column of the histories by epoch, on a logarithmic axis: mean over seeds, and range."""
    table = pd.concat(
        [
            history.groupby("epoch")[column]
            .agg(["mean", "min", "max"])
            .assign(family=_named(family, language))
            for family, history in histories.items()
        ]
    ).reset_index()
    colours, _ = _family(histories, language)
    axis = alt.Axis(tickMinStep=1, title=_in(say("epoch"), language))
    base = alt.Chart(table).encode(x=alt.X("epoch:Q", axis=axis), color=colours)
    y = alt.Y("mean:Q", title=_in(title, language), scale=alt.Scale(type="log", nice=False))
    layers = [
        base.mark_area(opacity=0.18).encode(
            y=alt.Y("min:Q", title=_in(title, language)), y2="max:Q"
        ),
        base.mark_line(strokeWidth=2).encode(
            y=y,
            tooltip=_tooltip(language, "family:N", "epoch:Q", mean=".4f", min=".4f", max=".4f"),
        ),
    ]
    return _spec(layers, 240)


def reliability(reliabilities: Mapping[str, pd.DataFrame], language: str = "en") -> Spec:
    """Accuracy by confidence, in bins of enough images; on the dashed line they are the same."""
    table = pd.concat(
        [t.assign(family=_named(family, language)) for family, t in reliabilities.items()]
    )
    colours, shapes = _family(reliabilities, language)
    percent = alt.Axis(format=".0%")
    title = say("confidence (bins of {count} or more)", count=MIN_IMAGES)
    base = alt.Chart(table[table["count"] >= MIN_IMAGES]).encode(
        x=alt.X("confidence:Q", axis=percent, title=_in(title, language)),
        y=alt.Y("accuracy:Q", axis=percent, title=_in(say("accuracy"), language)),
        color=colours,
    )
    ends = alt.Chart(pd.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]}))
    layers = [
        ends.mark_line(strokeDash=[4, 4], color="#888", strokeWidth=1).encode(
            x="confidence:Q", y="accuracy:Q"
        ),
        base.mark_line(strokeWidth=1.5),
        base.mark_point(filled=True, size=50, opacity=1).encode(
            shape=shapes,
            tooltip=_tooltip(language, "family:N", "count:Q", confidence=".1%", accuracy=".1%"),
        ),
    ]
    return _spec(layers, 240)


# Bright enough at its low end for numbers in black, whatever the page's background.
CONFUSION_COLOURS = ("#fde0c5", "#eb4a40")


def most_confused(matrices: Iterable[pd.DataFrame]) -> int:
    """How often the most frequent wrong prediction of several `Results.confusion_matrix` was made:
    where the scale of colours of all of them ends."""
    whole = pd.concat(matrices)
    wrong = whole.loc[whole["label"] != whole["prediction"], "count"]
    return 0 if wrong.empty else int(wrong.max())


def confusions(
    matrix: pd.DataFrame, most: int, inputs: Inputs = _GREY_IMAGES, language: str = "en"
) -> Spec:
    """A family's wrong predictions by true label and prediction, all seeds together.

    matrix: `Results.confusion_matrix`. most: `most_confused` of all families, so that a colour
    means the same count in each chart.
    """
    wrong = matrix[(matrix["label"] != matrix["prediction"]) & (matrix["count"] > 0)]
    classes = sorted(matrix["label"].unique().tolist())
    if inputs.class_names is not None:
        wrong = wrong.assign(**{c: inputs.class_list(wrong[c]) for c in ("label", "prediction")})
        classes = inputs.class_list(classes)
    scale = alt.Scale(domain=classes)
    range_ = alt.Scale(domain=[1, max(most, 2)], range=list(CONFUSION_COLOURS), clamp=True)
    titles = {name: _in(say(name), language) for name in ("prediction", "label")}
    base = alt.Chart(wrong).encode(
        x=alt.X("prediction:O", title=titles["prediction"], scale=scale).axis(labelAngle=0),
        y=alt.Y("label:O", title=titles["label"], scale=scale),
        tooltip=_tooltip(language, "label:O", "prediction:O", "count:Q"),
    )
    layers = [
        base.mark_rect().encode(color=alt.Color("count:Q", scale=range_, legend=None)),
        base.mark_text(fontSize=10, color="black").encode(text="count:Q"),
    ]
    return _spec(layers, 230)


def leaderboard(board: pd.DataFrame, score: str, language: str = "en") -> Spec:
    """A cell's methods by a score, with intervals: by verdict, and the controls."""
    kinds = {
        HOLDS: ("var(--holds)", "circle"),
        UNDECIDED: ("var(--caution)", "diamond"),
        FAILS: ("var(--warn)", "cross"),
        CONTROL: ("var(--soft)", "square"),
    }
    kind = board["verdict"].mask(board["control"], CONTROL)
    table = board.assign(reasons=board["reasons"].fillna(""), kind=kind).dropna(subset=[score])
    table = table[["method", "reasons", *columns_of(score), "kind"]]
    table.columns = pd.Index(["method", "reasons", "value", "low", "high", "kind"])
    table["method"] = [_in(languages.variant(name), language) for name in table["method"]]
    table["reasons"] = [_in(languages.reasons(why), language) for why in table["reasons"]]
    table["kind"] = [_in(say(each), language) for each in table["kind"]]
    domain = [_in(say(each), language) for each in kinds]
    looks = [
        alt.Scale(domain=domain, range=list(each)) for each in zip(*kinds.values(), strict=True)
    ]
    y_axis = alt.Axis(title=None, labelLimit=190)
    base = alt.Chart(table).encode(
        y=alt.Y("method:N", sort=table["method"].tolist(), axis=y_axis),
        color=alt.Color("kind:N", scale=looks[0], legend=None),
    )
    title = f"{_in(say(SCORES[score].heading), language)} {SCORES[score].arrow}"
    form = dict.fromkeys(("value", "low", "high"), ".3f")
    layers = [
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(
            x=alt.X("low:Q", title=title), x2="high:Q"
        ),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("value:Q", scale=_NOT_FROM_ZERO),
            shape=alt.Shape("kind:N", scale=looks[1], legend=None),
            tooltip=_tooltip(language, "method:N", "kind:N", "reasons:N", **form),
        ),
    ]
    return _spec(layers, 20 * len(table) + 20)
