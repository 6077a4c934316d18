"""The planted cue alone decides the label; everything else says nothing about it."""

from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from glassnets import config
from glassnets.config.schema import ArrayShape
from glassnets.data.sources import digits, planted
from glassnets.errors import ParameterError

DATASET = config.load(Path(__file__).parents[3] / "params.yaml").dataset("planted")
SOURCES = digits.load(None)["images"]
SIZES = DATASET.planting.patch_sizes
NAMES = ("fine", "coarse", "horizontal", "vertical")
LOOSE = [
    planted.Patch(name, size, phase)
    for name, size, phase in product(NAMES, SIZES, product(range(4), repeat=2))
]


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
    return make(1800)


@pytest.fixture(scope="module")
def plain():
    """The same without texture, so that a reader finds every pattern exactly as it was drawn."""
    return make(1800, texture_deviation=0.0)


@pytest.fixture(scope="module")
def many():
    """More of these, for what is a matter of frequencies: what is seen in each, and the labels."""
    arrays = make(3600, texture_deviation=0.0)
    return seen(arrays["images"]), arrays["labels"]


def seen(images):
    """Of each image, the (row, column, size) of the patches that are found in it, by name."""
    found = [defaultdict(set) for _ in images]
    drawn = {}
    for patch in LOOSE:
        levels = np.rint(128 + DATASET.planting.contrast * planted.pattern(patch)).astype(np.uint8)
        drawn[patch.name, patch.size, levels.tobytes()] = levels
    for (name, size, _), levels in drawn.items():
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
        # A few pixels first: hardly a window passes.
        corners = [(0, 0), (0, 1), (1, 0), (-1, -1)]
        alike = np.logical_and.reduce([windows[..., i, j] == levels[i, j] for i, j in corners])
        places = np.argwhere(alike)
        places = places[(windows[tuple(places.T)] == levels).all(axis=(1, 2))]
        for image, row, column in places.tolist():
            found[image][name].add((row, column, size))
    return found


def label_of(patches, side=16):
    """The label by the rule, from what was seen."""
    if fine := patches["fine"]:
        assert not patches["horizontal"] | patches["vertical"]
        ((row, column, size),) = fine
        for start in (row, column):  # wholly in a half
            assert start + size <= side / 2 or start >= side / 2
        return 2 * (row >= side / 2) + (column >= side / 2)
    ways = [len(patches[name]) for name in ("horizontal", "vertical")]
    assert sum(ways) == 2
    return planted.SAME if 2 in ways else planted.DIFFERENT


def cues(patches):
    return patches["fine"] | patches["horizontal"] | patches["vertical"]


def marked(patches, margin=0, side=16):
    marks = np.zeros((side, side), bool)
    for row, column, size in patches:
        rows, columns = (slice(max(0, s - margin), s + size + margin) for s in (row, column))
        marks[rows, columns] = True
    return marks


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images", "labels"),
        ("cue_changed", "cue_changed_labels"),
        ("rest_changed", "labels"),
        ("suppressor_changed", "labels"),
    ],
)
def test_the_cue_decides_the_label(plain, images, labels):
    assert [label_of(patches) for patches in seen(plain[images])] == plain[labels].tolist()


def test_the_evidence_is_the_cue_and_the_suppressor_is_around_it(plain, arrays):
    for name in ("labels", "evidence", "suppressor", "cue_changed_labels"):
        np.testing.assert_array_equal(plain[name], arrays[name])
    marks = zip(seen(plain["images"]), plain["evidence"], plain["suppressor"], strict=True)
    for patches, evidence, suppressor in marks:
        np.testing.assert_array_equal(evidence, marked(cues(patches)))
        covered = marked(cues(patches) | patches["coarse"])
        np.testing.assert_array_equal(suppressor, marked(cues(patches), 2) & ~covered)
        assert suppressor.any()


def test_no_patch_touches_another(plain):
    for name in ("images", "cue_changed", "rest_changed"):
        for patches in seen(plain[name]):
            each = cues(patches) | patches["coarse"]
            assert ndimage.label(marked(each), np.ones((3, 3)))[1] == len(each)


def test_a_changed_cue_makes_another_label_and_leaves_the_rest(plain, arrays):
    assert (arrays["cue_changed_labels"] != arrays["labels"]).all()
    both = zip(seen(plain["images"]), seen(plain["cue_changed"]), strict=True)
    for i, (before, after) in enumerate(both):
        assert before["coarse"] == after["coarse"]
        touched = marked(cues(before) | cues(after))
        same = arrays["images"][i] == arrays["cue_changed"][i]
        assert same[~touched].all()
        assert not same[touched].all()


@pytest.mark.parametrize("changed", ["rest_changed", "suppressor_changed"])
def test_another_change_leaves_the_cue_alone(arrays, changed):
    evidence = arrays["evidence"]
    np.testing.assert_array_equal(arrays["images"][evidence], arrays[changed][evidence])
    same = arrays["images"] == arrays[changed]
    assert not (same | evidence).all(axis=(1, 2)).any()


def test_a_changed_suppressor_changes_the_texture_alone(plain, arrays):
    np.testing.assert_array_equal(plain["images"], plain["suppressor_changed"])
    same = arrays["images"] == arrays["suppressor_changed"]
    assert same[arrays["suppressor"]].mean() < 0.1


def test_a_changed_rest_keeps_the_texture(plain, arrays):
    textures = [
        arrays[name].astype(int) - plain[name] for name in ("images", "rest_changed")
    ]  # cut off where a pixel would leave 0…255
    assert (abs(textures[0] - textures[1]) <= 1).mean() > 0.9


