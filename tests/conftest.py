"""Tests run under the processor settings and determinism of the stages themselves.

Also the networks that tests explain: a linear one, and the four families as digits has them,
untrained. What imports NumPy is imported in the fixtures, after the processor is pinned.
"""

import functools

import pytest

from glassnets import runtime

runtime.pin_processor()  # before anything imports NumPy


@pytest.fixture(scope="session")
def parameters():
    from glassnets import artefacts, params

    return params.load(artefacts.params_file())


@pytest.fixture(scope="session")
def tensorflow(parameters):
    runtime.start_tensorflow(parameters.runtime)


@pytest.fixture(scope="session")
def draw_images():
    """Images float32 (n, h, w) in 0…255, none of whose pixels is quite black."""
    import numpy as np

    def draw(n, shape=(8, 8), seed=0):
        rng = np.random.default_rng(seed)
        return rng.integers(1, 256, (n, *shape)).astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def linear(tensorflow):
    """``linear(shape)``: a network of logits w·x + 1, and w (h, w, classes)."""
    import keras
    import numpy as np

    from glassnets.explanations import Explained

    def build(shape, classes=3, **options):
        pixels = shape[0] * shape[1]
        w = np.random.default_rng(0).normal(size=(pixels, classes)).astype(np.float32) / 255
        dense = keras.layers.Dense(classes)
        images = keras.Input(shape)
        model = keras.Model(images, dense(keras.layers.Flatten()(images)))
        dense.set_weights([w, np.ones(classes, np.float32)])
        return Explained(model, **options), w.reshape(*shape, classes)

    return build


@pytest.fixture(scope="session")
def family(tensorflow, parameters, draw_images):
    """``family(name)``: the network of digits' cell, the same for every test;
    ``family(name, batch_size)`` runs it in other batches."""
    from glassnets import families
    from glassnets.explanations import Explained

    digits = parameters.dataset("digits")

    @functools.cache
    def built(name):
        runtime.set_seed(0)
        network = digits.family(name).network
        model, activations = families.build(name, network, digits.image_shape, digits.classes)
        _draw_biases(model)
        return model, activations

    @functools.cache
    def get(name, batch_size=1024):
        return Explained(*built(name), references=draw_images(20, seed=9), batch_size=batch_size)

    return get


def _draw_biases(model):
    """As a trained network has them. With biases of zero, normalised tokens of a nearly black
    image jump about, and the integral along a path from black is no test of anything."""
    import numpy as np

    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        if weight.name in ("bias", "beta"):
            weight.assign(weight + rng.normal(scale=0.1, size=weight.shape))
