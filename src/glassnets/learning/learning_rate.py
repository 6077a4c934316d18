"""How large may a step be: the rate at which descent of a linear model diverges, and the sharpness
of a network under full-batch descent.

Of least squares the error along each eigenvector of the Hessian is multiplied by 1 − ηλ a step, so
descent converges for η < 2/λ_max and diverges above (LeCun, Simard & Pearlmutter 1993). Cohen et
al. (2021), "Gradient descent on neural networks typically occurs at the edge of stability": a
network's largest eigenvalue, its sharpness, rises to 2/η and stays about there.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse.linalg import LinearOperator, eigsh

from glassnets.config.schema import LearningRate
from glassnets.learning import images, network
from glassnets.learning.images import Images
from glassnets.learning.network import Array, Shape

_DIVERGED = 1e100  # a length of a step
# Rates at which descent is watched, in parts of the one where theory has it diverge.
_PARTS = (0.5, 0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.3, 1.5)


def largest_eigenvalue(inputs: Array) -> float:
    """λ_max of the Hessian of least squares, inputsᵀ inputs / n. inputs: (n, numbers)."""
    return float(np.linalg.norm(inputs, 2) ** 2 / len(inputs))


def growth(inputs: Array, targets: Array, rate: float, steps: int, start: Array) -> float:
    """Descent of half the mean square of inputs·w − targets, from start (numbers,): the logarithm
    of the factor by which a step is longer than the one before, in the mean over the second half of
    the steps. Above 0, it diverges. Steps that are very long end it.

    inputs: (n, numbers). targets: (n,).
    """
    weights = start.copy()
    lengths: list[float] = []
    while len(lengths) < steps and (not lengths or lengths[-1] < _DIVERGED):
        move = rate * (inputs.T @ (inputs @ weights - targets)) / len(inputs)
        weights -= move
        lengths.append(float(np.linalg.norm(move)))
    half = len(lengths) // 2
    return math.log(lengths[-1] / lengths[half - 1]) / (len(lengths) - half)


def threshold(inputs: Array, targets: Array, steps: int, bisections: int, seed: int) -> float:
    """The rate above which descent diverges, found by trying rates alone: doubled until one
    diverges, then the interval between is halved so many times."""
    start = np.random.default_rng(seed).normal(size=(inputs.shape[1],))
    low, high = 0.0, 1.0 / float(np.square(inputs).sum(axis=1).mean())
    while growth(inputs, targets, high, steps, start) <= 0:
        low, high = high, 2 * high
    for _ in range(bisections):
        middle = (low + high) / 2
        if growth(inputs, targets, middle, steps, start) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def sharpness(
    shape: Shape, parameters: Array, inputs: Array, targets: Array, start: Array
) -> tuple[float, Array]:
    """The largest eigenvalue of the Hessian of the loss, and its eigenvector (count,), by Lanczos'
    iteration on products of the Hessian with a vector. start: (count,), not zero."""

    def product(vector: Array) -> Array:
        return network.hessian_vector(shape, parameters, inputs, targets, vector.ravel())

    operator = LinearOperator((len(start), len(start)), matvec=product, dtype=np.float64)
    values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=1e-3, ncv=12)
    return float(values[0]), vectors[:, 0]


def sharpening(
    shape: Shape, inputs: Array, targets: Array, rate: float, options: LearningRate, seed: int
) -> pd.DataFrame:
    """Full-batch descent of a network from random weights at a rate, a row every options.every
    steps: rate, step, loss and sharpness."""
    rng = np.random.default_rng(seed)
    parameters = shape.draw(rng, options.network.variance)
    vector = rng.normal(size=len(parameters))
    rows = []
    for step in range(options.network_steps + 1):
        if step % options.every == 0:
            outputs = network.outputs(shape, parameters, inputs)
            value = network.loss(shape, outputs, targets)
            found, vector = sharpness(shape, parameters, inputs, targets, vector)
            rows.append((rate, step, value, found))
        parameters -= rate * network.gradient(shape, parameters, inputs, targets)
    return pd.DataFrame(rows, columns=["rate", "step", "loss", "sharpness"])


def of_seed(train: Images, options: LearningRate, seed: int) -> dict[str, pd.DataFrame]:
    """What is measured of a seed, which draws images and weights. threshold: threshold, theory
    (2/λ_max) and their ratio, a row. descent: rate (in parts of theory) and growth, a row a rate.
    sharpness: `sharpening`'s of every rate.

    The linear model tells the first class from the others: a target of 1, of others 0.
    """
    rng = np.random.default_rng(seed)
    own = train.drawn(options.images, rng)
    inputs = np.hstack([own.inputs, np.ones((len(own.inputs), 1))])
    targets = own.targets[:, 0]
    found = threshold(inputs, targets, options.steps, options.bisections, seed)
    expected = 2 / largest_eigenvalue(inputs)
    start = rng.normal(size=(inputs.shape[1],))
    steps = options.steps
    descent = [(part, growth(inputs, targets, part * expected, steps, start)) for part in _PARTS]
    shape = Shape(
        (own.inputs.shape[1], *options.network.units, own.targets.shape[1]), "tanh", "squares"
    )
    curves = [
        sharpening(shape, own.inputs, own.targets, rate, options, seed)
        for rate in options.network.rates
    ]
    thresholds = {"threshold": [found], "theory": [expected], "ratio": [found / expected]}
    return {
        "threshold": pd.DataFrame(thresholds),
        "descent": pd.DataFrame(descent, columns=["rate", "growth"]),
        "sharpness": pd.concat(curves),
    }


def over_seeds(
    results: Sequence[Mapping[str, pd.DataFrame]], seeds: Sequence[int], level: float
) -> dict[str, pd.DataFrame]:
    """The tables of all seeds. thresholds has a row a seed; descent and sharpness have the means
    over seeds, and their intervals."""
    by_seed = [
        each["threshold"].assign(seed=seed) for each, seed in zip(results, seeds, strict=True)
    ]
    return {
        "thresholds": pd.concat(by_seed)[["seed", "threshold", "theory", "ratio"]],
        "descent": images.over_seeds([each["descent"] for each in results], ["rate"], level),
        "sharpness": images.over_seeds(
            [each["sharpness"] for each in results], ["rate", "step"], level
        ),
    }
