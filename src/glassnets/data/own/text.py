"""Tables as text: encoding, delimiter and decimal comma are recognised, nothing else is guessed."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.data.own import files
from glassnets.data.own.files import FileError
from glassnets.data.own.labels import MISSING
from glassnets.errors import GlassnetsError, ParameterError

MAX_BYTES = 200_000_000  # of a file: read, it takes some five times as much memory
MAX_COLUMNS = 2000
MAX_FIELDS = 25_000_000  # each takes tens of bytes, however short
UNNAMED = "column "  # and its number, in the place of an empty name
_HEAD = 1 << 20  # bytes, of which delimiter and header are recognised
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# In a column of numbers, these too stand for a missing one.
MISSING_NUMBERS = MISSING | {"-", "--", ".", "none", "unknown", "missing"}

_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"
_DECIMAL_COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)?,\d+([eE][+-]?\d+)?"
_ISO = r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
_DAY_MONTH_YEAR = r"\d{1,2}([./-])\d{1,2}\1\d{4}"


@dataclass(frozen=True)
class Table:
    """frame: texts, or numbers where the file had them as such; form: how it was written."""

    frame: pd.DataFrame
    form: str
    decimal_comma: bool = False  # may stand in numbers; else a comma may part thousands


def read(path: Path) -> Table:
    """The table of a CSV or Parquet file. Raises GlassnetsError, one line."""
    files.check_readable(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise GlassnetsError(_too_long(path, size))
    encoding = _encoding(path)
    head = _head(path, encoding)
    delimiter = _delimiter(path, head)
    names = _names(path, head, delimiter)
    fields = (head.count(delimiter) + head.count("\n")) * size // len(head.encode(encoding))
    if fields > MAX_FIELDS:
        raise GlassnetsError(_too_many_fields(path, fields))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=delimiter,
                encoding=encoding,
                compression=None,
                header=0,
                names=names,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            )
    except (ValueError, csv.Error, pd.errors.ParserWarning, OverflowError) as error:
        message = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise FileError(
            path, "lines of as many fields as the first", f"others: {message[:200]}"
        ) from error
    if frame.empty:
        raise FileError(path, "rows below the names of columns", "none")
    files.check_size(path, (len(frame),), 1, "")
    named = encoding.upper().removesuffix("-SIG").replace("CP", "Windows-")
    form = f"{named}, {_DELIMITERS[delimiter]}"
    return Table(frame, form, decimal_comma=delimiter != ",")


def read_start(path: Path) -> Table:
    """The first rows, as texts, to see of which kind a table is. Raises GlassnetsError."""
    files.check_readable(path)
    head = _head(path, _encoding(path))
    delimiter = _delimiter(path, head)
    names = _names(path, head, delimiter)
    rows = [row for row in _rows(path, head, delimiter, 50)[1:] if len(row) == len(names)]
    return Table(pd.DataFrame(rows, columns=pd.Index(names), dtype=str), "")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        zeros = [start[i::2].count(0) / max(1, len(start) // 2) for i in (0, 1)]
        if max(zeros) > 0.4 and min(zeros) < 0.1:
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        if 0 in start or start.startswith((b"%PDF", b"PK\3\4", b"\x89PNG", b"GIF8", b"\xff\xd8")):
            raise FileError(path, "text, a table as CSV", "a file of another kind: save it as CSV")
        decode = codecs.getincrementaldecoder("utf-8")().decode
        try:
            decode(start)
            while block := file.read(_HEAD):
                decode(block)
            decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", start) else "cp1252"
    return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"


def _head(path: Path, encoding: str) -> str:
    """The first lines of the file, whole ones."""
    with path.open("rb") as file:
        start = file.read(_HEAD)
        whole = not file.read(1)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(start)
    if whole:
        return text
    if "\n" not in text and "\r" not in text:
        fields = max(text.count(delimiter) for delimiter in _DELIMITERS)
        raise FileError(
            path,
            f"at most {MAX_COLUMNS:,} columns",
            f"a first line of more than {_HEAD >> 20} MiB with at least {fields:,} fields",
        )
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1]


def _rows(path: Path, head: str, delimiter: str, most: int) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == most:
                break
    except csv.Error as error:
        raise FileError(path, "a table as CSV", f"another text: {error}") from error
    return rows


def _delimiter(path: Path, head: str) -> str:
    """The one that gives most of the first lines as many fields as the header, at least two."""

    def merit(delimiter: str) -> tuple[float, int]:
        rows = _rows(path, head, delimiter, 50)
        fields = len(rows[0]) if rows else 0
        alike = sum(len(row) == fields for row in rows) / max(1, len(rows))
        return (alike if fields > 1 else 0.0), fields

    best = max(_DELIMITERS, key=merit)
    if merit(best)[1] < 2:
        raise FileError(
            path,
            "a table of two columns or more, parted by commas, semicolons, tabs or bars",
            "one column",
        )
    return best


def _names(path: Path, head: str, delimiter: str) -> list[str]:
    header = _rows(path, head, delimiter, 1)[0]
    names = [files.normal(name) or f"{UNNAMED}{i + 1}" for i, name in enumerate(header)]
    check_names(path, names)
    numbers = pd.to_numeric(pd.Series(header, dtype=object), errors="coerce").notna()
    if numbers.all():
        raise FileError(
            path, "names of columns in the first line", f"numbers, {files.listed(header, 3)}"
        )
    return names


def check_names(path: Path, names: list[str]) -> None:
    """That columns are not too many, and their names different. Raises GlassnetsError."""
    if len(names) > MAX_COLUMNS:
        raise FileError(
            path, f"at most {MAX_COLUMNS:,} columns", f"{len(names):,}: give those that may matter"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        places = [i + 1 for i, name in enumerate(names) if name == twice]
        raise FileError(
            path,
            "different names of columns",
            f"{files.shown(twice)} for columns {', '.join(map(str, places[:5]))}: rename them",
        )
    files.check_texts(path, "names of columns", names)


def _parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise FileError(
            path, "a library that reads Parquet", "none: pip install pyarrow, or save as CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            names = _parquet_names(path, file)
        # A text that is repeated takes next to nothing in the file, and so it does in a dictionary.
        texts = [str(n) for n, kind in names.items() if "string" in str(kind)]
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            frame = file.read().to_pandas(ignore_metadata=True)
    except (GlassnetsError, MemoryError):
        raise
    except (ArrowException, ValueError, OSError, KeyError, TypeError) as error:
        message = " ".join(str(error).split())[:200]
        raise FileError(path, "a Parquet file", f"a broken one ({message})") from error
    if frame.empty:
        raise FileError(path, "rows", "none")
    named = frame.columns[frame.dtypes == "category"]
    if (size := sum(_length(frame[name]) for name in named)) > MAX_BYTES:
        raise GlassnetsError(_too_long(path, size))
    for name in named:
        frame[name] = frame[name].astype("str")
    frame.columns = pd.Index(_plain_names(path, map(str, frame.columns)))
    return Table(frame, "Parquet")


def _length(values: pd.Series) -> int:
    """Characters of all values of a dictionary."""
    lengths = np.array([*(len(str(text)) for text in values.cat.categories), 0])
    return int(lengths[values.cat.codes].sum())


def _parquet_names(path: Path, file: Any) -> dict[str, Any]:
    """Names and types of the columns, of a file that may be read."""
    schema, metadata = file.schema_arrow, file.metadata
    _plain_names(path, map(str, schema.names))
    files.check_size(path, (metadata.num_rows,), 1, "")
    # A text takes three times the memory of a number, or more.
    weights = [3 if "string" in str(kind) else 1 for kind in schema.types]
    if (fields := metadata.num_rows * sum(weights)) > MAX_FIELDS:
        raise GlassnetsError(_too_many_fields(path, fields))
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    if (size := sum(group.total_byte_size for group in groups)) > MAX_BYTES:
        raise GlassnetsError(_too_long(path, size))
    for name, kind in zip(schema.names, schema.types, strict=True):
        if str(kind).startswith(("list", "large_list", "struct", "map", "binary", "fixed")):
            raise FileError(path, "numbers, texts and dates", f"{kind} in {files.shown(str(name))}")
    return dict(zip(schema.names, schema.types, strict=True))


def _plain_names(path: Path, given: Iterable[str]) -> list[str]:
    names = [
        f"{UNNAMED}{i + 1}" if name.startswith("__index_level_") else files.normal(name)
        for i, name in enumerate(given)
    ]
    check_names(path, names)
    return names


def _too_long(path: Path, size: float) -> str:
    return files.got(path, f"at most {MAX_BYTES // 10**6} MB", f"{size / 1e6:,.0f} MB: give a part")


def _too_many_fields(path: Path, fields: float) -> str:
    expected = f"at most {MAX_FIELDS // 10**6} million fields"
    came = f"about {fields / 1e6:,.1f} million: give fewer rows or columns"
    return files.got(path, expected, came)


def column(path: Path, table: Table, name: str, option: str) -> pd.Series:
    """A column by its name. Raises ParameterError, which names those there are."""
    found = files.normal(name)
    if found not in table.frame.columns:
        known = files.listed(map(str, table.frame.columns), 12)
        raise ParameterError(
            files.got(f"{option} ({path.name})", f"one of {known}", files.shown(name))
        )
    return table.frame[found]


def named(
    path: Path, table: Table, name: str | None, option: str, usual: tuple[str, ...], meaning: str
) -> str:
    """The name of the column that is named, or else the one of a usual name. Raises ParameterError
    where there is none, or more than one."""
    if name is not None:
        return str(column(path, table, name, option).name)
    found = [each for each in table.frame.columns if each.lower() in usual]
    if len(found) == 1:
        return str(found[0])
    columns = files.listed(map(str, table.frame.columns), 12)
    raise ParameterError(
        files.got(path, f"{option} COLUMN, which says {meaning}", f"none; columns: {columns}")
    )


def missing(values: pd.Series, numbers: bool = False) -> NDArray[np.bool_]:
    """Which values are missing (n,): those that are empty, or stand for that by custom."""
    if not is_text(values):
        return values.isna().to_numpy()
    known = MISSING_NUMBERS if numbers else MISSING
    unique, codes = _unique(values)
    absent: NDArray[np.bool_] = unique.str.strip().str.lower().isin(known).to_numpy(bool)
    return absent[codes]


def _unique(values: pd.Series) -> tuple[pd.Series, NDArray[np.int64]]:
    """The different texts, "" for none, and the place among them of each value."""
    codes, unique = pd.factorize(values, use_na_sentinel=False)
    return pd.Series(unique).astype(object).where(~pd.isna(unique), "").astype(str), codes


def is_text(values: pd.Series) -> bool:
    dtype = values.dtype
    return not (
        pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)
    ) or pd.api.types.is_bool_dtype(dtype)


def as_numbers(values: pd.Series, decimal_comma: bool) -> NDArray[np.float64]:
    """float64 (n,), NaN where a value is no number."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _days(values)
    if not is_text(values):
        return values.to_numpy(np.float64, na_value=np.nan)
    unique, codes = _unique(values)
    return _parsed(unique.str.strip(), decimal_comma)[codes]


