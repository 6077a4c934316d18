"""Whether a picture is like the images that networks learnt from."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from glassnets.apps import picture
from glassnets.apps.likeness import Likeness

# digits as the pipeline has them.
DIGITS = (load_digits().images * 255 / 16).round().astype(np.uint8)


@pytest.fixture(scope="module")
def likeness():
    return Likeness(DIGITS[300:])


def share(likeness, images):
    return np.mean([likeness.unlike(image) for image in images])


def test_other_images_of_the_dataset_are_like_it(likeness):
    assert share(likeness, DIGITS[:300]) < 0.05


def test_rotated_mirrored_ones_and_noise_are_not(likeness):
    assert share(likeness, np.rot90(DIGITS[:300], axes=(1, 2))) > 0.9
    assert share(likeness, DIGITS[:300, ::-1]) > 0.4  # some mirrored digits are digits
    assert share(likeness, np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8)) == 1
    assert likeness.unlike(np.zeros((8, 8), np.uint8))


def test_how_bright_and_which_shape_makes_no_difference():
    images = DIGITS[:200].repeat(3, axis=1).repeat(3, axis=2)[:, 1:, 2:]  # (n, 23, 22)
    likeness = Likeness(images)
    answers = [likeness.unlike(image) for image in images[:50]]
    assert answers == [likeness.unlike(image // 4 * 2) for image in images[:50]]


def test_a_margin_lets_more_pass():
    assert Likeness(DIGITS, 1.5).limit == pytest.approx(1.5 * Likeness(DIGITS).limit)


@pytest.mark.parametrize("dataset", picture.LAYOUTS)
def test_every_layout_has_a_pen_and_a_margin(dataset):
    assert 0 < picture.LAYOUTS[dataset].pen < 1 <= picture.LAYOUTS[dataset].margin
