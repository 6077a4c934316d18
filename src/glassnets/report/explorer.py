"""The report's explanation explorer: every method's map of every image of the panel, by every
family, as pictures and as data that a page can show."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from glassnets.report import explained
from glassnets.report.agreement import Cells

# Red speaks for the class, blue against it, as in the other pictures.
_PALETTE = (colormaps["RdBu_r"](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(np.uint8)
_OUTLINE = 4  # pixels of the evidence's outline to one of the image

# What an image of the panel is an example of, in the order in which they are offered.
KINDS = ("families disagree", "all are wrong", "all are right")


def explorer(cells: Cells, boards: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """All that the page shows, as JSON: of the first seed's networks.

    Gives ``size`` [h, w]; ``seed``; ``images``, a PNG as data URI with one
    image under another; ``evidence``, the like of its outlines, or None; ``samples``, for each
    image its index, label, kind (of KINDS) and answers by family; ``methods`` in the order of
    their mean rank; and for each of ``families`` by method: ``maps`` (a PNG, one map under
    another), verdict, doubtful and figures (heading, value).
    """
    first = next(iter(cells.values()))
    images = first["images"]
    methods = by_rank(boards)
    return {
        "size": list(images.shape[1:]),
        "seed": int(first["seeds"][0]),
        "images": data_uri(Image.fromarray(_stack(images))),
        "evidence": _outlines(first["evidence"]) if "evidence" in first else None,
        "samples": samples(cells),
        "methods": [[m, m.replace("_", " ")] for m in methods],
        "families": {
            family: {
                method: {"maps": heat(cell[method][0])} | _trust(boards[family], method)
                for method in methods
                if method in cell
            }
            for family, cell in cells.items()
        },
    }


def samples(cells: Cells) -> list[dict[str, Any]]:
    """Each image of the panel: index, label, kind and what the first seed's networks answer."""
    first = next(iter(cells.values()))
    found = []
    for i, (index, label) in enumerate(zip(first["index"], first["labels"], strict=True)):
        answers = {family: int(cell["predictions"][0, i]) for family, cell in cells.items()}
        given = set(answers.values())
        kind = KINDS[0] if len(given) > 1 else KINDS[2] if given == {int(label)} else KINDS[1]
        found.append({"index": int(index), "label": int(label), "kind": kind, "answers": answers})
    return found


def by_rank(boards: Mapping[str, pd.DataFrame]) -> list[str]:
    """Every method of any family, by mean rank, the controls last."""
    each = (
        pd.concat(boards.values())
        .groupby("method")
        .agg(control=("control", "any"), rank=("rank", "mean"))
    )
    order = each.reset_index().sort_values(["control", "rank", "method"])
    return order["method"].tolist()


def _trust(board: pd.DataFrame, method: str) -> dict[str, Any]:
    control = bool(board.loc[board["method"] == method, "control"].any())
    found = explained.trust(board, method, control, "`dvc repro`")
    return {
        "verdict": found.verdict,
        "doubtful": found.doubtful,
        "figures": [list(figure) for figure in found.figures],
    }


def _stack(images: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w) → (n·h, w): one under another."""
    return images.reshape(-1, images.shape[2])


def heat(maps: NDArray[np.float32]) -> str:
    """Maps (n, h, w) one under another, a PNG as data URI. Each has a scale of its own, white at 0,
    or where it has one sign everywhere at its value nearest to 0, as in `explained`."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    white = np.clip(0, flat.min(axis=1), flat.max(axis=1))[:, np.newaxis]
    most = np.abs(flat - white).max(axis=1, keepdims=True)
    unit = (flat - white) / np.where(most > 0, most, 1)
    levels = np.rint(127 + 127 * unit).astype(np.uint8)
    drawn = Image.fromarray(_stack(levels.reshape(maps.shape)))
    drawn.putpalette(_PALETTE.tobytes())
    return data_uri(drawn)


def _outlines(evidence: NDArray[np.bool_]) -> str:
    """The edges of evidence (n, h, w), green on transparent, _OUTLINE times as large."""
    large = evidence.repeat(_OUTLINE, axis=1).repeat(_OUTLINE, axis=2)
    around = np.pad(large, ((0, 0), (1, 1), (1, 1)))
    inner = around[:, :-2, 1:-1] & around[:, 2:, 1:-1] & around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    edge = _stack(large & ~inner)
    rgba = np.zeros((*edge.shape, 4), np.uint8)
    rgba[edge] = (0, 158, 60, 255)
    return data_uri(Image.fromarray(rgba))


def data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
