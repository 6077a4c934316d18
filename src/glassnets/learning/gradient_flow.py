"""Do gradients vanish or explode, and what decides it: δ by layer against theory, at start and
after training, and by step of a plain recurrent cell and of an LSTM cell.

In a wide network of random weights N(0, σ_w²/n), δ changes by √χ a layer on its way back, χ = σ_w²
E[φ′(z)²]; z ~ N(0, q) and q_l = σ_w² E[φ(z_{l−1})²], so all follows from σ_w², φ and the size of
the input. Poole et al. (2016), "Exponential expressivity in deep neural networks through transient
chaos"; Schoenholz et al. (2017), "Deep information propagation". Of recurrent cells: Chen,
Pennington & Schoenholz (2018), "Dynamical isometry and a mean field theory of RNNs".
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from glassnets.config.schema import GradientFlow
from glassnets.learning import images, network
from glassnets.learning.images import Images
from glassnets.learning.network import Activation, Array, Shape

# Where a normal variable is integrated. Even in number: half lie on each side of ReLU's corner.
_NODES = np.linspace(-9, 9, 4000)
_WEIGHTS = np.exp(-0.5 * _NODES**2)
_WEIGHTS /= _WEIGHTS.sum()


def unit_size(inputs: Array) -> Array:
    """Images (n, pixels), each scaled so that its mean square is 1; one of zeros stays so."""
    size = np.sqrt(np.square(inputs).mean(axis=1, keepdims=True))
    scaled: Array = inputs / np.where(size > 0, size, 1)
    return scaled


def mean_squares(activation: Activation, variances: Array) -> tuple[Array, Array]:
    """E[φ(z)²] and E[φ′(z)²] of z ~ N(0, variance), of each of the variances (…)."""
    sums = np.sqrt(variances)[..., np.newaxis] * _NODES
    function = network.ACTIVATIONS[activation]
    values = function.value(sums)
    slopes = function.slope(sums, values)
    return np.square(values) @ _WEIGHTS, np.square(slopes) @ _WEIGHTS


def theory(activation: Activation, variance: float, depth: int) -> Array:
    """√χ of each hidden layer (depth,), from the first on, for inputs of mean square 1: what
    the layer below has of the layer's δ."""
    found = []
    size = np.array(1.0)
    for _ in range(depth):
        size, slope = mean_squares(activation, variance * size)
        found.append(math.sqrt(variance * slope))
    return np.array(found)


def sizes(shape: Shape, parameters: Array, own: Images) -> tuple[Array, Array]:
    """Of each hidden layer, from the first on (depth,): the root mean square over images of ‖δ‖, δ
    being of an image's own loss, and the norm of the gradient of its weights."""
    passed = network.forward(shape, parameters, own.inputs)
    backwards = list(network.deltas(shape, parameters, passed, own.targets))
    forwards = backwards[:0:-1]  # without the outputs' layer
    delta = [_size(each) * len(own.inputs) for each in forwards]
    weights = [
        float(np.linalg.norm(given.T @ each))
        for given, each in zip(passed.inputs, forwards, strict=False)
    ]
    return np.array(delta), np.array(weights)


def factor(by_layer: Array) -> float:
    """By how much δ changes a layer, on its way back: the geometric mean over layers. by_layer:
    (depth,), from the first on."""
    return float((by_layer[0] / by_layer[-1]) ** (1 / (len(by_layer) - 1)))


def combinations(options: GradientFlow) -> Iterator[tuple[Activation, float]]:
    """Each activation with each of its variances σ_w²."""
    for activation in network.ACTIVATIONS:
        for variance in getattr(options.variances, activation):
            yield activation, variance


def tuned(own: Images, options: GradientFlow, seed: int) -> dict[tuple[Activation, float], float]:
    """Of each of the `combinations`, the rate after whose descent the loss is least."""
    found = {}
    for activation, variance in combinations(options):
        losses = {}
        for rate in options.training.rates:
            shape, parameters = _drawn(activation, variance, own, options, seed)
            _descend(shape, parameters, own, options, rate, seed)
            losses[rate] = _loss(shape, parameters, own)
        found[activation, variance] = min(losses, key=lambda rate: losses[rate])
    return found


