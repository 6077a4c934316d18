"""Tables: which columns are numbers and which categories, and the arrays they become."""

import re

import numpy as np
import pandas as pd
import pytest

from glassnets.data import own
from glassnets.data.own import Options, tables, text
from glassnets.errors import GlassnetsError, ParameterError

ROWS = ("size,colour,label", "1.5,red,b", "2,blue,a", "-3e1,red,a", "0,green,b")


def values(found, column, channel=0):
    return found.arrays["images"][:, 0, column, channel].tolist()


def refused(path, error=GlassnetsError, **options):
    with pytest.raises(error) as info:
        own.look("table", path, Options(**options))
    assert "\n" not in str(info.value)
    return str(info.value)


def test_numbers_and_categories_become_channels(csv, look):
    found = look("table", csv(*ROWS))
    assert found.source.columns == {"size": "number", "colour": ("blue", "green", "red")}
    assert found.arrays["images"].shape == (4, 1, 2, 3)
    assert found.arrays["images"].dtype == np.float32
    assert values(found, 0) == [1.5, 2, -30, 0]
    assert found.arrays["images"][:, 0, 0, 1:].max() == 0
    assert found.arrays["images"][:, 0, 1].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert found.class_names == ("a", "b")
    assert found.arrays["labels"].tolist() == [1, 0, 0, 1]
    assert found.arrays["labels"].dtype == np.uint8


@pytest.mark.parametrize("missing", ["", "NA", "nan", " ? ", "None", "-"])
def test_a_missing_number_is_nan_and_flagged(csv, look, missing):
    found = look("table", csv("a,b,label", f"{missing},1,x", "2,2,y", "3,1,x", "4,2,y"))
    assert np.isnan(values(found, 0)[0])
    assert values(found, 0)[1:] == [2, 3, 4]
    assert values(found, 0, 1) == [1, 0, 0, 0]
    assert values(found, 1, 1) == [0, 0, 0, 0]
    assert any("25.0% missing" in line for _, lines in found.facts for line in lines)


def test_a_missing_category_is_a_level_the_last(csv, look):
    found = look("table", csv("a,b,label", "z,1,x", ",2,y", "B,1,x", "a,2,y"))
    assert found.source.columns["a"] == ("B", "a", "z", "(missing)")
    assert values(found, 0, 3) == [0, 1, 0, 0]


def test_rare_levels_are_joined(csv, look):
    rows = [f"l{i:02},{i},{'xy'[i % 2]}" for i in range(40) for _ in range(3 if i < 31 else 2)]
    levels = look("table", csv("a,b,label", *rows)).source.columns["a"]
    assert levels == (*(f"l{i:02}" for i in range(31)), "(other)")


def test_options_correct_what_was_recognised(csv, look):
    path = csv("zip,size,other,label", "1,1,q,x", "2,n/k,r,y", "1,3,s,x", "2,4,t,y")
    found = look("table", path, categories=("zip",), numbers=("size",), dropped=("other",))
    assert found.source.columns == {"zip": ("1", "2"), "size": "number"}
    assert np.isnan(values(found, 1)[1])
    assert ("left out", ["other: as requested"]) in found.facts


def test_of_one_column_there_is_nothing_to_compare(csv):
    assert "got 'a' alone" in refused(csv("a,same,label", "1,1,x", "2,1,y", "3,1,x", "4,1,y"))


def test_left_out(csv, look):
    rows = [f"{i},{i % 5},{i % 3},n{i},1,,{'xy'[i % 2]}" for i in range(40)]
    found = look("table", csv(",a,b,name,same,empty,label", *rows))
    assert list(found.source.columns) == ["a", "b"]
    assert dict(found.facts)["left out"] == [
        "column 1: without a name, counts the rows",
        "name: text, 40 different in 40 rows (--category keeps it)",
        "same: constant",
        "empty: empty",
    ]


