"""δ by layer and by step against theory, Keras' LSTM, and integrals by SciPy."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from glassnets.learning import gradient_flow, network
from glassnets.learning.network import ACTIVATIONS


@pytest.fixture(scope="module")
def own(parts):
    seen = parts.train.drawn(64, np.random.default_rng(0))
    return seen._replace(inputs=gradient_flow.unit_size(seen.inputs))


@pytest.fixture(scope="module")
def small(options):
    """Of 10 layers of 160 units, trained for a few steps."""
    flow = options.gradient_flow
    return flow.model_copy(
        update={
            "depth": 10,
            "width": 160,
            "batch_size": 16,
            "training": flow.training.model_copy(update={"steps": 3, "rates": (0.001, 0.01)}),
            "cells": flow.cells.model_copy(update={"units": 100, "steps": 16}),
        }
    )


@pytest.fixture(scope="module")
def measured(own, small):
    rates = dict.fromkeys(gradient_flow.combinations(small), 0.001)
    results = [gradient_flow.of_seed(own, small, rates, seed) for seed in (0, 1, 2)]
    return gradient_flow.over_seeds(results, 0.95)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("variance", [0.3, 1, 20, 400])
def test_mean_squares_are_the_integrals(activation, variance):
    function = ACTIVATIONS[activation]
    found = gradient_flow.mean_squares(activation, np.array(variance))

    def mean(value):
        spread = math.sqrt(variance)
        pieces = [(-9, -1), (-1, -0.05), (-0.05, 0), (0, 0.05), (0.05, 1), (1, 9)]
        return sum(
            quad(lambda x: value(np.array(spread * x)) ** 2 * norm.pdf(x), *ends, epsabs=1e-12)[0]
            for ends in pieces
        )

    expected = (
        mean(function.value),
        mean(lambda z: function.slope(z, function.value(z))),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_of_relu_theory_is_the_root_of_half_the_variance():
    np.testing.assert_allclose(gradient_flow.theory("relu", 3.0, 4), math.sqrt(1.5), rtol=1e-10)


def test_every_combination_meets_theory_within_5_percent(measured):
    factors = measured["gradient_factors"]
    assert len(factors) == 9
    ratio = factors["measured"] / factors["theory"]
    assert ratio.between(0.95, 1.05).all(), ratio.tolist()
    # Each activation has one scale at which gradients vanish, and one at which they explode.
    assert (factors.groupby("activation")["measured"].min() < 0.9).all()
    assert (factors.groupby("activation")["measured"].max() > 1.1).all()


def test_theory_holds_layer_by_layer(measured):
    layers = measured["gradient_layers"]
    ratio = np.log(layers["delta"] / layers["theory"]).abs()
    assert ratio.max() < 0.5  # over up to nine layers
    last = layers[layers["layer"] == 10]
    assert (last[["delta", "theory", "weights"]] == 1).all(axis=None)


def test_gradients_of_weights_hide_what_vanishes(measured):
    layers = measured["gradient_layers"]
    tanh = layers.query("activation == 'tanh' and variance == 0.5 and layer == 2").iloc[0]
    assert tanh["delta"] < 0.1
    assert tanh["weights"] > 0.5


def test_delta_is_the_derivative_of_an_images_own_loss_by_its_sums(own, small):
    """By moving the biases: the sum over images of δ is the biases' derivative."""
    few = own.rows(np.arange(1))
    shape = network.Shape((64, 5, 5, 10), "tanh")
    parameters = shape.draw(np.random.default_rng(0), 1.0)
    delta, weights = gradient_flow.sizes(shape, parameters, few)
    gradient = network.gradient(shape, parameters, few.inputs, few.targets)
    for place, (own_weights, biases) in enumerate(shape.layers(gradient)[:-1]):
        assert delta[place] == pytest.approx(np.linalg.norm(biases))
        assert weights[place] == pytest.approx(np.linalg.norm(own_weights))


def test_the_tuned_rate_is_the_one_after_which_the_loss_is_least(own, small):
    found = gradient_flow.tuned(own, small, seed=5)
    assert set(found) == set(gradient_flow.combinations(small))
    assert found["tanh", 1.0] == 0.01  # of the two, the one that moves more
    assert found["relu", 4.0] == 0.001  # where the other diverges


def test_steps_cut_an_image_into_pieces_and_pad_the_last():
    images = np.arange(1, 11.0).reshape(1, 10)
    found = gradient_flow.steps_of(images, at_most=4)
    assert found.tolist() == [[[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 0, 0]]]
    assert gradient_flow.steps_of(images, at_most=64).shape == (1, 10, 1)


@pytest.mark.parametrize("variance", [0.5, 1.0, 3.0])
def test_a_plain_cell_meets_theory(variance):
    sequences = np.random.default_rng(0).normal(size=(30, 12, 2))
    found = [gradient_flow.plain_cell(sequences, variance, 300, seed) for seed in range(3)]
    measured, expected = (np.log(each).mean(axis=0) for each in zip(*found, strict=True))
    factors = np.exp((measured[0] - measured[-1]) / 11), np.exp((expected[0] - expected[-1]) / 11)
    assert factors[0] == pytest.approx(factors[1], rel=0.03)


def test_the_lstm_and_its_gradient_are_keras(tensorflow):
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(0)
    inward, recurrent, biases = (
        rng.normal(size=(3, 20)),
        rng.normal(size=(5, 20)),
        rng.normal(size=20),
    )
    sequences, back = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 5))
    layer = keras.layers.LSTM(5, dtype="float64")
    cell = layer.cell
    layer.build((4, 6, 3))
    layer.set_weights([inward, recurrent, biases])
    states = [tf.zeros((4, 5), tf.float64), tf.zeros((4, 5), tf.float64)]
    carried = []
    with tf.GradientTape(persistent=True) as tape:
        for step in range(6):
            _, states = cell(tf.constant(sequences[:, step]), states)
            tape.watch(states[1])
            carried.append(states[1])
            states = [states[0], states[1]]
        loss = tf.reduce_sum(states[0] * back)
    ours = gradient_flow.Lstm(inward, recurrent, biases)
    passed = ours.forward(sequences)
    np.testing.assert_allclose(passed[-1][-1], states[0], rtol=1e-10)
    found = ours.backward(passed, back)
    for step in range(6):
        np.testing.assert_allclose(found[step], tape.gradient(loss, carried[step]), rtol=1e-8)


def test_an_lstm_with_open_forget_gates_keeps_what_a_plain_cell_loses():
    sequences = np.random.default_rng(0).normal(size=(20, 30, 1))
    left = {bias: gradient_flow.lstm_cell(sequences, bias, 64, 0)[0][0] for bias in (0.0, 4.0)}
    plain, _ = gradient_flow.plain_cell(sequences, 1.0, 64, 0)
    assert left[4.0] > 0.1 > 100 * plain[0]
    assert left[0.0] < 0.01
