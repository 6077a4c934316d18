"""What a served model takes for rows, series and RGB images, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError
from glassnets.tracking import served_inputs
from glassnets.tracking.register import example

COLUMNS = {"age": "number", "colour": ("blue", "red")}
TABLE = Inputs("table", ("no", "yes"), COLUMNS)
MASKED = Inputs("series", masked=True)
TRAIN = np.array([[[[30, 0], [1, 0]]], [[[20, 0], [0, 1]]]], np.float32)


def read(given, inputs, shape):
    return served_inputs.read(given, inputs, shape, TRAIN)


def test_rows_are_taken_as_a_data_frame_or_as_records():
    records = [{"age": 30, "colour": "blue"}, {"colour": "red", "age": "20", "more": 1}]
    for given in (records, pd.DataFrame(records)):
        taken = read(given, TABLE, (1, 2, 2))
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, TRAIN)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[30, "blue"]], "got list: send {'dataframe_records': [{...}]}"),
        (TRAIN, "got ndarray"),
        (
            [{"age": 1, "colour": "green"}],
            "column 'colour': expected one of blue, red, got 'green'",
        ),
        ([{"age": 1}], "expected a column 'colour', got none"),
        ([], "expected 1 to 1000 rows in a request, got 0"),
    ],
)
def test_what_is_no_row_is_refused(given, message):
    with pytest.raises(GlassnetsError) as refused:
        read(given, TABLE, (1, 2, 2))
    assert message in str(refused.value)


def test_series_are_taken_and_shorter_ones_padded():
    long, short = np.ones((4, 2)), np.full((3, 2), 2.0)
    taken = read([long, short.tolist()], MASKED, (1, 4, 3))
    assert taken.shape == (2, 1, 4, 3)
    np.testing.assert_array_equal(taken[0], 1)
    assert taken[1, 0, :, 2].tolist() == [1, 1, 1, 0]
    assert taken[1, 0, :, 0].tolist() == [2, 2, 2, 0]
    alone = read(np.arange(8).reshape(2, 4), Inputs("series"), (1, 4, 1))
    assert alone[1, 0, :, 0].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("inputs", "given", "message"),
    [
        (Inputs("series"), [[1, 2, 3]], "each of 4 steps of 3 channels"),
        (
            MASKED,
            [np.ones((5, 2))],
            "each of 1 to 4 steps of 2 channels, of finite numbers, got an",
        ),
        (MASKED, [np.ones((4, 3))], "got an array (4, 3)"),
        (MASKED, [np.ones((0, 2))], "got an array (0, 2)"),
        (MASKED, [np.full((4, 2), np.nan)], "got others"),
        (MASKED, [[[1, 2], [3]]], "got lists of unequal lengths"),
        (MASKED, [[["a", "b"]]], "values of another kind"),
        (MASKED, "abc", "got str"),
        (MASKED, [], "expected 1 to 1000 series in a request, got 0"),
    ],
)
def test_what_is_no_series_is_refused(inputs, given, message):
    with pytest.raises(GlassnetsError) as refused:
        read(given, inputs, (1, 4, 3))
    assert message in str(refused.value)


def test_rgb_images_are_taken():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    np.testing.assert_array_equal(read(images.tolist(), Inputs(), (4, 5, 3)), images)
    with pytest.raises(GlassnetsError, match=r"images \(n, 4, 5, 3\) of whole levels of red, gre"):
        read(images[..., 0], Inputs(), (4, 5, 3))


DIGITS = (load_digits().images * 255 / 16).round().astype(np.uint8)


def warned(images, train, inputs):
    return served_inputs.usual(train, inputs).warnings(images)


def test_levels_unlike_the_training_images_are_warned_of():
    assert set(warned(DIGITS[:300], DIGITS[300:], Inputs())) == {None}
    for images in (DIGITS[:300] // 16, 255 - DIGITS[:300]):  # 0 to 16, and dark on light
        assert None not in warned(images, DIGITS[300:], Inputs())
    [warning] = warned(DIGITS[:1] // 16, DIGITS[300:], Inputs())
    assert warning.startswith("unlike the training images, so the prediction means little: ")
    assert "mean level 4.328, in training 46 to 107.8" in warning
    assert warning.endswith(": expected levels 0 to 255, light ink on dark")


def test_numbers_far_from_the_training_rows_are_warned_of():
    assert warned(TRAIN, TRAIN, TABLE) == [None, None]
    old = TRAIN + np.array([[70, 0], [0, 0]], np.float32)
    assert warned(old, TRAIN, TABLE) == [
        "unlike the training rows, so the prediction means little: age 100, in training 20 to 30",
        "unlike the training rows, so the prediction means little: age 90, in training 20 to 30",
    ]


def test_series_far_from_the_training_ones_are_warned_of():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(40, 1, 12, 3)).astype(np.float32)
    train[..., 2] = 1
    train[0, :, 8:] = 0  # padded
    far = train[:2].copy()
    far[1, 0, 3, 1] = 50
    padded, warning = warned(far, train, MASKED)
    assert padded is None
    assert "channel 1 " in warning
    assert "to 50, in training" in warning


def test_an_example_of_each_kind_can_be_sent():
    np.testing.assert_array_equal(read(example(TRAIN, TABLE), TABLE, (1, 2, 2)), TRAIN)
    series = np.ones((2, 1, 4, 3), np.float32)
    np.testing.assert_array_equal(read(example(series, MASKED), MASKED, (1, 4, 3)), series)
    images = np.zeros((1, 4, 5), np.uint8)
    assert example(images, Inputs()) is images
