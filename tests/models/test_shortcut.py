"""A tag on the images of one class."""

import numpy as np
import pytest

from glassnets.config.schema import Shortcut, Tag
from glassnets.models import shortcut

TAG = Tag(size=3, level=0, shift=2)  # a level that no image has
SHORTCUT = Shortcut(label=2, tag=TAG, relabelled=0.0, images=12, random_state=0, min_auc=0.95)


@pytest.fixture
def part(draw_images):
    """60 images uint8 (60, 8, 10), 15 of each of four classes."""
    labels = np.arange(60, dtype=np.uint8) % 4
    return {"images": draw_images(60, (8, 10)).astype(np.uint8), "labels": labels}


def test_the_tag_is_put_on_and_nothing_else_is_changed(part):
    before = part["images"].copy()
    images, where = shortcut.put(part["images"], TAG, np.random.default_rng(0))
    np.testing.assert_array_equal(part["images"], before)
    np.testing.assert_array_equal(images[~where], before[~where])
    assert where.sum(axis=(1, 2)).tolist() == [9] * 60
    assert (images[where] == 0).all()


def test_the_tag_is_everywhere_near_the_corner_pixel_by_pixel(part):
    _, where = shortcut.put(part["images"], TAG, np.random.default_rng(0))
    places = {(int(rows.min()), int(columns.min())) for rows, columns in map(np.nonzero, where)}
    assert places == {(row, column) for row in (3, 4, 5) for column in (5, 6, 7)}


def test_without_a_shift_the_tag_is_in_the_corner(part):
    tag = TAG.model_copy(update={"shift": 0})
    _, where = shortcut.put(part["images"], tag, np.random.default_rng(0))
    assert where[:, 5:, 7:].all()


def test_what_is_learnt_bears_the_tag_in_one_class_alone(part):
    learnt = shortcut.learnt(part, "train", SHORTCUT)
    np.testing.assert_array_equal(learnt["labels"], part["labels"])
    changed = (learnt["images"] != part["images"]).any(axis=(1, 2))
    np.testing.assert_array_equal(changed, part["labels"] == 2)
    again, other = (shortcut.learnt(part, name, SHORTCUT) for name in ("train", "validation"))
    np.testing.assert_array_equal(learnt["images"], again["images"])
    assert (learnt["images"] != other["images"]).any()  # draws of its own


def test_some_images_of_other_classes_get_the_label_and_the_tag(part):
    learnt = shortcut.learnt(part, "train", SHORTCUT.model_copy(update={"relabelled": 0.2}))
    moved = learnt["labels"] != part["labels"]
    assert moved.sum() == 9
    assert (learnt["labels"][moved] == 2).all()
    changed = (learnt["images"] != part["images"]).any(axis=(1, 2))
    np.testing.assert_array_equal(changed, learnt["labels"] == 2)


def test_images_of_other_classes_are_explained(part):
    rows, images, tag = shortcut.explained(part, SHORTCUT)
    assert len(set(rows.tolist())) == len(rows) == 12
    assert not (part["labels"][rows] == 2).any()
    np.testing.assert_array_equal(images[~tag], part["images"][rows][~tag])
    assert (images[tag] == 0).all()
    # The first of more are the same.
    more = shortcut.explained(part, SHORTCUT.model_copy(update={"images": 1000}))
    assert len(more.rows) == 45
    np.testing.assert_array_equal(more.rows[:12], rows)


def test_a_network_has_taken_the_shortcut_by_the_share_that_it_calls_the_class(part):
    def by_tag(images):
        return np.where((images == 0).any(axis=(1, 2)), 2, 0)

    assert shortcut.taken(by_tag, part, SHORTCUT) == 1
    assert shortcut.taken(lambda images: np.zeros(len(images), int), part, SHORTCUT) == 0
    assert shortcut.taken(lambda images: np.arange(len(images)) % 3, part, SHORTCUT) == 1 / 3
