"""Rows of a table, from values as people and programs give them to the input of a network."""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.data.inputs import MISSING_LEVEL, OTHER_LEVEL, Column
from glassnets.errors import GlassnetsError

_MAX_LISTED = 12  # levels in a message
_MAX_NUMBER = 3e38  # that a float32 has room for


def encoded(
    frame: pd.DataFrame, columns: Mapping[str, Column], train: NDArray[Any]
) -> NDArray[np.float32]:
    """float32 (n, 1, columns, channels), as the training part's images (m, 1, columns, channels).

    frame: a row each; columns that the network does not read are ignored. A missing number becomes
    the training rows' mean, and is flagged; a missing value of a category is a level of its own.

    Raises GlassnetsError, in a line that names the column and, of several, the row, for a column
    that is absent, text where a number should be, an unknown level, and a missing value where no
    training row had one.
    """
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        more = f" and {len(absent) - 1} more" if absent[1:] else ""
        raise GlassnetsError(f"expected a column {absent[0]!r}{more}, got none of this name")
    rows = np.zeros((len(frame), 1, *train.shape[2:]), np.float32)
    for place, (name, column) in enumerate(columns.items()):
        values = frame[name]
        if isinstance(values, pd.DataFrame):
            raise GlassnetsError(f"column {name!r}: expected one of this name, got several")
        given = [_plain(value) for value in values]
        if isinstance(column, str):
            _numbers(name, given, rows[:, 0, place], train[:, 0, place])
        else:
            for i, value in enumerate(given):
                rows[i, 0, place, _level(_where(name, i, given), value, column)] = 1
    return rows


def flagged(train: NDArray[Any]) -> bool:
    """Whether a number was missing in some training row; train: the column's channels (m, c)."""
    return train.shape[1] > 1 and bool((train[:, 1] > 0).any())


def _where(name: str, row: int, given: list[Any]) -> str:
    return f"column {name!r}, row {row}" if given[1:] else f"column {name!r}"


def _plain(value: Any) -> Any:
    """A number, a text that is not empty, or None where the value is missing."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip() or None
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value


def _numbers(
    name: str, given: list[Any], channels: NDArray[np.float32], train: NDArray[Any]
) -> None:
    """Writes a column's values into its channels (n, c); train: the training rows' (m, c)."""
    missed = flagged(train)
    for i, value in enumerate(given):
        if value is None:
            if not missed:
                raise GlassnetsError(
                    f"{_where(name, i, given)}: expected a number, since none was missing in the "
                    "training rows, got none"
                )
            channels[i, :2] = train[:, 0].mean(dtype=np.float64), 1
            continue
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not abs(number) <= _MAX_NUMBER:
            raise GlassnetsError(
                f"{_where(name, i, given)}: expected a number, got {_shown(value)}"
            )
        channels[i, 0] = number


def _level(where: str, value: Any, levels: tuple[str, ...]) -> int:
    """The place of a value among the levels of a category."""
    text = MISSING_LEVEL if value is None else str(value)
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if number and abs(value) < _MAX_NUMBER:
        text = f"{value:.15g}"
    if text in levels:
        return levels.index(text)
    if value is not None and not isinstance(value, str):  # true of "True", 1 of "1.0", in a CSV
        same = [level for level in levels if _is_written(value, level, number)]
        if len(same) == 1:
            return levels.index(same[0])
    if value is not None and OTHER_LEVEL in levels:
        return levels.index(OTHER_LEVEL)
    known = ", ".join(levels[:_MAX_LISTED]) + (", …" if len(levels) > _MAX_LISTED else "")
    came = "none" if value is None else _shown(value)
    raise GlassnetsError(f"{where}: expected one of {known}, got {came}")


def _is_written(value: Any, level: str, number: bool) -> bool:
    """Whether a level is a way to write a number or a truth value."""
    if not number:
        return level.lower() == str(value).lower()
    try:
        return bool(float(level) == value)
    except ValueError:
        return False


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
