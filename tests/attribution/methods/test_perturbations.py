"""Perturbation methods against exhaustive enumeration. Their references: see test_references.py."""

from functools import cache
from itertools import combinations, product
from math import factorial

import numpy as np
import pytest

from glassnets.attribution.methods import Explained, explain
from glassnets.attribution.methods.perturbations import (
    coalitions,
    enlarged,
    grid_of_patches,
    windows,
)
from glassnets.attribution.references import fills
from glassnets.errors import ParameterError

GREY = 20  # of the mean image


@pytest.fixture(scope="module")
def products():
    """A network whose logits are products of pixels: (n, 2, 3) → (n, 2)."""
    import keras

    images = keras.Input((2, 3))
    x = keras.layers.Reshape((6,))(images) / 255
    first = x[:, 0:1] * x[:, 1:2] - 2 * x[:, 2:3] * x[:, 3:4] * x[:, 4:5] + x[:, 5:6]
    second = keras.ops.max(x, axis=1, keepdims=True)
    model = keras.Model(images, keras.ops.concatenate([first, second], axis=1))
    return Explained(model, references=np.full((2, 2, 3), GREY, np.float32))


def shapley(value, players):
    """Shapley (1953): Σ_S |S|!(p − |S| − 1)!/p! (v(S ∪ i) − v(S)), v of a frozenset."""
    result = np.zeros(players)
    for i in range(players):
        others = [j for j in range(players) if j != i]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for members in combinations(others, size):
                result[i] += weight * (value(frozenset({*members, i})) - value(frozenset(members)))
    return result


@pytest.mark.parametrize("target", [0, 1])
def test_kernel_shap_is_the_exhaustive_shapley_value(products, draw_images, target):
    x = draw_images(1, (2, 3))

    @cache
    def value(members):
        pixels = np.full(6, GREY, np.float32)
        pixels[list(members)] = x.ravel()[list(members)]
        return products.model(pixels.reshape(1, 2, 3)).numpy()[0, target]

    maps = explain("kernel_shap:mean", products, x, np.array([target]), patch_size=1)
    np.testing.assert_allclose(maps.ravel(), shapley(value, 6), rtol=1e-4, atol=1e-5)


def test_drawn_coalitions_approach_the_exhaustive_ones(products, draw_images):
    x, y = draw_images(2, (2, 3)), np.array([0, 1])
    exact = explain("kernel_shap", products, x, y, patch_size=1)
    # Fewer than all 62 are drawn: a single seed is off, the mean over seeds is near.
    drawn = [
        explain("kernel_shap", products, x, y, patch_size=1, coalitions=60, seed=seed)
        for seed in range(100)
    ]
    error = np.std(drawn, axis=0) / np.sqrt(100)
    assert np.std(drawn, axis=0).max() > 0.01
    assert (np.abs(np.mean(drawn, axis=0) - exact) < 4 * error + 1e-5).all()


def test_drawn_coalitions_follow_the_kernel():
    drawn, weights = coalitions(20, 20_000, seed=0)
    assert (weights == weights[0]).all()
    np.testing.assert_array_equal(drawn[10_000:], ~drawn[:10_000])
    sizes = np.bincount(drawn.sum(axis=1), minlength=21)[1:20]
    kernel = 1 / (np.arange(1, 20) * np.arange(19, 0, -1))
    expected = 20_000 * kernel / kernel.sum()
    assert (np.abs(sizes - expected) < 6 * np.sqrt(expected)).all()


@pytest.mark.parametrize("name", ["feedforward", "lstm", "cnn", "attention"])
def test_kernel_shap_sums_to_the_difference_of_logits(family, draw_images, name):
    network = family(name)
    x, y = draw_images(2), np.array([3, 7])
    fill = fills(network, x, "draws", 3, 5)[0]
    logits = network.model.predict(np.concatenate([x, fill]), verbose=0)
    difference = logits[[0, 1], y] - logits[2:, y].mean(axis=0)
    few = {"patch_size": 2, "coalitions": 60, "draws": 3}
    maps = explain("kernel_shap:draws", network, x, y, seed=5, **few)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference, rtol=1e-3, atol=1e-4)


def test_patches_of_a_side_that_the_size_does_not_divide():
    expected = [[0, 0, 1], [0, 0, 1], [2, 2, 3]]
    np.testing.assert_array_equal(grid_of_patches((3, 3), 2), expected)
    shifted = [[0, 1, 1], [2, 3, 3], [2, 3, 3]]
    np.testing.assert_array_equal(grid_of_patches((3, 3), 2, shift=1), shifted)


def test_windows_cover_the_image_and_end_with_it():
    masks = windows((5, 4), 2, 2)
    assert masks.shape == (3 * 2, 5, 4)
    assert (masks.sum(axis=(1, 2)) == 4).all()
    np.testing.assert_array_equal(masks.sum(axis=0)[:, 0], [1, 1, 1, 2, 1])


