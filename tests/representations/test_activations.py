"""Which layers of each family have units, and that the rest of a network is the same network."""

import numpy as np
import pytest

from glassnets import registry
from glassnets.errors import GlassnetsError
from glassnets.models import families
from glassnets.representations import units
from glassnets.representations.activations import (
    After,
    Responses,
    mean_gradients,
    representation_layers,
    unit_layers,
)

FAMILIES = registry.names(registry.FAMILIES)
UNITS = {
    "attention": {"mlp_0_0": 128, "mlp_1_0": 128},
    "cnn": {"block_0": 32, "block_1": 64},
    "feedforward": {"block_0": 256, "block_1": 128},
    "lstm": {"block_0": 128},
    "spiking": {"block_0": 512},
}
REPRESENTATIONS = {
    "attention": ["block_0", "block_1", "penultimate", "logits"],
    "cnn": ["block_0", "block_1", "penultimate", "logits"],
    "feedforward": ["block_0", "block_1", "logits"],
    "lstm": ["block_0", "logits"],
    "spiking": ["block_0", "penultimate", "logits"],
}


@pytest.mark.parametrize("name", UNITS)
def test_every_family_has_units_behind_a_nonlinearity(built, images, name):
    layers = unit_layers(*built(name))
    assert {layer: tensor.shape[-1] for layer, tensor in layers.items()} == UNITS[name]
    responses = Responses(built(name)[0], layers, pooled=True)(images)
    for layer, each in responses.items():
        assert each.shape == (40, UNITS[name][layer])
        assert (each.min() < 0) == (name == "lstm")


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_representations_are_no_layer_twice(built, name):
    assert list(representation_layers(*built(name))) == REPRESENTATIONS[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_stage_of_a_network_has_a_name_once(parameters, tensorflow, name):
    """Of MNIST's networks, which have other heads, and of several convolutions a stage."""
    data = parameters.dataset("mnist")
    network = data.family(name).network
    if name == "cnn":
        network = network.model_copy(update={"filters": ((4, 4), (8,)), "units": (16,)})
    layers = unit_layers(*families.build(name, network, data.image_shape, 10))
    assert len(layers) == {"attention": 2, "cnn": 4, "feedforward": 2}.get(name, len(layers))
    assert len({id(tensor) for tensor in layers.values()}) == len(layers) > 0


def test_a_network_without_a_nonlinearity_is_refused(parameters, tensorflow):
    data = parameters.dataset("digits")
    network = data.family("attention").network.model_copy(update={"mlp_width": None})
    with pytest.raises(GlassnetsError, match=r"expected a layer with a nonlinearity.*mlp_width"):
        unit_layers(*families.build("attention", network, data.image_shape, 10))


def test_a_unit_of_many_places_answers_with_its_mean(built, images):
    model, activations = built("cnn")
    layers = unit_layers(model, activations)
    whole, pooled = (Responses(model, layers, pooled=p)(images)["block_0"] for p in (False, True))
    assert whole.shape == (40, 4, 4, 32)
    np.testing.assert_allclose(pooled, whole.mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_rest_of_the_network_gives_its_logits(built, images, name):
    model, activations = built(name)
    expected = families.predict(model, images)
    for tensor in unit_layers(model, activations).values():
        after = After(model, tensor)
        count = tensor.shape[-1]
        read = after.read(images)
        logits = after.logits(read, np.zeros(count, bool), np.zeros(count, np.float32))
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        other = after.logits(read, np.ones(count, bool), np.zeros(count, np.float32))
        assert np.abs(other - expected).max() > 1e-3


def test_the_receptive_field_of_a_linear_unit_is_its_gradient(tensorflow):
    """By noise, and by differentiation."""
    import keras

    dense = keras.layers.Dense(2)
    inputs = keras.Input((3, 4))
    hidden = dense(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=5, size=(4000, 3, 4)).astype(np.float32)
    gradients = mean_gradients(model, hidden, noise[:10], np.array([1, 0]))
    weights = dense.get_weights()[0].T.reshape(2, 3, 4)
    np.testing.assert_allclose(gradients, weights[::-1], atol=1e-6)
    responses = Responses(model, {"hidden": hidden}, pooled=True)(noise)["hidden"]
    field = units.spike_triggered_average(noise, responses, 5)
    np.testing.assert_allclose(field, weights, atol=0.1)
