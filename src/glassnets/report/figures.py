"""Figures of metrics: the families of a dataset side by side, and those of a single run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from glassnets.data.inputs import Inputs, Words
from glassnets.report import formats
from glassnets.report.drawing import COLOURS, MARKS, family_places, figure, png
from glassnets.report.kinds import short
from glassnets.report.results import Results, Setting

# Images in a bin of a reliability diagram: of fewer, the mean says more of chance than of the
# network.
MIN_IMAGES = 10

Ints = NDArray[np.int64]
_GREY_IMAGES = Inputs()
_Looks = Mapping[str, dict[str, Any]]  # of a family's lines and points
_PERCENT = FuncFormatter(lambda value, _: formats.percent(value))


def comparison(setting: Setting, table: pd.DataFrame, results: Mapping[str, Results]) -> bytes:
    """A PNG of three charts: test accuracy, training curves, reliability. Same input, same bytes.

    table: ``comparison.table``'s. results: by family.
    """
    looks: _Looks = {
        family: {"color": COLOURS[place], "marker": MARKS[place]}
        for family, place in family_places(results).items()
    }
    with figure(13, 4.6, layout="constrained") as drawn:
        left, middle, right = drawn.subplots(1, 3)
        _accuracies(left, setting, table, results, looks)
        _curves(middle, results, looks)
        _reliability(right, results, looks, setting.inputs.words)
        handles = middle.get_legend_handles_labels()
        drawn.legend(*handles, loc="outside lower center", ncols=len(looks), frameon=False)
    return png(drawn)


def _accuracies(
    axes: Axes,
    setting: Setting,
    table: pd.DataFrame,
    results: Mapping[str, Results],
    looks: _Looks,
) -> None:
    axes.set_title(f"{setting.dataset}: test accuracy")
    for place, row in enumerate(table.to_dict("records")):
        look = looks[row["family"]]
        ends = [row["accuracy_ci_low"], row["accuracy_ci_high"]]
        axes.plot(ends, [place, place], color=look["color"], lw=3, alpha=0.45)
        axes.plot(row["accuracy"], place, **look, ms=9)
        seeds = results[row["family"]].metrics["accuracy"]["by_seed"]
        axes.plot(seeds, [place + 0.22] * len(seeds), "o", mfc="none", mec=look["color"], ms=5)
        text, at = f"{100 * row['accuracy']:.2f} %", (row["accuracy"], place)
        axes.annotate(text, at, (0, 9), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(table)), table["family"])
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel(f"● mean, {setting.percent} interval   ○ each seed")


def _curves(axes: Axes, results: Mapping[str, Results], looks: _Looks) -> None:
    axes.set_title("validation accuracy in training")
    for family, each in results.items():
        epochs = each.history.groupby("epoch")["val_accuracy"].agg(["mean", "min", "max"])
        look = looks[family]
        axes.fill_between(
            epochs.index, epochs["min"], epochs["max"], color=look["color"], alpha=0.18, lw=0
        )
        step = max(1, len(epochs) // 8)
        axes.plot(epochs.index, epochs["mean"], **look, ms=5, lw=2, markevery=step, label=family)
    # An equal step is an equal factor of the error, so that 99 % and 99.5 % can be told apart.
    orders = (lambda x: -np.log10(np.maximum(1.001 - x, 1e-6)), lambda y: 1.001 - 10**-y)
    axes.set_yscale("function", functions=orders)
    ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1]
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel("epoch (mean and range over seeds)")


def _reliability(axes: Axes, results: Mapping[str, Results], looks: _Looks, words: Words) -> None:
    axes.set_title("reliability")
    axes.plot([0, 1], [0, 1], color="#777777", ls="--", lw=1)
    for family, each in results.items():
        bins = each.reliability[each.reliability["count"] >= MIN_IMAGES]
        axes.plot(bins["confidence"], bins["accuracy"], **looks[family], ms=6, lw=1.5, alpha=0.85)
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel(f"confidence (bins of {words.count(MIN_IMAGES)} or more)")
    axes.set_ylabel("accuracy")


def confusion_matrix(
    labels: Ints, predicted: Ints, title: str, inputs: Inputs = _GREY_IMAGES
) -> Figure:
    """How often images of each class (row) were predicted to be of each class (column).

    labels, predicted: (n,).
    """
    with figure(6, 6, layout="constrained") as drawn:
        axes = drawn.subplots()
        ConfusionMatrixDisplay.from_predictions(
            labels, predicted, ax=axes, colorbar=False, cmap="Blues", im_kw={"norm": "symlog"}
        )
        if inputs.class_names is not None:
            present = np.union1d(labels, predicted)
            names = [short(name, 16) for name in inputs.class_list(present)]
            axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 3 else 0)
            axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.set_title(title)
    return drawn


def reliability(table: pd.DataFrame, title: str, inputs: Inputs = _GREY_IMAGES) -> Figure:
    """Accuracy against confidence, and below it how many images each point stands for.

    table: ``metrics.reliability``'s, of one run.
    """
    with figure(6, 6, layout="constrained") as drawn:
        above, below = drawn.subplots(2, height_ratios=[3, 1], sharex=True)
        above.plot([0, 1], [0, 1], color="#777777", ls="--", lw=1, label="perfectly calibrated")
        above.plot(table["confidence"], table["accuracy"], marker="o")
        above.set(ylabel="accuracy", title=title)
        above.legend(loc="upper left")
        below.bar(table["confidence"], table["count"], width=0.02)
        below.set(xlabel="confidence", ylabel=inputs.words.many, yscale="log", xlim=(0, 1.02))
    return drawn
