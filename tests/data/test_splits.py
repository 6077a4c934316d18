"""Splits: the article's own, the official one, no image in two parts."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from glassnets import config
from glassnets.config.schema import Source
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


# Groups and time

FIELDS = {"grouped": {"group": "patient"}, "by_time": {"time": "date"}}


def own(split, classes=2, **changes):
    """A dataset of a person's own, split by groups or by time."""
    source = Source(kind="image", path="pictures", **FIELDS[split])
    update = {"source": source, "split": split, "classes": classes, "validation_size": 0.2}
    return PARAMS.dataset("digits").model_copy(update=update | changes)


def test_groups_decide_how_large_parts_are():
    """So params.yaml is not refused for what only the data can show; `split` refuses it."""
    sample = PARAMS.dataset("digits").sample.model_copy(update={"images": 400})
    for split in FIELDS:
        assert own(split).problem() is None
        assert own(split, sample=sample).problem() is None


def raw_of(labels, **arrays):
    labels = np.asarray(labels, np.uint8)
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1)
    return {"images": images, "labels": labels, **arrays}


def check_one_line(refusal):
    assert re.fullmatch(r"params\.yaml: .*expected .*got .*: .*", str(refusal)), refusal


@given(
    groups=st.lists(st.integers(-3, 40), min_size=60, max_size=150),
    seed=st.integers(0, 1000),
    stratify=st.booleans(),
    size=st.sampled_from([0.1, 0.2, 0.25, 0.34, 0.5]),
)
def test_no_group_lies_in_two_parts(groups, seed, stratify, size):
    groups = np.array(groups, np.int64)
    rng = np.random.default_rng(seed)
    raw = raw_of(rng.integers(0, 2, len(groups)), groups=groups)
    changes = {"stratify": stratify, "random_state": seed, "test_size": size}
    try:
        parts = splits.split(raw, own("grouped", **changes))
    except ParameterError as refusal:
        check_one_line(refusal)
        return
    index = np.concatenate([part["index"] for part in parts.values()])
    assert sorted(index) == list(range(len(groups)))
    of_parts = [set(part["groups"].tolist()) for part in parts.values()]
    assert sum(map(len, of_parts)) == len(set(groups.tolist()))
    for part in parts.values():
        assert set(part["labels"].tolist()) == {0, 1}
        np.testing.assert_array_equal(part["groups"], groups[part["index"]])


def test_groups_are_scikit_learns_where_they_are_not_stratified():
    groups = np.repeat(np.arange(20), 5)
    dataset = own("grouped", stratify=False)
    parts = splits.split(raw_of(np.arange(100) % 2, groups=groups), dataset)
    shuffle = GroupShuffleSplit(1, test_size=0.2, random_state=dataset.random_state)
    _, test = next(shuffle.split(groups, groups=groups))
    assert sorted(parts["test"]["index"]) == test.tolist()
    assert len(test) == 20


@pytest.mark.parametrize(("size", "folds"), [(0.2, 1), (0.4, 2)])
def test_groups_are_stratified_where_that_can_be(size, folds):
    # Every group is of one class, one in five of class 1.
    groups = np.repeat(np.arange(50), 4)
    labels = (groups % 5 == 0).astype(np.uint8)
    dataset = own("grouped", test_size=size)
    parts = splits.split(raw_of(labels, groups=groups), dataset)
    for part in parts.values():
        assert part["labels"].mean() == pytest.approx(0.2, abs=0.08)  # of 8 groups 1 or 2
    kfold = StratifiedGroupKFold(5, shuffle=True, random_state=dataset.random_state)
    each = [test for _, test in kfold.split(labels, labels, groups)]
    assert sorted(parts["test"]["index"]) == sorted(np.concatenate(each[:folds]))


def test_rows_of_a_part_are_mixed():
    """Whoever takes the first few of a part gets every class, whatever the order of the file."""
    labels = np.repeat([0, 1], 200)
    groups, times = np.arange(400), np.arange(400) % 200.0
    for dataset in (own("grouped"), own("by_time")):
        train = splits.split(raw_of(labels, groups=groups, times=times), dataset)["train"]
        assert 0.3 < train["labels"][:60].mean() < 0.7
        again = splits.split(raw_of(labels, groups=groups, times=times), dataset)["train"]
        np.testing.assert_array_equal(train["index"], again["index"])


def test_too_few_groups_are_refused_in_one_line():
    one = raw_of([0, 1] * 10, groups=np.zeros(20, np.int64))
    with pytest.raises(ParameterError, match=r"test_size: expected a share of the 1 groups .* 0.2"):
        splits.split(one, own("grouped"))
    apart = raw_of([0, 1] * 10, groups=np.arange(20) % 4)  # two groups a class, for three parts
    with pytest.raises(ParameterError, match=r"gives each class an example.*random_state or split"):
        splits.split(apart, own("grouped", validation_size=0.5, test_size=0.5))


