"""Is backpropagation the gradient? By hand, with the numbers of three units; and against finite
differences of a network.

A central difference (f(w + h) − f(w − h))/2h errs by h²f‴/6 and, since f is known to some 16 digits
only, by about ε|f|/h: no step is small enough to be exact (Baydin et al. 2018, "Automatic
differentiation in machine learning: a survey").
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Backpropagation
from glassnets.learning import images, network
from glassnets.learning.images import Images
from glassnets.learning.network import Array, Shape

# The network that the page works out: two inputs, two hidden units, one output.
INPUTS, TARGET = (0.5, -1.0), 1.0
HIDDEN = ((0.4, -0.2, 0.1), (-0.6, 0.3, 0.0))  # of each hidden unit: two weights and a bias
OUTPUT = (0.7, -0.5, 0.2)  # of the output unit, likewise


def three_units() -> dict[str, float]:
    """Every number of a forward and a backward pass, in the order in which one comes to them, by
    arithmetic of single numbers: sums z, outputs h (sigmoid; the last unit is linear), half the
    squared error, each unit's δ, and each weight's derivative, as w_<unit>_<input> and b_<unit>."""
    found = {}
    for unit, (first, second, bias) in enumerate(HIDDEN, start=1):
        found[f"z_{unit}"] = z = first * INPUTS[0] + second * INPUTS[1] + bias
        found[f"h_{unit}"] = 1 / (1 + math.exp(-z))
    found["y"] = OUTPUT[0] * found["h_1"] + OUTPUT[1] * found["h_2"] + OUTPUT[2]
    found["loss"] = (found["y"] - TARGET) ** 2 / 2
    found["delta_3"] = found["y"] - TARGET
    for unit in (1, 2):
        h = found[f"h_{unit}"]
        found[f"delta_{unit}"] = found["delta_3"] * OUTPUT[unit - 1] * h * (1 - h)
    for unit in (1, 2):
        for place, given in enumerate(INPUTS, start=1):
            found[f"w_{unit}_{place}"] = found[f"delta_{unit}"] * given
        found[f"b_{unit}"] = found[f"delta_{unit}"]
    for unit in (1, 2):
        found[f"w_3_{unit}"] = found["delta_3"] * found[f"h_{unit}"]
    found["b_3"] = found["delta_3"]
    return found


def three_units_by_network() -> tuple[dict[str, float], dict[str, float]]:
    """The derivatives of the same network by `network.gradient`, and by central differences, with
    the names of `three_units`."""
    shape = Shape((2, 2, 1), "sigmoid", "squares")
    parameters = np.zeros(shape.size)
    (hidden, hidden_bias), (last, last_bias) = shape.layers(parameters)
    hidden[:], hidden_bias[:] = np.array(HIDDEN)[:, :2].T, np.array(HIDDEN)[:, 2]
    last[:, 0], last_bias[:] = OUTPUT[:2], OUTPUT[2]
    inputs, targets = np.array([INPUTS]), np.array([[TARGET]])
    names = ["w_1_1", "w_2_1", "w_1_2", "w_2_2", "b_1", "b_2", "w_3_1", "w_3_2", "b_3"]
    exact = network.gradient(shape, parameters, inputs, targets)
    rows = np.arange(shape.size)
    differences = central_differences(shape, parameters, inputs, targets, rows, 1e-5)
    return (
        dict(zip(names, exact.tolist(), strict=True)),
        dict(zip(names, differences.tolist(), strict=True)),
    )


def central_differences(
    shape: Shape,
    parameters: Array,
    inputs: Array,
    targets: Array,
    rows: NDArray[np.int64],
    step: float,
) -> Array:
    """(f(w + h) − f(w − h))/2h of the loss f for the parameters w at these places, h the step."""
    found = np.empty(len(rows))
    for place, row in enumerate(rows):
        ends = []
        for sign in (1, -1):
            moved = parameters.copy()
            moved[row] += sign * step
            ends.append(network.loss(shape, network.outputs(shape, moved, inputs), targets))
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


def errors(train: Images, options: Backpropagation, seed: int) -> pd.DataFrame:
    """Of a tanh network of random weights and a cross-entropy, a row a step of the finite
    differences: step, error (the length of the difference from `network.gradient`, relative to the
    gradient's), and rounding, ε·loss/h relative to it."""
    rng = np.random.default_rng(seed)
    own = train.drawn(options.images, rng)
    shape = Shape((own.inputs.shape[1], *options.units, own.targets.shape[1]), "tanh")
    parameters = shape.draw(rng, 1.0)
    rows = rng.permutation(shape.size)[: options.parameters]
    exact = network.gradient(shape, parameters, own.inputs, own.targets)[rows]
    value = network.loss(shape, network.outputs(shape, parameters, own.inputs), own.targets)
    length = float(np.linalg.norm(exact))
    found = []
    for exponent in range(1, 13):
        step = 10.0**-exponent
        measured = central_differences(shape, parameters, own.inputs, own.targets, rows, step)
        rounding = np.finfo(np.float64).eps * value / step * math.sqrt(len(rows)) / length
        found.append((step, float(np.linalg.norm(measured - exact)) / length, rounding))
    return pd.DataFrame(found, columns=["step", "error", "rounding"])


def over_seeds(tables: Sequence[pd.DataFrame], level: float) -> dict[str, pd.DataFrame]:
    """The tables of all seeds, `errors`', in one: geometric means, and intervals."""
    found = images.over_seeds(tables, ["step"], level, same=["rounding"], factors=["error"])
    return {"finite_differences": found}
