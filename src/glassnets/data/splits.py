"""Which image goes to which part."""

import math
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from glassnets.config.schema import Dataset
from glassnets.data import Arrays
from glassnets.errors import ParameterError

PARTS = ("train", "validation", "test")

Rows = NDArray[np.int64]
# Rows, the share of them to take and the key that says it → those that are kept, those taken.
Divide = Callable[[Rows, float, str], tuple[Rows, Rows]]


def split(raw: Arrays, dataset: Dataset) -> dict[str, Arrays]:
    """The parts train, validation and test: every array of raw split along its first axis, plus
    ``index`` int64 (n,), each row's place in raw.

    The test part is taken first, so the validation part comes from the training part alone. With
    ``split: grouped`` raw has ``groups`` int64 (n,), and no group lies in two parts; with
    ``split: by_time`` it has ``times`` float64 (n,), and every training row is earlier than every
    validation row, and these than every test row. Raises ParameterError when a part is left without
    an example of a class, or where raw lacks groups or times.
    """
    labels = raw["labels"]
    rows = np.arange(len(labels))[: dataset.max_images]
    divide = _divide(raw, dataset)
    if dataset.split == "official":
        training, test = np.split(rows, [len(rows) - (dataset.official_test_images or 0)])
    else:
        training, test = divide(rows, dataset.test_size, "test_size")
    train, validation = divide(training, dataset.validation_size, "validation_size")
    parts = {}
    for name, index in zip(PARTS, (train, validation, test), strict=True):
        absent = sorted(set(range(dataset.classes)) - set(labels[index].tolist()))
        if absent:
            raise ParameterError(
                f"params.yaml: expected a split that gives each class an example, got none of "
                f"class {absent[0]} among the {len(index)} images of the {name} part: "
                f"{_remedy(dataset)}"
            )
        parts[name] = {key: array[index] for key, array in raw.items()} | {"index": index}
    return parts


def _remedy(dataset: Dataset) -> str:
    match dataset.split:
        case "grouped":
            more = "" if dataset.stratify else ", set stratify: true"
            return f"enlarge it{more}, or take another random_state or split"
        case "by_time":
            return "enlarge it, or set split: random"
        case _:
            return "enlarge it, or set stratify: true"


def _divide(raw: Arrays, dataset: Dataset) -> Divide:
    """How rows are divided in two."""
    labels = raw["labels"]
    # Rows in the order of the file would leave those that take the first few with one class.
    rng = np.random.default_rng(dataset.random_state)
    if dataset.split == "grouped":
        groups = _array(raw, "groups", "group", dataset)

        def grouped(rows: Rows, size: float, key: str) -> tuple[Rows, Rows]:
            kept, taken = _grouped(labels[rows], groups[rows], size, key, dataset)
            return rng.permutation(rows[kept]), rng.permutation(rows[taken])

        return grouped
    if dataset.split == "by_time":
        times = _array(raw, "times", "time", dataset)

        def by_time(rows: Rows, size: float, key: str) -> tuple[Rows, Rows]:
            late = _latest(times[rows], size)
            return rng.permutation(rows[~late]), rng.permutation(rows[late])

        return by_time
    return lambda rows, size, key: _random(rows, labels, dataset, size, key)


def _array(raw: Arrays, name: str, field: str, dataset: Dataset) -> NDArray[Any]:
    if name not in raw:
        raise ParameterError(
            f"params.yaml: source.{field}: expected {name} in the data, as split: {dataset.split} "
            "needs, got none: name their column, or set split: random"
        )
    array = raw[name]
    if not np.isfinite(array).all():
        raise ParameterError(
            f"params.yaml: source.{field}: expected {name} without gaps, got "
            f"{int((~np.isfinite(array)).sum()):,} missing: complete them, or set split: random"
        )
    return array


def _random(
    rows: Rows, labels: NDArray[np.uint8], dataset: Dataset, size: float, key: str
) -> tuple[Rows, Rows]:
    try:
        kept, taken = train_test_split(
            rows,
            test_size=size,
            random_state=dataset.random_state,
            stratify=labels[rows] if dataset.stratify else None,
        )
    except ValueError as error:  # stratifying asks for two examples of a class, at least
        raise ParameterError(
            f"params.yaml: {key}: expected a split that gives each class an example, "
            f"got {size}: {error}"
        ) from error
    return kept, taken


