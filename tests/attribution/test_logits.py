"""A model that ends in probabilities is never taken for one that ends in logits."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from glassnets.attribution import logits
from glassnets.attribution.network import Explained
from glassnets.errors import GlassnetsError


@pytest.fixture(autouse=True)
def _tensorflow(tensorflow):
    pass


def flat(*last):
    return keras.Sequential([keras.Input((4, 5)), layers.Flatten(), *last])


def by_operation():
    images = keras.Input((4, 5))
    return keras.Model(images, ops.softmax(layers.Dense(3)(layers.Flatten()(images))))


def within(*after):
    inner = flat(layers.Dense(3, activation="softmax"))
    return keras.Sequential([keras.Input((4, 5)), layers.Rescaling(0.5), inner, *after])


MODELS = {
    "an activation of a layer": ("softmax", lambda: flat(layers.Dense(3, activation="softmax"))),
    "a layer": ("softmax", lambda: flat(layers.Dense(3), layers.Softmax())),
    "an activation layer": ("softmax", lambda: flat(layers.Dense(3), layers.Activation("softmax"))),
    "log-softmax": ("log-softmax", lambda: flat(layers.Dense(3, activation="log_softmax"))),
    "an operation": ("softmax", by_operation),
    "a model within": ("softmax", within),
    "a model within, then a layer": ("softmax", lambda: within(layers.Dropout(0.5))),
    "a sigmoid": ("sigmoid", lambda: flat(layers.Dense(1, activation="sigmoid"))),
    "logits": (None, lambda: flat(layers.Dense(3))),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_logits_have_the_models_probabilities(name, draw_images):
    end, build = MODELS[name]
    model, images = build(), draw_images(6, (4, 5)) / 255
    assert logits.end_of(model) == end
    found = logits.to_logits(model)
    assert logits.end_of(found) is None
    outputs = model(images).numpy()
    wanted = {
        "softmax": lambda: outputs,
        "log-softmax": lambda: np.exp(outputs),
        "sigmoid": lambda: np.hstack([1 - outputs, outputs]),
        None: lambda: ops.softmax(outputs),
    }[end]()
    np.testing.assert_allclose(ops.softmax(found(images)), wanted, atol=1e-6)


def test_a_model_to_logits_stays_as_it_is():
    model = flat(layers.Dense(3))
    assert logits.to_logits(model) is model


def test_one_logit_is_of_the_second_of_two_classes(draw_images):
    model, images = flat(layers.Dense(1)), draw_images(4, (4, 5)) / 255
    first, second = logits.to_logits(model)(images).numpy().T
    np.testing.assert_allclose(second - first, model(images)[:, 0], rtol=1e-5)


def test_several_sigmoids_are_no_softmax():
    model = flat(layers.Dense(3, activation="sigmoid"))
    assert logits.to_logits(model) is model


@pytest.mark.parametrize("name", [name for name, (end, _) in MODELS.items() if end])
def test_an_explained_model_must_end_in_logits(name):
    end, build = MODELS[name]
    with pytest.raises(GlassnetsError, match=f"logits, got one that ends in {end}: give glassnets"):
        Explained(build())
    Explained(logits.to_logits(build()))
