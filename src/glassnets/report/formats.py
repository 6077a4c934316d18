"""Numbers as people read them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd


def columns_of(score: str) -> list[str]:
    """The columns that hold a score's mean and the ends of its interval."""
    return [score, f"{score}_ci_low", f"{score}_ci_high"]


def number(value: float, decimals: int) -> str:
    """``−1,234.50``: a minus sign, thousands apart, and no negative zero."""
    return f"{value:z,.{decimals}f}".replace("-", "−")


def interval(
    mean: float, low: float, high: float, *, decimals: int | None = None, like: Any = None
) -> str:
    """``0.41 (0.38 to 0.44)``, – where there is none.

    decimals: by default two, or four where none of the three, or of the values ``like``, is as
    large as 0.1.
    """
    if np.isnan(mean):
        return "–"
    if decimals is None:
        decimals = 2 if np.nanmax(np.abs([mean, low, high] if like is None else like)) >= 0.1 else 4
    return "{} ({} to {})".format(*(number(value, decimals) for value in (mean, low, high)))


def span(values: Iterable[float], decimals: int) -> str:
    """``0.12 to 0.41``, from the least of some values to the largest, one number where these read
    the same; – where there is none."""
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return "–"
    least, largest = (number(value, decimals) for value in (min(known), max(known)))
    return least if least == largest else f"{least} to {largest}"


def interval_of(row: Mapping[Any, Any] | pd.Series, score: str) -> str:
    """The `interval` of a score in a row of a leaderboard."""
    return interval(*(row[column] for column in columns_of(score)))


def percents(summary: Mapping[str, Any]) -> str:
    """``98.7 (98.0 to 99.2) %``: a share and its interval."""
    shares = (100 * summary[end] for end in ("mean", "ci_low", "ci_high"))
    return f"{interval(*shares, decimals=1)} %"


def mean_and_sd(summary: Mapping[str, Any]) -> str:
    """``99.44 ± 0.12``, in percent."""
    return f"{100 * summary['mean']:.2f} ± {100 * summary['sd']:.2f}"


def ends(low: float, high: float) -> str:
    """``98.80–100.00``, in percent."""
    return f"{100 * low:.2f}–{100 * high:.2f}"


def percent(share: float) -> str:
    """``95 %``, with no more decimals than it has."""
    return f"{100 * share:.10g} %"


def probability(share: float) -> str:
    """``99.0 %``; never 100 % of what is not certain, nor 0 % of what is not impossible."""
    if share > 0.9995:
        return "over 99.9 %"
    return f"{100 * share:.1f} %" if share >= 0.0005 else "under 0.1 %"


def p_value(p: float) -> str:
    """``= 0.05`` or ``< 0.0001``."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def plural(word: str, count: int) -> str:
    """``seed`` of one, ``seeds`` of any other number."""
    return word if count == 1 else f"{word}s"


def listed(names: Iterable[object]) -> str:
    """``a, b, c``."""
    return ", ".join(map(str, names))
