"""The report's explorer: every method's attributions of the sample, by every family, as pictures
and as data that a page can show."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, generate_binary_structure

from glassnets.data.inputs import Inputs
from glassnets.report import kinds
from glassnets.report.agreement import Attributions
from glassnets.report.drawing import MAP, coloured
from glassnets.report.leaderboards import by_rank, controls, verdict
from glassnets.report.results import Results

_PALETTE = (colormaps[MAP](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(np.uint8)
_IMAGES = 40  # at most, which bounds the page's size
_OUTLINE = 4  # pixels of the evidence's outline to one of the image

# What an image of the sample is an example of, in the order in which they are offered.
KINDS = ("families disagree", "all are wrong", "all are right")


_GREY_IMAGES = Inputs()


def explorer(results: Mapping[str, Results], inputs: Inputs = _GREY_IMAGES) -> dict[str, Any]:
    """All that the page displays, as JSON: of the first seed's networks.

    Gives ``size`` [h, w]; ``seed``; ``images``, a PNG as data URI with one image under another;
    ``evidence``, the like of its outlines, or None; ``sample``, for each image its index, label,
    kind (of `KINDS`) and predictions by family; ``methods``, variants, the best supported first;
    and for each of ``families`` by method: ``maps`` (a PNG, one map under another) and
    `Verdict.as_data`. Classes are called by name where they have one. Of a larger sample,
    the images are those of `_chosen`.

    Of a table there are ``columns``, their names, and ``rows``, of each row their values as text,
    and in place of the PNG of ``maps`` for each row `bars`; of series ``lines``, of each series
    and channel the points of a line within 100 × 100. ``images`` is then their name alone.
    """
    whole = {family: each.attributions for family, each in results.items()}
    chosen = _chosen(whole)
    per_image = ("images", "index", "labels", "evidence")
    attributions = {
        family: {
            name: array[chosen] if name in per_image else array for name, array in arrays.items()
        }
        | {"predictions": arrays["predictions"][:, chosen]}
        for family, arrays in whole.items()
    }
    first = next(iter(attributions.values()))
    boards = {family: each.leaderboard for family, each in results.items()}
    blind, methods = controls(boards), by_rank(boards)
    drawn = bars if inputs.kind == "table" else heat
    return {
        "size": list(first["images"].shape[1:3]),
        "seed": int(first["seeds"][0]),
        **_inputs(first["images"], inputs),
        "evidence": _outlines(first["evidence"]) if "evidence" in first else None,
        "sample": _sample(attributions, inputs),
        "methods": methods,
        "families": {
            family: {
                method: {"maps": drawn(each.attributions[method][0][chosen])}
                | verdict(boards[family], method, method in blind, "make run").as_data()
                for method in methods
                if method in each.attributions
            }
            for family, each in results.items()
        },
    }


def _chosen(attributions: Attributions) -> NDArray[np.int64]:
    """The rows of at most `_IMAGES` images of the sample, those first that some network of the
    first seed predicts wrongly, in the sample's order."""
    first = next(iter(attributions.values()))
    wrong = np.any([a["predictions"][0] != first["labels"] for a in attributions.values()], axis=0)
    order = np.argsort(~wrong, kind="stable")
    return np.sort(order[:_IMAGES])


def _inputs(images: NDArray[Any], inputs: Inputs) -> dict[str, Any]:
    """What the page draws inputs (n, h, w[, c]) from: see `explorer`."""
    match inputs.kind:
        case "image":
            return {"images": data_uri(Image.fromarray(_stack(images)))}
        case "table":
            rows = [inputs.values(row) for row in images]
            return {"images": "rows", "columns": inputs.column_names, "rows": rows}
        case "series":
            return {"images": "lines", "lines": [lines(inputs.lines(each)) for each in images]}


def lines(channels: NDArray[np.float64]) -> list[str]:
    """The points of each channel (channels, steps), ``x,y x,y …``, without those that are not
    there."""
    x = 100 * (np.arange(channels.shape[1]) + 0.5) / channels.shape[1]
    y = 92 - 84 * kinds.scaled(channels)
    return [
        " ".join(f"{a:.4g},{b:.4g}" for a, b in zip(x, line, strict=True) if not np.isnan(b))
        for line in y
    ]


def bars(maps: NDArray[np.float32]) -> list[list[tuple[int, float]]]:
    """Of each map (1, columns) of maps the columns that count most, the most important first: their
    places and numbers; then, with less 1 times how many there are, the sum of the others."""
    made = []
    for map_ in maps:
        shown = kinds.columns(map_)
        places = [*shown.places, *[-len(shown.others)] * bool(shown.others)]
        numbers = [float(f"{number:.3g}") for number in shown.of(map_)]
        made.append(list(zip(places, numbers, strict=True)))
    return made


def _sample(attributions: Attributions, inputs: Inputs) -> list[dict[str, Any]]:
    first = next(iter(attributions.values()))
    sample = []
    for i, (index, label) in enumerate(zip(first["index"], first["labels"], strict=True)):
        predictions = {f: int(arrays["predictions"][0, i]) for f, arrays in attributions.items()}
        classes = set(predictions.values())
        kind = KINDS[0] if len(classes) > 1 else KINDS[2] if classes == {int(label)} else KINDS[1]
        image = {"index": int(index), "label": int(label), "kind": kind, "predictions": predictions}
        if inputs.class_names is not None:
            image["label"] = inputs.class_name(label)
            image["predictions"] = {f: inputs.class_name(k) for f, k in predictions.items()}
        sample.append(image)
    return sample


def _stack(images: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w[, c]) → (n·h, w[, c]): one under another."""
    return images.reshape(-1, *images.shape[2:])


def heat(maps: NDArray[np.float32]) -> str:
    """Attributions (n, h, w) one under another, a PNG as data URI."""
    levels = np.rint(127 + 127 * coloured(maps)).astype(np.uint8)
    drawn = Image.fromarray(_stack(levels))
    drawn.putpalette(_PALETTE.tobytes())
    return data_uri(drawn)


def _outlines(evidence: NDArray[np.bool_]) -> str:
    """The edges of evidence (n, h, w), green on transparent, _OUTLINE times as large."""
    large = evidence.repeat(_OUTLINE, axis=1).repeat(_OUTLINE, axis=2)
    edge = _stack(large & ~binary_erosion(large, generate_binary_structure(2, 1)[np.newaxis]))
    rgba = np.zeros((*edge.shape, 4), np.uint8)
    rgba[edge] = (0, 158, 60, 255)
    return data_uri(Image.fromarray(rgba))


def data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
