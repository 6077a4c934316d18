"""CSV as it comes: encodings, delimiters, decimal commas."""

import numpy as np
import pandas as pd
import pytest

from glassnets.data.own import text
from glassnets.errors import GlassnetsError

LINES = ("Größe;Ort;label", "1,5;Köln;a", "-2,25;Zürich;b")


@pytest.mark.parametrize(
    ("encoding", "form"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-16-be", "UTF-16-BE"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_encodings(csv, encoding, form):
    table = text.read(csv(*LINES, encoding=encoding))
    assert table.form == f"{form}, semicolons"
    assert list(table.frame.columns) == ["Größe", "Ort", "label"]
    assert table.frame["Ort"].tolist() == ["Köln", "Zürich"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(csv, delimiter):
    lines = [line.replace(";", delimiter).replace("1,5", "1.5") for line in LINES]
    lines = [line.replace("-2,25", "-2.25") for line in lines]
    assert text.read(csv(*lines)).frame.shape == (2, 3)


def test_quotes_hold_delimiters_and_line_ends(csv):
    frame = text.read(csv("a,b", '"x, y","1\n2"', '"say ""hi""",3')).frame
    assert frame["a"].tolist() == ["x, y", 'say "hi"']
    assert frame["b"].tolist() == ["1\n2", "3"]


@pytest.mark.parametrize(
    ("texts", "decimal_comma", "expected"),
    [
        (["1", " 2.5 ", "-3e2", "x", ""], False, [1, 2.5, -300, np.nan, np.nan]),
        (["1,5", "2", "-0,25"], True, [1.5, 2, -0.25]),
        (["1.234,5", "2.000", "3"], True, [1234.5, 2000, 3]),
        (["1.5", "2"], True, [1.5, 2]),
        (["1,234", "1,234,567.5", "2.5"], False, [1234, 1234567.5, 2.5]),
        (["1,5", "2"], False, [np.nan, 2]),
    ],
)
def test_numbers(texts, decimal_comma, expected):
    np.testing.assert_array_equal(text.as_numbers(pd.Series(texts), decimal_comma), expected)


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04rest", b"a,b\n1,\x00\n", b"%PDF-1.7", bytes(500)],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(
        GlassnetsError, match="expected text, a table as CSV, got a file of another"
    ):
        text.read(path)


def test_an_unclosed_quote_is_refused(csv):
    with pytest.raises(GlassnetsError, match="lines of as many fields as the first, got others"):
        text.read(csv("a,b,c", '1,2,"3', "4,5,6"))