def of_seed(
    own: Images,
    options: GradientFlow,
    rates: Mapping[tuple[Activation, float], float],
    seed: int,
) -> dict[str, pd.DataFrame]:
    """What is measured of a seed, which draws all weights. own: of `unit_size`. rates: `tuned`'s.

    layers: a row a hidden layer of each of the `combinations`: delta and weights, as `sizes` has
    them before training, relative to the last hidden layer's, and theory, what delta should be.
    factors: a row a combination, what delta changes by a layer on the way back, as measured, by
    theory and after training, and the loss then. steps: a row a step of each cell: gradient and
    theory, as `plain_cell` and `lstm_cell` have them.
    """
    layers, factors = [], []
    for activation, variance in combinations(options):
        shape, parameters = _drawn(activation, variance, own, options, seed)
        delta, weights = sizes(shape, parameters, own)
        each = theory(activation, variance, options.depth)
        # δ_l = δ_L · √χ_l · … · √χ_{L−1}
        expected = np.append(np.cumprod(each[:-1][::-1])[::-1], 1)
        before = _loss(shape, parameters, own)
        rate = rates[activation, variance]
        _descend(shape, parameters, own, options, rate, seed)
        keys = {"activation": activation, "variance": variance}
        of_layers = {"delta": delta / delta[-1], "weights": weights / weights[-1]}
        numbers = np.arange(1, options.depth + 1)
        layers.append(pd.DataFrame({**keys, "layer": numbers, **of_layers, "theory": expected}))
        with np.errstate(over="ignore", invalid="ignore"):  # of weights that have diverged
            after = factor(sizes(shape, parameters, own)[0])
        factors.append(
            {
                **keys,
                "theory": factor(expected),
                "measured": factor(delta),
                "trained": after,
                "rate": rate,
                "loss_before": before,
                "loss": _loss(shape, parameters, own),
            }
        )
    sequences = steps_of(own.inputs, options.cells.steps)
    cells = [("plain", each) for each in options.cells.plain] + [
        ("lstm", each) for each in options.cells.lstm
    ]
    steps = []
    for name, setting in cells:
        cell = plain_cell if name == "plain" else lstm_cell
        gradient, expected = cell(sequences, setting, options.cells.units, seed)
        numbers = np.arange(1, len(gradient) + 1)
        columns = {"step": numbers, "gradient": gradient, "theory": expected}
        steps.append(pd.DataFrame({"cell": name, "setting": setting, **columns}))
    return {
        "layers": pd.concat(layers),
        "factors": pd.DataFrame(factors),
        "steps": pd.concat(steps),
    }


def over_seeds(
    results: Sequence[Mapping[str, pd.DataFrame]], level: float
) -> dict[str, pd.DataFrame]:
    """The tables of all seeds: means, and intervals, of logarithms where a column is of factors."""
    keys = ["activation", "variance"]
    return {
        "gradient_layers": images.over_seeds(
            [each["layers"] for each in results],
            [*keys, "layer"],
            level,
            same=["theory"],
            factors=["delta", "weights"],
        ),
        "gradient_factors": images.over_seeds(
            [each["factors"] for each in results],
            keys,
            level,
            same=["theory", "rate"],
            factors=["measured", "trained", "loss_before", "loss"],
        ),
        "gradient_steps": images.over_seeds(
            [each["steps"] for each in results],
            ["cell", "setting", "step"],
            level,
            factors=["gradient", "theory"],
        ),
    }


def _drawn(
    activation: Activation, variance: float, own: Images, options: GradientFlow, seed: int
) -> tuple[Shape, Array]:
    """A network and its random parameters."""
    ends = own.inputs.shape[1], own.targets.shape[1]
    shape = Shape((ends[0], *[options.width] * options.depth, ends[1]), activation)
    return shape, shape.draw(np.random.default_rng(seed), variance)


def _descend(
    shape: Shape, parameters: Array, own: Images, options: GradientFlow, rate: float, seed: int
) -> None:
    """Stochastic descent, in place; it ends where the gradient is no longer finite."""
    rng = np.random.default_rng([seed, 1])
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(options.training.steps):
            rows = rng.integers(len(own.inputs), size=options.batch_size)
            step = network.gradient(shape, parameters, own.inputs[rows], own.targets[rows])
            if not np.isfinite(step).all():
                return
            parameters -= rate * step


