"""Pictures of how networks learn, one a question: what theory says as lines, what was measured as
points, its interval over seeds as a bar or a band."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from glassnets.learning import backpropagation
from glassnets.report.drawing import COLOURS, GREY, MARKS, figure, png
from glassnets.report.formats import number

Tables = Mapping[str, pd.DataFrame]

WORDS = {"relu": "ReLU", "sigmoid": "sigmoid", "tanh": "tanh", "plain": "plain", "lstm": "LSTM"}


def all_pictures(tables: Tables) -> dict[str, bytes]:
    """PNGs by the question's name. tables: of dynamics@D, by name. Same input, same bytes."""
    return {
        "gradient_flow": gradient_flow(tables),
        "batch_size": batch_size(tables),
        "learning_rate": learning_rate(tables),
        "overfitting": overfitting(tables),
        "backpropagation": derivatives(tables),
    }


def gradient_flow(tables: Tables) -> bytes:
    layers, factors = tables["gradient_layers"], tables["gradient_factors"]
    with figure(14, 9, layout="constrained") as drawn:
        (*above,), (*below,) = drawn.subplots(2, 3)
        for axes, (activation, own) in zip(
            above, layers.groupby("activation", sort=False), strict=False
        ):
            _by_layer(axes, str(activation), own, "delta")
            axes.set_ylabel("‖δ‖, relative")
        tanh = layers[layers["activation"] == "tanh"]
        _by_layer(below[0], "tanh", tanh, "weights")
        below[0].set_title("tanh: the misleading plot")
        below[0].set_ylabel("‖∂loss/∂W‖, relative")
        _trained(below[1], factors)
        _cells(below[2], tables["gradient_steps"])
    return png(drawn)


