"""What a request to a served model holds, read as the network's input, of every kind. Each raises
GlassnetsError, one line, for anything else than it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import InputShape
from glassnets.data import rows
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError

MAX_IMAGES = 1000  # of a request


def read(
    given: Any, inputs: Inputs, shape: InputShape, train: NDArray[Any]
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Inputs (n, h, w[, c]) of a request's. shape: of one. train: the training part's."""
    match inputs.kind:
        case "image":
            return levels(given, shape)
        case "table":
            return _rows(given, inputs, train)
        case "series":
            return _series(given, inputs, shape)


@dataclass(frozen=True, eq=False)
class Usual:
    """Between which values the training part lies, by name: of images the mean and the brightest
    level of each, of tables columns of numbers, of series channels."""

    names: Sequence[str]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    inputs: Inputs

    def warnings(self, images: NDArray[Any]) -> list[str | None]:
        """Of each input (n, h, w[, c]) what lies outside by more than half of this range."""
        lows, highs = _values(images, self.inputs)
        beyond = (self.high - self.low) / 2
        outside = (lows < self.low - beyond) | (highs > self.high + beyond)
        return [self._warning(*each) for each in zip(outside, lows, highs, strict=True)]

    def _warning(self, outside: Any, low: Any, high: Any) -> str | None:
        if not outside.any():
            return None
        place = int(outside.argmax())
        came, known = _span(low[place], high[place]), _span(self.low[place], self.high[place])
        handwriting = self.inputs.kind == "image" and self.inputs.class_names is None
        return (
            f"unlike the training {self.inputs.words.many}, so the prediction means little: "
            f"{self.names[place]} {came}, in training {known}"
            + ": expected levels 0 to 255, light ink on dark"
            * handwriting
        )


def _span(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def usual(train: NDArray[Any], inputs: Inputs) -> Usual:
    """What is usual of training inputs (n, h, w[, c])."""
    lows, highs = _values(train, inputs)
    match inputs.kind:
        case "image":
            names = ["mean level", "brightest level"]
        case "table":
            names = [n for n, column in (inputs.columns or {}).items() if column == "number"]
        case "series":
            names = [f"channel {i}" for i in range(lows.shape[1])]
    low, high = np.nanmin(lows, axis=0), np.nanmax(highs, axis=0)
    return Usual(names, low, high, inputs)


def _values(images: NDArray[Any], inputs: Inputs) -> tuple[NDArray[Any], NDArray[Any]]:
    """The lowest and highest values (n, names) that `Usual` compares, NaN where there is none."""
    match inputs.kind:
        case "image":
            flat = images.reshape(len(images), -1)
            levels = np.stack([flat.mean(axis=1), flat.max(axis=1)], axis=1)
            return levels, levels
        case "table":
            numbers = [column == "number" for column in (inputs.columns or {}).values()]
            values = images.reshape(len(images), images.shape[2], -1)[:, numbers, 0]
            return values, values
        case "series":
            series = images.reshape(len(images), images.shape[2], -1).astype(np.float64)
            if inputs.masked:
                series = np.where(series[..., -1:] > 0, series[..., :-1], np.nan)
            return np.nanmin(series, axis=1), np.nanmax(series, axis=1)


def levels(given: Any, shape: InputShape) -> NDArray[np.uint8]:
    """Images uint8 (n, h, w) or (n, h, w, 3)."""
    wanted = ", ".join(map(str, ("n", *shape)))
    grey = "grey levels" if len(shape) == 2 else "levels of red, green and blue"
    expected = f"inputs: expected images ({wanted}) of whole {grey}, 0 to 255"
    images = _array(given, expected)
    if images.ndim != 1 + len(shape) or images.shape[1:] != shape:
        raise GlassnetsError(f"{expected}, got an array {images.shape}")
    _check_count(len(images), "images")
    if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 255):
        raise GlassnetsError(f"{expected}, got {images.min():g} to {images.max():g}")
    if (images != np.floor(images)).any():
        raise GlassnetsError(f"{expected}, got fractions: do not scale them")
    return images.astype(np.uint8)


def _array(given: Any, expected: str) -> NDArray[Any]:
    """An array of numbers."""
    if not isinstance(given, (np.ndarray, list)):
        raise GlassnetsError(f"{expected}, got {type(given).__name__}: send {{'inputs': [...]}}")
    try:
        array = np.asarray(given)
    except ValueError:
        raise GlassnetsError(f"{expected}, got lists of unequal lengths") from None
    if array.dtype.kind not in "iuf":
        raise GlassnetsError(f"{expected}, got values of another kind ({array.dtype})")
    return array


def _check_count(count: int, many: str) -> None:
    if not 1 <= count <= MAX_IMAGES:
        raise GlassnetsError(f"inputs: expected 1 to {MAX_IMAGES} {many} in a request, got {count}")


def _rows(given: Any, inputs: Inputs, train: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of a table float32 (n, 1, columns, channels)."""
    if isinstance(given, list) and all(isinstance(row, dict) for row in given):
        given = pd.DataFrame.from_records(given)
    if not isinstance(given, pd.DataFrame):
        raise GlassnetsError(
            "inputs: expected rows, each with its values by column, got "
            f"{type(given).__name__}: send {{'dataframe_records': [{{...}}]}}"
        )
    _check_count(len(given), "rows")
    return rows.encoded(given, inputs.columns or {}, train)


def _series(given: Any, inputs: Inputs, shape: InputShape) -> NDArray[np.float32]:
    """Series float32 (n, 1, steps, channels); where lengths differ, shorter ones are padded."""
    _, steps, *more = shape
    channels = (more[0] if more else 1) - inputs.masked
    length = f"1 to {steps}" if inputs.masked else str(steps)
    one = f"{length} steps" + (f" of {channels} channels" if channels > 1 else "")
    expected = f"inputs: expected series, each of {one}, of finite numbers"
    if not isinstance(given, (np.ndarray, list)):
        raise GlassnetsError(f"{expected}, got {type(given).__name__}: send {{'inputs': [...]}}")
    _check_count(len(given), "series")
    read = np.zeros((len(given), *shape), np.float32)
    flat = read.reshape(len(given), steps, -1)
    for place, each in zip(flat, given, strict=True):
        series = _array(each, expected)
        if series.ndim == 1:
            series = series[:, np.newaxis]
        long = series.shape[0] == steps or (inputs.masked and 1 <= series.shape[0] < steps)
        if series.ndim != 2 or series.shape[1] != channels or not long:
            raise GlassnetsError(f"{expected}, got an array {series.shape}")
        if not np.isfinite(series.astype(np.float32)).all():
            raise GlassnetsError(f"{expected}, got others")
        place[: len(series), :channels] = series
        if inputs.masked:
            place[: len(series), -1] = 1
    return read
