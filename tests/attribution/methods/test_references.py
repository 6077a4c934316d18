"""References: what they are, and that every method with absent pixels puts them where it says. On a
linear network the right map is w ⊙ (x − r), known to the last digit."""

import numpy as np
import pytest

from glassnets.attribution.methods import explain
from glassnets.attribution.methods.perturbations import grid_of_patches
from glassnets.attribution.references import blurred, fills

REFERENCES = ("black", "mean", "blur", "draws")
SHAPE, SEED = (4, 4), 7
DRAWS = 6


@pytest.fixture(scope="module")
def network(linear, draw_images):
    """The network and its weights (h, w, classes)."""
    return linear(SHAPE, references=draw_images(9, SHAPE, seed=1))


def test_fills_by_hand(network, draw_images):
    explained, _ = network
    x = draw_images(3, SHAPE)
    training = explained.references
    black, mean, blur, draws = (fills(explained, x, r, DRAWS, SEED) for r in REFERENCES)
    np.testing.assert_array_equal(black, np.zeros((1, 1, *SHAPE)))
    np.testing.assert_allclose(mean[0, 0], training.mean(axis=0), rtol=1e-6)
    assert draws.shape == (1, DRAWS, *SHAPE)
    for drawn in draws[0]:
        assert (drawn == training).all(axis=(1, 2)).any()
    assert not np.array_equal(draws, fills(explained, x, "draws", DRAWS, SEED + 1))
    for image, own in zip(x, blur, strict=True):  # each its own, whatever the others are
        np.testing.assert_array_equal(own[0], blurred(image, explained.blur))
    flat = np.full((1, *SHAPE), 70, np.float32)
    np.testing.assert_allclose(fills(explained, flat, "blur", 1, 0)[:, 0], flat, rtol=1e-6)


def test_every_training_image_is_drawn_alike(network):
    explained, _ = network
    drawn = fills(explained, np.zeros((1, *SHAPE)), "draws", 9000, 0)[0]
    counts = [(drawn == image).all(axis=(1, 2)).sum() for image in explained.references]
    assert sum(counts) == 9000
    assert (np.abs(np.array(counts) - 1000) < 4 * np.sqrt(1000)).all()


def true_maps(w, x, fill, y, contrast):
    weights = w[..., y] if contrast is None else w[..., y] - w[..., contrast]
    return weights.transpose(2, 0, 1) * (x - fill)


@pytest.mark.parametrize("contrast", [None, np.array([1, 2, 0])], ids=["class", "contrast"])
@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize(
    ("method", "options", "draws"),
    [
        ("gradient_x_input", {}, "draws"),
        ("integrated_gradients", {}, "steps"),
        ("occlusion", {"patch_size": 1, "stride": 1}, "draws"),
        ("kernel_shap", {"patch_size": 1, "coalitions": 200}, "draws"),  # drawn coalitions
        ("kernel_shap", {"patch_size": 2}, "draws"),  # every coalition
        ("kernel_shap_shifted", {"patch_size": 2, "grids": 2}, "draws"),
    ],
)
def test_on_a_linear_network_a_map_is_w_times_x_less_the_reference(
    network, draw_images, method, options, draws, reference, contrast
):
    explained, w = network
    x, y = draw_images(3, SHAPE), np.array([2, 0, 1])
    fill = fills(explained, x, reference, DRAWS, SEED).mean(axis=1)
    expected = true_maps(w, x, fill, y, contrast)
    if options.get("patch_size") == 2:  # a patch's sum, spread over its pixels
        shifts = range(options.get("grids", 1))
        expected = np.mean([spread(expected, grid_of_patches(SHAPE, 2, s)) for s in shifts], axis=0)
    maps = explain(
        f"{method}:{reference}",
        explained,
        x,
        y,
        contrast=contrast,
        seed=SEED,
        **options | {draws: DRAWS},
    )
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-4)


def spread(maps, patches):
    """Each pixel's mean over its patch."""
    result = np.empty_like(maps)
    for patch in np.unique(patches):
        result[:, patches == patch] = maps[:, patches == patch].mean(axis=1, keepdims=True)
    return result


def test_shifted_grids_sum_to_the_difference_whatever_the_place_of_the_patches(family, draw_images):
    explained, x, y = family("cnn"), draw_images(2), np.array([1, 2])
    fill = fills(explained, x, "draws", 2, 0)[0]
    logits = explained.outputs(np.concatenate([x, fill]))
    difference = logits[[0, 1], y] - logits[2:, y].mean(axis=0)
    maps = explain("kernel_shap_shifted:draws", explained, x, y, draws=2, coalitions=100, grids=4)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), difference, rtol=1e-3, atol=1e-3)
    plain = explain("kernel_shap:draws", explained, x, y, draws=2, coalitions=100)
    assert np.abs(maps - plain).max() > 0.1 * np.abs(plain).max()
