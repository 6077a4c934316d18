"""Augmentation: affine maps within their bounds, elastic deformation as SciPy computes it."""

import numpy as np
import pytest
from scipy import ndimage

from glassnets.config.schema import Augmentation, Elastic
from glassnets.models.augmentation import augment, displacements

STILL = Augmentation(rotation=0.0, scale=0.0, shear=0.0, shift=0.0, ramp_epochs=0.0)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow(tensorflow):
    pass


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


def augmented(images, seed=(0, 0), share=1.0, **update):
    images = np.asarray(images, np.float32)
    return augment(images, STILL.model_copy(update=update), seed, share).numpy()


NO_ELASTIC = Elastic(alpha=0.0, sigma=4.0)


@pytest.mark.parametrize("elastic", [None, NO_ELASTIC])
@pytest.mark.parametrize("shape", [(20, 6, 7), (20, 7, 6, 3)])
def test_no_augmentation_is_the_identity(shape, elastic):
    images = drawn(*shape)
    np.testing.assert_allclose(augmented(images, elastic=elastic), images, atol=1e-3)


@pytest.mark.parametrize("shape", [(50, 12, 9), (50, 9, 12, 3)])
def test_affine_maps_are_the_same_with_a_deformation_of_nothing(shape):
    change = {"rotation": 30.0, "scale": 0.3, "shear": 0.2, "shift": 0.5}
    images = drawn(*shape)
    alone, beside = (augmented(images, **change, elastic=e) for e in (None, NO_ELASTIC))
    np.testing.assert_allclose(beside, alone, atol=0.05)
    assert np.abs(alone - images).mean() > 10


@pytest.mark.parametrize("change", [{"rotation": 20.0}, {"elastic": Elastic(alpha=9.0, sigma=2.0)}])
def test_augmentation_depends_on_the_seed_alone(change):
    images = drawn(80, 6, 6)
    first = augmented(images, (1, 5), **change)
    np.testing.assert_array_equal(augmented(images, (1, 5), **change), first)
    assert not np.allclose(augmented(images, (1, 6), **change), first)
    assert not np.allclose(augmented(images, (2, 5), **change), first)


@pytest.mark.parametrize("change", [{"shift": 0.3}, {"elastic": Elastic(alpha=9.0, sigma=2.0)}])
@pytest.mark.parametrize(("share", "changed"), [(0.0, 0), (0.01, 1), (0.5, 40), (1.0, 80)])
def test_a_share_of_the_images_is_changed_and_no_other(change, share, changed):
    images = drawn(80, 6, 6)
    moved = (augmented(images, share=share, **change) != images).any(axis=(1, 2))
    assert moved.tolist() == [True] * changed + [False] * (80 - changed)


def test_displacements_are_scipys_smoothed_noise():
    import tensorflow as tf

    for sigma in (0.5, 1.5, 4.0):
        ours = displacements((3, 4), (7, 28, 20), 30.0, sigma).numpy()
        noise = tf.random.stateless_uniform((2, 7, 28, 20), (3, 4), -1, 1).numpy()
        expected = 30 * ndimage.gaussian_filter(
            noise.astype(float), sigma, mode="constant", truncate=10, axes=(2, 3)
        )
        np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_an_elastic_deformation_is_scipys_map_of_coordinates():
    import tensorflow as tf

    images, elastic = drawn(9, 28, 28), Elastic(alpha=100.0, sigma=3.0)
    seed = tf.random.experimental.stateless_fold_in(tf.constant([5, 2], tf.int64), 1)
    by = displacements(seed, images.shape, elastic.alpha, elastic.sigma).numpy()
    assert np.abs(by).max() > 5  # over the edge, from many a pixel
    places = np.indices((28, 28)) + by.transpose(1, 0, 2, 3)
    expected = [
        ndimage.map_coordinates(image, place, order=1, mode="constant")
        for image, place in zip(images.astype(float), places, strict=True)
    ]
    # SciPy's pixels end at their middles; ours, as TensorFlow's, fade over the next.
    inside = ((places >= 0) & (places <= 27)).all(axis=1)
    ours = augmented(images, (5, 2), elastic=elastic)
    np.testing.assert_allclose(ours[inside], np.array(expected)[inside], atol=0.02)
    assert 0.5 < inside.mean() < 0.99


def test_augmentation_moves_within_its_bounds():
    # A dot in the middle of a large black image: where it goes shows what was done.
    images = np.zeros((500, 41, 41))
    images[:, 20, 20] = 1000
    rows, columns = np.mgrid[:41, :41]

    def centre(moved):
        mass = moved.sum(axis=(1, 2))
        return (moved * rows).sum(axis=(1, 2)) / mass, (moved * columns).sum(axis=(1, 2)) / mass

    for down, right in [centre(augmented(images, shift=0.1))]:
        for moved in (down, right):
            assert np.abs(moved - 20).max() <= 4.1 + 1e-3  # a tenth of 41 pixels
            assert np.abs(moved - 20).max() > 3.5
    # About the centre, the dot stays where it is under every other change.
    for change in ({"rotation": 90.0}, {"scale": 0.5}, {"shear": 0.5}):
        for moved in centre(augmented(images, **change)):
            np.testing.assert_allclose(moved, 20, atol=1e-2)


def test_rotation_turns_by_at_most_its_angle():
    images = np.zeros((500, 41, 41))
    images[:, 20, 35] = 1000  # 15 pixels right of the centre
    rows, columns = np.mgrid[:41, :41]
    moved = augmented(images, rotation=30.0)
    mass = moved.sum(axis=(1, 2))
    down = (moved * rows).sum(axis=(1, 2)) / mass - 20
    right = (moved * columns).sum(axis=(1, 2)) / mass - 20
    angles = np.degrees(np.arctan2(down, right))
    assert np.abs(angles).max() <= 30.5
    assert np.abs(angles).max() > 27
    np.testing.assert_allclose(np.hypot(down, right), 15, atol=0.6)
