"""The page of how networks learn: what the article says, what was measured, where it is wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glassnets.config.schema import Dynamics
from glassnets.learning import backpropagation, gradient_flow, network
from glassnets.learning.summary import hovering
from glassnets.report import formats
from glassnets.report.formats import listed, number
from glassnets.report.learning_pictures import WORDS
from glassnets.report.rendering import render

Tables = Mapping[str, pd.DataFrame]

SOURCES = (
    'Arpit et al. (2017), "A closer look at memorization in deep networks", ICML.',
    'Azevedo et al. (2009), "Equal numbers of neuronal and nonneuronal cells make the human brain '
    'an isometrically scaled-up primate brain", Journal of Comparative Neurology 513.',
    'Baydin et al. (2018), "Automatic differentiation in machine learning: a survey", JMLR 18.',
    'Belkin et al. (2019), "Reconciling modern machine-learning practice and the classical '
    'bias–variance trade-off", PNAS 116.',
    'Bottou, Curtis & Nocedal (2018), "Optimization methods for large-scale machine learning", '
    "SIAM Review 60.",
    'Chen, Pennington & Schoenholz (2018), "Dynamical isometry and a mean field theory of RNNs", '
    "ICML.",
    'Cohen et al. (2021), "Gradient descent on neural networks typically occurs at the edge of '
    'stability", ICLR; (2022), "Adaptive gradient methods at the edge of stability".',
    'Crick (1989), "The recent excitement about neural networks", Nature 337.',
    'Gers, Schmidhuber & Cummins (2000), "Learning to forget: continual prediction with LSTM", '
    "Neural Computation 12.",
    'Hastie et al. (2022), "Surprises in high-dimensional ridgeless least squares interpolation", '
    "Annals of Statistics 50.",
    'He et al. (2015), "Delving deep into rectifiers", ICCV.',
    'LeCun, Simard & Pearlmutter (1993), "Automatic learning rate maximization by on-line '
    "estimation of the Hessian's eigenvectors\", NIPS 5.",
    'Pearlmutter (1994), "Fast exact multiplication by the Hessian", Neural Computation 6.',
    'Poole et al. (2016), "Exponential expressivity in deep neural networks through transient '
    'chaos", NIPS.',
    'Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors", '
    "Nature 323.",
    'Schoenholz et al. (2017), "Deep information propagation", ICLR.',
    'Wilson & Martinez (2003), "The general inefficiency of batch training for gradient descent '
    'learning", Neural Networks 16.',
    'Zhang et al. (2017), "Understanding deep learning requires rethinking generalization", ICLR.',
)

_STUCK = 0.9  # of the loss before training: above it, a network has hardly learnt


def page(
    dataset: str,
    tables: Tables,
    numbers: Mapping[str, float],
    options: Dynamics,
    images: Mapping[str, int],
    level: float,
    folder: str,
) -> str:
    """learning.md. Same input, same bytes.

    tables, numbers: of dynamics@D, by name. images: how many are in train, validation and test.
    level: of the intervals. folder: where the pictures lie, as the page names it.
    """
    flow, batch = _flow(tables, numbers, options), _batch(tables, options, images)
    rate, fit = _rate(tables, numbers, options, images), _fit(tables, options, images)
    return render(
        "learning.md",
        dataset=dataset,
        images=images,
        seeds=len(options.seeds),
        percent=formats.percent(level),
        by_hand=_by_hand(),
        backpropagation=_differences(tables, options),
        flow=flow,
        batch=batch,
        rate=rate,
        fit=fit,
        sources=SOURCES,
        folder=folder,
    )


def _row(table: pd.DataFrame, place: int) -> dict[str, Any]:
    return {str(name): value for name, value in table.iloc[place].items()}


def _interval(row: Mapping[Any, Any], column: str, decimals: int, scale: float = 1) -> str:
    ends = (scale * row[name] for name in (column, f"{column}_low", f"{column}_high"))
    return formats.interval(*ends, decimals=decimals)


def _power(value: float) -> str:
    """``2.3·10⁻⁵``; numbers that are neither large nor small as they are."""
    if 0.01 <= value < 10_000:
        return number(value, 2)
    mantissa, exponent = f"{value:.1e}".split("e")
    digits = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}·10{digits}"


def _by_hand() -> dict[str, Any]:
    found = backpropagation.three_units()
    by_network, by_differences = backpropagation.three_units_by_network()
    (w_11, w_12, b_1), (w_21, w_22, b_2) = backpropagation.HIDDEN
    w_31, w_32, b_3 = backpropagation.OUTPUT
    x_1, x_2 = backpropagation.INPUTS

    def text(*values: float) -> list[str]:
        return [number(value, 4) for value in values]

    def product(weight: float, value: float) -> str:
        return f"({number(weight, 4)})·({number(value, 4)})"

    sums = {
        "1": f"{product(w_11, x_1)} + {product(w_12, x_2)} + {number(b_1, 4)}",
        "2": f"{product(w_21, x_1)} + {product(w_22, x_2)} + {number(b_2, 4)}",
        "3": f"{product(w_31, found['h_1'])} + {product(w_32, found['h_2'])} + {number(b_3, 4)}",
    }
    z, h = text(found["z_1"], found["z_2"], found["y"]), text(found["h_1"], found["h_2"])
    forward = pd.DataFrame(
        {
            "unit": [*sums],
            "sum z": [f"{sums[unit]} = {each}" for unit, each in zip(sums, z, strict=True)],
            "output": [*(f"h = σ(z) = {each}" for each in h), f"y = z = {z[2]}"],
        }
    )
    given = {"1": ("x₁", x_1), "2": ("x₂", x_2)}
    rows = []
    for name, own in by_network.items():
        kind, unit, *place = name.split("_")
        if kind == "b":
            how, weight = f"δ{_below(unit)}", f"bias of unit {unit}"
        else:
            through = given[place[0]][0] if unit != "3" else f"h{_below(place[0])}"
            how, weight = f"δ{_below(unit)} · {through}", f"{through} → unit {unit}"
        each = (found[name], own, by_differences[name])
        rows.append((weight, how, *(number(value, 10) for value in each)))
    columns = ["weight", "derivative", "by hand", "by the code", "by differences"]
    return {
        "x": listed(number(each, 1) for each in (x_1, x_2)),
        "target": number(backpropagation.TARGET, 0),
        "forward": forward,
        "backward": pd.DataFrame(rows, columns=columns),
        "w_31": number(w_31, 1),
        "w_32": number(w_32, 1),
        **{f"delta_{unit}": number(found[f"delta_{unit}"], 4) for unit in (1, 2, 3)},
    }


def _below(digit: str) -> str:
    return digit.translate(str.maketrans("123", "₁₂₃"))


def _differences(tables: Tables, options: Dynamics) -> dict[str, Any]:
    table, own = tables["finite_differences"], options.backpropagation
    best = _row(table, int(table["error"].to_numpy().argmin()))
    return {
        "units": " and ".join(map(str, own.units)),
        "parameters": own.parameters,
        "images": own.images,
        "error": _power(float(best["error"])),
        "step": _power(float(best["step"])),
    }


def _flow(tables: Tables, numbers: Mapping[str, float], options: Dynamics) -> dict[str, Any]:
    own, factors = options.gradient_flow, tables["gradient_factors"]
    rows = []
    for row in factors.to_dict("records"):
        rows.append(
            {
                "activation": WORDS[row["activation"]],
                "σ²": f"{row['variance']:g}",
                "√χ, theory": number(row["theory"], 3),
                "measured": _interval(row, "measured", 3),
                "deviation %": number(100 * (row["measured"] / row["theory"] - 1), 1),
                "after training": _interval(row, "trained", 3),
                "loss before": _loss(row, "loss_before"),
                "loss after": _loss(row, "loss"),
            }
        )
    layers = tables["gradient_layers"]
    tanh = _row(layers[(layers["activation"] == "tanh") & (layers["layer"] == 2)], 0)
    steps = tables["gradient_steps"]
    first = steps[steps["step"] == 1]
    count = int(steps["step"].max()) - 1
    cells = []
    for row in first.to_dict("records"):
        plain = row["cell"] == "plain"
        ends = ("gradient", "gradient_low", "gradient_high")
        factor = {name: row[name] ** (1 / count) for name in ends}
        cells.append(
            {
                "cell": WORDS[row["cell"]],
                "with": f"{'σ² =' if plain else 'forget bias'} {row['setting']:g}",
                "left of it": _powers(row, "gradient"),
                "factor a step": _interval(factor, "gradient", 3),
                "by theory": number(row["theory"] ** (1 / count), 3)
                + ("" if plain else " (forget gate alone)"),
            }
        )
    sigmoid = _row(factors[factors["activation"] == "sigmoid"], 0)
    return {
        "depth": own.depth,
        "width": own.width,
        "images": own.images,
        "steps": own.training.steps,
        "rates": listed(f"{rate:g}" for rate in own.training.rates),
        "table": pd.DataFrame(rows),
        "deviation": number(100 * numbers["gradient_flow_deviation"], 1),
        "vanish": _combined(factors, factors["measured_high"] < 1),
        "explode": _combined(factors, factors["measured_low"] > 1),
        "stuck": _combined(factors, ~(factors["loss"] < _STUCK * factors["loss_before"])),
        "sigmoid": number(sigmoid["measured"], 3),
        "misleading": {
            "variance": f"{tanh['variance']:g}",
            "delta": _power(tanh["delta"]),
            "weights": _power(tanh["weights"]),
        },
        "cell_steps": int(steps["step"].max()),
        "cells": pd.DataFrame(cells),
        "equal": _equal_scales(own.depth),
    }


def _equal_scales(depth: int) -> pd.DataFrame:
    """√χ by theory, a row a scale."""
    rows = []
    for variance in (0.5, 1, 2, 4, 16, 100, 400):
        row = {"σ²": f"{variance:g}"}
        for activation in network.ACTIVATIONS:
            each = gradient_flow.theory(activation, variance, depth)[:-1]
            row[WORDS[activation]] = number(float(np.exp(np.log(each).mean())), 3)
        rows.append(row)
    return pd.DataFrame(rows)


def _loss(row: Mapping[Any, Any], column: str) -> str:
    if not np.isfinite(row[column]):
        return "diverged"
    return _interval(row, column, 2)


def _powers(row: Mapping[Any, Any], column: str) -> str:
    values = (_power(row[name]) for name in (column, f"{column}_low", f"{column}_high"))
    return "{} ({} to {})".format(*values)


def _combined(factors: pd.DataFrame, which: Any) -> str:
    """``sigmoid (σ² = 1), tanh (0.5, 1)``, or none."""
    rows = factors[which]
    each = {
        WORDS[str(activation)]: listed(f"{value:g}" for value in own["variance"])
        for activation, own in rows.groupby("activation", sort=False)
    }
    return listed(f"{name} (σ² = {values})" for name, values in each.items()) or "none"


def _batch(tables: Tables, options: Dynamics, images: Mapping[str, int]) -> dict[str, Any]:
    own, races = options.batch_size, tables["batch_races"]
    rows = []
    for row in races.to_dict("records"):
        rows.append(
            {
                "images in a batch": f"{row['batch_size']:,.0f}",
                "rate": f"{row['rate']:g}",
                "epochs": _at_least(row, "epochs", 2),
                "images seen": _at_least(row, "examples", 0),
                "updates": _at_least(row, "updates", 0),
                "seeds that got there": f"{100 * row['reached']:.0f} %",
                "test accuracy %": _interval(row, "accuracy", 1, 100),
            }
        )
    slopes = {row["moment"]: row for row in tables["noise_slopes"].to_dict("records")}
    there = races[races["reached"] == 1]
    there = there if len(there) else races
    fewest = _row(there, int(there["examples"].to_numpy().argmin()))
    quickest = _row(there, int(there["updates"].to_numpy().argmin()))
    whole = _row(races, -1)
    more = number(whole["examples"] / fewest["examples"], 1)
    return {
        "units": own.units,
        "images": min(own.images, images["train"]),
        "validation": min(own.validation_images, images["validation"]),
        "loss": f"{own.loss:g}",
        "lowest": f"{own.rates.lowest:g}",
        "highest": f"{own.rates.highest:g}",
        "table": pd.DataFrame(rows),
        "start": _interval(slopes["start"], "slope", 3),
        "end": _interval(slopes["end"], "slope", 3),
        "noise_images": own.noise.images,
        "draws": own.noise.draws,
        "more": more if whole["reached"] == 1 else f"at least {more}",
        "is_more": whole["examples_low"] > fewest["examples_high"],
        "fewest": f"{fewest['batch_size']:,.0f}",
        "least_updates": f"{quickest['batch_size']:,.0f}",
    }


def _at_least(row: Mapping[Any, Any], column: str, decimals: int) -> str:
    """An interval; where a seed did not get to the loss, what all of them needed at least."""
    if row["reached"] == 1:
        return _interval(row, column, decimals)
    return f"over {number(row[column], decimals)}"


def _rate(
    tables: Tables, numbers: Mapping[str, float], options: Dynamics, images: Mapping[str, int]
) -> dict[str, Any]:
    own = options.learning_rate
    thresholds = pd.DataFrame(
        {
            "seed": [str(seed) for seed in tables["thresholds"]["seed"]],
            "diverges above": [number(v, 5) for v in tables["thresholds"]["threshold"]],
            "2/λ_max": [number(v, 5) for v in tables["thresholds"]["theory"]],
            "ratio": [number(v, 5) for v in tables["thresholds"]["ratio"]],
        }
    )
    hovers = hovering(tables["sharpness"])
    ends = tables["sharpness"].groupby("rate", sort=False).last()
    sharpness = pd.DataFrame(
        {
            "rate η": [f"{rate:g}" for rate in hovers["rate"]],
            "2/η": [f"{2 / rate:.3g}" for rate in hovers["rate"]],
            "highest sharpness · η/2": [number(v, 2) for v in hovers["highest"]],
            "last third": [number(v, 3) for v in hovers["late"]],
            "loss at the end": [_power(value) for value in ends["loss"]],
        }
    )
    return {
        "images": min(own.images, images["train"]),
        "table": thresholds,
        "deviation": f"{100 * numbers['threshold_deviation']:.2g}",
        "units": " and ".join(map(str, own.network.units)),
        "steps": own.network_steps,
        "sharpness": sharpness,
        "reached": listed(f"{rate:g}" for rate in hovers.loc[hovers["reached"], "rate"]) or "none",
        "at_edge": number(numbers["sharpness_at_edge"] or 0, 3),
    }


def _fit(tables: Tables, options: Dynamics, images: Mapping[str, int]) -> dict[str, Any]:
    own = options.overfitting
    last = _row(tables["augmented"], -1)
    shuffled = {str(labels): rows for labels, rows in tables["shuffled_labels"].groupby("labels")}
    ended = _row(shuffled["shuffled"], -1)
    descent = tables["double_descent"]
    peak = _row(descent, int(descent["test"].to_numpy().argmax()))
    below = descent[descent["ratio"] < 1]
    under = _row(below, int(below["test"].to_numpy().argmin()))
    over = _row(descent, -1)
    curve = tables["learning_curve"]
    return {
        "shift": own.augmented.shift,
        "epochs": own.augmented.epochs,
        "images": min(own.images, images["train"]),
        "tested": min(own.test_images, images["test"]),
        "augmented": _interval(last, "augmented", 1, 100),
        "clean": _interval(last, "clean", 1, 100),
        "test": _interval(last, "test", 1, 100),
        "shown_gap": number(100 * (last["augmented"] - last["test"]), 1),
        "gap": number(100 * (last["clean"] - last["test"]), 1),
        "curve": pd.DataFrame(
            {
                "training images": [f"{count:,}" for count in curve["images"]],
                "training accuracy %": [
                    _interval(row, "train", 1, 100) for row in curve.to_dict("records")
                ],
                "test accuracy %": [
                    _interval(row, "test", 1, 100) for row in curve.to_dict("records")
                ],
            }
        ),
        "shuffled_images": own.shuffled.images,
        "shuffled_train": _interval(ended, "train", 1, 100),
        "shuffled_test": _interval(ended, "test", 1, 100),
        "true_test": _interval(_row(shuffled["true"], -1), "test", 1, 100),
        "shuffled_epochs": _epochs(shuffled["shuffled"]),
        "true_epochs": _epochs(shuffled["true"]),
        "n": own.regression.images,
        "peak": f"{peak['ratio']:g}",
        "peak_error": number(peak["test"], 2),
        "peak_interval": _interval(peak, "test", 2),
        "under": number(under["test"], 3),
        "under_ratio": f"{under['ratio']:g}",
        "over": number(over["test"], 3),
        "most": f"{over['ratio']:g}",
        "better": over["test_high"] < under["test_low"],
        "ridge": f"{own.regression.ridge:g}",
        "ridge_error": number(peak["ridge"], 3),
    }


def _epochs(curve: pd.DataFrame) -> str:
    """The first epoch with a mean training accuracy of 99 %."""
    there = curve[curve["train"] >= 0.99]
    return str(there["epoch"].iloc[0]) if len(there) else f"more than {curve['epoch'].max()}"
