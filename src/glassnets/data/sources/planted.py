"""Images whose label a planted cue alone decides, so that the pixels that truly matter are known.

Every image is a canvas tiled with real images of another dataset, which distract. On it stand
square patches of black and white, half and half, so brightness tells none from another. What
decides the label is

- *where*, classes 0 to 3: one fine checkerboard; the label is the quarter of the canvas it is in;
- *which*, classes 4 and 5: two patches of stripes; the label is whether they run the same way or
  not. In either class each runs either way as often, so neither patch alone says which.

Coarse checkerboards, the decoys, decide nothing. ``evidence`` marks the pixels of the cues.
"""

import math
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from glassnets.config.schema import Dataset, Shape
from glassnets.data import Arrays
from glassnets.errors import ParameterError

QUARTERS = 4  # classes of where, 0 to 3
SAME, DIFFERENT = 4, 5  # classes of which
CLASSES = 6

Bytes = NDArray[np.uint8]
Place = tuple[int, int]  # of a patch: row and column in the grid of patches


@dataclass(frozen=True)
class Scene:
    """What stands on a canvas: pattern by place, and what it makes of the label."""

    cues: dict[Place, str]
    decoys: tuple[Place, ...]
    label: int


def plant(sources: Bytes, dataset: Dataset) -> Arrays:
    """The raw arrays of a planted dataset; sources uint8 (m, ·, ·) are the images that distract.

    Beside ``images`` uint8 (n, h, w), ``labels`` uint8 (n,) and ``evidence`` bool (n, h, w) there
    are two changed versions of each image, to test whether a network uses the cue: ``cue_changed``,
    its cue moved or turned and all else left, with the ``cue_changed_labels`` that this makes, and
    ``rest_changed``, its cue left, on another canvas with other decoys. Classes are as frequent as
    can be, in random order.

    Raises ParameterError when there is no room for the patches or ``classes`` is not theirs.
    """
    assert dataset.planting is not None
    size, most, shape = (
        dataset.planting.patch_size,
        dataset.planting.max_decoys,
        dataset.image_shape,
    )
    quarters = _quarters((shape[0] // size, shape[1] // size))
    if dataset.classes != CLASSES:
        raise ParameterError(f"classes: expected {CLASSES} for planted cues, got {dataset.classes}")
    if min(map(len, quarters)) <= most:  # the cue must find a place in whichever quarter
        raise ParameterError(
            f"planting.patch_size, planting.max_decoys: expected room for a patch and all decoys "
            f"in a quarter of {shape[0]}×{shape[1]} pixels, got {size}, {most}"
        )
    rng = np.random.default_rng(dataset.planting.random_state)
    images, labels, evidence, cue_changed, cue_changed_labels, rest_changed = [], [], [], [], [], []
    for label in rng.permutation(np.arange(dataset.shape.images) % CLASSES).tolist():
        scene = _with_decoys(_cued(label, quarters, rng), quarters, most, rng)
        changed = _with_other_cue(scene, quarters, rng)
        canvas = _canvas(sources, shape, rng)
        images.append(_drawn(scene, canvas, size))
        labels.append(label)
        evidence.append(_evidence(scene, shape, size))
        cue_changed.append(_drawn(changed, canvas, size))
        cue_changed_labels.append(changed.label)
        rest = _with_decoys(scene, quarters, most, rng)
        rest_changed.append(_drawn(rest, _canvas(sources, shape, rng), size))
    return {
        "images": np.stack(images),
        "labels": np.array(labels, np.uint8),
        "evidence": np.stack(evidence),
        "cue_changed": np.stack(cue_changed),
        "cue_changed_labels": np.array(cue_changed_labels, np.uint8),
        "rest_changed": np.stack(rest_changed),
    }


def pattern(name: str, size: int) -> Bytes:
    """A patch uint8 (size, size) of 0 and 255: fine, coarse, horizontal or vertical."""
    row, column = np.indices((size, size))
    lit = {
        "fine": row + column,
        "coarse": row // 2 + column // 2,
        "horizontal": row,
        "vertical": column,
    }[name]
    return (lit % 2 * 255).astype(np.uint8)


def _quarters(grid: Shape) -> list[list[Place]]:
    """The places of each quarter, row by row; those astride the middle are in none."""
    halves = [[range(side // 2), range(math.ceil(side / 2), side)] for side in grid]
    return [[(r, c) for r in rows for c in columns] for rows in halves[0] for columns in halves[1]]


def _draw(places: list[Place], count: int, rng: Generator) -> tuple[Place, ...]:
    return tuple(places[i] for i in rng.choice(len(places), count, replace=False))


def _cued(label: int, quarters: list[list[Place]], rng: Generator) -> Scene:
    if label < QUARTERS:
        (place,) = _draw(quarters[label], 1, rng)
        return Scene({place: "fine"}, (), label)
    places = _draw([*chain(*quarters)], 2, rng)
    first, second = rng.permutation(["horizontal", "vertical"]).tolist()
    ways = (first, first if label == SAME else second)
    return Scene(dict(zip(places, ways, strict=True)), (), label)


def _with_decoys(scene: Scene, quarters: list[list[Place]], most: int, rng: Generator) -> Scene:
    """The scene with one to ``most`` decoys, drawn anew, at places that the cues leave."""
    free = [place for place in chain(*quarters) if place not in scene.cues]
    return replace(scene, decoys=_draw(free, int(rng.integers(1, most + 1)), rng))


def _with_other_cue(scene: Scene, quarters: list[list[Place]], rng: Generator) -> Scene:
    """The scene of another label: the checkerboard in another quarter, or one patch turned."""
    if scene.label < QUARTERS:
        label = int(rng.choice([q for q in range(QUARTERS) if q != scene.label]))
        free = [place for place in quarters[label] if place not in scene.decoys]
        (place,) = _draw(free, 1, rng)
        return replace(scene, cues={place: "fine"}, label=label)
    turned = int(rng.integers(2))
    other = {"horizontal": "vertical", "vertical": "horizontal"}
    cues = {
        place: other[way] if i == turned else way
        for i, (place, way) in enumerate(scene.cues.items())
    }
    return replace(scene, cues=cues, label=DIFFERENT if scene.label == SAME else SAME)


def _canvas(sources: Bytes, shape: Shape, rng: Generator) -> Bytes:
    """A random cut (h, w) of a plane tiled with random sources."""
    height, width = sources.shape[1:]
    rows, columns = (
        math.ceil(side / tile) for side, tile in zip(shape, (height, width), strict=True)
    )
    tiles = sources[rng.integers(len(sources), size=(rows, columns))]  # (rows, columns, ·, ·)
    plane = tiles.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    top, left = (
        int(rng.integers(whole - side + 1)) for whole, side in zip(plane.shape, shape, strict=True)
    )
    canvas: Bytes = plane[top : top + shape[0], left : left + shape[1]].copy()
    return canvas


def _drawn(scene: Scene, canvas: Bytes, size: int) -> Bytes:
    image = canvas.copy()
    for (row, column), name in {**dict.fromkeys(scene.decoys, "coarse"), **scene.cues}.items():
        image[row * size :, column * size :][:size, :size] = pattern(name, size)
    return image


def _evidence(scene: Scene, shape: Shape, size: int) -> NDArray[np.bool_]:
    evidence = np.zeros(shape, bool)
    for row, column in scene.cues:
        evidence[row * size :, column * size :][:size, :size] = True
    return evidence
