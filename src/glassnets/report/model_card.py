"""A family's model card (Mitchell et al. 2019): what its networks are, how well they predict, which
attributions can be believed, and what they are not for. All of it from the results."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from glassnets.attribution.verdicts import passing
from glassnets.config.schema import Cell
from glassnets.data import Arrays
from glassnets.report import drawing, leaderboards, verdicts
from glassnets.report.formats import interval, listed, number
from glassnets.report.rendering import render
from glassnets.report.results import Metrics, Results, Setting

MAX_FAILURES = 8  # pictures
_CONFUSIONS = 5


@dataclass(frozen=True, eq=False)
class Failures:
    """Test images that networks predict wrongly: images (k, h, w), labels (k,) and the predictions
    of every seed (k, seeds) of those that most of them do, MAX_FAILURES at most; total: how many
    images at least one of them does."""

    images: NDArray[np.uint8]
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
) -> str:
    """The card in Markdown.

    cell: the family's parameters. run: how the results were made, text by heading. picture: the
    address of the figure of `failures_figure`, as seen from the card.
    """
    board = results.leaderboard
    wrong = results.confusion_matrix.query("label != prediction and count > 0")
    most = wrong.sort_values(["count", "label", "prediction"], ascending=[False, True, True])
    return render(
        "model-card.md",
        family=family,
        setting=setting,
        cell=cell,
        parameters=round(results.metrics["parameters"]["mean"]),
        shape=failures.images.shape[1:],
        metrics=_metrics(results.metrics, setting),
        classes=_classes(results.classes, setting),
        wrong=wrong["count"].sum(),
        confusions=[f"{a} predicted as {b} ({n})" for a, b, n in most.head(_CONFUSIONS).to_numpy()],
        failures=failures,
        picture=picture,
        conclusion=verdicts.conclusion(family, results),
        holds=passing(board)["method"].tolist(),
        reasons=leaderboards.reasons(board),
        run=run,
    )


def failures_figure(failures: Failures) -> bytes:
    """A PNG of the failures, with the label and each network's prediction."""
    columns = max(len(failures.images), 2)
    with drawing.figure(1.5 * columns, 2.1) as drawn:
        place = drawing.margins(drawn, left=0.1, right=0.1, top=0.65, bottom=0.05)
        grid = drawn.subplots(1, columns, squeeze=False, gridspec_kw=place)[0]
        for axes in grid:
            axes.set_axis_off()
        displayed = zip(failures.images, failures.labels, failures.predictions, strict=True)
        for axes, (image, label, predicted) in zip(grid, displayed, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            text = f"label {label}\npredicted {listed(predicted)}"
            axes.set_title(text, fontsize=9, weight="normal")
        if not failures.total:
            drawn.text(0.5, 0.5, "no test image", ha="center", va="center")
    return drawing.png(drawn)


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
            "class": classes["class"].astype(str),
            "images": support.map("{:,}".format),
            "recall %": [interval(*(100 * share for share in r), decimals=2) for r in recalls],
            "precision %": [number(100 * p, 2) for p in classes["precision"]],
            "F1 %": [number(100 * f, 2) for f in classes["f1"]],
        }
    )
