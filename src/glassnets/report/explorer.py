"""The report's explorer: every method's attributions of the sample, by every family, as pictures
and as data that a page can show."""

import base64
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, generate_binary_structure

from glassnets.attribution.verdicts import method_of, reference_of
from glassnets.data.inputs import Inputs
from glassnets.report import kinds, languages
from glassnets.report.agreement import Attributions
from glassnets.report.drawing import MAP, coloured
from glassnets.report.leaderboards import by_rank, controls, verdict
from glassnets.report.results import Results

_LEVELS = 31  # of colour on either side of white: more cannot be told apart, and take more space
_PALETTE = (
    (colormaps[MAP](np.linspace(0, 1, 2 * _LEVELS + 1))[:, :3] * 255).round().astype(np.uint8)
)
_IMAGES = 100  # at most
_SIZE = 3_400_000  # of the data as JSON, at most: with all else, the page has less than 5 MB
_OUTLINE = 4  # pixels of the evidence's outline to one of the image
_LIKELIEST = 3  # classes whose probabilities are displayed

# What an image of the sample is an example of, in the order in which they are offered.
KINDS = ("families disagree", "all are wrong", "all are right")


_GREY_IMAGES = Inputs()


def explorer(
    results: Mapping[str, Results], inputs: Inputs = _GREY_IMAGES, size: int = _SIZE
) -> dict[str, Any]:
    """All that the page displays, as JSON: of the first seed's networks.

    Gives ``size`` [h, w]; ``seed``; ``images``, a PNG as data URI with one image under another;
    ``evidence``, the like of its outlines, or None; ``sample``, for each image its index, label,
    kind (of `KINDS`), predictions by family, and ``likeliest``, by family the most probable
    classes, each with its probability, where these are known; ``methods``, variants, the best
    supported first; ``names`` of methods and references by language; ``pictures``, PNGs, one map
    under another; and for each of ``families`` by variant: ``maps`` (a place in pictures),
    ``verdict`` by language, its ``value``, whether it is ``doubtful``, and ``scores``, heading and
    text. Classes are called by name where they have one. The images are those of `_chosen`, as
    many as take up no more than a size in bytes.

    Of a table there are ``columns``, their names, and ``rows``, of each row their values as text,
    and in place of the PNG of ``maps`` for each row `bars`; of series ``lines``, of each series
    and channel the points of a line within 100 × 100. ``images`` is then their name alone.
    """
    sample = max(len(each.attributions["index"]) for each in results.values())
    count = min(sample, _IMAGES)
    few = [min(count, number) for number in (1, 9)]
    one, more = (_taken(_explorer(results, inputs, number)) for number in few)
    if of_each := (more - one) / max(1, few[1] - few[0]):
        count = max(1, min(count, 1 + int((size - one) / of_each)))
    while _taken(data := _explorer(results, inputs, count)) > size and count > 1:
        count = max(1, min(count - 1, int(0.97 * count)))
    return data


def _taken(data: dict[str, Any]) -> int:
    """The size of data on the page, in bytes."""
    return len(json.dumps(data, ensure_ascii=False).encode())


def _explorer(results: Mapping[str, Results], inputs: Inputs, images: int) -> dict[str, Any]:
    whole = {family: each.attributions for family, each in results.items()}
    chosen = _chosen(whole, images)
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
    pictures: dict[str, int] = {}  # the same map by several families, as of controls, stands once
    drawn: Callable[[NDArray[np.float32]], Any] = bars
    if inputs.kind != "table":
        drawn = lambda maps: pictures.setdefault(heat(maps), len(pictures))  # noqa: E731
    predictions = {family: each.predictions for family, each in results.items()}
    data = {
        "size": list(first["images"].shape[1:3]),
        "seed": int(first["seeds"][0]),
        **_inputs(first["images"], inputs),
        "evidence": _outlines(first["evidence"]) if "evidence" in first else None,
        "sample": _sample(attributions, predictions, inputs),
        "methods": methods,
        "names": _names(methods),
        "families": {
            family: {
                method: {"maps": drawn(each.attributions[method][0][chosen])}
                | _verdict(boards[family], method, method in blind)
                for method in methods
                if method in each.attributions
            }
            for family, each in results.items()
        },
    }
    return data | {"pictures": list(pictures)}


