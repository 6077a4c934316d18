"""A plain network by hand: forward, backward (backpropagation), the Hessian times a vector.

Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors";
Pearlmutter (1994), "Fast exact multiplication by the Hessian".
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Activation = Literal["sigmoid", "tanh", "relu"]
Loss = Literal["cross_entropy", "squares"]


class _Function(NamedTuple):
    """φ(z), and φ′ and φ″ by z and φ(z)."""

    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    bend: Callable[[Array, Array], Array]


ACTIVATIONS: dict[Activation, _Function] = {
    "sigmoid": _Function(
        lambda z: 0.5 + 0.5 * np.tanh(0.5 * z),
        lambda _, h: h * (1 - h),
        lambda _, h: h * (1 - h) * (1 - 2 * h),
    ),
    "tanh": _Function(
        np.tanh,
        lambda _, h: 1 - h * h,
        lambda _, h: -2 * h * (1 - h * h),
    ),
    "relu": _Function(
        lambda z: np.maximum(z, 0),
        lambda z, _: (z > 0).astype(np.float64),
        lambda z, _: np.zeros_like(z),
    ),
}


class Shape(NamedTuple):
    """The shape of a network whose last layer is linear: it gives logits, or numbers."""

    sizes: tuple[int, ...]  # of the inputs, of each hidden layer, of the outputs
    activation: Activation
    loss: Loss = "cross_entropy"

    @property
    def size(self) -> int:
        """How many parameters it has."""
        return sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    def layers(self, parameters: Array) -> list[tuple[Array, Array]]:
        """Weights (inputs, outputs) and biases (outputs,) of each layer, as views of the parameters
        (size,), which hold them in this order."""
        found, start = [], 0
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
            middle, end = start + a * b, start + (a + 1) * b
            found.append((parameters[start:middle].reshape(a, b), parameters[middle:end]))
            start = end
        return found

    def draw(self, rng: np.random.Generator, variance: float) -> Array:
        """Parameters (size,): weights normal of variance/inputs, biases zero."""
        parameters = np.zeros(self.size)
        for weights, _ in self.layers(parameters):
            weights[:] = rng.normal(size=weights.shape) * np.sqrt(variance / len(weights))
        return parameters


class Pass(NamedTuple):
    """What a forward pass leaves of each layer, from the first on: what it was given, h, (n,
    inputs), and its sums, z, (n, outputs); the last sums are the network's outputs."""

    inputs: list[Array]
    sums: list[Array]


def forward(shape: Shape, parameters: Array, inputs: Array) -> Pass:
    """inputs: (n, sizes[0])."""
    value = ACTIVATIONS[shape.activation].value
    given, sums = [], []
    for weights, biases in shape.layers(parameters):
        given.append(inputs)
        sums.append(inputs @ weights + biases)
        inputs = value(sums[-1])
    return Pass(given, sums)


def outputs(shape: Shape, parameters: Array, inputs: Array) -> Array:
    """(n, sizes[-1])."""
    return forward(shape, parameters, inputs).sums[-1]


def loss(shape: Shape, outputs: Array, targets: Array) -> float:
    """The mean over images of the cross-entropy of the outputs' softmax, or of half the squared
    distance. outputs, targets: (n, sizes[-1]); of a cross-entropy, targets are shares of classes.
    """
    if shape.loss == "squares":
        return float(0.5 * np.square(outputs - targets).sum(axis=1).mean())
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    logarithms = np.log(np.exp(shifted).sum(axis=1)) - (shifted * targets).sum(axis=1)
    return float(logarithms.mean())


def _predicted(shape: Shape, outputs: Array) -> Array:
    """What the loss compares with the targets: the outputs or their softmax."""
    if shape.loss == "squares":
        return outputs
    shares: Array = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def deltas(shape: Shape, parameters: Array, passed: Pass, targets: Array) -> Iterator[Array]:
    """δ = ∂loss/∂z of each layer (n, outputs), from the last layer back to the first:
    δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ φ′(z_l)."""
    slope = ACTIVATIONS[shape.activation].slope
    delta = (_predicted(shape, passed.sums[-1]) - targets) / len(targets)
    yield delta
    layers = shape.layers(parameters)
    for layer in range(len(layers) - 1, 0, -1):
        sums, values = passed.sums[layer - 1], passed.inputs[layer]
        delta = (delta @ layers[layer][0].T) * slope(sums, values)
        yield delta


def gradient(shape: Shape, parameters: Array, inputs: Array, targets: Array) -> Array:
    """∂loss/∂parameters, (size,): of weights hᵀδ, of biases the sum of δ over images."""
    passed = forward(shape, parameters, inputs)
    found = np.empty_like(parameters)
    backwards = zip(
        reversed(shape.layers(found)),
        reversed(passed.inputs),
        deltas(shape, parameters, passed, targets),
        strict=True,
    )
    for (weights, biases), given, delta in backwards:
        np.matmul(given.T, delta, out=weights)
        delta.sum(axis=0, out=biases)
    return found


def hessian_vector(
    shape: Shape, parameters: Array, inputs: Array, targets: Array, vector: Array
) -> Array:
    """The Hessian of the loss by the parameters, times a vector (size,), exactly: the derivative
    of `gradient` along the vector (Pearlmutter 1994), at about twice its cost."""
    activation = ACTIVATIONS[shape.activation]
    passed = forward(shape, parameters, inputs)
    layers, along = shape.layers(parameters), shape.layers(vector)
    slopes, bends = [], []
    for sums, values in zip(passed.sums[:-1], passed.inputs[1:], strict=True):
        slopes.append(activation.slope(sums, values))
        bends.append(activation.bend(sums, values))
    changed = [np.zeros_like(inputs)]  # of what each layer is given, along the vector
    changes = []  # of its sums
    for layer, ((weights, _), (by_weights, by_biases)) in enumerate(
        zip(layers, along, strict=True)
    ):
        change = changed[-1] @ weights + passed.inputs[layer] @ by_weights + by_biases
        changes.append(change)
        if layer < len(slopes):
            changed.append(slopes[layer] * change)

    delta = (_predicted(shape, passed.sums[-1]) - targets) / len(targets)
    delta_change = changes[-1] / len(targets)
    if shape.loss == "cross_entropy":  # the softmax' derivative
        shares = _predicted(shape, passed.sums[-1])
        delta_change = shares * delta_change
        delta_change -= shares * delta_change.sum(axis=1, keepdims=True)
    found = np.empty_like(parameters)
    products = shape.layers(found)
    for layer in range(len(layers) - 1, -1, -1):
        weights, biases = products[layer]
        weights[:] = changed[layer].T @ delta + passed.inputs[layer].T @ delta_change
        biases[:] = delta_change.sum(axis=0)
        if layer:
            back = delta @ layers[layer][0].T
            back_change = delta_change @ layers[layer][0].T + delta @ along[layer][0].T
            slope, bend = slopes[layer - 1], bends[layer - 1]
            delta = back * slope
            delta_change = back_change * slope + back * bend * changes[layer - 1]
    return found


def one_hot(labels: NDArray[np.uint8], classes: int) -> Array:
    """Targets (n, classes) of labels (n,)."""
    return np.eye(classes)[labels]


def accuracy(shape: Shape, parameters: Array, inputs: Array, labels: NDArray[np.uint8]) -> float:
    return float((outputs(shape, parameters, inputs).argmax(axis=1) == labels).mean())
