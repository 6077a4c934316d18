import numpy as np
from sklearn.datasets import load_digits

from glassnets.data.sources import digits


def test_all_images_in_bytes(tmp_path):
    arrays = digits.load(tmp_path / "absent")
    assert set(arrays) == {"images", "labels"}
    assert arrays["images"].shape == (1797, 8, 8)
    assert arrays["labels"].shape == (1797,)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}


def test_scaled_from_0_to_16_to_0_to_255_without_loss(tmp_path):
    images = digits.load(tmp_path)["images"]
    source = load_digits()
    assert (images.min(), images.max()) == (0, 255)
    assert set(np.unique(images[source.images == 8])) == {128}  # 127.5, rounded to even
    np.testing.assert_array_equal(np.rint(images / 255 * 16), source.images)


def test_labels_are_those_of_the_source(tmp_path):
    labels = digits.load(tmp_path)["labels"]
    np.testing.assert_array_equal(labels, load_digits().target)
    assert set(labels) == set(range(10))