def _grouped(
    labels: NDArray[np.uint8], groups: Rows, size: float, key: str, dataset: Dataset
) -> tuple[Rows, Rows]:
    """Places of the rows that are kept and of those taken, whole groups each.

    size is a share of the groups; stratified, where that leaves each side an example of every
    class, a share of the rows, as near as the groups allow.
    """
    present = set(labels.tolist())
    if dataset.stratify:
        for kept, taken in _stratified(labels, groups, size, dataset.random_state):
            if set(labels[kept].tolist()) == set(labels[taken].tolist()) == present:
                return kept, taken
    shuffled = GroupShuffleSplit(1, test_size=size, random_state=dataset.random_state)
    try:
        kept, taken = next(shuffled.split(labels, groups=groups))
    except ValueError as error:
        raise ParameterError(
            f"params.yaml: {key}: expected a share of the {len(np.unique(groups))} groups that "
            f"leaves each part one, got {size}: enlarge it, or set split: random"
        ) from error
    return kept, taken


def _stratified(
    labels: NDArray[np.uint8], groups: Rows, size: float, random_state: int
) -> Iterator[tuple[Rows, Rows]]:
    """Divisions by scikit-learn's StratifiedGroupKFold: size is k/n, so k of n folds are taken,
    those from the first on, from the second on …"""
    share = Fraction(size).limit_denominator(10) if size >= 0.1 else Fraction(1, round(1 / size))
    share = min(share, Fraction(9, 10))
    taken, folds = share.numerator, share.denominator
    if folds > min(len(np.unique(groups)), np.bincount(labels).max()):
        return
    with warnings.catch_warnings():  # of classes with fewer examples than folds
        warnings.simplefilter("ignore", UserWarning)
        kfold = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
        each = [test for _, test in kfold.split(labels, labels, groups)]
    for first in range(folds):
        chosen = np.zeros(len(labels), bool)
        for place in range(first, first + taken):
            chosen[each[place % folds]] = True
        yield np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _latest(times: NDArray[np.float64], size: float) -> NDArray[np.bool_]:
    """Which rows are the latest, this share of them at least: the same time goes together."""
    if len(times) == 0:  # all are of one time, and in the test part
        return np.zeros(0, bool)
    count = math.ceil(len(times) * size)
    late: NDArray[np.bool_] = times >= np.sort(times)[-count]
    return late


def filled(parts: dict[str, Arrays], columns: tuple[str, ...]) -> dict[str, Arrays]:
    """The parts of a table, each missing number replaced by the mean of its column in the training
    part. images are float32 (n, 1, columns, channels); NaN in channel 0 is a missing number.

    Raises ParameterError where the training part has no number of a column with missing ones.
    """
    values = parts["train"]["images"][..., 0].astype(np.float64)  # (n, 1, columns)
    present = ~np.isnan(values)
    counts = present.sum(axis=(0, 1))
    sums = np.where(present, values, 0).sum(axis=(0, 1))
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0).astype(np.float32)
    full = {}
    for name, part in parts.items():
        images = part["images"].copy()
        missing = np.isnan(images[..., 0])
        for column in np.flatnonzero(missing.any(axis=(0, 1)) & (counts == 0)):
            raise ParameterError(
                f"params.yaml: source.columns: expected a number of {columns[column]!r} in the "
                "training part, got none: leave the column out"
            )
        images[..., 0] = np.where(missing, means, images[..., 0])
        full[name] = part | {"images": images}
    return full


def kind(parts: dict[str, Arrays], dataset: Dataset) -> dict[str, Any]:
    """What a split by groups or time is, for results/D/split.json: how many groups a part has, or
    the first and the last time; nothing of the others."""
    if dataset.split == "grouped":
        groups = {name: len(np.unique(part["groups"])) for name, part in parts.items()}
        return {"split": "grouped", "groups": groups}
    if dataset.split == "by_time":
        times = {
            name: [float(part["times"].min()), float(part["times"].max())]
            for name, part in parts.items()
        }
        return {"split": "by_time", "times": times}
    return {}


def class_balance(parts: dict[str, Arrays]) -> pd.DataFrame:
    """A row a class: how many images of it each part holds, and which share of the part."""
    counts = pd.DataFrame(
        {name: pd.Series(part["labels"]).value_counts() for name, part in parts.items()}
    ).sort_index()
    shares = (counts / counts.sum()).add_suffix("_share")
    return pd.concat([counts, shares], axis=1).rename_axis("class").reset_index()


def duplicates(parts: dict[str, Arrays]) -> dict[str, int]:
    """How many images of a later part also lie, pixel for pixel, in an earlier one."""
    seen: set[bytes] = set()
    found = {}
    for name, part in parts.items():
        contents = [image.tobytes() for image in part["images"]]
        found[name] = sum(content in seen for content in contents)
        seen.update(contents)
    return found
