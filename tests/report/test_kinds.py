"""Inputs and attributions of every kind, drawn."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from glassnets.data.inputs import Inputs
from glassnets.report import drawing, kinds, model_card
from glassnets.report.attributions import families as side_by_side
from glassnets.report.attributions import gallery

NAMES = [f"column {i}" for i in range(15)]
TABLE = Inputs(
    "table", ("no", "yes"), {**dict.fromkeys(NAMES, "number"), "colour": ("red", "blue")}
)
SERIES = Inputs("series", ("no", "yes"), masked=True)
RGB = Inputs("image", ("no", "yes"))


def example(inputs, n=1):
    rng = np.random.default_rng(0)
    if inputs.kind == "table":
        images = rng.normal(size=(n, 1, 16, 2)).astype(np.float32)
        images[..., 1] = 0
        images[:, :, 15] = [1, 0]
        return images
    if inputs.kind == "series":
        images = rng.normal(size=(n, 1, 20, 3)).astype(np.float32)
        images[..., 2] = 1
        images[:, :, 15:] = 0
        return images
    return rng.integers(0, 256, (n, 6, 5, 3), np.uint8)


def map_of(image):
    return np.random.default_rng(1).normal(size=image.shape[:2]).astype(np.float32)


def axes_of(inputs, draw):
    with drawing.figure(3, 2) as drawn:
        axes = drawn.subplots()
        draw(axes, example(inputs)[0])
    assert drawing.png(drawn)
    return axes


def test_the_columns_that_count_most_are_shown_and_the_others_joined():
    map_ = np.zeros((1, 16), np.float32)
    map_[0, [3, 7]] = -2, 1
    shown = kinds.columns(map_)
    assert shown.places[:2] == (3, 7)
    assert len(shown.places) == kinds.MAX_COLUMNS
    assert len(shown.others) == 4
    assert shown.lines == 13
    assert shown.names(TABLE)[-1] == "4 others"
    assert shown.values(TABLE, example(TABLE)[0])[-1] == ""
    numbers = shown.of(np.arange(16)[np.newaxis])
    assert numbers[-1] == sum(shown.others)
    few = kinds.columns(map_[:, :13])
    assert len(few.places) == 13
    assert few.others == ()


def test_a_row_is_bars_with_names_and_values_beside_them():
    def draw(axes, row):
        kinds.panel(axes, row, TABLE, map_of(row))

    axes = axes_of(TABLE, draw)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == 13
    assert "4 others" in labels[-1]
    assert all(" = " in label for label in labels[:-1])
    colours = axes.collections[0].get_facecolors()
    assert {matplotlib.colors.to_hex(c).upper() for c in colours} <= {kinds.FOR, kinds.AGAINST}
    assert len({tuple(c) for c in colours}) == 2


def test_a_row_alone_is_its_values():
    axes = axes_of(TABLE, lambda axes, row: kinds.panel(axes, row, TABLE))
    assert len(axes.texts) == 13
    assert axes.texts[0].get_text().startswith("column 0 = ")


def test_a_series_is_a_line_a_channel_with_the_map_behind_its_steps():
    axes = axes_of(SERIES, lambda axes, each: kinds.panel(axes, each, SERIES, map_of(each)))
    assert len(axes.lines) == 2
    assert np.isnan(axes.lines[0].get_ydata()[15:]).all()
    (image,) = axes.images
    assert image.get_array().mask[0].tolist() == [False] * 15 + [True] * 5
    assert image.get_clim() == (-1, 1)
    assert axes.get_xlim() == (0, 1)


def test_constant_channels_are_in_the_middle():
    scaled = kinds.scaled(np.array([[2.0, 2.0], [1.0, 3.0], [np.nan, np.nan]]))
    np.testing.assert_array_equal(scaled, [[0.5, 0.5], [0, 1], [np.nan, np.nan]])


def test_an_rgb_image_lies_in_grey_under_its_map():
    image = example(RGB)[0]
    blended = kinds.over(image, np.zeros((6, 5)))
    assert np.ptp(blended, axis=-1).max() < 1e-12  # grey where the map is white
    map_ = np.zeros((6, 5))
    map_[2, 3] = 4
    red = kinds.over(image, map_)[2, 3]
    np.testing.assert_allclose(red, matplotlib.colormaps[drawing.MAP](1.0)[:3])


@pytest.fixture(params=[TABLE, SERIES, RGB], ids=["table", "series", "RGB"])
def case(request, leaderboard, results):
    """A kind, and the results of two families on it."""
    inputs = request.param
    images = example(inputs, 6)
    cells = {}
    for seed, family in enumerate(("cnn", "lstm")):
        rng = np.random.default_rng(seed)
        maps = rng.normal(size=(2, *images.shape[:3])).astype(np.float32)
        arrays = {
            "index": np.arange(6),
            "labels": np.array([0, 1] * 3, np.uint8),
            "images": images,
            "seeds": np.array([0, 1]),
            "predictions": np.tile([0, 1, 0, 1, 0, seed], (2, 1)),
            "rise": maps,
        }
        cells[family] = results(attributions=arrays, leaderboard=leaderboard(rise=0.4))
    return inputs, cells


def test_galleries_and_the_families_of_every_kind(case):
    inputs, cells = case
    each = cells["cnn"]
    drawn = gallery(each.attributions, each.leaderboard, "cnn", 0, inputs)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert {"no", "yes", inputs.words.one} <= {*texts}
    assert ("4 others" in texts) == (inputs.kind == "table")
    assert drawn.axes[0].get_xlim()[0] == 0
    assert drawing.png(drawn)
    beside = side_by_side(cells, 1, inputs)
    texts = [text.get_text() for text in beside.axes[0].texts]
    assert {"predicted yes", inputs.words.one} <= {*texts}
    assert {"label no", "label yes"} & {*texts}
    assert drawing.png(beside)


def test_failures_of_every_kind(case):
    inputs, _ = case
    images = example(inputs, 3)
    labels, predictions = np.array([0, 1, 1], np.uint8), np.array([[1, 1], [0, 1], [0, 0]])
    failures = model_card.Failures(images, labels, predictions, 3)
    png = model_card.failures_figure(failures, inputs)
    assert png == model_card.failures_figure(failures, inputs)
    with Image.open(io.BytesIO(png)) as image:
        assert image.width > 300
