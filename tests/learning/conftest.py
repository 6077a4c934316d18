"""Small sets of images to learn from: digits of scikit-learn."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def parts():
    """1,400 digits: 800 to train on, 200 to validate, 400 to test."""
    from sklearn.datasets import load_digits

    from glassnets.learning.images import Parts

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8) * 15, digits.target.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(labels))
    ends = {"train": order[:800], "validation": order[800:1000], "test": order[1000:1400]}
    own = ({"images": images[rows], "labels": labels[rows]} for rows in ends.values())
    return Parts.of(*own, 10)


@pytest.fixture(scope="session")
def options(parameters):
    """Of digits, as params.yaml has them."""
    return parameters.dataset("digits").dynamics
