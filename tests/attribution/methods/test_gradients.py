"""Gradient methods: exact on a linear network, complete on every family. Their references: see
test_references.py."""

import numpy as np
import pytest

from glassnets import registry
from glassnets.attribution.methods import Explained, explain
from glassnets.attribution.references import fills

# The gradients of spiking networks are a surrogate's: see tests/models/test_spikes.py.
FAMILIES = [name for name in registry.names(registry.FAMILIES) if name != "spiking"]


@pytest.mark.parametrize("method", ["gradient", "smoothgrad"])
def test_on_a_linear_network_the_gradient_is_w_with_or_without_noise(linear, draw_images, method):
    network, w = linear((5, 4))
    maps = explain(method, network, draw_images(2, (5, 4)), np.array([1, 2]))
    np.testing.assert_allclose(maps, w[..., [1, 2]].transpose(2, 0, 1), rtol=1e-5)


def test_expected_gradients_on_a_linear_network_are_w_times_x_less_the_drawn_mean(
    linear, draw_images
):
    references = draw_images(2, (5, 4), seed=1)
    network, w = linear((5, 4), references=references)
    x, y = draw_images(1, (5, 4)), np.array([0])
    maps = explain("integrated_gradients:draws", network, x, y, steps=4000)
    expected = w[..., 0] * (x[0] - references.mean(axis=0))
    # The share of the first reference is within 3 standard errors of a half.
    margin = 3 * 0.5 / np.sqrt(4000) * np.abs(w[..., 0] * (references[0] - references[1]))
    assert (np.abs(maps[0] - expected) <= margin + 1e-5).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_integrated_gradients_are_complete(family, draw_images, name):
    """The map sums to f(x) − f(r), within 1 % of the largest such difference, for one class and for
    the difference of two."""
    network = family(name)
    x, y, other = draw_images(5), np.arange(5), np.arange(1, 6)
    for reference in ("black", "mean", "blur"):
        fill = np.broadcast_to(fills(network, x, reference, 1, 0)[:, 0], x.shape)
        logits = network.model.predict(np.concatenate([x, fill]), verbose=0)
        change = logits[:5] - logits[5:]
        differences = change[range(5), y], change[range(5), y] - change[range(5), other]
        for contrast, difference in zip((None, other), differences, strict=True):
            maps = explain(
                f"integrated_gradients:{reference}", network, x, y, contrast=contrast, steps=300
            )
            largest = np.abs(difference).max()
            total = maps.sum(axis=(1, 2))
            np.testing.assert_allclose(total, difference, rtol=0, atol=0.01 * largest)
            assert largest > 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_expected_gradients_are_complete_on_average(family, draw_images, name):
    network = family(name)
    x, y = draw_images(3), np.arange(3)
    maps = explain("integrated_gradients:draws", network, x, y, steps=1000)
    own = network.model.predict(x, verbose=0)[np.arange(3), y]
    others = network.model.predict(network.references, verbose=0)[:, y]  # (references, n)
    error = np.abs(maps.sum(axis=(1, 2)) - (own - others.mean(axis=0)))
    # Not independent draws of f(b) alone: α varies too, so twice the usual three errors.
    assert (error <= 6 * others.std(axis=0) / np.sqrt(1000) + 1e-3).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_is_the_slope_of_the_logit(family, draw_images, name):
    network = family(name)
    x, y = draw_images(1), np.array([3])
    direction = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)
    step = 0.05
    both = np.concatenate([x + step * direction, x - step * direction])
    up, down = network.model.predict(both, verbose=0)[:, 3]
    slope = (explain("gradient", network, x, y)[0] * direction).sum()
    assert slope == pytest.approx((up - down) / (2 * step), rel=0.05, abs=1e-4)


def test_smoothgrad_is_the_mean_gradient_of_noisy_images(draw_images):
    """Of f = Σ x³/255² it is 3(x² + σ²)/255², whose standard error is known."""
    import keras

    images = keras.Input((3, 3))
    cubes = keras.layers.Flatten()(keras.ops.power(images, 3) / 255.0**2)
    model = keras.Model(images, keras.ops.sum(cubes, axis=1, keepdims=True))
    x = draw_images(2, (3, 3))
    sigma, draws = 0.1 * 255, 5000
    maps = explain(
        "smoothgrad", Explained(model), x, np.zeros(2, int), draws=draws, noise=0.1, seed=1
    )
    expected = 3 * (x**2 + sigma**2) / 255**2
    error = 3 / 255**2 * np.sqrt(4 * x**2 * sigma**2 + 2 * sigma**4) / np.sqrt(draws)
    assert (np.abs(maps - expected) < 4 * error).all()
