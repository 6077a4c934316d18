"""Tables: columns of numbers and of categories, recognised, shown, and corrected by options."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Source
from glassnets.data import Arrays
from glassnets.data.own import files, labels, text
from glassnets.data.own.files import FileError
from glassnets.data.own.found import Found, Options
from glassnets.errors import ParameterError

MAX_LEVELS = 31  # of a category; the rarer ones beyond are joined
MISSING, OTHER = "(missing)", "(other)"
LABELS = ("label", "class", "target", "y")  # the column of labels where none is named
# A column of some numbers and some texts is a category with at most so many levels.
_MAX_MIXED = 12
_MAX_NUMBER = 3e38  # of float32
_DATE = "a date, as days since 1970"
_MIN_ROWS_OF_A_CASE = 4  # on average, for a table to look like series
_MAX_DESCRIBED = 40  # columns
_MAX_TELLING = 2_000_000  # values that are looked at for leaks

Kind = Literal["number"] | tuple[str, ...]  # the levels of a category


def read(source: Source, path: Path) -> Arrays:
    """``images`` float32 (n, 1, columns, channels), ``labels``, and ``groups`` or ``times``."""
    return _arrays(text.read(path), source, path)[0]


def look(path: Path, options: Options) -> Found:
    """The kind of each column, the arrays, and what may be wrong. Raises GlassnetsError."""
    if "--size" in (given := options.given()) or "--case" in given:
        option = "--size" if "--size" in given else "--case"
        raise ParameterError(f"{option}: expected with other data, got a table ({path.name})")
    table = text.read(path)
    label = label_column(path, table, options.label)
    special = {
        option: str(text.column(path, table, name, option).name)
        for option, name in (("--group", options.group), ("--time", options.time))
        if name is not None
    }
    if len(special) > 1:
        raise ParameterError("--time: expected no --group beside it: one of them decides the split")
    if label in special.values():
        raise ParameterError(
            f"{path.name}: expected different columns for {', '.join(special)}, --label"
        )
    frame = table.frame.drop(columns=[label, *special.values()])
    wanted = _wanted(path, table, options, frame)
    columns, notes, left_out = _recognised(path, table, frame, wanted)
    if len(columns) < 2:
        raise FileError(path, "two columns or more beside the labels", _listed(columns, left_out))
    source = Source(
        kind="table",
        path=str(path),
        label=label,
        columns=columns,
        group=special.get("--group"),
        time=special.get("--time"),
    )
    arrays, names = _arrays(table, source, path)
    described = _described(columns, arrays["images"], notes)
    facts = [("file", [f"{len(frame):,} rows, {len(table.frame.columns):,} columns; {table.form}"])]
    facts.append(("columns", described))
    if left_out:
        facts.append(("left out", left_out))
    for option, name in special.items():
        facts.append((option.removeprefix("--"), [f"{name}: no column of the input"]))
    warnings = [*_identifiers(columns, arrays, notes), *_telling(columns, arrays)]
    asked = options.time or options.group
    if not asked and (dates := [name for name, note in notes.items() if note == _DATE]):
        warnings.append(
            f"time? {dates[0]} is a date: --time '{dates[0]}' tests on the latest rows, as in use"
        )
    steps = None if special else _case_and_time(path, table, arrays["labels"], columns)
    return Found(source, arrays, names, facts, warnings, steps)


def _listed(columns: dict[str, Kind], left_out: list[str]) -> str:
    used = f"{files.shown(next(iter(columns)))} alone" if columns else "none"
    return f"{used} (left out: {'; '.join(left_out[:3])})" if left_out else used


def label_column(path: Path, table: text.Table, name: str | None) -> str:
    """The column of labels: the one named, or the one whose name says so."""
    return text.named(path, table, name, "--label", LABELS, "what is to be predicted")


# Columns


def _wanted(path: Path, table: text.Table, options: Options, frame: pd.DataFrame) -> dict[str, str]:
    """What the options say of columns: number, category or drop, by name."""
    wanted: dict[str, str] = {}
    for option, named in (
        ("--number", options.numbers),
        ("--category", options.categories),
        ("--drop", options.dropped),
    ):
        for name in named:
            column = str(text.column(path, table, name, option).name)
            if column not in frame.columns:
                raise ParameterError(
                    f"{option}: expected a column of the input, got {files.shown(name)}"
                )
            if column in wanted:
                raise ParameterError(
                    f"{option}: expected a column once, got {files.shown(name)} again"
                )
            wanted[column] = option
    return wanted


def _recognised(
    path: Path, table: text.Table, frame: pd.DataFrame, wanted: dict[str, str]
) -> tuple[dict[str, Kind], dict[str, str], list[str]]:
    """The kinds of the columns that are used, what is to be said of some, and lines about those
    that are left out."""
    columns: dict[str, Kind] = {}
    notes: dict[str, str] = {}
    left_out = []
    for name in map(str, frame.columns):
        values, option = frame[name], wanted.get(name)
        if option == "--drop":
            left_out.append(f"{name}: as requested")
            continue
        if option == "--category":
            columns[name] = _levels(values)
            continue
        if option is None and name.startswith(text.UNNAMED) and _counts_rows(values):
            left_out.append(f"{name}: without a name, counts the rows")
            continue
        kind, said = _kind(path, table, values, forced=option == "--number")
        if kind is None:
            left_out.append(f"{name}: {said}")
            continue
        columns[name] = kind
        if said:
            notes[name] = said
    for levels in columns.values():
        if levels != "number":
            files.check_texts(path, "categories", levels)
    return columns, notes, left_out


def _counts_rows(values: pd.Series) -> bool:
    numbers = text.as_numbers(values, decimal_comma=False)
    return len(numbers) > 1 and bool((np.diff(numbers) == 1).all())


def _kind(
    path: Path, table: text.Table, values: pd.Series, forced: bool
) -> tuple[Kind | None, str]:
    """A column's kind, and what is to be said of it; None: it is left out, and why."""
    name = str(values.name)
    numbers, dated = numbers_of(path, table, values)
    numeric = np.isfinite(numbers)
    if forced:
        if not numeric.any():
            raise ParameterError(f"--number: expected a column of numbers, got none in {name}")
        return "number", _DATE if dated else ""
    absent = text.missing(values, numbers=True)
    others = ~numeric & ~absent
    if absent.all():
        return None, "empty"
    if not others.any():
        constant = not absent.any() and not np.ptp(numbers)
        note = _DATE if dated else ""
        return (None, "constant") if constant else ("number", note)
    row = int(others.argmax())
    came = f"{files.shown(str(values.iloc[row]))} in row {row + 1}"
    if (np.abs(text.as_numbers(values, table.decimal_comma)[others]) > _MAX_NUMBER).all():
        raise FileError(
            path,
            f"numbers of at most {_MAX_NUMBER:g} in column {files.shown(name)}",
            f"{came}: empty it, or leave the column out with --drop",
        )
    distinct = _texts(values)[~text.missing(values)].nunique()
    if numeric.sum() >= others.sum() and distinct > _MAX_MIXED:
        raise FileError(
            path,
            f"numbers or categories in column {files.shown(name)}",
            f"{numeric.sum():,} numbers and {others.sum():,} texts (first: {came}): correct "
            "them, or name the column with --number (texts are then missing), --category or "
            "--drop",
        )
    if distinct > MAX_LEVELS and distinct > 0.5 * len(values):
        return None, f"text, {distinct:,} different in {len(values):,} rows (--category keeps it)"
    if distinct < 2 and not text.missing(values).any():
        return None, "constant"
    return _levels(values), ""


