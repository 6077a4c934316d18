"""The data that a model is judged on: an archive of arrays, or what `glassnets add` reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Kind
from glassnets.data import own
from glassnets.data.own import Options, files
from glassnets.data.own.files import FileError
from glassnets.errors import ParameterError

_NAMES = ("images", "series", "table")
_TEXTS = ("class_names", "column_names")


@dataclass(frozen=True, eq=False)
class GivenData:
    """As `attribution.judge` takes them. notes: what was seen while they were read."""

    images: NDArray[Any]
    labels: NDArray[Any] | None
    train_images: NDArray[Any] | None
    train_labels: NDArray[Any] | None
    kind: Kind | None
    class_names: tuple[str, ...] | None
    column_names: tuple[str, ...] | None
    masked: bool = False
    notes: tuple[str, ...] = ()


def read(
    path: Path, kind: Kind | None, label: str | None, shape: tuple[int | None, ...]
) -> GivenData:
    """The data that lie there. shape: of one input of the model, to which pictures of a folder are
    brought. Raises GlassnetsError, one line, where they cannot be read."""
    if path.suffix.lower() == ".npz":
        if label is not None:
            raise ParameterError("--label: expected with a CSV or Parquet file, got an .npz")
        return _archive(path, kind)
    kind = own.kind_of(path, Options(label=label)) if kind is None else kind
    size = _picture_size(shape) if kind == "image" else None
    found = own.look(kind, path, Options(label=label, size=size))
    images, columns, notes = found.arrays["images"], None, list(found.warnings)
    if found.source.kind == "image":
        images = _with_channels(images, shape, path)
    elif found.source.kind == "table":
        images, columns = _numbers(path, images, found.source.columns or {}, notes)
    else:
        images = images[:, 0, :, 0] if images.shape[-1] == 1 else images[:, 0]
    return GivenData(
        images,
        np.array(found.class_names)[found.arrays["labels"]],
        None,
        None,
        found.source.kind,
        found.class_names,
        columns,
        found.source.masked,
        tuple(notes),
    )


def _archive(path: Path, kind: Kind | None) -> GivenData:
    inside = files.array_names(path)
    name = next((each for each in _NAMES if each in inside), None)
    if name is None:
        came = f"{files.listed(inside)}: rename them"
        expected = "an array images, series or table, and labels"
        raise FileError(path, expected, came)
    if name == "series" and "lengths" in inside:
        raise FileError(
            path,
            "series as the model takes them",
            "lengths beside them: pad the series as for training, with the last channel 1 in steps "
            "and 0 behind them if the model has one, and leave lengths out",
        )
    arrays = files.load_arrays(path, [name], ["labels", "train_images", "train_labels", *_TEXTS])
    known: dict[str, Kind] = {"series": "series", "table": "table"}
    texts = {
        each: tuple(arrays[each].astype(str).tolist()) if each in arrays else None
        for each in _TEXTS
    }
    return GivenData(
        arrays[name],
        arrays.get("labels"),
        arrays.get("train_images"),
        arrays.get("train_labels"),
        kind or known.get(name),
        texts["class_names"],
        texts["column_names"],
    )


def _picture_size(shape: tuple[int | None, ...]) -> tuple[int, int] | None:
    """(height, width) of what a model of images takes, None where it says none."""
    height, width = (*(shape[1:] if _channels_first(shape) else shape), None, None)[:2]
    return None if height is None or width is None else (height, width)


def _channels_first(shape: tuple[int | None, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3)


def _with_channels(images: NDArray[Any], shape: tuple[int | None, ...], path: Path) -> NDArray[Any]:
    """Grey pictures, of a model that takes RGB, with three equal channels. Raises GlassnetsError
    for RGB where the model takes grey ones."""
    if len(shape) != 3:
        return images
    channels = shape[0 if _channels_first(shape) else 2]
    if images.ndim == 3:
        return np.repeat(images[..., np.newaxis], channels or 1, axis=-1)
    if channels == 1:
        raise FileError(path, "grey pictures, which the model takes", "coloured ones: convert them")
    return images


def _numbers(
    path: Path, images: NDArray[Any], columns: dict[str, Any], notes: list[str]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """A table (n, columns) of numbers alone, missing ones replaced by the column's mean. Raises
    GlassnetsError where a column is a category: how the model encodes it, a CSV does not say."""
    categories = [name for name, column in columns.items() if column != "number"]
    if categories:
        raise FileError(
            path,
            "columns of numbers, as the model takes them",
            f"categories ({files.listed(categories, 3)}): give an .npz of the encoded table, "
            "or glassnets.attribution.judge a function that encodes it",
        )
    values = images[:, 0, :, 0].astype(np.float64)
    missing = np.isnan(values)
    if missing.any():
        values = np.where(missing, np.nanmean(values, axis=0), values)
        notes.append(f"{int(missing.sum()):,} missing numbers are replaced by their column's mean")
    return values.astype(np.float32), tuple(columns)