def test_occlusion_is_the_mean_drop_over_the_patches_of_a_pixel(products, draw_images):
    x, y = draw_images(1, (2, 3)), np.array([0])

    def logit(image):
        return products.model(image[np.newaxis]).numpy()[0, 0]

    left, right = x[0].copy(), x[0].copy()
    left[:, :2], right[:, 1:] = GREY, GREY
    drops = logit(x[0]) - logit(left), logit(x[0]) - logit(right)
    expected = [drops[0], np.mean(drops), drops[1]]
    maps = explain("occlusion:mean", products, x, y, patch_size=2, stride=1)
    np.testing.assert_allclose(maps[0], np.stack([expected, expected]), rtol=1e-4, atol=1e-6)


def bilinear(cells, size):
    """Enlarges (g, g) to (size, size), half-pixel centres, the border repeated."""
    grid = len(cells)
    at = np.clip((np.arange(size) + 0.5) * grid / size - 0.5, 0, grid - 1)
    low = np.minimum(at.astype(int), grid - 2)
    weights = np.zeros((size, grid))
    weights[np.arange(size), low] = 1 - (at - low)
    weights[np.arange(size), low + 1] = at - low
    return weights @ cells @ weights.T


def test_rise_converges_to_its_expectation(linear, draw_images):
    """Against all masks there can be: 2⁴ fillings of the cells, 2·2 shifts."""
    network, _ = linear((4, 4))
    x, y = draw_images(1, (4, 4)), np.array([0])
    masks, chances = [], []
    for filling in product([0, 1], repeat=4):
        large = bilinear(np.reshape(filling, (2, 2)), 6)
        for row, column in product(range(2), repeat=2):
            masks.append(large[row : row + 4, column : column + 4])
            chances.append(0.3 ** sum(filling) * 0.7 ** (4 - sum(filling)) / 4)
    masks, chances = np.array(masks), np.array(chances)
    logits = network.model.predict((masks * x).astype(np.float32), verbose=0)[:, 0]
    mean = np.tensordot(chances, masks, 1)
    logits -= chances @ logits
    expected = np.tensordot(chances * logits, masks, 1) / mean
    np.testing.assert_allclose(mean, 0.3, rtol=1e-5)
    count = 20_000
    maps = explain("rise", network, x, y, masks=count, grid=2, probability=0.3)
    # Standard error of a ratio of means.
    excess = (logits[:, np.newaxis, np.newaxis] - expected) * masks / 0.3
    error = np.sqrt(np.tensordot(chances, excess**2, 1) / count)
    assert (np.abs(maps[0] - expected) < 4 * error).all()
    assert np.ptp(expected) > 20 * error.max()


def test_rise_of_a_constant_network_is_zero_and_a_constant_of_the_logit_moves_no_map(
    linear, draw_images
):
    network, _ = linear((6, 6))
    kernel, bias = network.model.get_weights()
    x, y = draw_images(1, (6, 6)), np.array([0])
    before = explain("rise", network, x, y, masks=50)
    network.model.set_weights([kernel, bias + 50])
    np.testing.assert_allclose(explain("rise", network, x, y, masks=50), before, atol=1e-4)
    assert np.ptp(before) > 0.01
    network.model.set_weights([0 * kernel, 5 + bias])
    np.testing.assert_array_equal(explain("rise", network, x, y, masks=50), 0)


def test_rise_by_hand(linear, draw_images):
    """Σ (f_k − f̄) m_k / Σ m_k; each mask has its own draw of the reference draws."""
    network, w = linear((6, 6), references=draw_images(4, (6, 6), seed=2))
    x, y = draw_images(2, (6, 6)), np.array([2, 1])
    rng = np.random.default_rng(3)
    cells = rng.random((30, 2, 2)) < 0.5
    masks = enlarged(cells, rng.integers([3, 3], size=(30, 2)), (6, 6)).astype(np.float64)
    for reference in ("black", "mean", "blur", "draws"):
        fill = fills(network, x, reference, 30, 3)
        points = masks * x[:, np.newaxis] + (1 - masks) * fill
        values = np.einsum("nkij,ijn->nk", points, w[..., y])
        values -= values.mean(axis=1, keepdims=True)
        expected = np.einsum("nk,kij->nij", values, masks) / masks.sum(axis=0)
        maps = explain(f"rise:{reference}", network, x, y, masks=30, grid=2, seed=3)
        np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("occlusion", {"patch_size": 9}, "patch_size, stride: expected patches within 8×8"),
        ("occlusion", {"patch_size": 2, "stride": 3}, "no farther apart"),
        ("kernel_shap", {"patch_size": 8}, "two patches or more"),
        ("kernel_shap", {"patch_size": 1, "coalitions": 10}, "64 patches and 10 coalitions"),
        ("rise", {"masks": 1, "probability": 0.01}, "masks: expected enough"),
    ],
)
def test_impossible_options_are_refused(family, draw_images, method, options, message):
    with pytest.raises(ParameterError, match=message):
        explain(method, family("feedforward"), draw_images(1), np.array([0]), **options)
