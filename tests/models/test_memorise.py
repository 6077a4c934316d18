"""Networks that memorise shuffled labels."""

import numpy as np
import pytest

from glassnets import runtime
from glassnets.config.schema import Memorise
from glassnets.models import families
from glassnets.models.memorise import memorise

OPTIONS = Memorise(images=40, accuracy=0.99, epochs=300, batch_size=16, learning_rate=0.01)


@pytest.fixture(scope="module")
def part():
    """60 images of noise float64 (60, 8, 8), and their labels, 20 of each of three classes."""
    rng = np.random.default_rng(0)
    return rng.random((60, 8, 8)), np.repeat(np.arange(3, dtype=np.uint8), 20)


@pytest.fixture
def build(tensorflow):
    """``build(dropout)(seed)``: a linear network, drawn by this seed."""

    def with_dropout(rate):
        def built(seed):
            import keras

            runtime.set_seed(seed)
            images = keras.Input((8, 8))
            flat = keras.layers.Dropout(rate)(keras.layers.Flatten()(images))
            return keras.Model(images, keras.layers.Dense(3, name="logits")(flat))

        return built

    return with_dropout


def memorised(build, part, *seeds, **changes):
    """The weights that each seed ends with, and its accuracy: the model is one for all seeds."""
    runs = memorise(build, seeds, *part, OPTIONS.model_copy(update=changes))
    return [(model.get_weights(), accuracy) for model, accuracy in runs]


def test_training_stops_when_the_shuffled_labels_are_memorised(build, part):
    images, labels = part
    [(weights, accuracy)] = memorised(build(0.0), part, 0, accuracy=0.95)
    assert 0.95 <= accuracy < 1  # it stopped there, and did not go on
    model = build(0.0)(1)
    model.set_weights(weights)
    predictions = families.predict(model, images).argmax(axis=1)[:40]
    shuffled = np.random.default_rng(0).permutation(labels[:40])
    assert (predictions == shuffled).mean() == pytest.approx(accuracy)
    assert (predictions == labels[:40]).mean() < 0.8


def test_the_accuracy_is_given_where_it_is_not_enough(build, part):
    [(_, accuracy)] = memorised(build(0.0), part, 0, epochs=1)
    assert accuracy < 0.9


def test_only_the_first_images_are_learnt(build, part):
    images, labels = part
    first = memorised(build(0.0), (images[:40], labels[:40]), 0, epochs=2)
    whole = memorised(build(0.0), part, 0, epochs=2)
    for a, b in zip(first[0][0], whole[0][0], strict=True):
        np.testing.assert_array_equal(a, b)
    # More than there are is all there are.
    [(_, accuracy)] = memorised(build(0.0), (images[:10], labels[:10]), 0, epochs=2)
    assert accuracy * 10 == pytest.approx(round(accuracy * 10))


@pytest.mark.exhaustive
def test_a_network_depends_on_its_seed_alone(build, part):
    """Not on those that were trained before it, dropout's draws included."""
    (one, _), (again, _), (other, _) = memorised(build(0.2), part, 0, 0, 1, epochs=5)
    [(alone, _)] = memorised(build(0.2), part, 1, epochs=5)
    for a, b, c, d in zip(one, again, other, alone, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(c, d)
        assert (a != c).any()


def test_the_model_is_one_for_all_seeds(build, part):
    runs = memorise(build(0.0), (0, 1), *part, OPTIONS.model_copy(update={"epochs": 1}))
    (first, _), (second, _) = runs
    assert first is second
