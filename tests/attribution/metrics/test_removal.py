"""What stands in the place of removed pixels: solved by hand, and independent of other masks."""

from types import SimpleNamespace

import numpy as np
import pytest

from glassnets.attribution.metrics.removal import Filling, interpolated, without
from glassnets.attribution.references import REMOVALS

MEAN = np.full((4, 5), 100, np.float32)


def filling(mean_image=MEAN, seed=0, blur=0.25, noise=0.01, draws=2, references=None):
    """Of a network that has these training images, or is known by their mean alone."""
    references = mean_image[np.newaxis] if references is None else references
    network = SimpleNamespace(
        mean_image=mean_image, blur=blur, references=references, span=255.0, masked=False
    )
    return Filling(network, noise, draws, seed)


@pytest.fixture
def image(draw_images):
    return draw_images(1, (4, 5))[0]


def mask(*pixels, shape=(4, 5)):
    removed = np.zeros((1, *shape), bool)
    for pixel in pixels:
        removed[0][pixel] = True
    return removed


@pytest.mark.parametrize("by", REMOVALS)
def test_pixels_that_are_kept_stay_and_all_removed_pixels_change(image, by):
    removed = np.random.default_rng(0).random((6, 4, 5)) < 0.5
    changed = without(image, removed, by, filling())
    assert changed.shape == (2 if by == "draws" else 1, *removed.shape)
    assert changed.dtype == np.float32
    for own in changed:
        np.testing.assert_array_equal(own == image, ~removed)


def test_black_and_mean(image):
    removed = mask((1, 2), (3, 4))
    for by, value in (("black", 0), ("mean", 100)):
        (changed,) = without(image, removed, by, filling())
        np.testing.assert_array_equal(changed[removed], value)


def test_draws_are_training_images_drawn_for_each_image_by_itself(draw_images):
    training = draw_images(30, (4, 5), seed=1)
    own = filling(references=training, draws=50)
    everything = np.ones((2, 4, 5), bool)
    one, other = (without(image, everything, "draws", own) for image in draw_images(2, (4, 5)))
    drawn = [(each == training).all(axis=(1, 2)).nonzero()[0] for each in one[:, 0]]
    assert all(len(places) == 1 for places in drawn)
    assert len(np.unique(drawn)) > 15  # of 50 draws from 30 some 24 differ
    np.testing.assert_array_equal(one[:, 0], one[:, 1])  # the same for every mask
    assert not np.array_equal(one, other)
    again, seeded = (
        without(draw_images(1, (4, 5))[0], everything, "draws", each)
        for each in (own, filling(references=training, draws=50, seed=1))
    )
    np.testing.assert_array_equal(again, one)
    assert not np.array_equal(seeded, one)


def test_blur_leaves_no_stroke_and_a_flat_image_as_it_is():
    stripes = np.zeros((28, 28), np.float32)
    stripes[:, 3:28:7] = 200
    everything = np.ones((1, 28, 28), bool)
    blurred = without(stripes, everything, "blur", filling(stripes))[0, 0]
    assert np.ptp(blurred) < 0.1 * np.ptp(stripes)
    assert (blurred > 0).all()
    flat = np.full_like(stripes, 70)
    np.testing.assert_allclose(
        without(flat, everything, "blur", filling(stripes))[0, 0], flat, rtol=1e-5
    )


def test_one_pixel_is_the_weighted_mean_of_its_neighbours(image):
    around = image[0:3, 1:4]
    weights = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12
    filled = interpolated(image, mask((1, 2)))[0]
    assert filled[1, 2] == pytest.approx((around * weights).sum())
    kept = ~mask((1, 2))[0]
    np.testing.assert_array_equal(filled[kept], image[kept])