def test_dates_become_days(csv, look):
    dates = ("1970-01-02", "1969-12-31T12:00", "2000-01-01", "1970-01-01")
    rows = [f"{date},{i},{'xy'[i % 2]}" for i, date in enumerate(dates)]
    found = look("table", csv("when,a,label", *rows))
    assert found.source.columns["when"] == "number"
    assert values(found, 0) == [1, -0.5, 10957, 0]
    assert any("days since 1970" in line for line in dict(found.facts)["columns"])
    assert any("--time 'when'" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (("31/01/1970", "02/02/1970"), [30, 32]),
        (("01/31/1970", "02/02/1970"), [30, 32]),
        (("3.1.1970", "4.1.1970"), [2, 3]),
    ],
)
def test_day_and_month_are_told_apart_where_they_can_be(csv, look, dates, days):
    rows = [f"{date},{i},{'xy'[i]}" for i, date in enumerate(dates)]
    assert values(look("table", csv("when,a,label", *rows, *rows)), 0) == days * 2


def test_day_or_month_is_not_guessed(csv):
    message = refused(
        csv("when,a,label", *[f"0{i}/02/2024,{i},{'xy'[i % 2]}" for i in range(1, 9)])
    )
    assert "could be either" in message
    assert "--drop" in message


def test_groups_and_times_are_no_columns_of_the_input(csv, look):
    path = csv(
        "a,b,who,when,label", *[f"{i},{i % 3},p{i % 4},{i}.5,{'xy'[i % 2]}" for i in range(8)]
    )
    found = look("table", path, group="who", dropped=("when",))
    assert list(found.source.columns) == ["a", "b"]
    assert found.arrays["groups"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert found.arrays["groups"].dtype == np.int64
    found = look("table", path, time="when", dropped=("who",))
    assert found.arrays["times"].tolist() == [i + 0.5 for i in range(8)]
    assert found.arrays["times"].dtype == np.float64


def test_likely_leaks_are_pointed_at(csv, look):
    rng = np.random.default_rng(0)
    rows = [
        f"{i},{rng.normal():.3f},{'kl'[i % 2]},{i % 2 + rng.uniform(0, 0.3):.3f},{'xy'[i % 2]}"
        for i in range(400)
    ]
    found = look("table", csv("id,noise,category,number,label", *rows))
    assert [warning.split(":")[0] for warning in found.warnings] == [
        "leak? id",
        "leak? category",
        "leak? number",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("a,a,label", "1,2,x", "2,3,y"), "different names of columns, got 'a' for columns 1, 2"),
        (("a,b,label", "1,2,x", "2,3,x"), "at least two classes (column 'label'), got one, 'x'"),
        (("a,b,label", "1,2,x", "2,3,x", "1,1,y"), "at least 2 of each class (column 'label')"),
        (("a,b,label", "1,2,", "2,3,y"), "a label for each row (column 'label'), got 1 without"),
        (("a,b,label", "1,2,3,4", "2,3,y"), "lines of as many fields as the first"),
        (("a,b,label",), "rows below the names of columns, got none"),
        (("1,2,3", "1,2,3"), "names of columns in the first line"),
        (("label", "x", "y"), "two columns or more, parted by"),
        (("a,b,label", *[f"{i},{i},{i + 0.5}" for i in range(50)]), "50 different numbers"),
        (("a,b,label", *[f"{i % 5},{i},{i // 2}" for i in range(600)]), "300 different numbers"),
        (("a,b,label", *[f"{i % 5},{i},c{i // 2}" for i in range(600)]), "at most 255 classes"),
        (("a,b,label", "1,1e99,x", "2,inf,y", "1,1,x", "2,2,y"), "'1e99' in row 1"),
        (("a,b,${x}", "1,1,x", "2,2,y"), "which DVC would read as a reference"),
        (
            ("a,b,label", *[f"{i},{i},{'xy'[i % 2]}" for i in range(20)], "about 3,1,x"),
            "20 numbers and 1 texts (first: 'about 3' in row 21)",
        ),
    ],
)
def test_bad_tables_are_refused_in_one_line(csv, rows, message):
    assert message in refused(csv(*rows))