def numbers_of(
    path: Path, table: text.Table, values: pd.Series
) -> tuple[NDArray[np.float64], bool]:
    """A column's numbers float64 (n,), NaN where there is none; and whether they are dates, in
    days since 1970."""
    numbers = text.as_numbers(values, table.decimal_comma)
    numbers = np.where(np.abs(numbers) > _MAX_NUMBER, np.nan, numbers)
    if not text.is_text(values):
        return numbers, pd.api.types.is_datetime64_any_dtype(values.dtype)
    if not np.isfinite(numbers).any():
        days = text.as_dates(path, values)
        if days is not None:
            return days, True
    return numbers, False


def _levels(values: pd.Series) -> tuple[str, ...]:
    """The levels of a category: sorted as text, then those that stand for others."""
    absent = text.missing(values)
    counts = _texts(values)[~absent].value_counts()
    ranked = sorted(counts.items(), key=lambda each: (-each[1], str(each[0])))
    special = [OTHER] * (len(ranked) > MAX_LEVELS) + [MISSING] * bool(absent.any())
    levels = {str(level) for level, _ in ranked[:MAX_LEVELS]} - set(special)
    return (*sorted(levels), *special)


def _texts(values: pd.Series) -> pd.Series:
    return labels.as_texts(values)


# Arrays


