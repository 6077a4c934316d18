"""Images whose label a planted cue alone decides, so that the pixels that truly matter are known.

Every image is a canvas tiled with real images of another dataset, which distract. On it stand
square patches of several sizes, at any pixel, a pixel or more apart. All have the same mean
brightness and contrast, so these tell none from another. What decides the label is

- *where*, classes 0 to 3: one fine checkerboard; the label is the quarter of the canvas it is in;
- *which*, classes 4 and 5: two patches of stripes; the label is whether they run the same way or
  not. In either class each runs either way as often, so neither patch alone says which.

Coarse checkerboards, the decoys, decide nothing. ``evidence`` marks the pixels of the cues.

To the whole image a *texture* is added: stripes of both ways and a fine checkerboard, the patterns
of the cues, whose strengths vary smoothly from place to place and are drawn without a look at the
label. Within a cue it disturbs the pattern; around the cue it is much the same, and there alone.
So the pixels around a cue, which ``suppressor`` marks, say nothing of the label, and yet who takes
what they show from what the cue shows reads the cue better. They are a suppressor: Wilming,
Budding, Müller & Haufe (2022), "Scrutinizing XAI using linear ground-truth data with suppressor
variables". The texture must have the cues' patterns: in a smooth one they would stand out by
themselves, with nothing to be gained around them.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from glassnets.config.schema import Dataset, Planting, Shape
from glassnets.data import Arrays
from glassnets.errors import ParameterError

QUARTERS = 4  # classes of where, 0 to 3
SAME, DIFFERENT = 4, 5  # classes of which
CLASSES = 6
GREY = 128  # the mean brightness of a patch
RING = 2  # width in pixels of what is marked around a cue
TRIES = 1000  # arrangements of the patches of one image, until they find room

Bytes = NDArray[np.uint8]
Marks = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Area = tuple[slice, slice]  # rows and columns of the canvas


@dataclass(frozen=True)
class Patch:
    """A square of a pattern; row and column are those of its upper left pixel."""

    name: str
    size: int
    phase: tuple[int, int]  # by how many rows and columns the pattern is shifted, 0 to 3
    row: int = 0
    column: int = 0

    def area(self, margin: int = 0) -> Area:
        """Its pixels, and those around it as far as margin, within the canvas."""
        return tuple(  # type: ignore[return-value]
            slice(max(0, start - margin), start + self.size + margin)
            for start in (self.row, self.column)
        )


@dataclass(frozen=True)
class Scene:
    """What stands on a canvas, and the label that it makes."""

    cues: tuple[Patch, ...]
    decoys: tuple[Patch, ...]
    label: int


class NoRoomError(Exception):
    """A patch finds no place beside those that stand already."""


def plant(sources: Bytes, dataset: Dataset) -> Arrays:
    """The raw arrays of a planted dataset; sources uint8 (m, ·, ·) are the images that distract.

    ``images`` uint8 (n, h, w), ``labels`` uint8 (n,), and bool (n, h, w) the pixels of the cues,
    ``evidence``, and those up to two pixels around them that no patch covers, ``suppressor``.
    Classes are as frequent as can be, in random order. Beside these, changed versions of each
    image, uint8 (n, h, w), to test what a network uses:

    - ``cue_changed``, its cue moved or turned and all else left, with the labels that this makes,
      ``cue_changed_labels`` uint8 (n,);
    - ``rest_changed``, its cue and texture left, on another canvas with other decoys;
    - ``suppressor_changed``, its texture drawn anew outside the cue, all else left.

    Raises ParameterError when there is no room for the patches or ``classes`` is not theirs.
    """
    assert dataset.planting is not None
    planting, shape = dataset.planting, dataset.image_shape
    if dataset.classes != CLASSES:
        raise ParameterError(f"classes: expected {CLASSES} for planted cues, got {dataset.classes}")
    rng = np.random.default_rng(planting.random_state)
    images: dict[str, list[Bytes]] = {}
    for label in rng.permutation(np.arange(dataset.shape.images) % CLASSES).tolist():
        scene, other_cue, other_decoys = _scenes(label, planting, shape, rng)
        canvas, other_canvas = _canvas(sources, shape, rng), _canvas(sources, shape, rng)
        texture = _texture(planting, shape, rng)
        evidence = _marked(scene.cues, shape)
        other_texture = np.where(evidence, texture, _texture(planting, shape, rng))
        around = _marked(scene.cues, shape, RING) & ~_marked(scene.cues + scene.decoys, shape)
        for name, array in {
            "images": _drawn(scene, canvas, texture, planting),
            "labels": np.uint8(label),
            "evidence": evidence,
            "suppressor": around,
            "cue_changed": _drawn(other_cue, canvas, texture, planting),
            "cue_changed_labels": np.uint8(other_cue.label),
            "rest_changed": _drawn(other_decoys, other_canvas, texture, planting),
            "suppressor_changed": _drawn(scene, canvas, other_texture, planting),
        }.items():
            images.setdefault(name, []).append(np.asarray(array))
    return {name: np.stack(arrays) for name, arrays in images.items()}


def pattern(patch: Patch) -> Numbers:
    """What a patch adds to grey, float64 (size, size): mean 0, from darkest to brightest 2."""
    row, column = np.indices((patch.size, patch.size)) + np.reshape(patch.phase, (2, 1, 1))
    lit = {
        "fine": row + column,
        "coarse": row // 2 + column // 2,
        "horizontal": row,
        "vertical": column,
    }[patch.name] % 2
    # Of an odd number of rows more are lit than not, or fewer: without its mean none is brighter.
    centred: Numbers = 2 * (lit - lit.mean())
    return centred


def _scenes(
    label: int, planting: Planting, shape: Shape, rng: Generator
) -> tuple[Scene, Scene, Scene]:
    """A scene of this label, the same with the cue of another label, and with other decoys.

    How many patches there are, and how large, is settled before places are sought, so that it does
    not depend on the room that the cues leave, which tells the label.
    """
    where = label < QUARTERS
    first, second = rng.permutation(["horizontal", "vertical"]).tolist()
    names = ["fine"] if where else [first, first if label == SAME else second]
    quarter = int(rng.choice([q for q in range(QUARTERS) if q != label]))  # of another label
    loose = _patches(names, planting, rng)
    decoys, others = (
        _patches(["coarse"] * int(rng.integers(1, planting.max_decoys + 1)), planting, rng)
        for _ in range(2)
    )
    whole = slice(0, shape[0]), slice(0, shape[1])
    for _ in range(TRIES):
        try:
            cues = _placed(loose, _quarter(label, shape) if where else whole, (), rng)
            scene = Scene(cues, _placed(decoys, whole, cues, rng), label)
            if where:
                moved = _placed(cues, _quarter(quarter, shape), scene.decoys, rng)
                other_cue = replace(scene, cues=moved, label=quarter)
            else:
                other_cue = _with_one_turned(scene, rng)
            return scene, other_cue, replace(scene, decoys=_placed(others, whole, cues, rng))
        except NoRoomError:
            continue
    raise ParameterError(
        f"planting.patch_sizes, planting.max_decoys: expected room for the patches in "
        f"{shape[0]}×{shape[1]} pixels and for a cue in a quarter of them, "
        f"got {[*planting.patch_sizes]}, {planting.max_decoys}"
    )


def _patches(names: Iterable[str], planting: Planting, rng: Generator) -> tuple[Patch, ...]:
    """Patches of random sizes and phases, not placed yet."""
    return tuple(
        Patch(
            name,
            planting.patch_sizes[rng.integers(len(planting.patch_sizes))],
            (int(rng.integers(4)), int(rng.integers(4))),
        )
        for name in names
    )


def _placed(
    patches: Iterable[Patch], area: Area, taken: tuple[Patch, ...], rng: Generator
) -> tuple[Patch, ...]:
    """The patches at random places within the area, none touching another or one of taken.

    Raises NoRoomError where one finds no place.
    """
    rows, columns = area
    placed: list[Patch] = []
    for patch in patches:
        free = np.zeros((rows.stop, columns.stop), bool)  # upper left pixels
        free[rows.start : rows.stop - patch.size + 1, columns.start :] = True
        free[:, columns.stop - patch.size + 1 :] = False
        for other in (*taken, *placed):
            # Whose upper left pixel is nearer would touch: so many pixels lie below and right.
            above, left = (max(0, start - patch.size) for start in (other.row, other.column))
            free[above : other.row + other.size + 1, left : other.column + other.size + 1] = False
        places = np.flatnonzero(free)
        if not len(places):
            raise NoRoomError
        row, column = divmod(int(places[rng.integers(len(places))]), columns.stop)
        placed.append(replace(patch, row=row, column=column))
    return tuple(placed)


def _quarter(label: int, shape: Shape) -> Area:
    """Of a canvas of odd sides, the middle is in no quarter."""
    rows, columns = ((slice(0, side // 2), slice(math.ceil(side / 2), side)) for side in shape)
    return rows[label // 2], columns[label % 2]


def _with_one_turned(scene: Scene, rng: Generator) -> Scene:
    turned = int(rng.integers(2))
    other = {"horizontal": "vertical", "vertical": "horizontal"}
    cues = tuple(
        replace(cue, name=other[cue.name]) if i == turned else cue
        for i, cue in enumerate(scene.cues)
    )
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


def _texture(planting: Planting, shape: Shape, rng: Generator) -> Numbers:
    """Horizontal and vertical stripes and a fine checkerboard, each of a smooth random strength of
    deviation 1, added up: float64 (h, w).

    Whole numbers are summed up, so no processor rounds them otherwise than another.
    """
    rows, columns = (_smoothing(planting.texture_reach, side) for side in shape)
    drawn = rng.integers(-100, 101, (3, rows.shape[1], columns.shape[1])).astype(np.float64)
    strengths = rows @ drawn @ columns.T  # (3, h, w)
    row, column = np.indices(shape)
    signs = 1 - 2 * (np.stack([row, column, row + column]) % 2)
    deviation = math.sqrt((201**2 - 1) / 12) * (rows[0] ** 2).sum()
    texture: Numbers = (strengths * signs).sum(axis=0) / deviation
    return texture


@functools.cache  # of the same few sides for every image
def _smoothing(reach: int, side: int) -> Numbers:
    """What each row of the image weighs of those drawn, which stand out beyond it: weights that
    fall evenly to both sides, float64 (side, side + 2·reach − 2)."""
    weights = np.array([*range(1, reach + 1), *range(reach - 1, 0, -1)], np.float64)
    return np.stack([np.pad(weights, (i, side - 1 - i)) for i in range(side)])


def _drawn(scene: Scene, canvas: Bytes, texture: Numbers, planting: Planting) -> Bytes:
    image = planting.canvas_contrast * (canvas / 127.5 - 1)
    for patch in scene.decoys + scene.cues:
        image[patch.area()] = planting.contrast * pattern(patch)
    image = GREY + image + planting.texture_deviation * texture
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _marked(patches: Iterable[Patch], shape: Shape, margin: int = 0) -> Marks:
    marks = np.zeros(shape, bool)
    for patch in patches:
        marks[patch.area(margin)] = True
    return marks
