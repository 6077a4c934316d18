"""The comparison as a picture."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from glassnets.report.drawing import COLOURS, MARKS, figure, png
from glassnets.report.tables import Setting

# Images in a bin of a reliability diagram: of fewer, the mean says more of chance than of the
# network.
FEWEST = 10


def comparison(
    setting: Setting,
    table: pd.DataFrame,
    accuracy_by_seed: dict[str, list[float]],
    histories: dict[str, pd.DataFrame],
    reliabilities: dict[str, pd.DataFrame],
) -> bytes:
    """A PNG of three panels: test accuracy, training curves, reliability. Same input, same bytes.

    table is ``tables.comparison``'s; histories have the columns seed, epoch, val_accuracy;
    reliabilities the columns confidence, accuracy, count (a row a bin). Each is keyed by family.
    """
    looks = {
        family: {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}
        for i, family in enumerate(sorted(histories))
    }
    with figure(13, 4.6) as drawn:
        drawn.set_layout_engine("constrained")
        left, middle, right = drawn.subplots(1, 3)
        _accuracies(left, setting, table, accuracy_by_seed, looks)
        _curves(middle, histories, looks)
        _reliability(right, reliabilities, looks)
        drawn.legend(
            *middle.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(looks),
            frameon=False,
        )
    return png(drawn)


def _accuracies(
    axes: Axes,
    setting: Setting,
    table: pd.DataFrame,
    by_seed: dict[str, list[float]],
    looks: dict[str, Any],
) -> None:
    axes.set_title(f"{setting.dataset}: test accuracy")
    for place, row in enumerate(table.to_dict("records")):
        look = looks[row["family"]]
        ends = [row["accuracy_ci_low"], row["accuracy_ci_high"]]
        axes.plot(ends, [place, place], color=look["color"], lw=3, alpha=0.45)
        axes.plot(row["accuracy"], place, **look, ms=9)
        seeds = by_seed[row["family"]]
        axes.plot(seeds, [place + 0.22] * len(seeds), "o", mfc="none", mec=look["color"], ms=5)
        axes.annotate(
            f"{100 * row['accuracy']:.2f} %",
            (row["accuracy"], place),
            (0, 9),
            textcoords="offset points",
            ha="center",
        )
    axes.set_yticks(range(len(table)), table["family"])
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(_percent())
    axes.set_xlabel(f"● mean, {setting.percent} interval   ○ each seed")


def _curves(axes: Axes, histories: dict[str, pd.DataFrame], looks: dict[str, Any]) -> None:
    axes.set_title("validation accuracy in training")
    for family, history in histories.items():
        epochs = history.groupby("epoch")["val_accuracy"].agg(["mean", "min", "max"])
        look = looks[family]
        axes.fill_between(
            epochs.index, epochs["min"], epochs["max"], color=look["color"], alpha=0.18, lw=0
        )
        step = max(1, len(epochs) // 8)
        axes.plot(epochs.index, epochs["mean"], **look, ms=5, lw=2, markevery=step, label=family)
    # An equal step is an equal factor of the error, so that 99 % and 99.5 % can be told apart.
    axes.set_yscale("function", functions=(_error_orders, lambda y: 1.001 - 10**-y))
    ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1]
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.yaxis.set_major_formatter(_percent())
    axes.set_xlabel("epoch (mean and range over seeds)")


def _error_orders(accuracy: Any) -> Any:
    return -np.log10(np.maximum(1.001 - accuracy, 1e-6))


def _reliability(axes: Axes, tables: dict[str, pd.DataFrame], looks: dict[str, Any]) -> None:
    axes.set_title("reliability")
    axes.plot([0, 1], [0, 1], color="#777777", ls="--", lw=1)
    for family, table in tables.items():
        bins = table[table["count"] >= FEWEST]
        axes.plot(bins["confidence"], bins["accuracy"], **looks[family], ms=6, lw=1.5, alpha=0.85)
    axes.xaxis.set_major_formatter(_percent())
    axes.yaxis.set_major_formatter(_percent())
    axes.set_xlabel(f"confidence (bins of {FEWEST} images or more)")
    axes.set_ylabel("accuracy")


def _percent() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{100 * value:.10g} %")
