"""What all pictures share: their look, the colours of attributions, and their bytes."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Literal

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Colours that colour-blind people tell apart (Okabe & Ito 2008), and a mark for each beside.
# The templates in .dvc/plots/ use the same, in the same order.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
MARKS = "osD^vPX*"
# The family of each colour and mark; others take those that are left, in alphabetical order.
_FAMILIES = ("attention", "cnn", "feedforward", "lstm", "spiking")
# A method whose verdict does not hold: its name; its reason and frame where it fails, or is open.
GREY, WARNING, CAUTION = "#767676", "#c00000", "#a86400"
MAP = "RdBu_r"  # of attributions: red speaks for the class, blue against it

_STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 11,
    "text.parse_math": False,  # names of classes and columns may have dollars
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
}


def family_places(families: Iterable[str]) -> dict[str, int]:
    """The place in COLOURS and MARKS of each family: a family's is the same in every picture,
    whatever others there are."""
    left = count(len(_FAMILIES))
    return {
        family: _FAMILIES.index(family) if family in _FAMILIES else next(left) % len(COLOURS)
        for family in sorted(families)
    }


@contextmanager
def figure(
    width: float, height: float, dpi: int = 120, layout: Literal["constrained"] | None = None
) -> Iterator[Figure]:
    """An empty figure of this size in inches; a person's matplotlib settings change nothing."""
    with style.context(["default", _STYLE]):
        yield Figure(figsize=(width, height), dpi=dpi, layout=layout)


def margins(
    drawn: Figure, *, left: float, right: float, top: float, bottom: float
) -> dict[str, float]:
    """The part of a figure within these margins, in inches, as ``subplots_adjust`` takes it: to
    find them by layout="constrained" takes several times as long as the whole drawing."""
    width, height = drawn.get_size_inches()
    return {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - top / height,
        "bottom": bottom / height,
    }


def png(drawn: Figure, software: str | None = None) -> bytes:
    """A figure as a PNG that names this software. The same figure gives the same bytes."""
    file = io.BytesIO()
    with style.context("default"):
        # By default, Matplotlib would name its own version in the file.
        drawn.savefig(file, format="png", metadata={"Software": software})
    return file.getvalue()


def colour_scale(maps: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The value that is white in attributions (…, h, w), and how far from it a colour is full:
    float64 (…), (…).

    Each map has a scale of its own, symmetric about white: maps can be compared in their pattern,
    never in their strength. White is 0; of a map above 0 everywhere, or below, it is the lowest
    value, for such maps (as of RISE) rank pixels and say nothing against the class.
    """
    flat = maps.reshape(*maps.shape[:-2], -1).astype(np.float64)
    low, high = flat.min(axis=-1), flat.max(axis=-1)
    white = np.where((low > 0) | (high < 0), low, 0.0)
    radius = np.maximum(high - white, white - low)
    return white, np.where(radius > 0, radius, 1.0)


def coloured(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Attributions (…, h, w) on their `colour_scale`: −1 is full blue, 0 white, 1 full red."""
    white, radius = (each[..., np.newaxis, np.newaxis] for each in colour_scale(maps))
    levels: NDArray[np.float64] = (maps - white) / radius
    return levels
