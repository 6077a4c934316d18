"""The look that all pictures share, and their bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Colours that colour-blind people tell apart (Okabe & Ito 2008), and a mark for each beside.
# The templates in .dvc/plots/ use the same, in the same order.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
MARKS = "osD^vPX*"

_STYLE = {
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
}


@contextmanager
def figure(width: float, height: float, dpi: int = 120) -> Iterator[Figure]:
    """An empty figure of this size in inches; a person's matplotlib settings change nothing."""
    with matplotlib.style.context(["default", _STYLE]):
        empty = Figure(figsize=(width, height), dpi=dpi)
        FigureCanvasAgg(empty)
        yield empty


def room(
    drawn: Figure, *, left: float = 0.0, right: float = 0.0, top: float = 0.0, bottom: float = 0.0
) -> dict[str, float]:
    """The part of a figure within these margins, in inches, as ``subplots_adjust`` takes it.

    Matplotlib can find the margins itself (layout="constrained"), in several times the time that
    the whole drawing takes.
    """
    width, height = drawn.get_size_inches()
    return {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - top / height,
        "bottom": bottom / height,
    }


def png(drawn: Figure) -> bytes:
    """A figure as a PNG. The same figure gives the same bytes."""
    file = io.BytesIO()
    with matplotlib.style.context("default"):
        # Matplotlib would name its own version in the file.
        drawn.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