@given(
    times=st.lists(st.integers(-5, 30), min_size=40, max_size=120),
    size=st.sampled_from([0.1, 0.2, 0.4]),
    seed=st.integers(0, 100),
)
def test_training_is_before_validation_before_test(times, size, seed):
    times = np.array(times, np.float64)
    labels = np.random.default_rng(seed).integers(0, 2, len(times))
    try:
        parts = splits.split(raw_of(labels, times=times), own("by_time", test_size=size))
    except ParameterError as refusal:
        check_one_line(refusal)
        return
    train, validation, test = (part["times"] for part in parts.values())
    assert train.max() < validation.min() <= validation.max() < test.min()  # no tie is torn
    assert len(train) + len(validation) + len(test) == len(times)
    # The latest, and no more than the ties of the first of them add.
    count = math.ceil(size * len(times))
    assert len(test) >= count > (test > test.min()).sum()


def test_time_by_hand():
    times = np.array([5, 1, 4, 2, 3, 9, 8, 7, 6, 6.0])
    parts = splits.split(raw_of([0, 1] * 5, times=times), own("by_time", validation_size=0.25))
    assert [sorted(part["times"]) for part in parts.values()] == [
        [1, 2, 3, 4, 5],
        [6, 6, 7],
        [8, 9],
    ]


@pytest.mark.parametrize("split", ["grouped", "by_time"])
def test_data_without_groups_or_times_are_refused(split):
    (field,) = FIELDS[split]
    with pytest.raises(ParameterError, match=rf"source.{field}: expected {field}s .* got none"):
        splits.split(raw_of([0, 1] * 50), own(split))


def test_a_time_that_is_missing_is_refused():
    times = np.arange(100.0)
    times[3] = np.nan
    with pytest.raises(ParameterError, match=r"times without gaps, got 1 missing"):
        splits.split(raw_of([0, 1] * 50, times=times), own("by_time"))


def test_the_summary_says_which_kind_of_split_it_was_of_these_alone(digits):
    groups, times = np.arange(100) // 5, np.arange(100.0)
    raw = raw_of([0, 1] * 50, groups=groups, times=times)
    grouped, by_time = (
        splits.kind(splits.split(raw, dataset), dataset)
        for dataset in (own("grouped"), own("by_time"))
    )
    assert grouped == {"split": "grouped", "groups": {"train": 13, "validation": 3, "test": 4}}
    assert by_time == {
        "split": "by_time",
        "times": {"train": [0, 63], "validation": [64, 79], "test": [80, 99]},
    }
    dataset = PARAMS.dataset("digits")
    assert splits.kind(splits.split(digits, dataset), dataset) == {}


# Missing numbers


def table_part(values, flags):
    """Two channels: numbers, and whether they are missing."""
    return {"images": np.stack([values, flags], axis=-1).astype(np.float32)[:, np.newaxis]}


def test_missing_numbers_become_the_mean_of_the_training_part():
    nan = np.nan
    parts = {
        "train": table_part([[1, 10], [nan, 20], [4, nan]], [[0, 0], [1, 0], [0, 1]]),
        "test": table_part([[nan, nan], [100, 200]], [[1, 1], [0, 0]]),
    }
    full = splits.filled(parts, ("a", "b"))
    assert full["train"]["images"][:, 0, :, 0].tolist() == [[1, 10], [2.5, 20], [4, 15]]
    assert full["test"]["images"][:, 0, :, 0].tolist() == [[2.5, 15], [100, 200]]
    for name, part in parts.items():
        assert full[name]["images"].dtype == np.float32
        np.testing.assert_array_equal(full[name]["images"][..., 1], part["images"][..., 1])
        assert np.isnan(part["images"]).any()  # as they were


def test_means_are_computed_in_double_precision():
    values = np.array([[2.0**24], [1], [1], [np.nan]])  # 2²⁴ + 1 is no float32
    part = {"train": table_part(values, np.isnan(values))}
    mean = splits.filled(part, ("a",))["train"]["images"][3, 0, 0, 0]
    assert mean == np.float32((2**24 + 2) / 3)


def test_a_column_without_a_number_to_learn_from_is_refused():
    parts = {
        "train": table_part([[1, np.nan]], [[0, 1]]),
        "test": table_part([[1, 5.0]], [[0, 0]]),
    }
    with pytest.raises(ParameterError, match="expected a number of 'price' in the training part"):
        splits.filled(parts, ("a", "price"))
