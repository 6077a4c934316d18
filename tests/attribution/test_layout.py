"""A person's inputs in the grid of players, and back."""

import keras
import numpy as np
import pytest
from keras import layers

from glassnets.attribution.layout import RAW, Layout, Scale, layout
from glassnets.attribution.methods import explain
from glassnets.attribution.network import Explained
from glassnets.errors import GlassnetsError, ParameterError


@pytest.fixture(autouse=True)
def _tensorflow(tensorflow):
    pass


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("kind", "own", "grid"),
    [
        ("image", (4, 5), (4, 5)),
        ("image", (4, 5, 3), (4, 5, 3)),
        ("table", (6,), (1, 6)),
        ("table", (1, 6), (1, 6)),
        ("table", (1, 6, 2), (1, 6, 2)),
        ("series", (8,), (1, 8)),
        ("series", (8, 2), (1, 8, 2)),
        ("series", (1, 8, 2), (1, 8, 2)),
    ],
)
def test_inputs_lie_in_the_grid(kind, own, grid):
    inputs = RNG.random((3, *own)).astype(np.float32)
    how, _ = layout(inputs, kind, None)
    placed = how.to_grid(inputs)
    assert placed.shape == (3, *grid)
    np.testing.assert_allclose(how.from_grid(placed), inputs, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "scale", "levels"),
    [
        (np.array([0, 255], np.uint8), None, RAW),
        (np.array([0.1, 0.9]), None, Scale(0, 1)),
        (np.array([-0.1, 0.9]), None, Scale(-1, 1)),
        (np.array([3.0, 200.0]), None, RAW),
        (np.array([-2.5, 3.0]), None, Scale(-2.5, 3.0)),
        (np.array([0, 255], np.uint8), (0, 1), Scale(0, 1)),
        (np.array([0.1, 0.9]), (-1, 1), Scale(-1, 1)),
    ],
)
def test_levels_are_read_off_the_images(images, scale, levels):
    images = np.resize(images, (2, 2, 2))
    how, text = layout(images, "image", scale)
    assert how.levels == levels
    assert ("as given" in text) == (scale is not None)
    grid = how.to_grid(images)
    assert grid.min() >= 0
    assert grid.max() <= 255.001


@pytest.mark.parametrize(
    ("shape", "kind", "scale", "message"),
    [
        ((3,), "image", None, "array of images"),
        ((3, 4), "image", None, "array of images"),
        ((0, 4, 5), "image", None, "array of images"),
        ((3, 4, 5), "table", None, r"\(n, columns\)"),
        ((3, 4, 5, 1), "series", None, r"\(n, steps\) or"),
        ((3, 4), "table", (0, 1), "expected none for a table"),
        ((3, 4, 5), "image", (0, 0.1), "within 0..0.1"),
        ((3, 4, 5), "image", (1, 1), "within 1..1"),
    ],
)
def test_what_inputs_may_not_be(shape, kind, scale, message):
    with pytest.raises(ParameterError, match=message):
        layout(RNG.random(shape), kind, scale)


def linear(shape, classes=3):
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes)])


@pytest.mark.parametrize(
    ("kind", "own", "taken", "levels"),
    [
        ("image", (4, 5), (4, 5, 1), Scale(0, 1)),
        ("image", (4, 5, 1), (4, 5), RAW),
        ("image", (4, 5, 3), (4, 5, 3), Scale(-1, 1)),
        ("image", (4, 5), (20,), Scale(0, 1)),
        ("table", (6,), (6,), RAW),
        ("series", (8,), (8,), RAW),
        ("series", (8, 2), (8, 2), RAW),
    ],
)
def test_of_a_linear_model_of_own_inputs_gradients_integrate_to_its_weights(
    kind, own, taken, levels
):
    model, how = linear(taken), Layout(kind, own, levels)
    inputs = RNG.uniform(levels.low, levels.high, (30, *own)).astype(np.float32)
    grid = how.to_grid(inputs)
    network = Explained(how.model(model), references=grid, kind=kind)
    np.testing.assert_allclose(
        network.outputs(grid), model.predict_on_batch(inputs.reshape(-1, *taken)), atol=2e-5
    )
    found = explain("integrated_gradients:mean", network, grid[:4], np.ones(4, int))
    weights = model.layers[-1].get_weights()[0][:, 1].reshape(own)
    wanted = weights * (inputs[:4] - how.from_grid(network.mean_image[np.newaxis]))
    wanted = network.of_players(wanted.reshape(4, *how.grid))
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1, np.abs(wanted).max()))


def test_a_model_of_another_size_is_refused():
    with pytest.raises(GlassnetsError, match=r"expected inputs \(n, 9\).* got \(n, 4, 5\)"):
        Layout("image", (4, 5)).model(linear((9,)))


def test_layers_keep_what_they_adapted_to():
    rows = RNG.normal(5, 2, (50, 3)).astype(np.float32)
    normal = layers.Normalization()
    normal.adapt(rows)
    model = keras.Sequential([keras.Input((3,)), normal, layers.Dense(2)])
    found = Layout("table", (3,)).model(model)
    np.testing.assert_allclose(found(rows[:, np.newaxis]), model(rows), atol=1e-6)
    assert [layer.name for layer in found.layers][-2:] == [own.name for own in model.layers]