def _loss(shape: Shape, parameters: Array, own: Images) -> float:
    """Infinity where it is no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = network.loss(shape, network.outputs(shape, parameters, own.inputs), own.targets)
    return value if math.isfinite(value) else math.inf


def steps_of(images: Array, at_most: int) -> Array:
    """Images (n, pixels) as sequences (n, steps, pixels of a step), at most so many steps; what the
    last step lacks is black."""
    width = math.ceil(images.shape[1] / at_most)
    steps = math.ceil(images.shape[1] / width)
    padded = np.pad(images, ((0, 0), (0, steps * width - images.shape[1])))
    return padded.reshape(len(images), steps, width)


def plain_cell(sequences: Array, variance: float, units: int, seed: int) -> tuple[Array, Array]:
    """h_t = tanh(x_t U + h_{t−1} W), weights N(0, 1/inputs) and N(0, σ_w²/units): the size of
    ∂loss/∂h_t by step (steps,), relative to the last step's, measured and by theory. The
    loss is any that sees the last step alone: its derivative there is drawn.
    """
    rng = np.random.default_rng(seed)
    count, steps, width = sequences.shape
    inward = rng.normal(size=(width, units)) / math.sqrt(width)
    recurrent = rng.normal(size=(units, units)) * math.sqrt(variance / units)
    back = rng.normal(size=(count, units))

    states = [np.zeros((count, units))]
    size = np.zeros(count)
    factors = []
    for step in range(steps):
        given = sequences[:, step]
        states.append(np.tanh(given @ inward + states[-1] @ recurrent))
        # Each image has its own variance of the sums, since each has its own inputs.
        size, slope = mean_squares("tanh", variance * size + np.square(given).mean(axis=1))
        factors.append(variance * slope)
    measured = [_size(back)]
    for state in states[:1:-1]:
        back = (back * (1 - state * state)) @ recurrent.T
        measured.append(_size(back))
    products = np.cumprod(factors[:0:-1], axis=0).mean(axis=1)
    expected = np.append(1, np.sqrt(products))
    return np.array(measured[::-1]) / measured[0], expected[::-1]


class Lstm:
    """An LSTM cell by hand. Gates f, i, o = σ(x U + h W + b), candidate g = tanh(x U + h W),
    c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh(c_t). Hochreiter & Schmidhuber (1997), "Long
    short-term memory"; Gers, Schmidhuber & Cummins (2000), "Learning to forget".

    inward (inputs, 4·units), recurrent (units, 4·units), biases (4·units,): of i, f, g, o in this
    order, which is Keras'.
    """

    def __init__(self, inward: Array, recurrent: Array, biases: Array) -> None:
        self.inward, self.recurrent, self.biases = inward, recurrent, biases

    def forward(self, sequences: Array) -> list[tuple[Array, ...]]:
        """i, f, g, o, c_{t−1}, tanh(c_t), h_t of each step, each (n, units)."""
        units = len(self.recurrent)
        state = cell = np.zeros((len(sequences), units))
        sigmoid = network.ACTIVATIONS["sigmoid"].value
        found: list[tuple[Array, ...]] = []
        for step in range(sequences.shape[1]):
            sums = sequences[:, step] @ self.inward + state @ self.recurrent + self.biases
            into, forget, candidate, out = np.split(sums, 4, axis=1)
            into, forget, out = sigmoid(into), sigmoid(forget), sigmoid(out)
            candidate = np.tanh(candidate)
            before, cell = cell, forget * cell + into * candidate
            seen = np.tanh(cell)
            state = out * seen
            found.append((into, forget, candidate, out, before, seen, state))
        return found

    def backward(self, passed: Sequence[tuple[Array, ...]], back: Array) -> list[Array]:
        """∂loss/∂c_t of each step, (n, units), of a loss of the last step's h whose derivative is
        back (n, units)."""
        cell = np.zeros_like(back)
        found = []
        for into, forget, candidate, out, before, seen, _ in reversed(passed):
            cell = cell + back * out * (1 - seen * seen)
            found.append(cell)
            sums = np.concatenate(
                [
                    cell * candidate * into * (1 - into),
                    cell * before * forget * (1 - forget),
                    cell * into * (1 - candidate * candidate),
                    back * seen * out * (1 - out),
                ],
                axis=1,
            )
            back = sums @ self.recurrent.T
            cell = cell * forget
        return found[::-1]


def lstm_cell(sequences: Array, bias: float, units: int, seed: int) -> tuple[Array, Array]:
    """As `plain_cell`, of an LSTM cell whose weights have a variance of 1/inputs, with this bias of
    the forget gate: the size of ∂loss/∂c_t by step, and what the forget gates alone would leave of
    it."""
    rng = np.random.default_rng(seed)
    count, _, width = sequences.shape
    inward = rng.normal(size=(width, 4 * units)) / math.sqrt(width)
    recurrent = rng.normal(size=(units, 4 * units)) / math.sqrt(units)
    biases = np.repeat([0.0, bias, 0.0, 0.0], units)
    back = rng.normal(size=(count, units))
    cell = Lstm(inward, recurrent, biases)
    passed = cell.forward(sequences)
    measured = np.array([_size(each) for each in cell.backward(passed, back)])
    forgets = [math.sqrt(np.square(each[1]).mean()) for each in passed]
    expected = np.append(np.cumprod(forgets[:0:-1])[::-1], 1)
    return measured / measured[-1], expected


def _size(values: Array) -> float:
    """The root mean square over images of the norm."""
    return math.sqrt(np.square(values).sum(axis=1).mean())
