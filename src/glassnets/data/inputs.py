"""What an input of a dataset is in the terms of its kind: its words, its classes by name, and the
columns of a table with their values as a person reads them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Dataset, Kind

# A column of numbers, or the levels of a category, in order.
Column = Literal["number"] | tuple[str, ...]
NUMBER = "number"
MISSING_LEVEL, OTHER_LEVEL = "(missing)", "(other)"  # of a category
MISSING = "missing"  # of a number, whose place the mean has taken


@dataclass(frozen=True)
class Words:
    """What pages call an input and its players, of one and of more."""

    one: str
    many: str
    player: str
    players: str

    def count(self, count: int) -> str:
        """``1 image``, ``1,200 images``."""
        return f"{count:,} {self.one if count == 1 else self.many}"

    def of(self, text: str) -> str:
        """A sentence written of images and pixels, said of this kind."""
        if self.one == "image":
            return text
        for written, said in (
            (": where the image is black, most methods give 0 for every network", ""),
            ("random squares", f"random runs of {self.players}"),
            ("surrounding pixels", f"other {self.players}"),
            ("images", self.many),
            ("image", self.one),
            ("pixels", self.players),
            ("pixel", self.player),
        ):
            text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", said, text)
        return text


WORDS: Mapping[Kind, Words] = {
    "image": Words("image", "images", "pixel", "pixels"),
    "table": Words("row", "rows", "column", "columns"),
    "series": Words("series", "series", "step", "steps"),
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of a dataset. class_names: None where classes are called by their numbers.
    columns: of a table, by name, in order. masked: whether series differ in length, which their
    last channel says."""

    kind: Kind = "image"
    class_names: tuple[str, ...] | None = None
    columns: Mapping[str, Column] | None = None
    masked: bool = False

    @classmethod
    def of(cls, data: Dataset) -> Self:
        columns = data.source.columns if data.source else None
        return cls(data.kind, data.class_names, columns, data.masked)

    @property
    def words(self) -> Words:
        return WORDS[self.kind]

    def class_name(self, label: Any) -> str:
        """What a class, a whole number, is called."""
        return str(label) if self.class_names is None else self.class_names[int(label)]

    def class_list(self, labels: Iterable[Any]) -> list[str]:
        """What each of these classes is called."""
        return [self.class_name(label) for label in labels]

    @property
    def column_names(self) -> list[str]:
        return [*(self.columns or ())]

    def channel_names(self, shape: tuple[int, ...]) -> list[str]:
        """Of a player, of inputs of the shape (h, w) or (h, w, c): the colours of RGB images, the
        measured channels of series; none of grey images, and of tables, where they are the levels
        of a column."""
        if len(shape) == 2 or self.kind == "table":
            return []
        if self.kind == "image":
            return ["red", "green", "blue"]
        measured = shape[2] - self.masked
        return self.column_names or [f"channel {i + 1}" for i in range(measured)]

    def described(self, shape: tuple[int, ...]) -> str:
        """What a network reads, of the shape (h, w) or (h, w, c): ``an RGB image (…)``."""
        if self.kind == "table":
            numbers = sum(column == NUMBER for column in (self.columns or {}).values())
            categories = len(self.columns or ()) - numbers
            return f"a row of a table (columns of numbers: {numbers}, of categories: {categories})"
        if self.kind == "series":
            channels = (shape[2] if len(shape) == 3 else 1) - self.masked
            padded = "; shorter ones padded at their end" if self.masked else ""
            return f"a series ({shape[1]} steps, channels: {channels}{padded})"
        colour = "a grey image" if len(shape) == 2 else "an RGB image"
        return f"{colour} (uint8, {shape[0]} × {shape[1]} pixels)"

    def values(self, row: NDArray[Any]) -> list[str]:
        """The values of a table's row (1, columns, channels), as a person reads them: a category's
        level, a number, or that it was missing."""
        read = zip((self.columns or {}).values(), row[0], strict=True)
        return [_value(column, channels) for column, channels in read]

    def record(self, row: NDArray[Any]) -> dict[str, float | str | None]:
        """The values of a table's row by column, None where missing, as `rows.encoded` has them."""
        return {
            name: _raw(column, channels)
            for (name, column), channels in zip((self.columns or {}).items(), row[0], strict=True)
        }

    def numbers(self, rows: NDArray[Any], column: int) -> NDArray[np.float64] | None:
        """A column's numbers in rows (n, 1, columns, channels), NaN where missing: float64 (n,);
        None where it is a category."""
        if [*(self.columns or {}).values()][column] != NUMBER:
            return None
        channels = rows[:, 0, column].astype(np.float64)
        missing = channels[:, 1] > 0 if channels.shape[1] > 1 else np.zeros(len(rows), bool)
        return np.where(missing, np.nan, channels[:, 0])

    def lines(self, series: NDArray[Any]) -> NDArray[np.float64]:
        """The measured channels of a series (1, steps[, channels]), NaN in padded steps: float64
        (channels, steps)."""
        steps = series.reshape(series.shape[1], -1).astype(np.float64)
        if self.masked:
            steps = np.where(steps[:, -1:] > 0, steps[:, :-1], np.nan)
        return steps.T


def _raw(column: Column, channels: NDArray[Any]) -> float | str | None:
    if not isinstance(column, str):
        level = column[int(channels[: len(column)].argmax())]
        return None if level == MISSING_LEVEL else level
    missing = len(channels) > 1 and channels[1] > 0
    return None if missing else float(str(np.float32(channels[0])))  # 14.1, not 14.1000004


def _value(column: Column, channels: NDArray[Any]) -> str:
    if not isinstance(column, str):
        return column[int(channels[: len(column)].argmax())]
    if len(channels) > 1 and channels[1] > 0:
        return MISSING
    return written(float(channels[0]))


def written(number: float) -> str:
    """A number with four digits, or all of a whole one: ``13.24``, ``120,500``, ``−0.002``."""
    if abs(number) < 1e9 and (abs(number) >= 1e4 or number == round(number)):
        text = f"{number:z,.0f}"
    else:
        text = f"{number:z.4g}"
    return text.replace("-", "−")
