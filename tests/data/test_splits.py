"""Splits: the article's own, the official one, no image in two parts."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from glassnets import config
from glassnets.data import splits
from glassnets.data.sources import digits as source
from glassnets.errors import ParameterError

PARAMS = config.load(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="module")
def digits():
    return source.load(None)


def test_mnist_test_part_is_the_articles():
    # The labels alone decide nothing here: the split is drawn over row numbers.
    raw = {
        "images": np.zeros((70_000, 1, 1), np.uint8),
        "labels": np.arange(70_000, dtype=np.uint64).astype(np.uint8) % 10,
    }
    parts = splits.split(raw, PARAMS.dataset("mnist"))
    _, expected = train_test_split(np.arange(70_000), test_size=0.2, random_state=42)
    np.testing.assert_array_equal(parts["test"]["index"], expected)
    assert {name: len(part["index"]) for name, part in parts.items()} == {
        "train": 50_400,
        "validation": 5_600,
        "test": 14_000,
    }


def test_the_official_split_keeps_the_last_images_for_the_test():
    raw = {
        "images": np.zeros((70_000, 1, 1), np.uint8),
        "labels": (np.arange(70_000) % 10).astype(np.uint8),
    }
    official = PARAMS.dataset("mnist").model_copy(update={"split": "official"})
    parts = splits.split(raw, official)
    np.testing.assert_array_equal(parts["test"]["index"], np.arange(60_000, 70_000))
    assert parts["train"]["index"].max() < 60_000
    assert parts["validation"]["index"].max() < 60_000


def test_no_image_lies_in_two_parts(digits):
    parts = splits.split(digits, PARAMS.dataset("digits"))
    index = np.concatenate([part["index"] for part in parts.values()])
    assert sorted(index) == list(range(1797))
    assert splits.duplicates(parts) == {"train": 0, "validation": 0, "test": 0}
    for part in parts.values():
        np.testing.assert_array_equal(part["images"], digits["images"][part["index"]])
        np.testing.assert_array_equal(part["labels"], digits["labels"][part["index"]])


def test_duplicates_are_found_by_content():
    one, two, three = (np.full((1, 2, 2), value, np.uint8) for value in (1, 2, 3))
    parts = {
        "train": {"images": np.concatenate([one, two])},
        "validation": {"images": np.concatenate([three, one])},
        "test": {"images": np.concatenate([two, three, two])},
    }
    assert splits.duplicates(parts) == {"train": 0, "validation": 1, "test": 3}


def test_stratified_parts_hold_the_classes_alike(digits):
    balance = splits.class_balance(splits.split(digits, PARAMS.dataset("digits")))
    shares = balance[["train_share", "validation_share", "test_share"]]
    assert (shares.max(axis=1) - shares.min(axis=1)).max() < 0.005
    assert balance[["train", "validation", "test"]].to_numpy().sum() == 1797
    assert balance["class"].tolist() == list(range(10))


def test_max_images_takes_the_first(digits):
    few = PARAMS.dataset("digits").model_copy(update={"max_images": 300})
    parts = splits.split(digits, few)
    assert sorted(np.concatenate([p["index"] for p in parts.values()])) == list(range(300))


@pytest.mark.parametrize("stratify", [True, False])
def test_a_class_without_example_is_refused(digits, stratify):
    rare = {key: array.copy() for key, array in digits.items()}
    rare["labels"][rare["labels"] == 9] = 8
    rare["labels"][0] = 9
    dataset = PARAMS.dataset("digits").model_copy(update={"stratify": stratify})
    with pytest.raises(ParameterError, match="gives each class an example"):
        splits.split(rare, dataset)
