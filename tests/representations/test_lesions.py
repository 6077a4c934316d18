"""Lesions whose effect is known."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from glassnets.evaluation.metrics import softmax
from glassnets.models import families
from glassnets.representations.activations import After, Responses, unit_layers
from glassnets.representations.lesions import Lesions, measured


@pytest.fixture
def lesions(built, images, labels):
    """``lesions(name, number)``: of the layer of this number, the responses, and the model."""

    def get(name, number):
        model, activations = built(name)
        layers = unit_layers(model, activations)
        layer, tensor = [*layers.items()][number]
        responses = Responses(model, {layer: tensor}, pooled=False)(images)[layer]
        return Lesions(After(model, tensor), images, labels), responses, model

    return get


@pytest.mark.parametrize("name", ["feedforward", "lstm"])
@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("unit", [0, 5, 77])
def test_a_lesion_of_the_last_layer_takes_its_share_from_the_logits(
    lesions, images, name, fill, unit
):
    """logits − (h_u − fill)·w_u."""
    layer, responses, model = lesions(name, -1)
    weights = model.get_layer("logits").get_weights()[0]
    lost = responses[:, unit] - (responses[:, unit].mean() if fill == "mean" else 0)
    expected = families.predict(model, images) - np.outer(lost, weights[unit])
    after = layer.logits(np.arange(layer.units) == unit, fill)
    np.testing.assert_allclose(after, expected, atol=1e-5)


def test_a_lesion_of_a_channel_takes_all_its_places(lesions, images):
    """Of the CNN's last feature maps, pooled and flattened before the logits."""
    layer, responses, model = lesions("cnn", -1)
    weights = model.get_layer("logits").get_weights()[0].reshape(2, 2, 64, 10)
    pooled = responses.reshape(40, 2, 2, 2, 2, 64).max(axis=(2, 4))
    expected = families.predict(model, images)
    expected = expected - np.einsum("nhw,hwk->nk", pooled[..., 7], weights[:, :, 7])
    after = layer.logits(np.arange(64) == 7, "zero")
    np.testing.assert_allclose(after, expected, atol=1e-5)


def test_the_measures_are_scikit_learns(labels):
    logits = np.random.default_rng(0).normal(size=(40, 10)).astype(np.float32)
    found, probabilities = measured(logits, labels), softmax(logits)
    assert found["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert found["accuracy"] == accuracy_score(labels, logits.argmax(axis=1))
    expected = log_loss(labels[1::2], probabilities[1::2], labels=range(10))
    assert found["log_loss_odd"] == pytest.approx(expected)
    own = labels == 3
    expected = log_loss(labels[own], probabilities[own], labels=range(10))
    assert found["log_loss_3"] == pytest.approx(expected)
    assert found["accuracy_3"] == (logits[own].argmax(axis=1) == 3).mean()
    assert np.isnan(measured(logits[~own], labels[~own])["log_loss_3"])


def test_single_lesions_are_differences_from_the_intact_network(lesions, images, labels):
    layer, _, model = lesions("feedforward", 0)
    rows = list(layer.single(np.array([2, 9])))
    assert [(row["fill"], row["unit"]) for row in rows] == [
        (fill, unit) for fill in ("zero", "mean") for unit in (2, 9)
    ]
    intact = measured(families.predict(model, images), labels)
    after = measured(layer.logits(np.arange(256) == 9, "mean"), labels)
    assert rows[-1]["log_loss"] == pytest.approx(after["log_loss"] - intact["log_loss"], abs=1e-6)
    assert rows[-1]["accuracy_4"] == pytest.approx(intact["accuracy_4"] - after["accuracy_4"])


def test_cumulative_lesions_go_from_none_to_all(lesions, images, labels):
    layer, _, model = lesions("cnn", 0)
    orders = {"first": [np.arange(32)], "random": [np.arange(32), np.arange(32)[::-1]]}
    rows = list(layer.cumulative(orders, steps=4))
    assert [row["share"] for row in rows[:5]] == [0, 0.25, 0.5, 0.75, 1]
    assert len(rows) == 2 * 2 * 5
    intact = measured(families.predict(model, images), labels)["log_loss"]
    for row in rows[::5]:
        assert row["log_loss"] == pytest.approx(intact, abs=1e-6)
    ends = [row["log_loss"] for row in rows[4::5]]
    assert ends[0] == pytest.approx(ends[1])  # all are lesioned, whatever the order
    halves = [
        measured(layer.logits(np.isin(np.arange(32), half), "zero"), labels)["accuracy"]
        for half in (np.arange(16), np.arange(16, 32))
    ]
    assert rows[7]["accuracy"] == pytest.approx(np.mean(halves))
