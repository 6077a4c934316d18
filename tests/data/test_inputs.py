"""Inputs in the terms of their kind, and rows from values as people give them."""

import numpy as np
import pandas as pd
import pytest

from glassnets.data import rows
from glassnets.data.inputs import WORDS, Inputs, written
from glassnets.errors import GlassnetsError

COLUMNS = {"age": "number", "size, cm": "number", "colour": ("blue", "red", "(missing)")}
TABLE = Inputs("table", ("no", "yes"), COLUMNS)


@pytest.fixture
def train():
    """Four rows, of which the first has no age."""
    images = np.zeros((4, 1, 3, 3), np.float32)
    images[:, 0, 0, 0] = [30, 20, 30, 40]
    images[0, 0, 0, 1] = 1
    images[:, 0, 1, 0] = [1.5, 2, 3, 4]
    images[[0, 1, 2, 3], 0, 2, [0, 1, 2, 0]] = 1
    return images


def test_the_values_of_a_row(train):
    assert TABLE.values(train[0]) == ["missing", "1.5", "blue"]
    assert TABLE.values(train[2]) == ["30", "3", "(missing)"]
    assert TABLE.record(train[0]) == {"age": None, "size, cm": 1.5, "colour": "blue"}
    assert TABLE.record(train[2])["colour"] is None
    ages = TABLE.numbers(train, 0)
    np.testing.assert_array_equal(ages, [np.nan, 20, 30, 40])
    assert TABLE.numbers(train, 2) is None


def test_what_was_read_is_written_again(train):
    frame = pd.DataFrame([TABLE.record(row) for row in train])
    np.testing.assert_array_equal(rows.encoded(frame, COLUMNS, train), train)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": "old"}, "column 'age': expected a number, got 'old'"),
        ({"age": "inf"}, "column 'age': expected a number, got 'inf'"),
        ({"age": True, "size, cm": None}, "none was missing in the training rows, got none"),
        (
            {"colour": "green"},
            "column 'colour': expected one of blue, red, (missing), got 'green'",
        ),
        ({"colour": 3}, "got 3"),
        ({"colour": 10**400}, "column 'colour': expected one of blue, red, (missing), got 1000"),
        ({"age": 1e39}, "column 'age': expected a number, got 1e+39"),
    ],
)
def test_what_is_no_value_is_refused(train, changed, message):
    record = {"age": 1, "size, cm": "2.5", "colour": "red"} | changed
    with pytest.raises(GlassnetsError) as refused:
        rows.encoded(pd.DataFrame([record], dtype=object), COLUMNS, train)
    assert message in str(refused.value)


def test_of_several_rows_the_wrong_one_is_named(train):
    record = {"age": 1, "size, cm": 2, "colour": "red"}
    frame = pd.DataFrame([record, record | {"age": "old"}], dtype=object)
    with pytest.raises(GlassnetsError, match="column 'age', row 1: expected a number, got 'old'"):
        rows.encoded(frame, COLUMNS, train)


def test_columns_that_are_absent_are_named_and_others_ignored(train):
    record = {"age": 1, "size, cm": 2, "colour": " red ", "label": "yes"}
    row = rows.encoded(pd.DataFrame([record]), COLUMNS, train)[0]
    assert TABLE.values(row) == ["1", "2", "red"]
    with pytest.raises(GlassnetsError, match="expected a column 'size, cm' and 1 more, got none"):
        rows.encoded(pd.DataFrame([{"age": 1}]), COLUMNS, train)


def test_unknown_levels_are_others_where_there_are_others(train):
    columns = COLUMNS | {"colour": ("blue", "red", "(other)")}
    record = {"age": 1, "size, cm": 2, "colour": "green"}
    row = rows.encoded(pd.DataFrame([record]), columns, train)[0]
    assert row[0, 2].tolist() == [0, 0, 1]
    with pytest.raises(GlassnetsError, match="got none"):
        rows.encoded(pd.DataFrame([record | {"colour": None}]), columns, train)


@pytest.mark.parametrize(
    ("levels", "value", "place"),
    [
        (("0.0", "1.0", "true"), True, 2),
        (("False", "True"), np.True_, 1),
        (("false", "true"), False, 0),
        (("0.0", "1.0", "true"), 1, 1),
        (("0.0", "1.0", "true"), 1.0, 1),
        (("1", "1.0"), 1.0, 0),
        (("0.0", "1.0"), "1.0", 1),
        (("0", "1"), True, None),
        (("true", "x"), 1, None),
        (("01", "1.0"), 1, None),
        (("True", "False"), "true", None),
    ],
)
def test_numbers_and_truth_values_are_the_levels_that_write_them(levels, value, place):
    train = np.eye(3, dtype=np.float32)[:, np.newaxis, np.newaxis]
    frame = pd.DataFrame({"a": [value]}, dtype=object)
    if place is None:
        with pytest.raises(GlassnetsError, match="column 'a': expected one of"):
            rows.encoded(frame, {"a": levels}, train)
    else:
        assert rows.encoded(frame, {"a": levels}, train)[0, 0, 0].argmax() == place


def test_the_lines_of_a_series_end_where_it_does():
    series = np.zeros((1, 4, 3), np.float32)
    series[0, :, :2] = [[1, 5], [2, 6], [3, 7], [0, 0]]
    series[0, :3, 2] = 1
    lines = Inputs("series", masked=True).lines(series)
    np.testing.assert_array_equal(lines, [[1, 2, 3, np.nan], [5, 6, 7, np.nan]])
    assert Inputs("series").lines(series).shape == (3, 4)
    assert Inputs("series").lines(series[..., 0]).shape == (1, 4)


def test_inputs_in_words():
    assert Inputs().described((8, 8)) == "a grey image (uint8, 8 × 8 pixels)"
    assert Inputs().described((8, 9, 3)) == "an RGB image (uint8, 8 × 9 pixels)"
    assert TABLE.described((1, 3, 3)) == (
        "a row of a table (columns of numbers: 2, of categories: 1)"
    )
    assert Inputs("series", masked=True).described((1, 50, 3)) == (
        "a series (50 steps, channels: 2; shorter ones padded at their end)"
    )
    assert Inputs().class_name(3) == "3"
    assert TABLE.class_list([1, 0]) == ["yes", "no"]


def test_sentences_are_said_of_the_kind():
    written = "sets of pixels of the image; some 300 images would tell"
    assert WORDS["image"].of(written) == written
    assert WORDS["table"].of(written) == "sets of columns of the row; some 300 rows would tell"
    assert WORDS["series"].of("without random squares") == "without random runs of steps"
    assert WORDS["table"].of("imagery") == "imagery"
    assert WORDS["series"].count(1200) == "1,200 series"
    assert WORDS["table"].count(1) == "1 row"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (13.2399997, "13.24"),
        (120500.0, "120,500"),
        (-0.002, "−0.002"),
        (3.0, "3"),
        (-0.0, "0"),
        (1.5e12, "1.5e+12"),
    ],
)
def test_numbers_as_people_read_them(number, text):
    assert written(number) == text
