"""Spiking neurons: membrane, spikes and surrogate gradients by the formulas, in NumPy."""

import numpy as np
import pytest

from glassnets import runtime

BETA, SLOPE = 0.8, 7.0


@pytest.fixture(scope="module", autouse=True)
def _tensorflow(tensorflow):
    pass


def by_hand(currents, decay=BETA):
    """Membrane potentials and spikes, float64 (n, steps, units), of currents of that shape."""
    potentials, spikes = np.zeros(currents.shape), np.zeros(currents.shape)
    for row, neurons in enumerate(currents):
        for neuron in range(currents.shape[2]):
            membrane = spike = 0.0
            for step, current in enumerate(neurons[:, neuron]):
                membrane = decay * membrane + current - spike
                spike = float(membrane > 1)
                potentials[row, step, neuron], spikes[row, step, neuron] = membrane, spike
    return potentials, spikes


def layer(steps, decay=BETA, slope=SLOPE):
    from glassnets.models.spikes import LeakyIntegrateAndFire

    return LeakyIntegrateAndFire(steps, decay, slope)


def drawn(shape, scale=0.6):
    return np.random.default_rng(0).normal(0.3, scale, shape).astype(np.float32)


def test_a_neuron_worked_out_on_paper():
    """β = ½ and a current of ¾: U is ¾, 1⅛ (a spike), then 5/16 after the fall, …"""
    spikes = np.asarray(layer(6, decay=0.5)(np.array([[0.75]], np.float32)))
    potentials, _ = by_hand(np.full((1, 4, 1), 0.75), 0.5)
    assert potentials.ravel().tolist() == [0.75, 1.125, 0.3125, 0.90625]
    assert spikes.ravel().tolist() == [0, 1, 0, 0, 1, 0]


def test_spikes_are_those_of_the_formula():
    currents = drawn((5, 12, 4))
    expected = by_hand(currents.astype(float))[1]
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(layer(12)(currents), expected)


def test_a_constant_current_is_the_same_as_one_that_is_repeated():
    currents = drawn((6, 5))
    repeated = np.repeat(currents[:, np.newaxis], 9, axis=1)
    np.testing.assert_array_equal(layer(9)(currents), layer(9)(repeated))


def test_without_a_leak_the_rate_is_the_current():
    """A neuron that forgets nothing fires ⌊I·T⌋ times or once less, for 0 ≤ I < 1."""
    currents = np.linspace(0, 0.99, 34, dtype=np.float32)[np.newaxis]
    count = np.asarray(layer(100, decay=1.0)(currents)).sum(axis=1)
    assert (np.abs(count - np.floor(currents * 100)) <= 1).all()


def test_gradients_are_those_of_the_surrogate_back_through_time():
    """∂S_t/∂U_t = 1/(1 + k|U − 1|)², ∂U_t/∂U_{t−1} = β, ∂U_t/∂I_t = 1; nothing through the fall."""
    import tensorflow as tf

    currents, weights = drawn((3, 7, 2)), drawn((3, 7, 2), 1.0)
    at = tf.constant(currents)
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = tf.reduce_sum(layer(7)(at) * weights)
    potentials, _ = by_hand(currents.astype(float))
    expected, back = np.zeros(currents.shape), np.zeros((3, 2))
    for step in reversed(range(7)):
        surrogate = 1 / (1 + SLOPE * np.abs(potentials[:, step] - 1)) ** 2
        back = BETA * back + weights[:, step] * surrogate
        expected[:, step] = back
    np.testing.assert_allclose(tape.gradient(total, at), expected, rtol=1e-4, atol=1e-6)


def test_a_network_answers_by_how_often_its_neurons_fire():
    import keras

    from glassnets.models import families
    from glassnets.models.families.spiking import Network

    runtime.set_seed(0)
    network = Network(units=(6, 5), steps=10, decay=BETA, slope=SLOPE, dropout=0.5)
    model, activations = families.build("spiking", network, (4, 3), 3)
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 3)).astype(np.uint8)
    values = keras.Model(model.inputs, activations).predict(images, verbose=0)
    dense = [model.get_layer(f"dense_{i}") for i in range(2)]
    (w0, b0), (w1, b1) = (each.get_weights() for each in dense)
    first = np.repeat((images.reshape(8, 1, 12) / 255) @ w0 + b0, 10, axis=1)
    np.testing.assert_array_equal(values["block_0"], by_hand(first)[1])
    second = by_hand(values["block_0"] @ w1 + b1)[1]
    np.testing.assert_array_equal(values["block_1"], second)
    assert 0 < second.mean() < 1
    np.testing.assert_allclose(values["penultimate"], second.mean(axis=1), atol=1e-6)


def test_a_saved_network_is_the_same(tmp_path):
    import keras

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layer(5, slope=3.0)(keras.layers.Dense(3)(inputs)))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    x = drawn((4, 4))
    np.testing.assert_array_equal(again(x), model(x))


def test_the_steps_are_those_of_snntorch():
    """Its neuron `Leaky`, with its fast sigmoid as the surrogate, where it is installed."""
    torch, snntorch = pytest.importorskip("torch"), pytest.importorskip("snntorch")
    import tensorflow as tf

    currents = drawn((5, 25, 8))
    leaky = snntorch.Leaky(beta=BETA, spike_grad=snntorch.surrogate.fast_sigmoid(slope=SLOPE))
    at = torch.tensor(currents, requires_grad=True)
    membrane, each = leaky.init_leaky(), []
    for step in range(25):
        spike, membrane = leaky(at[:, step], membrane)
        each.append(spike)
    theirs = torch.stack(each, dim=1)
    theirs.sum().backward()
    ours = tf.constant(currents)
    with tf.GradientTape() as tape:
        tape.watch(ours)
        spikes = layer(25)(ours)
        total = tf.reduce_sum(spikes)
    np.testing.assert_array_equal(spikes, theirs.detach().numpy())
    np.testing.assert_allclose(tape.gradient(total, ours), at.grad.numpy(), rtol=1e-4, atol=1e-6)