def _parsed(texts: pd.Series, decimal_comma: bool) -> NDArray[np.float64]:
    plain = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    if not texts.str.contains(",", regex=False).any():
        return plain
    pattern = _DECIMAL_COMMA if decimal_comma else _THOUSANDS
    written = texts.str.fullmatch(pattern)
    if not written.any():
        return plain
    if decimal_comma:  # then a dot parts thousands in the whole column
        texts = texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        texts = texts.where(~written, texts.str.replace(",", "", regex=False))
    return pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)


def as_dates(path: Path, values: pd.Series) -> NDArray[np.float64] | None:
    """Days since 1970 (n,), NaN where one is missing; None if some of the others are no dates.

    Raises GlassnetsError where day and month could be either way round.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _days(values)
    unique, codes = _unique(values)
    absent = missing(unique, numbers=True)
    if not is_text(values) or absent.all():
        return None
    texts = unique.str.strip()[~absent]
    parsed: pd.Series | None = None
    if texts.str.fullmatch(_ISO).all():
        parsed = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    elif texts.str.fullmatch(_DAY_MONTH_YEAR).all():
        plain = texts.str.replace(r"[./-]", "/", regex=True)
        ways = [pd.to_datetime(plain, format=f, errors="coerce") for f in ("%d/%m/%Y", "%m/%d/%Y")]
        day_first, month_first = (not way.isna().any() for way in ways)
        dotted = texts.str.contains(".", regex=False).all()
        if day_first and month_first and not dotted and not ways[0].equals(ways[1]):
            raise FileError(
                path,
                f"dates as 2024-12-31 in column {files.shown(str(values.name))}",
                f"{files.shown(str(texts.iloc[0]))}, whose day and month could be either; "
                "rewrite them, or leave the column out with --drop",
            )
        parsed = ways[0] if day_first or dotted else ways[1]
    if parsed is None or parsed.isna().any():
        return None
    days: NDArray[np.float64] = np.full(len(unique), np.nan)
    days[~absent] = _days(parsed)
    return days[codes]


def _days(values: pd.Series) -> NDArray[np.float64]:
    start = pd.Timestamp(0, tz="UTC" if getattr(values.dtype, "tz", None) is not None else None)
    return np.asarray((values - start) / pd.Timedelta(days=1), np.float64)
