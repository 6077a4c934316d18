"""The plain network against finite differences, a second implementation, and Keras."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from glassnets.learning import network
from glassnets.learning.network import ACTIVATIONS, Shape

CASES = [(loss, activation) for loss in ("cross_entropy", "squares") for activation in ACTIVATIONS]


def drawn(loss, activation, sizes=(5, 7, 6, 3)):
    """A network of random weights and biases, and nine images with their targets."""
    rng = np.random.default_rng(0)
    shape = Shape(sizes, activation, loss)
    parameters = shape.draw(rng, 1.5) + 0.1 * rng.normal(size=shape.size)
    inputs = rng.normal(size=(9, sizes[0]))
    return shape, parameters, inputs, network.one_hot(rng.integers(sizes[-1], size=9), sizes[-1])


def by_unit(shape, parameters, inputs, targets):
    """The gradient by loops over images and units, the chain rule as a book writes it."""
    layers = shape.layers(parameters)
    found = np.zeros_like(parameters)
    grown = shape.layers(found)
    slopes = {
        "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        "tanh": lambda z: 1 / np.cosh(z) ** 2,
        "relu": lambda z: float(z > 0),
    }
    values = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: max(z, 0.0),
    }
    for image, target in zip(inputs, targets, strict=True):
        given, sums = [image], []
        for weights, biases in layers:
            sums.append([b + given[-1] @ weights[:, j] for j, b in enumerate(biases)])
            given.append(np.array([values[shape.activation](z) for z in sums[-1]]))
        out = np.array(sums[-1])
        if shape.loss == "cross_entropy":
            out = np.exp(out) / np.exp(out).sum()
        delta = list((out - target) / len(inputs))
        for place in range(len(layers) - 1, -1, -1):
            weights, biases = grown[place]
            for j, d in enumerate(delta):
                biases[j] += d
                for i, value in enumerate(given[place]):
                    weights[i, j] += d * value
            if place:
                delta = [
                    slopes[shape.activation](z)
                    * sum(layers[place][0][i, j] * d for j, d in enumerate(delta))
                    for i, z in enumerate(sums[place - 1])
                ]
    return found


@pytest.mark.parametrize(("loss", "activation"), CASES)
def test_the_gradient_is_that_of_a_second_implementation(loss, activation):
    case = drawn(loss, activation)
    np.testing.assert_allclose(network.gradient(*case), by_unit(*case), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("loss", "activation"), CASES)
def test_the_gradient_is_that_of_keras(loss, activation, tensorflow):
    import keras
    import tensorflow as tf

    shape, parameters, inputs, targets = drawn(loss, activation)
    layers = [
        keras.layers.Dense(size, activation if place < 3 else None, dtype="float64")
        for place, size in enumerate(shape.sizes[1:], start=1)
    ]
    model = keras.Sequential([keras.Input(shape.sizes[:1], dtype="float64"), *layers])
    for layer, own in zip(layers, shape.layers(parameters), strict=True):
        layer.set_weights(own)
    with tf.GradientTape() as tape:
        outputs = model(tf.constant(inputs))
        if loss == "squares":
            value = tf.reduce_mean(tf.reduce_sum((outputs - targets) ** 2, axis=1)) / 2
        else:
            value = tf.reduce_mean(
                tf.nn.softmax_cross_entropy_with_logits(tf.constant(targets), outputs)
            )
    theirs = tape.gradient(value, model.trainable_variables)
    flat = np.concatenate([np.ravel(each) for each in theirs])
    ours = network.gradient(shape, parameters, inputs, targets)
    np.testing.assert_allclose(ours, flat, rtol=1e-10, atol=1e-14)
    found = network.loss(shape, network.outputs(shape, parameters, inputs), targets)
    assert found == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize(("loss", "activation"), CASES)
def test_the_hessian_times_a_vector_is_the_derivative_of_the_gradient(loss, activation):
    shape, parameters, inputs, targets = drawn(loss, activation)
    vector = np.random.default_rng(1).normal(size=shape.size)
    step = 1e-6
    ends = [
        network.gradient(shape, parameters + sign * step * vector, inputs, targets)
        for sign in (1, -1)
    ]
    found = network.hessian_vector(shape, parameters, inputs, targets, vector)
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), atol=1e-8)


def test_the_hessian_is_symmetric():
    shape, parameters, inputs, targets = drawn("cross_entropy", "tanh", (2, 3, 2))
    rows = [
        network.hessian_vector(shape, parameters, inputs, targets, unit)
        for unit in np.eye(shape.size)
    ]
    np.testing.assert_allclose(rows, np.transpose(rows), atol=1e-15)


def test_the_cross_entropy_is_scikit_learns_and_bears_large_logits():
    logits = np.array([[2.0, -1.0, 0.5], [1000.0, 0.0, -1000.0]])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shape = Shape((1, 3), "tanh")
    found = network.loss(shape, logits, network.one_hot(np.array([1, 0]), 3))
    assert found == pytest.approx(log_loss([1, 0], shares, labels=[0, 1, 2]))


def test_layers_are_views_in_order():
    shape = Shape((2, 3, 1), "tanh")
    parameters = np.arange(13.0)
    (first, first_bias), (second, second_bias) = shape.layers(parameters)
    assert shape.size == 13
    assert first.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (first_bias.tolist(), second.ravel().tolist(), second_bias.tolist()) == (
        [6, 7, 8],
        [9, 10, 11],
        [12],
    )
    first[0, 0] = 99
    assert parameters[0] == 99


def test_weights_have_the_variance_by_inputs_and_biases_are_zero():
    shape = Shape((200, 300, 10), "relu")
    (first, bias), (second, _) = shape.layers(shape.draw(np.random.default_rng(0), 2.0))
    assert first.var() == pytest.approx(2 / 200, rel=0.05)
    assert second.var() == pytest.approx(2 / 300, rel=0.1)
    assert not bias.any()


def test_accuracy_counts_the_largest_output():
    shape = Shape((2, 2), "tanh")
    parameters = np.array([1.0, 0, 0, 1, 0, 0])  # outputs are the inputs
    inputs = np.array([[1.0, 0], [0, 1], [1, 0]])
    assert network.accuracy(shape, parameters, inputs, np.array([0, 1, 1])) == pytest.approx(2 / 3)
