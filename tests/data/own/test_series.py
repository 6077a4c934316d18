"""Series: archives and long tables, of equal and unequal lengths."""

import numpy as np
import pytest

from glassnets.data import own
from glassnets.data.own import Options
from glassnets.errors import GlassnetsError, ParameterError

RNG = np.random.default_rng(0)
LABELS = np.array(["x", "y"] * 3)
STEPS = RNG.normal(size=(6, 9, 2)).astype(np.float32)


def refused(path, error=GlassnetsError, **options):
    with pytest.raises(error) as info:
        own.look(own.kind_of(path, Options(**options)), path, Options(**options))
    assert "\n" not in str(info.value)
    return str(info.value)


def test_of_one_channel_and_of_many(npz, look):
    found = look("series", npz(series=STEPS, labels=LABELS))
    np.testing.assert_array_equal(found.arrays["images"], STEPS[:, None])
    assert found.arrays["labels"].tolist() == [0, 1] * 3
    assert not found.source.masked
    found = look("series", npz(series=STEPS[..., 0].astype(np.float64), labels=LABELS))
    np.testing.assert_array_equal(found.arrays["images"], STEPS[:, None, :, :1])


LENGTHS = np.array([9, 4, 9, 5, 1, 9])
REAL = np.arange(9) < LENGTHS[:, None]


@pytest.mark.parametrize("form", ["one after another", "padded", "NaN at the end"])
def test_unequal_lengths_are_padded_and_masked(npz, look, form):
    arrays = {
        "one after another": {"series": STEPS[REAL], "lengths": LENGTHS},
        "padded": {"series": STEPS, "lengths": LENGTHS},
        "NaN at the end": {"series": np.where(REAL[..., None], STEPS, np.nan)},
    }[form]
    found = look("series", npz(labels=LABELS, **arrays))
    images = found.arrays["images"]
    assert images.shape == (6, 1, 9, 3)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[:, 0, :, 2], REAL)
    np.testing.assert_array_equal(images[:, 0, :, :2], np.where(REAL[..., None], STEPS, 0))
    assert found.source.masked
    assert "of 1 to 9 steps" in dict(found.facts)["series"][0]


def test_a_long_table_is_sorted_by_case_and_time(csv, look):
    rows = [
        f"{case},{step},{STEPS[i, step, 0]},{STEPS[i, step, 1]},{LABELS[i]},g{i // 2}"
        for i, case in enumerate("fedcba")
        for step in range(LENGTHS[i] if i != 4 else 2)
    ]
    first = [row for row in rows if row.split(",")[1] == "0"]
    shuffled = first + [rows[i] for i in RNG.permutation(len(rows)) if rows[i] not in first]
    found = look("series", csv("case,time,v,w,label,who", *shuffled), group="who")
    images = found.arrays["images"]
    real = np.arange(9) < np.where(LENGTHS == 1, 2, LENGTHS)[:, None]
    np.testing.assert_allclose(images[:, 0, :, :2], np.where(real[..., None], STEPS, 0), rtol=1e-6)
    assert found.source.columns == {"v": "number", "w": "number"}
    assert found.arrays["groups"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found.arrays["labels"].tolist() == [0, 1] * 3


def test_columns_by_other_names_and_dates_as_times(csv, look):
    rows = [
        f"2024-01-{step + 1:02},p{case},{case + step},0,{'xy'[case % 2]}"
        for case in range(4)
        for step in range(5)
    ]
    found = look(
        "series",
        csv("tag,patient,wert,rest,urteil", *rows),
        case="patient",
        time="tag",
        label="urteil",
        dropped=("rest",),
    )
    assert found.arrays["images"][2, 0, :, 0].tolist() == [2, 3, 4, 5, 6]


GOOD = [f"{c},{s},{s}.5,{'xy'[c % 2]}" for c in range(4) for s in range(5)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*GOOD, "0,0,1,x"], "one row for each case and time, got several of case '0'"),
        ([*GOOD, "0,9,1,y"], "one value of 'label' in all rows of a case"),
        ([*GOOD, "0,9,,x"], "numbers in column 'value', got '' in row 21"),
        ([*GOOD, "0,soon,1,x"], "numbers or dates in the column of times 'time', got 'soon'"),
        ([*GOOD, ",9,1,x"], "a case for each row, got none in row 21"),
        ([row for row in GOOD if row.split(",")[1] < "3"], "series of 4 to 10,000 steps"),
    ],
)
def test_bad_tables(csv, rows, message):
    assert message in refused(csv("case,time,value,label", *rows))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"series": np.full((6, 9), np.inf)}, "inf in series 1, step 1, channel 1"),
        ({"series": np.where(np.arange(9) == 3, np.nan, STEPS[..., 0])}, "nan in series 1, step 4"),
        ({"series": STEPS.astype(str)}, "series of numbers"),
        ({"series": np.array([[1.0], [1.0, 2.0]] * 3, object)}, "one long array and their lengths"),
        ({"series": STEPS[..., 0], "lengths": np.arange(6)}, "whole numbers above 0"),
        ({"series": STEPS[:, :2]}, "series of 4 to 10,000 steps"),
        ({"series": np.zeros((6, 20_000))}, "one of 20,000: cut it"),
    ],
)
def test_bad_archives(npz, arrays, message):
    assert message in refused(npz(labels=LABELS, **arrays))


def test_a_table_of_series_needs_a_case(csv):
    path = csv("who,time,value,label", *GOOD)
    assert "--case (data.csv): expected one of" in refused(path, ParameterError, case="none")


def test_lengths_that_tell_the_label_are_pointed_at(npz, look):
    lengths = np.where(np.arange(40) % 2, 6, 9)
    steps = RNG.normal(size=(lengths.sum(), 1))
    found = look("series", npz(series=steps, lengths=lengths, labels=np.arange(40) % 2))
    assert any("lengths alone" in warning for warning in found.warnings)
