"""The planted cue alone decides the label; everything else says nothing about it."""

from pathlib import Path

import numpy as np
import pytest

from glassnets import config
from glassnets.config.schema import ArrayShape
from glassnets.data.sources import digits, planted
from glassnets.errors import ParameterError

DATASET = config.load(Path(__file__).parents[3] / "params.yaml").dataset("planted")
SOURCES = digits.load(None)["images"]
SIZE = DATASET.planting.patch_size
PATTERNS = {
    name: planted.pattern(name, SIZE) for name in ("fine", "coarse", "horizontal", "vertical")
}


def dataset(images=600, side=16, classes=6, **planting):
    return DATASET.model_copy(
        update={
            "shape": ArrayShape(images=images, height=side, width=side),
            "classes": classes,
            "planting": DATASET.planting.model_copy(update=planting),
        }
    )


def make(*arguments, **changes):
    return planted.plant(SOURCES, dataset(*arguments, **changes))


@pytest.fixture(scope="module")
def arrays():
    return make()


def seen(image):
    """Places and names of the patches that a reader of the image finds on the grid."""
    return {
        (row, column): name
        for row in range(0, image.shape[0] - SIZE + 1, SIZE)
        for column in range(0, image.shape[1] - SIZE + 1, SIZE)
        for name, pattern in PATTERNS.items()
        if (image[row : row + SIZE, column : column + SIZE] == pattern).all()
    }


def label_of(image):
    """The label by the rule, read off the pixels alone."""
    patches = seen(image)
    fine = [place for place, name in patches.items() if name == "fine"]
    stripes = [name for name in patches.values() if name in ("horizontal", "vertical")]
    if fine:
        assert not stripes
        ((row, column),) = fine
        middle = image.shape[0] / 2
        return 2 * (row >= middle) + (column >= middle)
    first, second = stripes
    return planted.SAME if first == second else planted.DIFFERENT


@pytest.mark.parametrize(
    ("images", "labels"),
    [("images", "labels"), ("cue_changed", "cue_changed_labels"), ("rest_changed", "labels")],
)
def test_the_cue_decides_the_label(arrays, images, labels):
    assert [label_of(image) for image in arrays[images]] == arrays[labels].tolist()


def test_the_evidence_is_the_cue(arrays):
    for image, evidence in zip(arrays["images"], arrays["evidence"], strict=True):
        cues = [place for place, name in seen(image).items() if name != "coarse"]
        expected = np.zeros_like(evidence)
        for row, column in cues:
            expected[row : row + SIZE, column : column + SIZE] = True
        np.testing.assert_array_equal(evidence, expected)


def test_a_changed_cue_makes_another_label_and_leaves_the_rest(arrays):
    assert (arrays["cue_changed_labels"] != arrays["labels"]).all()
    for image, changed in zip(arrays["images"], arrays["cue_changed"], strict=True):
        before, after = seen(image), seen(changed)
        decoys = [{p for p, name in each.items() if name == "coarse"} for each in (before, after)]
        assert decoys[0] == decoys[1]
        touched = np.zeros(image.shape, bool)
        for row, column in [*before, *after]:
            touched[row : row + SIZE, column : column + SIZE] = True
        np.testing.assert_array_equal(image[~touched], changed[~touched])


def test_a_changed_rest_leaves_the_cue_alone(arrays):
    evidence = arrays["evidence"]
    np.testing.assert_array_equal(arrays["images"][evidence], arrays["rest_changed"][evidence])
    same = arrays["images"] == arrays["rest_changed"]
    assert not (same | evidence).all(axis=(1, 2)).any()


def test_no_single_patch_says_whether_two_run_the_same_way():
    arrays = make(6000)
    ways = {planted.SAME: [], planted.DIFFERENT: []}
    for image, label in zip(arrays["images"], arrays["labels"], strict=True):
        if label in ways:
            ways[label].append(seen(image)[min(p for p, n in seen(image).items() if n != "coarse")])
    for label in ways:
        share = np.mean([way == "vertical" for way in ways[label]])
        assert abs(share - 0.5) < 0.05, label


def test_the_number_of_decoys_and_brightness_say_nothing_of_the_label():
    arrays = make(6000)
    decoys = np.array([list(seen(i).values()).count("coarse") for i in arrays["images"]])
    for label in range(planted.CLASSES):
        mine = arrays["labels"] == label
        for count in (1, 2, 3):
            assert abs((decoys[mine] == count).mean() - 1 / 3) < 0.06
    assert {p.sum() for p in PATTERNS.values()} == {SIZE**2 // 2 * 255}


def test_classes_are_as_frequent_as_can_be_and_in_random_order(arrays):
    assert set(np.bincount(arrays["labels"])) == {100}
    assert (np.diff(arrays["labels"].astype(int)) % planted.CLASSES != 1).any()


def test_it_depends_on_the_seed_alone(arrays):
    again, other = make(), make(random_state=1)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, again[name])
        assert not np.array_equal(array, other[name])


@pytest.mark.parametrize("side", [16, 28, 30])
def test_other_canvases(side):
    arrays = make(60, side)
    assert arrays["images"].shape == (60, side, side)
    assert arrays["images"].dtype == np.uint8


def test_larger_sources_are_cut():
    large = np.random.default_rng(0).integers(0, 200, (20, 28, 28)).astype(np.uint8)
    arrays = planted.plant(large, dataset(60))
    assert [label_of(image) for image in arrays["images"]] == arrays["labels"].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"max_decoys": 4}, "got 4, 4"), ({"patch_size": 8}, "got 8, 3"), ({"classes": 7}, "got 7")],
)
def test_what_cannot_be_planted_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        make(**changes)
