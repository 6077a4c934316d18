"""The data given to `judging.judge`: checked, what is explained of them, what is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.attribution.layout import Layout
from glassnets.errors import ParameterError

_REFERENCES = 2000  # training inputs that are kept, of so many numbers together
_NUMBERS = 2**26
_FEW = 30  # inputs, below which hardly any difference can be shown


def numbers(name: str, values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise ParameterError(f"{name}: expected an array of numbers, got one of {array.dtype}")
    if not np.isfinite(array).all():
        raise ParameterError(
            f"{name}: expected numbers, got NaN or infinite ones: fill what is missing first"
        )
    return array


@dataclass(frozen=True, eq=False)
class Data:
    """In the grid: ``images`` (n, …), the ``index`` of each among those given, and ``references``
    (m, …); labels as they were given, or numbers from 0, or None."""

    images: NDArray[Any]
    index: NDArray[np.int64]
    labels: NDArray[Any] | None
    references: NDArray[Any]
    reference_labels: NDArray[Any] | None


def drawn(
    how: Layout,
    images: NDArray[Any],
    labels: Any,
    train_images: Any,
    train_labels: Any,
    sample: int,
    seed: int,
    notes: list[str],
) -> Data:
    """The images that are explained, and the training data that are kept."""
    labels = None if labels is None else _labels("labels", labels, len(images))
    count = len(images) if train_images is not None else len(images) // 2
    if sample < 2 or count < 2:
        raise ParameterError(
            f"sample, images: expected at least two to explain, got {min(sample, count)}"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    index = np.sort(order[: min(sample, count)])
    if len(index) < len(images):
        notes.append(f"{len(index)} of the {len(images)} given are explained, drawn at random")
    if len(index) < _FEW:
        notes.append(f"of {len(index)} hardly any difference can be shown: give some 100")
    if train_images is None and train_labels is not None:
        raise ParameterError("train_labels: expected train_images beside them, got none")
    if train_images is None:
        rest = np.sort(order[len(index) :])
        pool, pool_labels = images[rest], None if labels is None else labels[rest]
        notes.append(
            f"references and controls are taken from the {len(rest)} others: give training data"
        )
    else:
        pool = numbers("train_images", train_images)
        if pool.shape[1:] != images.shape[1:] or not len(pool):
            raise ParameterError(
                f"train_images: expected an array like images {images.shape}, got {pool.shape}"
            )
        if (pool.dtype == np.uint8) != (images.dtype == np.uint8) and how.kind == "image":
            raise ParameterError(
                f"train_images: expected levels as in images ({images.dtype}), got {pool.dtype}"
            )
        (low, high), least, most = how.levels, pool.min(), pool.max()
        if (
            how.kind == "image"
            and pool.dtype != np.uint8
            and not (2 * low - high <= least <= most <= 2 * high - low)
        ):
            raise ParameterError(
                f"train_images: expected levels as in images ({low:g} to {high:g}), got "
                f"{least:g} to {most:g}"
            )
        pool_labels = (
            None if train_labels is None else _labels("train_labels", train_labels, len(pool))
        )
    most = max(50, min(_REFERENCES, _NUMBERS // int(np.prod(how.own))))
    if len(pool) > most:
        kept = np.sort(rng.permutation(len(pool))[:most])
        pool, pool_labels = pool[kept], None if pool_labels is None else pool_labels[kept]
        notes.append(f"of the training data, {most} drawn at random are used")
    grid = how.to_grid(images[index])
    own = None if labels is None else labels[index]
    return Data(grid, index, own, how.to_grid(pool), pool_labels)


def _labels(name: str, labels: Any, count: int) -> NDArray[Any]:
    array = np.asarray(labels)
    if array.shape != (count,):
        came = f"an array {array.shape}"
        if array.ndim == 2 and len(array) == count:
            came += f", one-hot? Give {name}.argmax(axis=1)"
        raise ParameterError(f"{name}: expected {count}, a class number or name each, got {came}")
    if pd.isna(array).any():
        raise ParameterError(f"{name}: expected one for each, got none for some")
    array = np.array(array.tolist())  # of objects: as numbers or texts
    whole = array.dtype.kind == "f" and bool((array == np.rint(array)).all())
    return array.astype(np.int64) if whole else array


def numbered(
    data: Data,
    classes: int,
    class_names: Sequence[str] | None,
    notes: list[str],
    warnings: list[str],
) -> tuple[Data, tuple[str, ...]]:
    """The data with labels as numbers from 0, and the classes' names."""
    names = named("class_names", class_names, classes)
    given = [each for each in (data.labels, data.reference_labels) if each is not None]
    if data.reference_labels is None:
        notes.append("without training labels there are no controls by classes")
    if not given:
        return data, names or tuple(map(str, range(classes)))
    known = np.unique(np.concatenate(given))
    whole = np.issubdtype(known.dtype, np.integer)
    if names is not None and {*known.astype(str)} <= {*names}:
        order = np.array(names)
        if whole and names != tuple(map(str, range(classes))):
            notes.append("labels are read as names of classes, which are numbers, not as places")
    elif whole and known.min() >= 0 and known.max() < classes:
        order = np.arange(classes)
    elif len(known) == classes:
        order = known
        (warnings if whole else notes).append(  # numbers that are none of 0, 1, … may be mistaken
            f"classes in the order {', '.join(map(str, known))}: give class_names if it is another"
        )
    else:
        raise ParameterError(
            f"labels: expected numbers 0 to {classes - 1}, or names among class_names, got "
            f"{', '.join(map(str, known[:5]))}{' …' if len(known) > 5 else ''}"
        )
    number = {str(name): place for place, name in enumerate(order.tolist())}

    def coded(labels: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if labels is None else np.array([number[str(each)] for each in labels.tolist()])

    own, of_references = coded(data.labels), coded(data.reference_labels)
    return replace(data, labels=own, reference_labels=of_references), names or tuple(number)


def named(what: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    """Names of classes or columns. Raises ParameterError unless they are so many, all different."""
    texts = None if names is None else tuple(map(str, names))
    if texts is not None and not len(texts) == len(set(texts)) == count:
        raise ParameterError(
            f"{what}: expected {count} different ones, got {len(texts)}, of them {len(set(texts))} "
            "different"
        )
    return texts
