"""What a person gives to be explained, as an input of a dataset's networks: a picture, a row of a
table, or an example of the dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.apps import picture
from glassnets.apps.likeness import Likeness
from glassnets.config.schema import Dataset
from glassnets.data import Arrays, pictures, rows
from glassnets.data.inputs import Inputs
from glassnets.data.own import files, images, tables, text
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline import artefacts


@dataclass(frozen=True)
class Given:
    """image (h, w) or (h, w, c), the networks' input; in words the steps that led to it; whether it
    is a picture of handwriting unlike the training images, as far as these are here."""

    image: NDArray[Any]
    steps: tuple[str, ...]
    unlike: bool = False


def read(
    path: Path | None, row: int | None, dataset: str, data: Dataset, invert: bool | None
) -> Given:
    """An input, of a file or of the dataset's own examples.

    path: of a picture, or of a table of which row is taken; None: row is the place of one of the
    dataset's own examples, as ``index`` in its results.

    Raises ParameterError for what does not go together or is not there, GlassnetsError for a file
    that cannot be read.
    """
    words = Inputs.of(data).words
    if path is None:
        if row is None:
            if data.kind == "image":
                message = f"expected a picture, or --row N, an image of {dataset}, got neither"
            else:
                message = f"--row: expected which {words.one} of {dataset} to explain, got none"
            raise ParameterError(message)
        return example(dataset, data, row)
    if invert is not None and data.source is not None:
        raise ParameterError(
            f"--invert: expected handwriting, {' or '.join(picture.LAYOUTS)}, got {dataset}"
        )
    match data.kind:
        case "series":
            raise ParameterError(
                f"expected --row N alone, a series of {dataset}, got {pictures.printable(path)}"
            )
        case "table":
            if row is None:
                raise ParameterError(
                    f"--row: expected which row of {pictures.printable(path)} to explain, got none"
                )
            return row_of_file(path, row, data, training_images(dataset))
        case "image":
            if row is not None:
                raise ParameterError("--row: expected none beside a picture, got one")
            content, name = picture.contents(path)
            if data.source is not None:
                return as_of_dataset(content, name, data)
            fitted = picture.fit(content, name, dataset, data.image_shape, invert)
            return Given(fitted.pixels, fitted.steps, _unlike(fitted.pixels, dataset))


def _unlike(image: NDArray[Any], dataset: str) -> bool:
    if dataset not in picture.LAYOUTS or not artefacts.part(dataset, "train").is_file():
        return False
    margin = picture.LAYOUTS[dataset].margin
    return Likeness(training_images(dataset), margin).unlike(image)


def training_images(dataset: str) -> NDArray[Any]:
    return artefacts.load_arrays(artefacts.part(dataset, "train"))["images"]


def as_of_dataset(content: bytes, name: str, data: Dataset) -> Given:
    """The bytes of a picture file as one of a person's own dataset. name: what errors call it."""
    image, steps = images.single(content, name, data.input_shape)
    return Given(image, tuple(steps))


def example(dataset: str, data: Dataset, row: int) -> Given:
    """One of the dataset's own examples, by its place in the raw data."""
    words = Inputs.of(data).words
    count = 0
    for name in ("train", "validation", "test"):
        part = artefacts.load_arrays(artefacts.part(dataset, name))
        count += len(part["index"])
        if len(place := np.flatnonzero(part["index"] == row)):
            return _of_part(part, int(place[0]), name, dataset, data)
    raise ParameterError(
        f"--row: expected one of the {words.many} of {dataset}, 0 to {count - 1}, got {row}"
        if data.max_images is None
        else f"--row: expected one of the {words.many} that a part of {dataset} holds, got {row}"
    )


def _of_part(part: Arrays, place: int, name: str, dataset: str, data: Dataset) -> Given:
    inputs, row = Inputs.of(data), int(part["index"][place])
    label = inputs.class_name(part["labels"][place])
    learnt = "; networks learnt from it" if name == "train" else ""
    step = f"{inputs.words.one} {row} of {dataset}, of its {name} part{learnt}; its label: {label}"
    return Given(part["images"][place], (step,))


def row_of_file(path: Path, row: int, data: Dataset, train: NDArray[Any]) -> Given:
    """A row, counted from 0, of a CSV or Parquet file with the dataset's columns."""
    table = text.read(path)
    name = pictures.printable(path)
    if not 0 <= row < len(table.frame):
        raise ParameterError(
            f"--row: expected a row of {name}, 0 to {len(table.frame) - 1}, got {row}"
        )
    assert data.source is not None
    columns = data.source.columns or {}
    frame = table.frame[[column for column in table.frame if column in columns]].astype(object)
    steps = [f"row {row} of {name}, counted from 0"]
    for column in map(str, frame):
        values, number = table.frame[column], columns[column] == "number"
        absent = text.missing(values, numbers=number)
        if number:
            numbers, _ = tables.numbers_of(path, table, values)
            frame[column] = frame[column].where(np.isnan(numbers), numbers)
            place = list(columns).index(column)
            if not absent[row] and np.isnan(numbers[row]) and rows.flagged(train[:, 0, place]):
                absent[row] = True  # as a text is in training, of a column taken with --number
                came = files.shown(str(values.iloc[row]))
                steps.append(f"{column}: {came} is no number, and counts as missing")
        frame[column] = frame[column].where(~absent, None)
    try:
        image = rows.encoded(frame.iloc[[row]], columns, train)[0]
    except GlassnetsError as error:
        raise GlassnetsError(f"{name}: {error}") from None
    return Given(image, tuple(steps))
