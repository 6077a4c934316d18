"""Rows that lie in the data twice, or nearly so."""

import numpy as np
import pytest

from glassnets.data.own import checks

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (100, 12, 12, 3), dtype=np.uint8)


def arrays(images):
    return {"images": images, "labels": np.arange(len(images)) % 2}


def test_equal_rows_are_counted_and_those_of_two_classes_too():
    assert checks.duplicates(arrays(IMAGES), "pictures") == (["none"], [])
    twice = np.concatenate([IMAGES, IMAGES[:4], IMAGES[1:2]])  # 100…103 have the labels of 0…3
    lines, warnings = checks.duplicates(arrays(twice), "pictures")
    assert lines == ["5 equal to an earlier one"]
    assert "5 of 105 pictures" in warnings[0]
    assert "1 pictures are equal to an earlier one of another class" in warnings[1]


def test_nearly_equal_rows_are_found_and_equal_ones_are_not_meant():
    assert checks.near_duplicates(arrays(IMAGES), "pictures") == []
    assert checks.near_duplicates(arrays(np.concatenate([IMAGES, IMAGES])), "pictures") == []
    noisy = IMAGES[:10].astype(int) + RNG.integers(-2, 3, IMAGES[:10].shape)
    near = np.concatenate([IMAGES, noisy.clip(0, 255).astype(np.uint8)])
    (warning,) = checks.near_duplicates(arrays(near), "pictures")
    assert warning.startswith("near-duplicates: 20 of 110 pictures")


@pytest.mark.parametrize("n", [2, 12])
def test_rows_without_any_difference(n):
    assert checks.near_duplicates(arrays(np.zeros((n, 1, 20, 2), np.float32)), "series") == []