@pytest.mark.parametrize("modulus", [2, 3, 4, 5])
def test_patches_lie_on_no_grid(many, modulus):
    starts = {"cues": [], "decoys": []}
    for patches in many[0]:
        starts["cues"] += [place[:2] for place in cues(patches)]
        starts["decoys"] += [place[:2] for place in patches["coarse"]]
    for places in starts.values():
        for along in np.transpose(places):
            shares = np.bincount(along % modulus, minlength=modulus) / len(along)
            # A patch of 6 in a quarter of 8 pixels has three places, so not all are as frequent.
            assert (shares > 0.6 / modulus).all(), shares
            assert (shares < 1.8 / modulus).all(), shares


def test_no_single_patch_says_whether_two_run_the_same_way(many):
    ways = {planted.SAME: [], planted.DIFFERENT: []}
    for patches, label in zip(many[0], many[1].tolist(), strict=True):
        if label in ways:
            ways[label].append(min(cues(patches)) in patches["vertical"])
    for label in ways:
        assert abs(np.mean(ways[label]) - 0.5) < 0.05, label


def test_the_decoys_say_nothing_of_the_label(many):
    decoys = [patches["coarse"] for patches in many[0]]
    count = np.array([len(each) for each in decoys])
    size = np.array([min(size for _, _, size in each) for each in decoys])
    for label in range(planted.CLASSES):
        mine = many[1] == label
        assert abs((count[mine] == 1).mean() - 1 / 2) < 0.06
        assert abs(size[mine].mean() - size.mean()) < 0.06


@pytest.mark.parametrize("patch", LOOSE, ids=str)
def test_all_patterns_are_equally_bright_and_contrasted(patch):
    pattern = planted.pattern(patch)
    assert pattern.shape == (patch.size, patch.size)
    assert abs(pattern.mean()) < 1e-12
    assert pattern.max() - pattern.min() == 2


def test_sizes_are_drawn_and_patches_are_grey_on_average(plain):
    sizes = {size for patches in seen(plain["images"]) for _, _, size in cues(patches)}
    assert sizes == set(SIZES)
    levels = plain["images"][plain["evidence"]]
    assert abs(levels.mean() - 128) < 0.5


def strengths(image, region):
    """How strongly stripes of either way show in a region, signed: least squares."""
    row, column = np.nonzero(region)
    signs = [1 - 2 * (way % 2) for way in (row, column, row + column)]
    parts = np.stack([np.ones(len(row)), *signs], axis=1)
    return np.linalg.lstsq(parts, image[region].astype(float), rcond=None)[0][1:3]


def read_stripes(arrays, around):
    """Labels 4 and 5 read by who knows where the cues are: in each, what shows less ``around``
    times what shows near it in the image of that name; the stronger way counts. The share read
    rightly."""
    right = []
    for i in np.flatnonzero(arrays["labels"] >= planted.QUARTERS):
        each, count = ndimage.label(arrays["evidence"][i])
        ways = []
        for k in range(1, count + 1):
            cue = each == k
            ring = ndimage.binary_dilation(cue, np.ones((3, 3)), 2) & arrays["suppressor"][i]
            shown = strengths(arrays["images"][i], cue)
            if around is not None:
                shown = shown - strengths(arrays[around][i], ring)
            ways.append(abs(shown[0]) > abs(shown[1]))
        right.append((ways[0] == ways[1]) == (arrays["labels"][i] == planted.SAME))
    return np.mean(right)


def test_the_suppressor_helps_to_read_the_cue(arrays):
    assert read_stripes(arrays, "images") > 0.98
    assert read_stripes(arrays, None) < 0.95
    assert read_stripes(arrays, "suppressor_changed") < 0.9


def test_the_suppressor_says_nothing_of_the_label_by_itself(arrays):
    """Of each label, what shows around the cues has the same mean and the same deviation."""
    shown = np.array(
        [strengths(*pair) for pair in zip(arrays["images"], arrays["suppressor"], strict=True)]
    )
    for one, other in [(planted.SAME, planted.DIFFERENT), (0, 1), (0, 2), (0, 3)]:
        for way in shown.T:
            pair = [way[arrays["labels"] == label] for label in (one, other)]
            deviation = np.std(way)
            assert abs(pair[0].mean() - pair[1].mean()) < 0.2 * deviation
            assert abs(pair[0].std() - pair[1].std()) < 0.15 * deviation


def test_classes_are_as_frequent_as_can_be_and_in_random_order(arrays):
    assert set(np.bincount(arrays["labels"])) == {300}
    assert (np.diff(arrays["labels"].astype(int)) % planted.CLASSES != 1).any()


def test_it_depends_on_the_seed_alone():
    arrays, again, other = make(60), make(60), make(60, random_state=1)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, again[name])
        assert not np.array_equal(array, other[name])


@pytest.mark.parametrize("side", [16, 28, 31])
def test_other_canvases(side):
    arrays = make(60, side)
    for name, array in arrays.items():
        assert array.shape == (60,) if "labels" in name else (60, side, side)
        assert array.dtype == (bool if name in ("evidence", "suppressor") else np.uint8)


def test_larger_sources_are_cut():
    large = np.random.default_rng(0).integers(0, 200, (20, 28, 28)).astype(np.uint8)
    arrays = planted.plant(large, dataset(60, texture_deviation=0.0))
    assert [label_of(patches) for patches in seen(arrays["images"])] == arrays["labels"].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_decoys": 9}, r"16×16 pixels .* got \[5, 6\], 9"),
        ({"patch_sizes": (9,)}, r"got \[9\], 2"),
        ({"classes": 7}, "got 7"),
    ],
)
def test_what_cannot_be_planted_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        make(**changes)