@pytest.mark.parametrize(
    ("pixel", "neighbours"),
    [
        # In a corner two share an edge and one does not: 2/5, 2/5, 1/5.
        ((0, 0), {(0, 1): 2, (1, 0): 2, (1, 1): 1}),
        ((3, 4), {(3, 3): 2, (2, 4): 2, (2, 3): 1}),
        # On the right border, where the next row's first pixel is no neighbour.
        ((1, 4), {(0, 4): 2, (2, 4): 2, (1, 3): 2, (0, 3): 1, (2, 3): 1}),
        ((2, 0), {(1, 0): 2, (3, 0): 2, (2, 1): 2, (1, 1): 1, (3, 1): 1}),
    ],
)
def test_at_the_border_the_weights_of_absent_neighbours_go_to_the_others(image, pixel, neighbours):
    expected = sum(w * image[p] for p, w in neighbours.items()) / sum(neighbours.values())
    assert interpolated(image, mask(pixel))[0][pixel] == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_a_chain_is_interpolated_linearly(shape):
    chain = np.array([10, 7, 7, 7, 90], np.float32).reshape(shape)
    removed = np.array([False, True, True, True, False]).reshape(1, *shape)
    np.testing.assert_allclose(interpolated(chain, removed).ravel(), [10, 30, 50, 70, 90])
    ends = np.array([True, True, False, True, True]).reshape(1, *shape)
    np.testing.assert_allclose(interpolated(chain, ends).ravel(), 7)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 7), (8, 8), (1, 1)])
def test_the_solution_is_that_of_the_dense_equations(draw_images, shape):
    image = draw_images(1, shape)[0]
    rng = np.random.default_rng(1)
    removed = rng.random((20, *shape)) < np.linspace(0.1, 0.95, 20)[:, None, None]
    removed[:, -1, 0] = False
    places = np.argwhere(np.ones(shape))
    apart = np.abs(places[:, None] - places)
    weights = np.where(apart.max(axis=2) == 1, np.where(apart.sum(axis=2) == 1, 1 / 6, 1 / 12), 0)
    for mask, filled in zip(removed, interpolated(image, removed), strict=True):
        equations = np.diag(weights.sum(axis=1)) - weights
        kept = ~mask.ravel()
        equations[kept] = np.eye(image.size)[kept]
        known = np.where(mask, 0, image).ravel()
        np.testing.assert_allclose(filled.ravel(), np.linalg.solve(equations, known))


def test_without_a_pixel_left_noisy_linear_is_the_mean_image(image):
    changed = without(image, np.ones((1, 4, 5), bool), "noisy_linear", filling())
    np.testing.assert_array_equal(changed[0, 0], MEAN)


def test_blur_and_noise_have_the_standard_deviations_of_the_parameters():
    """A blurred point is a Gaussian; of a flat image, what is not flat is noise."""
    point = np.zeros((41, 61), np.float32)
    point[20, 30] = 1e6
    everything, half = np.ones((1, 41, 61), bool), np.arange(61 * 41).reshape(1, 41, 61) % 2 == 0
    for blur, noise in ((0.05, 0.02), (0.1, 0)):
        own = filling(point, blur=blur, noise=noise)
        blurred = without(point, everything, "blur", own)[0, 0]
        squares = (np.arange(61) - 30) ** 2
        variance = (blurred.sum(axis=0) * squares).sum() / blurred.sum()
        assert np.sqrt(variance) == pytest.approx(blur * 41, rel=0.02)
        filled = without(np.full_like(point, 9), half, "noisy_linear", own)[0][half]
        assert filled.std() == pytest.approx(noise * 255, rel=0.1, abs=1e-5)


def test_noise_is_small_drawn_from_the_seed_and_the_same_for_every_image_and_mask():
    flat = np.full((40, 40), 50, np.float32)
    removed = np.random.default_rng(0).random((2, 40, 40)) < 0.9
    first, second = without(flat, removed, "noisy_linear", filling(flat, 3))[0] - 50
    assert first[removed[0]].std() == pytest.approx(0.01 * 255, rel=0.1)
    both = removed.all(axis=0)
    np.testing.assert_allclose(first[both], second[both], atol=1e-4)
    other_image = without(flat + 20, removed, "noisy_linear", filling(flat, 3))[0, 0] - 70
    np.testing.assert_allclose(other_image, first, atol=1e-4)
    other_seed = without(flat, removed, "noisy_linear", filling(flat, 4))[0, 0] - 50
    assert np.abs(other_seed - first)[removed[0]].mean() > 1


@pytest.mark.parametrize("by", REMOVALS)
def test_what_is_removed_does_not_depend_on_the_masks_beside_it(image, by):
    removed = np.random.default_rng(0).random((5, 4, 5)) < 0.6
    removed[2] = True
    together = without(image, removed, by, filling())
    for i in (4, 2, 0):
        alone = without(image, removed[i : i + 1], by, filling())
        np.testing.assert_array_equal(alone[:, 0], together[:, i])