def _by_layer(axes: Axes, activation: str, table: pd.DataFrame, column: str) -> None:
    """A column of the layers, and where it is δ what theory says."""
    axes.set_title(f"{WORDS[activation]}: δ before training")
    axes.set_yscale("log")
    for place, (variance, own) in enumerate(table.groupby("variance", sort=False)):
        colour = COLOURS[place]
        if column == "delta":
            axes.plot(own["layer"], own["theory"], color=colour, lw=1.5)
        _points(axes, own, "layer", column, colour, MARKS[place], ms=4)
        each = float(own[column].iloc[0]) ** (1 / (len(own) - 1))
        # Where a curve falls to the right, above it, else below.
        row = own.iloc[len(own) // 3]
        below = -15 - 8 * place if column == "delta" else -26 - 14 * place
        axes.annotate(
            f"σ² = {variance:g}: ×{number(each, 3)} a layer",
            (row["layer"], row[column]),
            (6, below if each < 1.02 or (column == "weights" and place < 2) else 8),
            textcoords="offset points",
            color=colour,
            fontsize=9.5,
        )
    axes.margins(y=0.12 if column == "delta" else 0.3)
    axes.set_xlabel("layer (δ comes from the right)")
    axes.set_xticks([1, 5, 10, 15, 20] if table["layer"].max() == 20 else [1, table["layer"].max()])


def _trained(axes: Axes, factors: pd.DataFrame) -> None:
    axes.set_title("what could be trained in a few steps")
    axes.axvline(1, color=GREY, lw=1, ls="--")
    for place, (activation, own) in enumerate(factors.groupby("activation", sort=False)):
        colour, mark = COLOURS[place], MARKS[place]
        for row in own.to_dict("records"):
            if not np.isfinite(row["loss"]):
                continue
            axes.plot(row["measured"], row["loss"], mark, color=colour, ms=7)
            ends = [row["loss_low"], row["loss_high"]]
            axes.plot([row["measured"]] * 2, ends, color=colour, lw=1.2)
            text = f"{WORDS[str(activation)]} {row['variance']:g}"
            at = (row["measured"], row["loss"])
            away = (6, -13) if activation == "tanh" and row["loss"] > 1 else (6, 5)
            axes.annotate(text, at, away, textcoords="offset points", color=colour, fontsize=9)
    losses = factors["loss"][np.isfinite(factors["loss"])]
    axes.set_yscale("log")
    axes.set_ylim(losses.min() / 3, 3 * losses.max())  # an interval may be far longer
    axes.margins(x=0.24)
    axes.set_xlabel("factor by which δ changes a layer, before training")
    axes.set_ylabel("loss after training")


def _cells(axes: Axes, steps: pd.DataFrame) -> None:
    axes.set_title("over time: plain and LSTM cells")
    axes.set_yscale("log")
    last = steps["step"].max()
    for place, ((cell, setting), own) in enumerate(steps.groupby(["cell", "setting"], sort=False)):
        colour = COLOURS[place]
        back = last - own["step"]
        axes.plot(back, own["theory"], color=colour, lw=1, ls="-" if cell == "plain" else ":")
        every = slice(None, None, 4)
        axes.plot(
            back[every], own["gradient"][every], "o" if cell == "plain" else "s", color=colour, ms=3
        )
        what = f"σ² = {setting:g}" if cell == "plain" else f"forget bias {setting:g}"
        axes.annotate(
            f"{WORDS[str(cell)]}, {what}",
            (back.iloc[0], own["gradient"].iloc[0]),
            (5, -3),
            textcoords="offset points",
            color=colour,
            fontsize=9,
        )
    axes.set_xlim(0, last * 1.55)
    axes.set_xticks(range(0, int(last) + 1, 16))
    axes.set_xlabel("steps back (dotted: forget gates alone)")
    axes.set_ylabel("‖∂loss/∂state‖, relative")


def batch_size(tables: Tables) -> bytes:
    races, rates, noise = tables["batch_races"], tables["batch_rates"], tables["gradient_noise"]
    with figure(14, 4.8, layout="constrained") as drawn:
        left, middle, right = drawn.subplots(1, 3)
        left.set_title("each size has a rate of its own")
        left.set(xscale="log", yscale="log")
        for place, (size, own) in enumerate(rates.groupby("batch_size", sort=False)):
            reached = own[own["reached"]]
            colour = COLOURS[place]
            left.plot(
                reached["rate"], reached["epochs"], marker=MARKS[place], color=colour, ms=5, lw=1
            )
            best = reached.sort_values(["epochs", "rate"]).iloc[:1]
            for row in best.to_dict("records"):
                left.annotate(
                    f"{size:,}",
                    (row["rate"], row["epochs"]),
                    (0, -15),
                    textcoords="offset points",
                    color=colour,
                    ha="center",
                )
        left.margins(y=0.12)
        left.yaxis.set_minor_formatter(NullFormatter())
        left.set_xlabel("learning rate, by size of batch (those that reach the loss)")
        left.set_ylabel("epochs to the loss")

        middle.set_title("the cost of an equal loss")
        middle.set(xscale="log", yscale="log")
        for place, (column, text) in enumerate(
            {"examples": "examples seen", "updates": "updates"}.items()
        ):
            _points(middle, races, "batch_size", column, COLOURS[place], MARKS[place], line=True)
            at = (races["batch_size"].iloc[-1], races[column].iloc[-1])
            middle.annotate(
                text, at, (-4, 9), textcoords="offset points", color=COLOURS[place], ha="right"
            )
        middle.set_xlabel("images in a batch (the last: all)")

        right.set_title("noise of a gradient")
        right.set(xscale="log", yscale="log")
        for place, (moment, own) in enumerate(noise.groupby("moment", sort=False)):
            colour = COLOURS[place]
            if not place:
                right.plot(own["batch_size"], own["theory"], color="black", lw=1)
                right.plot(own["batch_size"], own["theory_without"], color="black", lw=1, ls=":")
            _points(
                right, own, "batch_size", "with_replacement", colour, MARKS[place], ms=9 - 4 * place
            )
            right.plot(
                own["batch_size"],
                own["without_replacement"],
                MARKS[place],
                mfc="none",
                mec=colour,
                ms=5,
                ls="none",
            )
            text = {"start": "random weights", "end": "trained weights"}[str(moment)]
            at = (0.04, 0.2 - 0.07 * place)
            right.annotate(text, at, xycoords="axes fraction", color=colour)
        right.annotate(
            "line: 1/B   dotted, hollow: drawn without replacement",
            (0.04, 0.03),
            xycoords="axes fraction",
            fontsize=9,
        )
        right.set_xlabel("images in a batch, B")
        right.set_ylabel("variance, relative to that of one image")
    return png(drawn)


def learning_rate(tables: Tables) -> bytes:
    descent, sharpness = tables["descent"], tables["sharpness"]
    with figure(13, 5, layout="constrained") as drawn:
        left, right = drawn.subplots(1, 2)
        left.set_title("a linear model diverges at η = 2/λ_max")
        left.axvline(1, color=GREY, lw=1, ls="--")
        left.axhline(0, color=GREY, lw=1)
        above = np.linspace(1, descent["rate"].max(), 50)
        left.plot(above, np.log(2 * above - 1), color="black", lw=1)
        _points(left, descent, "rate", "growth", COLOURS[0], "o", ms=6)
        left.annotate(
            "theory: log(2r − 1)",
            (above[35], np.log(2 * above[35] - 1)),
            (-12, 4),
            textcoords="offset points",
            ha="right",
        )
        left.set_xlabel("r: rate, in parts of 2/λ_max")
        left.set_ylabel("growth of a step, logarithm of the factor")

        right.set_title("a network's sharpness rises to 2/η and stays")
        last = sharpness["step"].max()
        for place, rate in enumerate(sharpness["rate"].unique()):
            own = sharpness[sharpness["rate"] == rate]
            colour = COLOURS[place]
            if 2 / rate < 2 * sharpness["sharpness"].max():
                right.plot([0, last], [2 / rate] * 2, color=colour, lw=1, ls="--")
            right.fill_between(
                own["step"],
                own["sharpness_low"],
                own["sharpness_high"],
                color=colour,
                alpha=0.18,
                lw=0,
            )
            right.plot(own["step"], own["sharpness"], MARKS[place], color=colour, ms=3.5)
            # Beside the end; of a rate that is far from the edge, which may end anywhere, below.
            far = own["sharpness"].max() < 0.5 * 2 / rate
            row = own.iloc[len(own) // 2 if far else -1]
            right.annotate(
                f"η = {rate:g}, 2/η = {2 / rate:.3g}",
                (row["step"], row["sharpness"]),
                (7, -14 if far else -3),
                textcoords="offset points",
                color=colour,
            )
        right.set_xlim(0, last * 1.42)
        right.set_xticks(np.linspace(0, last, 4).round())
        right.set_ylim(bottom=0)
        right.set_xlabel("step of full-batch descent (dashed: 2/η)")
        right.set_ylabel("sharpness: largest eigenvalue of the Hessian")
    return png(drawn)


def overfitting(tables: Tables) -> bytes:
    with figure(13, 9, layout="constrained") as drawn:
        (first, second), (third, fourth) = drawn.subplots(2, 2)
        _lines(
            first,
            tables["augmented"],
            "epoch",
            {"clean": "training images, clean", "test": "test images", "augmented": "augmented"},
        )
        first.set_title("accuracy of augmented images hides the gap")
        low = tables["augmented"]["augmented"].median()
        first.set_ylim(max(0.0, 2 * low - 1.05), 1)
        first.set_xlabel("epoch")

        curve = tables["learning_curve"]
        _lines(second, curve, "images", {"train": "training images", "test": "test images"})
        second.set(xscale="log", title="learning curve")
        second.set_xticks(curve["images"], [f"{count:,}" for count in curve["images"]])
        second.minorticks_off()
        second.set_xlabel("training images")

        shuffled = tables["shuffled_labels"]
        for place, (labels, own) in enumerate(shuffled.groupby("labels", sort=False)):
            names = {"train": f"{labels} labels: training", "test": f"{labels} labels: test"}
            _lines(third, own, "epoch", names, first=2 * place, place="center right")
        third.set(title="a network learns shuffled labels by heart")
        third.set_xlabel("epoch")

        _double_descent(fourth, tables["double_descent"])
        for axes in (first, second, third):
            axes.set_ylabel("accuracy")
    return png(drawn)


def _double_descent(axes: Axes, table: pd.DataFrame) -> None:
    axes.set(xscale="log", yscale="log", title="double descent of random-feature least squares")
    axes.axvline(1, color=GREY, lw=1, ls="--")
    for place, (column, text) in enumerate(
        {"test": "test images", "ridge": "test images, with ridge"}.items()
    ):
        _points(axes, table, "ratio", column, COLOURS[place], MARKS[place], line=True)
        row = table.iloc[-4]
        axes.annotate(
            text,
            (row["ratio"], row[column]),
            (0, 14 - 38 * place),
            textcoords="offset points",
            color=COLOURS[place],
            ha="left" if not place else "center",
        )
    fits = table[table["train"] > 0]
    axes.plot(fits["ratio"], fits["train"], MARKS[2], color=COLOURS[2], ms=5, lw=1, ls="-")
    row = fits.iloc[-1]
    at = (row["ratio"], row["train"])
    axes.annotate(
        "training images (0 from N = n on)",
        at,
        (-8, -4),
        textcoords="offset points",
        color=COLOURS[2],
        ha="right",
    )
    axes.set_xlabel("features N, in parts of the n training images")
    axes.set_ylabel("mean squared error")


def derivatives(tables: Tables) -> bytes:
    """Finite differences against backpropagation, and the network that the page works out."""
    table = tables["finite_differences"]
    with figure(13, 5, layout="constrained") as drawn:
        left, right = drawn.subplots(1, 2)
        left.set(xscale="log", yscale="log", title="no step of a finite difference is exact")
        steps = table["step"].to_numpy()
        cut = table["error"].iloc[0] * (steps / steps[0]) ** 2
        lowest = table["error"].min() / 30
        left.plot(steps[cut > lowest], cut[cut > lowest], color="black", lw=1)
        rounding = table["rounding"].to_numpy()
        left.plot(
            steps[rounding > lowest], rounding[rounding > lowest], color="black", lw=1, ls=":"
        )
        _points(left, table, "step", "error", COLOURS[0], "o", ms=6)
        left.annotate(
            "cut off: ∝ h²", (1e-3, table["error"].iloc[2]), (8, -10), textcoords="offset points"
        )
        left.annotate(
            "rounding, at most about ε·loss/h",
            (1e-9, rounding[8]),
            (8, 4),
            textcoords="offset points",
        )
        left.set_xlabel("step h")
        left.set_ylabel("difference from backpropagation, relative")
        _three_units(right)
    return png(drawn)


def _three_units(axes: Axes) -> None:
    """The network worked out by hand: on edges weights and, below, their derivatives."""
    found = backpropagation.three_units()
    axes.set_title("three units, forward (black) and backward (orange)")
    axes.axis("off")
    places = {"x_1": (0, 1), "x_2": (0, 0), "1": (1, 1), "2": (1, 0), "3": (2, 0.5)}
    edges = {
        ("x_1", "1"): (backpropagation.HIDDEN[0][0], "w_1_1", 0.35),
        ("x_2", "1"): (backpropagation.HIDDEN[0][1], "w_1_2", 0.72),
        ("x_1", "2"): (backpropagation.HIDDEN[1][0], "w_2_1", 0.72),
        ("x_2", "2"): (backpropagation.HIDDEN[1][1], "w_2_2", 0.35),
        ("1", "3"): (backpropagation.OUTPUT[0], "w_3_1", 0.5),
        ("2", "3"): (backpropagation.OUTPUT[1], "w_3_2", 0.5),
    }
    box: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for (begin, end), (weight, name, part) in edges.items():
        (x0, y0), (x1, y1) = places[begin], places[end]
        axes.plot([x0, x1], [y0, y1], color=GREY, lw=1, zorder=1)
        at = (x0 + part * (x1 - x0), y0 + part * (y1 - y0))
        axes.annotate(
            number(weight, 2), at, (0, 5), textcoords="offset points", ha="center", bbox=box
        )
        axes.annotate(
            number(found[name], 4),
            at,
            (0, -9),
            textcoords="offset points",
            ha="center",
            color=COLOURS[1],
            bbox=box,
        )
    texts = {
        "x_1": (f"x₁ = {number(backpropagation.INPUTS[0], 2)}", "", (0, 17)),
        "x_2": (f"x₂ = {number(backpropagation.INPUTS[1], 2)}", "", (0, -27)),
        "1": (f"h₁ = {number(found['h_1'], 4)}", f"δ₁ = {number(found['delta_1'], 4)}", (0, 33)),
        "2": (f"h₂ = {number(found['h_2'], 4)}", f"δ₂ = {number(found['delta_2'], 4)}", (0, -27)),
        "3": (f"y = {number(found['y'], 4)}", f"δ₃ = {number(found['delta_3'], 4)}", (52, 4)),
    }
    for name, (forward, backward, (right, up)) in texts.items():
        x, y = places[name]
        axes.plot(x, y, "o", ms=16, color="white", mec="black", zorder=2)
        for text, below, colour in ((forward, 0, "black"), (backward, 16, COLOURS[1])):
            away = (right, up - below)
            axes.annotate(text, (x, y), away, textcoords="offset points", ha="center", color=colour)
    axes.set_xlim(-0.3, 2.6)
    axes.set_ylim(-0.35, 1.35)


def _points(
    axes: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    colour: str,
    mark: str,
    *,
    ms: float = 5,
    line: bool = False,
) -> None:
    """A column's means as points, its intervals as bars."""
    axes.vlines(table[x], table[f"{y}_low"], table[f"{y}_high"], color=colour, lw=1.2)
    axes.plot(table[x], table[y], mark, color=colour, ms=ms, lw=1, ls="-" if line else "none")


def _lines(
    axes: Axes,
    table: pd.DataFrame,
    x: str,
    columns: Mapping[str, str],
    *,
    first: int = 0,
    place: Literal["lower right", "center right"] = "lower right",
) -> None:
    """Columns' means as lines, their intervals as bands, each named at its end."""
    for i, (column, text) in enumerate(columns.items(), start=first):
        colour = COLOURS[i]
        axes.fill_between(
            table[x],
            table[f"{column}_low"],
            table[f"{column}_high"],
            color=colour,
            alpha=0.18,
            lw=0,
        )
        many = len(table) > 40
        mark = "none" if many else MARKS[i]
        axes.plot(table[x], table[column], marker=mark, color=colour, ms=4, lw=1.5, label=text)
    axes.legend(loc=place, frameon=False, fontsize=9.5)
