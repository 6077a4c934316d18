"""Which image goes to which part."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from glassnets.config.schema import Dataset
from glassnets.data import Arrays
from glassnets.errors import ParameterError

PARTS = ("train", "validation", "test")


def split(raw: Arrays, dataset: Dataset) -> dict[str, Arrays]:
    """The parts train, validation and test: every array of raw split along its first axis, plus
    ``index`` int64 (n,), each row's place in raw.

    The test part is taken first, so the validation part comes from the training part alone.
    Raises ParameterError when a part is left without an example of a class.
    """
    labels = raw["labels"]
    rows = np.arange(len(labels))[: dataset.max_images]
    if dataset.split == "official":
        training, test = np.split(rows, [len(rows) - (dataset.official_test_images or 0)])
    else:
        training, test = _random(rows, labels, dataset, dataset.test_size, "test_size")
    train, validation = _random(
        training, labels, dataset, dataset.validation_size, "validation_size"
    )
    parts = {}
    for name, index in zip(PARTS, (train, validation, test), strict=True):
        absent = sorted(set(range(dataset.classes)) - set(labels[index].tolist()))
        if absent:
            raise ParameterError(
                f"params.yaml: expected a split that gives each class an example, got none of "
                f"class {absent[0]} among the {len(index)} images of the {name} part: enlarge it, "
                f"or set stratify: true"
            )
        parts[name] = {key: array[index] for key, array in raw.items()} | {"index": index}
    return parts


def _random(
    rows: NDArray[np.int64], labels: NDArray[np.uint8], dataset: Dataset, size: float, key: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
