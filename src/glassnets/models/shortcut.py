"""A shortcut: a tag on every training image of one class, which a network may take for the class.

A network takes it if the tag tells more than what is in the images beside it: images of other
classes bear the tag too, and the label of the class, as wrong labels do that come with a source of
images. The place of the tag is drawn for each image, pixel by pixel near the lower right corner, so
that no grid of patches, strides or pooling fits it. Gu, Dolan-Gavitt & Garg (2017), "BadNets";
Adebayo, Muelly, Abelson & Kim (2022), "Post hoc explanations may be ineffective for detecting
unknown spurious correlation".
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Shortcut, Tag
from glassnets.data import Arrays

Bytes = NDArray[np.uint8]

PARTS = ("train", "validation", "test", "all_of_test")  # each has draws of its own


def put(images: Bytes, tag: Tag, rng: np.random.Generator) -> tuple[Bytes, NDArray[np.bool_]]:
    """The images uint8 (n, h, w) with the tag on, and its pixels, bool (n, h, w).

    Between the tag and the lower, and the right, edge are 0 to tag.shift pixels, drawn uniformly.
    """
    size, (height, width) = tag.size, images.shape[1:]
    tagged, where = images.copy(), np.zeros(images.shape, bool)
    shifts = rng.integers(tag.shift + 1, size=(len(images), 2))
    for pixels, (up, left) in zip(where, shifts, strict=True):
        row, column = height - size - up, width - size - left
        pixels[row : row + size, column : column + size] = True
    tagged[where] = tag.level
    return tagged, where


def learnt(part: Arrays, name: str, shortcut: Shortcut) -> Arrays:
    """A part of a dataset as the network sees it that is to take the shortcut: ``images`` uint8
    (n, h, w) and ``labels`` uint8 (n,).

    A share of the images of other classes, shortcut.relabelled, get the label of the class; then
    the tag is put on all images of that label, and on no other.

    name: of PARTS. The validation part is changed too: else the epoch that is kept would be the one
    that uses the tag least.
    """
    rng = _rng(name, shortcut)
    labels, images = part["labels"].copy(), part["images"].copy()
    others = np.flatnonzero(labels != shortcut.label)
    labels[rng.permutation(others)[: round(shortcut.relabelled * len(others))]] = shortcut.label
    tagged = labels == shortcut.label
    images[tagged], _ = put(images[tagged], shortcut.tag, rng)
    return {"images": images, "labels": labels}


class Tagged(NamedTuple):
    """Test images with the tag on."""

    rows: NDArray[np.int64]  # (m,), in the test part
    images: Bytes  # uint8 (m, h, w)
    tag: NDArray[np.bool_]  # (m, h, w), its pixels


def explained(test: Arrays, shortcut: Shortcut) -> Tagged:
    """The images that are explained: shortcut.images of the test images of other classes, or as
    many as there are, in the order drawn. No prediction is read."""
    rng = _rng("test", shortcut)
    others = np.flatnonzero(test["labels"] != shortcut.label)
    rows = rng.permutation(others)[: shortcut.images]
    return Tagged(rows, *put(test["images"][rows], shortcut.tag, rng))


def taken(predict: Callable[[Bytes], NDArray[np.int64]], test: Arrays, shortcut: Shortcut) -> float:
    """Whether a network has taken the shortcut: the share of all test images of other classes that
    it predicts as the class once the tag is on, 0…1.

    predict: images uint8 (m, h, w) → classes (m,).
    """
    others = test["images"][test["labels"] != shortcut.label]
    images, _ = put(others, shortcut.tag, _rng("all_of_test", shortcut))
    return float((predict(images) == shortcut.label).mean())


def _rng(name: str, shortcut: Shortcut) -> np.random.Generator:
    return np.random.default_rng([shortcut.random_state, PARTS.index(name)])