def test_the_column_of_labels_must_be_named_where_it_is_not_plain(csv):
    path = csv("a,b,c", "1,2,x", "2,3,y")
    assert "--label COLUMN" in refused(path, ParameterError)
    assert "--label (data.csv): expected one of 'a', 'b', 'c'" in refused(
        path, ParameterError, label="d"
    )


def test_a_million_columns_are_not_read(tmp_path):
    path = tmp_path / "wide.csv"
    header = ",".join(f"c{i}" for i in range(1_000_000))
    path.write_text(f"{header}\n{header}\n", encoding="utf-8")
    with pytest.raises(GlassnetsError, match=r"at most 2,000 columns, got a first line"):
        own.kind_of(path, Options())
    path.write_text(f"{header[:30_000]}\n{header[:30_000]}\n", encoding="utf-8")
    with pytest.raises(GlassnetsError, match=r"at most 2,000 columns, got"):
        tables.look(path, Options())


def test_long_files_are_refused_before_they_are_read(csv, monkeypatch):
    monkeypatch.setattr(text, "MAX_FIELDS", 10)
    assert "million fields" in refused(csv(*ROWS))
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    assert "at most 0 MB" in refused(csv(*ROWS))


def test_names_in_any_script(csv, look):
    rows = ("größe,色 の 名,класс", "1,青,да", "2,赤,нет", "1,青,да", "3,赤,нет")
    found = look("table", csv(*rows, name="таблица 1.csv"), label="класс")
    assert found.source.columns == {"größe": "number", "色 の 名": ("赤", "青")}
    assert found.class_names == ("да", "нет")


def test_numeric_classes_are_sorted_as_numbers(csv, look):
    rows = [f"{i},{i % 3},{label}" for i, label in enumerate(["10", "9", "10.0", "9", " 2", "2"])]
    found = look("table", csv("a,b,label", *rows))
    assert found.class_names == ("2", "9", "10")
    assert found.arrays["labels"].tolist() == [2, 1, 2, 1, 0, 0]


def test_parquet_gives_what_the_csv_gives(tmp_path, csv, look):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "n": [1.5, np.nan, 3, 4],
            "i": [1, 2, 3, 4],
            "t": ["r", None, "b", "r"],
            "flag": [True, False, True, False],
            "day": pd.to_datetime(["1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05"]),
            "label": [0, 1, 0, 1],
        }
    )
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    from_parquet = look("table", path)
    from_csv = look("table", csv(*frame.to_csv(index=False).splitlines()))
    assert from_parquet.source.columns == from_csv.source.columns
    assert from_parquet.source.columns["flag"] == ("False", "True")
    for name, array in from_csv.arrays.items():
        np.testing.assert_array_equal(from_parquet.arrays[name], array)


def test_an_index_in_a_parquet_file_is_no_column(tmp_path, look):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    rows = {"a": [1, 2, 1, 3], "b": [0, 1, 0, 0], "label": list("xyxy")}
    pd.DataFrame(rows, index=[1, 2, 3, 4]).to_parquet(path)
    assert list(look("table", path).source.columns) == ["a", "b"]


def test_a_parquet_bomb_is_refused(tmp_path):
    """A text of a megabyte in each of 100,000 rows: some 100 KB, or 100 GB."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    n = 100_000
    repeated = pd.Categorical.from_codes(np.zeros(n, int), ["x" * 10**6])
    rows = {"a": np.arange(n), "b": np.arange(n) % 7, "c": repeated, "label": np.arange(n) % 3}
    pd.DataFrame(rows).to_parquet(path)
    assert path.stat().st_size < 10**7
    assert "at most 200 MB, got 100,000 MB" in refused(path)


def test_nested_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [[1], [2]], "label": ["x", "y"]}).to_parquet(path)
    assert re.search("list.* in 'a'", refused(path))


@pytest.mark.parametrize("name", ["d.xlsx", "d.zip", "d.npy", "d.png", "d.csv.gz"])
def test_other_kinds_of_files_are_told_what_to_become(csv, name):
    with pytest.raises(ParameterError, match=r"expected .*, got .*: "):
        own.kind_of(csv("x", name=name), Options())
