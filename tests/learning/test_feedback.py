"""Learning rules: forward the same network, backward another matrix."""

import numpy as np
import pytest

from glassnets.config.schema import Training
from glassnets.models import families
from glassnets.models.families.feedforward import Network


@pytest.fixture(scope="module")
def feedback(tensorflow):
    from glassnets.learning import feedback

    return feedback


def built(units=(7, 6), batch_normalization=None):
    network = Network(units=units, batch_normalization=batch_normalization, dropout=0.0)
    return families.build("feedforward", network, (3, 4), 5)[0]


def batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (9, 3, 4)).astype(np.float32), rng.integers(5, size=9)


def gradients(model, network):
    """Of the loss by the weights of a network."""
    import keras
    import tensorflow as tf

    images, labels = batch()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        value = loss(np.eye(5)[labels], model(images))
    return [g.numpy() for g in tape.gradient(value, [w.value for w in network.trainable_weights])]


def close(one, other, tolerance=1e-6):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


def give(learner, matrices):
    for place, matrix in enumerate(matrices, start=1):
        learner.get_layer(f"feedback_{place}").set_weights([matrix])


def kernels(network):
    return [layer.get_weights()[0] for layer in network.layers if hasattr(layer, "kernel")]


def numpy_gradients(weights, images, labels, back):
    """A second implementation: back(place, δ) is the error that hidden layer `place` receives."""
    h = [images.reshape(len(images), -1) / 255]
    for kernel, bias in weights:
        h.append(h[-1] @ kernel + bias)
        if len(h) <= len(weights):
            h[-1] = np.maximum(h[-1], 0)
    p = np.exp(h[-1] - h[-1].max(axis=1, keepdims=True))
    output = delta = (p / p.sum(axis=1, keepdims=True) - np.eye(5)[labels]) / len(labels)
    found = []
    for place in reversed(range(len(weights))):
        found = [h[place].T @ delta, delta.sum(axis=0), *found]
        if place:
            delta = back(place, delta, output) * (h[place] > 0)
    return found


@pytest.mark.parametrize("rule", ["backpropagation", "feedback alignment"])
@pytest.mark.parametrize("batch_normalization", [None, 0.9])
def test_with_the_weights_themselves_feedback_alignment_is_backpropagation(
    feedback, rule, batch_normalization
):
    network = built((7, 6, 4), batch_normalization)
    learner = feedback.learner(network, rule, 0)
    if rule != "backpropagation":
        give(learner, kernels(network)[1:])
    close(gradients(learner, network), gradients(network, network))
    np.testing.assert_allclose(feedback.angles(network, learner, *batch()), 0, atol=1e-3)


@pytest.mark.parametrize("rule", ["feedback alignment", "direct feedback alignment"])
def test_gradients_are_those_of_the_rule_as_numpy_has_them(feedback, rule):
    network = built((7, 6, 4))
    learner = feedback.learner(network, rule, 3)
    matrices = {p: learner.get_layer(f"feedback_{p}").get_weights()[0] for p in (1, 2, 3)}
    weights = [w.numpy().astype(np.float64) for w in network.trainable_weights]
    pairs = list(zip(weights[::2], weights[1::2], strict=True))

    def back(place, delta, output):
        return (output if rule.startswith("direct") else delta) @ matrices[place].T

    close(gradients(learner, network), numpy_gradients(pairs, *batch(), back), 1e-5)
    angles = feedback.angles(network, learner, *batch())
    assert angles[-1] == pytest.approx(0, abs=1e-3)  # the last layer's errors are its own
    assert min(angles[:-1]) > 30


@pytest.mark.parametrize("rule", ["feedback alignment", "direct feedback alignment"])
def test_the_outputs_are_the_networks_to_the_bit(feedback, rule):
    network = built()
    images, _ = batch()
    learner = feedback.learner(network, rule, 0)
    assert (learner.predict(images, verbose=0) == network.predict(images, verbose=0)).all()


@pytest.mark.exhaustive
@pytest.mark.parametrize("rule", ["feedback alignment", "direct feedback alignment"])
def test_what_a_learner_learns_the_network_has_learnt(feedback, rule):
    from glassnets.models import training

    rng = np.random.default_rng(1)
    labels = rng.integers(5, size=200).astype(np.uint8)
    images = np.full((200, 3, 4), 100, np.uint8)
    images[np.arange(200), labels % 3, labels // 3] = 255
    part = {"images": images, "labels": labels}
    recipe = Training(
        epochs=40,
        batch_size=20,
        learning_rate=0.01,
        schedule="constant",
        warmup_epochs=0.0,
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_momentum=0.0,
    )
    network = built((16, 16))
    learner = feedback.learner(network, rule, 0)
    fixed = learner.get_layer("feedback_1").get_weights()[0]
    history = training.fit(learner, part, part, recipe, 0, lambda _: None, lambda *_: None)
    assert history["val_accuracy"].iloc[-1] > 0.95
    assert (network.predict(images, verbose=0).argmax(axis=1) == labels).mean() > 0.95
    assert (learner.get_layer("feedback_1").get_weights()[0] == fixed).all()
