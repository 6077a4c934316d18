"""Networks to explain: a linear one, and the four families as digits has them, untrained."""

import functools

import numpy as np
import pytest

from glassnets import artefacts, families, params, runtime
from glassnets.explanations import Explained

PARAMS = params.load(artefacts.params_file())
DIGITS = PARAMS.dataset("digits")


@pytest.fixture(scope="session", autouse=True)
def _tensorflow():
    runtime.start_tensorflow(PARAMS.runtime)


@pytest.fixture(scope="session")
def draw_images():
    """Images float32 (n, h, w) in 0…255, none of whose pixels is quite black."""

    def draw(n, shape=(8, 8), seed=0):
        rng = np.random.default_rng(seed)
        return rng.integers(1, 256, (n, *shape)).astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def linear():
    """``linear(shape)``: a network of logits w·x + 1, and w (h, w, classes)."""

    def build(shape, classes=3, **options):
        import keras

        pixels = shape[0] * shape[1]
        w = np.random.default_rng(0).normal(size=(pixels, classes)).astype(np.float32) / 255
        dense = keras.layers.Dense(classes)
        images = keras.Input(shape)
        model = keras.Model(images, dense(keras.layers.Flatten()(images)))
        dense.set_weights([w, np.ones(classes, np.float32)])
        return Explained(model, **options), w.reshape(*shape, classes)

    return build


def draw_biases(model):
    """As a trained network has them. With biases of zero, normalised tokens of a nearly black
    image jump about, and the integral along a path from black is no test of anything."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        if weight.name in ("bias", "beta"):
            weight.assign(weight + rng.normal(scale=0.1, size=weight.shape))


@pytest.fixture(scope="session")
def family(draw_images):
    """``family(name)``: the network of digits' cell, the same for every test;
    ``family(name, batch_size)`` runs it in other batches."""

    @functools.cache
    def built(name):
        runtime.set_seed(0)
        network = DIGITS.family(name).network
        model, activations = families.build(name, network, DIGITS.image_shape, DIGITS.classes)
        draw_biases(model)
        return model, activations

    @functools.cache
    def get(name, batch_size=1024):
        return Explained(*built(name), references=draw_images(20, seed=9), batch_size=batch_size)

    return get