def _arrays(table: text.Table, source: Source, path: Path) -> tuple[Arrays, tuple[str, ...]]:
    """The raw arrays, and the names of the classes."""
    columns = source.columns or {}
    label = text.column(path, table, source.label or "", "source.label")
    read = [text.column(path, table, name, "source.columns") for name in columns]
    parts = []
    for values, kind in zip(read, columns.values(), strict=True):
        parts.append(
            _number_channels(path, table, values)
            if kind == "number"
            else _level_channels(path, values, kind)
        )
        channels = max(part.shape[1] for part in parts)
        files.check_size(
            path, (len(values), len(read), channels), 4, "leave columns out with --drop, or rows"
        )
    images = np.zeros((len(label), 1, len(parts), channels), np.float32)
    for i, part in enumerate(parts):
        images[:, 0, i, : part.shape[1]] = part
    codes, names = labels.coded(path, label, f"column {files.shown(str(label.name))}")
    arrays = {"images": images, "labels": codes}
    if source.group is not None:
        arrays["groups"] = group_codes(path, text.column(path, table, source.group, "--group"))
    if source.time is not None:
        values = text.column(path, table, source.time, "--time")
        arrays["times"] = times(path, table, values)
    return arrays, names


def _number_channels(path: Path, table: text.Table, values: pd.Series) -> NDArray[np.float32]:
    numbers = numbers_of(path, table, values)[0].astype(np.float32)[:, None]
    absent = np.isnan(numbers)
    return np.hstack([numbers, absent.astype(np.float32)]) if absent.any() else numbers


def _level_channels(path: Path, values: pd.Series, kind: tuple[str, ...]) -> NDArray[np.float32]:
    places = {level: i for i, level in enumerate(kind)}
    absent = text.missing(values)
    codes = _texts(values).map(places).to_numpy(np.float64, copy=True, na_value=np.nan)
    codes[absent] = places.get(MISSING, np.nan)
    codes[np.isnan(codes) & ~absent] = places.get(OTHER, np.nan)
    if np.isnan(codes).any():
        row = int(np.isnan(codes).argmax())
        raise FileError(
            path,
            f"one of {files.listed(kind, 5)} in column {files.shown(str(values.name))}",
            f"{files.shown(str(values.iloc[row]))} in row {row + 1}",
        )
    channels: NDArray[np.float32] = np.eye(len(kind), dtype=np.float32)[codes.astype(int)]
    return channels


def group_codes(path: Path, values: pd.Series) -> NDArray[np.int64]:
    """int64 (n,): which group each row is of. Raises GlassnetsError for a missing one."""
    absent = text.missing(values)
    if absent.any():
        raise FileError(
            path, "a group for each row", f"none in row {absent.argmax() + 1}: fill it in"
        )
    codes, names = pd.factorize(_texts(values), sort=True)
    if len(names) < 3:
        raise FileError(path, "at least three groups, one for each part", f"{len(names)}")
    return codes.astype(np.int64)


def times(path: Path, table: text.Table, values: pd.Series) -> NDArray[np.float64]:
    """float64 (n,): numbers, or dates in days since 1970. Raises GlassnetsError for any other."""
    numbers, _ = numbers_of(path, table, values)
    if np.isnan(numbers).any():
        row = int(np.isnan(numbers).argmax())
        raise FileError(
            path,
            f"numbers or dates in the column of times {files.shown(str(values.name))}",
            f"{files.shown(str(values.iloc[row]))} in row {row + 1}",
        )
    return numbers


# What is said of them


