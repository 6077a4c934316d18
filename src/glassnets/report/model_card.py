"""A family's model card (Mitchell et al. 2019): what its networks are, how well they predict, which
attributions can be believed, and what they are not for. All of it from the results."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel
from statsmodels.stats.proportion import proportion_confint

from glassnets.attribution.verdicts import passing
from glassnets.config.schema import Cell, Datasheet
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.report import drawing, kinds, leaderboards, verdicts
from glassnets.report.formats import interval, listed, number
from glassnets.report.rendering import render
from glassnets.report.results import Metrics, Results, Setting

MAX_FAILURES = 8  # pictures
_CONFUSIONS = 5
_GREY_IMAGES = Inputs()
# Of `schema.Datasheet`, by key.
QUESTIONS = {
    "motivation": "For what purpose were the data made, and by whom?",
    "composition": "What is an example, and of which population are these a sample?",
    "people": "Do they concern people; did these consent; are some groups absent?",
    "collection": "How, when and by whom were they collected?",
    "labelling": "Who gave the labels, and how sure are they?",
    "preprocessing": "What was cleaned, changed or left out before?",
    "uses": "For what may they be used, and for what should they not?",
    "licence": "Under which licence may they be passed on?",
    "maintenance": "Who keeps them, and how are errors mended?",
}


@dataclass(frozen=True, eq=False)
class Failures:
    """Test images that networks predict wrongly: images (k, h, w[, c]), labels (k,) and the
    predictions of every seed (k, seeds) of those that most of them do, MAX_FAILURES at most; total:
    how many images at least one of them does."""

    images: NDArray[Any]
    labels: NDArray[np.uint8]
    predictions: NDArray[np.int64]
    total: int


def failures(predictions: pd.DataFrame, test: Arrays) -> Failures:
    """The failures of a cell. predictions: `Results.predictions`; test: the test part, in the same
    order for every seed."""
    by_seed = np.stack([run["prediction"].to_numpy() for _, run in predictions.groupby("seed")], 1)
    wrong = (by_seed != test["labels"][:, np.newaxis]).sum(axis=1)
    total = int(np.count_nonzero(wrong))
    rows = (-wrong).argsort(kind="stable")[: min(MAX_FAILURES, total)]
    return Failures(test["images"][rows], test["labels"][rows], by_seed[rows], total)


def card(
    family: str,
    cell: Cell,
    results: Results,
    failures: Failures,
    setting: Setting,
    run: Mapping[str, str],
    picture: str,
    datasheet: Datasheet | None = None,
) -> str:
    """The card in Markdown.

    cell: the family's parameters. run: how the results were made, text by heading. picture: the
    address of the figure of `failures_figure`, as seen from the card. datasheet: of a person's own
    data, what the person says of them; None leaves the part out.
    """
    board = results.leaderboard
    inputs, shape = setting.inputs, failures.images.shape[1:]
    wrong = results.confusion_matrix.query("label != prediction and count > 0")
    most = wrong.sort_values(["count", "label", "prediction"], ascending=[False, True, True])
    return render(
        "model-card.md",
        family=family,
        setting=setting,
        keys={"Network": settings(cell.network), "Training": settings(cell.training)},
        parameters=round(results.metrics["parameters"]["mean"]),
        shape=shape,
        described=inputs.described(shape),
        metrics=_metrics(results.metrics, setting),
        classes=_classes(results.classes, setting),
        wrong=wrong["count"].sum(),
        confusions=[
            f"{inputs.class_name(a)} predicted as {inputs.class_name(b)} ({n})"
            for a, b, n in most.head(_CONFUSIONS).to_numpy()
        ],
        failures=failures,
        picture=picture,
        conclusion=verdicts.conclusion(family, results),
        holds=passing(board)["method"].tolist(),
        reasons=leaderboards.reasons(board),
        run=run,
        datasheet=None if datasheet is None else answers(datasheet),
    )


def settings(group: BaseModel) -> dict[str, Any]:
    """The values of a group of keys, those of groups within it under ``group.key``."""
    values: dict[str, Any] = {}
    for key, value in group:
        if isinstance(value, BaseModel):
            values |= {f"{key}.{inner}": each for inner, each in settings(value).items()}
        else:
            values[key] = value
    return values


def answers(datasheet: Datasheet) -> list[tuple[str, str]]:
    """The questions of a datasheet with their answers, of which some may not be stated."""
    return [
        (question, getattr(datasheet, key) or "not stated") for key, question in QUESTIONS.items()
    ]


def failures_figure(failures: Failures, inputs: Inputs = _GREY_IMAGES) -> bytes:
    """A PNG of the failures, with the label and each network's prediction."""
    columns = max(len(failures.images), 2)
    wide, high = {"image": (1.5, 1.4), "table": (2.3, 2.1), "series": (2.4, 1.2)}[inputs.kind]
    top = 0.65 if inputs.class_names is None else 0.85
    with drawing.figure(wide * columns, high + top + 0.05) as drawn:
        place = drawing.margins(drawn, left=0.1, right=0.1, top=top, bottom=0.05)
        grid = drawn.subplots(1, columns, squeeze=False, gridspec_kw=place)[0]
        for axes in grid:
            axes.set_axis_off()
        displayed = zip(failures.images, failures.labels, failures.predictions, strict=True)
        for axes, (image, label, predicted) in zip(grid, displayed, strict=False):
            if inputs.kind == "image":
                axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            else:
                kinds.panel(axes, image, inputs)
            text = f"label {_named(inputs, [label])}\npredicted {_named(inputs, predicted)}"
            axes.set_title(text, fontsize=9, weight="normal")
        if not failures.total:
            drawn.text(0.5, 0.5, f"no test {inputs.words.one}", ha="center", va="center")
    return drawing.png(drawn)


def _named(inputs: Inputs, labels: Iterable[Any]) -> str:
    """Classes by name, each in a line, once; without names, their numbers."""
    if inputs.class_names is None:
        return listed(labels)
    most = 14 if inputs.kind == "image" else 24  # letters: as wide as the picture
    return ",\n".join(kinds.short(name, most) for name in dict.fromkeys(inputs.class_list(labels)))


def _metrics(metrics: Metrics, setting: Setting) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "metric": name.replace("_", " "),
            "mean": number(summary["mean"], 4),
            "sd over seeds": number(summary["sd"], 4),
            f"{setting.percent} interval": f"{number(summary['ci_low'], 4)} to "
            f"{number(summary['ci_high'], 4)}",
        }
        for name, summary in metrics.items()
        if name != "parameters"
    )


def _classes(classes: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    support, recall = classes["support"], classes["recall"]
    wilson = proportion_confint(
        recall * support, support, 1 - setting.confidence_level, method="wilson"
    )
    recalls = zip(recall, *wilson, strict=True)
    return pd.DataFrame(
        {
            "class": setting.inputs.class_list(classes["class"]),
            setting.inputs.words.many: support.map("{:,}".format),
            "recall %": [interval(*(100 * share for share in r), decimals=2) for r in recalls],
            "precision %": [number(100 * p, 2) for p in classes["precision"]],
            "F1 %": [number(100 * f, 2) for f in classes["f1"]],
        }
    )