def _verdict(board: pd.DataFrame, method: str, control: bool) -> dict[str, Any]:
    own = verdict(board, method, control, "make run")
    return {
        "verdict": languages.said(own.text).as_data(),
        "value": own.value,
        "doubtful": own.doubtful,
        "scores": [(heading, in_brackets(text)) for heading, text in own.scores],
    }


def in_brackets(interval: str) -> str:
    """``0.41 (0.38 to 0.44)`` as ``0.41 [0.38, 0.44]``, which reads the same in every language."""
    return re.sub(r" \((\S+) to (\S+)\)", r" [\1, \2]", interval)


def _names(variants: list[str]) -> dict[str, dict[str, dict[str, str]]]:
    methods = dict.fromkeys(method_of(variant) for variant in variants)
    references = dict.fromkeys(own for variant in variants if (own := reference_of(variant)))
    return {
        "methods": {name: languages.method(name).as_data() for name in methods},
        "references": {name: languages.reference(name).as_data() for name in references},
        "variants": {name: languages.variant(name).as_data() for name in variants},
    }


def _chosen(attributions: Attributions, most: int) -> NDArray[np.int64]:
    """The rows of at most so many images of the sample, those first that some network of the first
    seed predicts wrongly, in the sample's order."""
    first = next(iter(attributions.values()))
    wrong = np.any([a["predictions"][0] != first["labels"] for a in attributions.values()], axis=0)
    order = np.argsort(~wrong, kind="stable")
    return np.sort(order[:most])


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


def _sample(
    attributions: Attributions, predictions: Mapping[str, pd.DataFrame], inputs: Inputs
) -> list[dict[str, Any]]:
    first = next(iter(attributions.values()))
    seed = int(first["seeds"][0])
    likeliest = {f: _likeliest(table, seed, inputs) for f, table in predictions.items()}
    sample = []
    for i, (index, label) in enumerate(zip(first["index"], first["labels"], strict=True)):
        predicted = {f: int(arrays["predictions"][0, i]) for f, arrays in attributions.items()}
        classes = set(predicted.values())
        kind = KINDS[0] if len(classes) > 1 else KINDS[2] if classes == {int(label)} else KINDS[1]
        image: dict[str, Any] = {"index": int(index), "label": int(label), "kind": kind}
        image["predictions"] = predicted
        if inputs.class_names is not None:
            image["label"] = inputs.class_name(label)
            image["predictions"] = {f: inputs.class_name(k) for f, k in predicted.items()}
        known = {f: each[int(index)] for f, each in likeliest.items() if int(index) in each}
        sample.append(image | {"likeliest": known})
    return sample


def _likeliest(
    table: pd.DataFrame | None, seed: int, inputs: Inputs
) -> dict[int, list[tuple[str, float]]]:
    """By an image's index the most probable classes for a seed's network, and their probabilities;
    none where predictions.csv has no probabilities."""
    columns = [] if table is None else [c for c in table if str(c).startswith("probability_")]
    if table is None or not columns:
        return {}
    names = inputs.class_list(str(column).removeprefix("probability_") for column in columns)
    own = table[table["seed"] == seed]
    probabilities = own[columns].to_numpy()
    order = (-probabilities).argsort(axis=1, kind="stable")[:, :_LIKELIEST]
    return {
        int(index): [(names[place], round(float(each[place]), 5)) for place in places]
        for index, each, places in zip(own["index"], probabilities, order, strict=True)
    }


def _stack(images: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w[, c]) → (n·h, w[, c]): one under another."""
    return images.reshape(-1, *images.shape[2:])


def heat(maps: NDArray[np.float32]) -> str:
    """Attributions (n, h, w) one under another, a PNG as data URI."""
    levels = np.rint(_LEVELS + _LEVELS * coloured(maps)).astype(np.uint8)
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