def _described(
    columns: dict[str, Kind], images: NDArray[np.float32], notes: dict[str, str]
) -> list[str]:
    """A line for each of the first columns: its kind, its values, how many are missing."""
    lines = []
    shown = list(columns.items())[:_MAX_DESCRIBED]
    wide = max(len(name) for name, _ in shown)
    for i, (name, kind) in enumerate(shown):
        values = images[:, 0, i]
        if kind == "number":
            absent = np.isnan(values[:, 0]).mean()
            low, high = np.nanmin(values[:, 0]), np.nanmax(values[:, 0])
            line = f"{name:<{wide}}  number    {low:g} … {high:g}"
        else:
            absent = values[:, kind.index(MISSING)].mean() if MISSING in kind else 0
            line = f"{name:<{wide}}  category  {', '.join(kind[:5])}"
            line += f", … ({len(kind)} levels)" if len(kind) > 5 else ""
        if absent:
            line += f"; {absent:.1%} missing"
        lines.append(line + (f"; {notes[name]}" if name in notes else ""))
    if len(columns) > len(shown):
        lines.append(f"… and {len(columns) - len(shown):,} more")
    return lines


def _case_and_time(
    path: Path, table: text.Table, codes: NDArray[np.uint8], columns: dict[str, Kind]
) -> tuple[str, str] | None:
    """Columns that make rows plainly steps of series, the finest cases first: the rows of a case,
    four or more on average, follow each other and have one label, and a number increases in each
    case and begins anew; None where there are none."""
    cases: list[tuple[int, str, NDArray[np.bool_]]] = []
    for name in map(str, table.frame.columns):
        places, unique = pd.factorize(table.frame[name])
        same = places[1:] == places[:-1]
        if (
            len(np.unique(codes)) < len(unique) <= len(codes) / _MIN_ROWS_OF_A_CASE
            and (~same).sum() == len(unique) - 1
            and (np.diff(codes.astype(int))[same] == 0).all()
        ):
            cases.append((-len(unique), name, same))
    for _, case, same in sorted(cases, key=lambda each: each[0]):
        for time in (name for name in columns if name != case and columns[name] == "number"):
            steps = np.diff(numbers_of(path, table, table.frame[time])[0])
            if (steps[same] > 0).all() and not (steps[~same] > 0).all():
                return case, time
    return None


def _identifiers(columns: dict[str, Kind], arrays: Arrays, notes: dict[str, str]) -> Iterator[str]:
    """Warnings on columns of whole numbers that differ in every row and run through."""
    for i, (name, kind) in enumerate(columns.items()):
        values = arrays["images"][:, 0, i, 0]
        if (
            kind != "number"
            or name in notes
            or len(values) < 10
            or not (values == np.rint(values)).all()
        ):
            continue
        distinct = len(np.unique(values)) == len(values)
        named = name.lower().split("_")[-1].split(" ")[-1] in ("id", "index", "nr", "no", "key")
        if distinct and (named or np.ptp(values) == len(values) - 1):
            yield f"leak? {name}: a different number in every row, an identifier: --drop '{name}'"


def _telling(columns: dict[str, Kind], arrays: Arrays) -> Iterator[str]:
    """Warnings on columns that alone decide the label: of a tree on one column, at least 99 in 100
    of rows it was not grown on."""
    from sklearn.tree import DecisionTreeClassifier

    rows = np.random.default_rng(0).permutation(len(arrays["labels"]))
    rows = rows[: max(200, min(5000, _MAX_TELLING // len(columns)))]
    target = arrays["labels"][rows]
    if np.bincount(target).max() / len(rows) >= 0.98:
        return  # to say the most frequent class would do
    leaves = 2 * len(np.unique(target))
    for i, name in enumerate(columns):
        values = np.nan_to_num(arrays["images"][rows, 0, i], nan=-1)
        tree = DecisionTreeClassifier(max_leaf_nodes=max(8, leaves), random_state=0)
        half = len(rows) // 2
        tree.fit(values[:half], target[:half])
        if (accuracy := tree.score(values[half:], target[half:])) >= 0.99:
            yield (
                f"leak? {name}: alone it tells {accuracy:.1%} of labels: does one know it before "
                f"the label? If not: --drop '{name}'"
            )
