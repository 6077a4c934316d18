"""Series of measurements, of one or many channels: an .npz, or a long table with a row a step."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Source
from glassnets.data import Arrays
from glassnets.data.own import files, labels, tables, text
from glassnets.data.own.files import FileError
from glassnets.data.own.found import Found, Options
from glassnets.data.own.images import labels_of
from glassnets.errors import ParameterError

MAX_STEPS = 10_000
MIN_STEPS = 4
_SLOW_STEPS = 500  # from which recurrent networks take long
_CASE, _TIME = ("case", "case_id", "series", "series_id"), ("time", "step", "timestamp")


def read(source: Source, path: Path) -> Arrays:
    """``images`` float32 (n, 1, steps, channels), ``labels``, and ``groups`` of a table."""
    arrays, _, _ = _read(source, path)
    return arrays


def look(path: Path, options: Options) -> Found:
    """The steps and channels, the arrays, and what may be wrong. Raises GlassnetsError."""
    source = Source(kind="series", path=str(path))
    if tabular := path.suffix.lower() != ".npz":
        source = _source(path, text.read(path), options)
    allowed = {"--label", "--group", "--case", "--time", "--drop"} if tabular else set()
    for option in options.given():
        if option not in allowed:
            raise ParameterError(f"{option}: expected with other data, got series ({path.name})")
    arrays, names, lengths = _read(source, path)
    n, _, steps, channels = arrays["images"].shape
    unequal = bool((lengths != steps).any())
    measured = channels - unequal
    line = f"{n:,} of {steps:,} steps, {measured} channel{'s' if measured > 1 else ''}"
    if unequal:
        line = (
            f"{n:,} of {lengths.min():,} to {steps:,} steps, {measured} channel"
            f"{'s' if measured > 1 else ''}; shorter ones padded at the end, a channel says where"
        )
    source = source.model_copy(update={"masked": unequal})
    values = arrays["images"][..., :measured]
    facts = [("series", [line])]
    columns = list(source.columns or {}) or [f"channel {i + 1}" for i in range(measured)]
    real = np.arange(steps) < lengths[:, None]
    wide = max(map(len, columns[:20]))
    described = []
    warnings = []
    for i, name in enumerate(columns):
        own = values[:, 0, :, i][real]
        if i < 20:
            described.append(f"{name:<{wide}}  {own.min():g} … {own.max():g}")
        if not np.ptp(own):
            warnings.append(f"constant: {name} is {own[0]:g} everywhere")
    facts.append(("channels", described + [f"… and {measured - 20} more"] * (measured > 20)))
    if tabular:
        facts.append(("order", [f"by {source.time}; steps count as equally far apart"]))
    if steps > _SLOW_STEPS:
        warnings.append(
            f"length: {steps:,} steps take long to train on and to explain; take means of "
            f"neighbours first"
        )
    if unequal and _telling_lengths(lengths, arrays["labels"]):
        warnings.append(
            "leak? lengths alone tell nearly every label: cut the series to one length?"
        )
    return Found(source, arrays, names, facts, warnings)


def looks_long(table: text.Table) -> bool:
    """Whether a table has columns of cases and of times by the names that are usual for them."""
    columns = {column.lower() for column in table.frame.columns}
    return bool(columns & set(_CASE)) and bool(columns & set(_TIME))


def _source(path: Path, table: text.Table, options: Options) -> Source:
    case = text.named(path, table, options.case, "--case", _CASE, "which series a row is of")
    time = text.named(path, table, options.time, "--time", _TIME, "the order of a series' rows")
    label = tables.label_column(path, table, options.label)
    group = options.group and str(text.column(path, table, options.group, "--group").name)
    special = [name for name in (case, time, label, group) if name]
    if len(set(special)) < len(special):
        raise ParameterError(
            f"{path.name}: expected different columns for --case, --time, --label, --group"
        )
    dropped = {str(text.column(path, table, name, "--drop").name) for name in options.dropped}
    values = [str(name) for name in table.frame.columns if name not in {*special, *dropped}]
    if not values:
        raise FileError(path, "a column of values beside case, time and label", "none")
    return Source(
        kind="series",
        path=str(path),
        label=label,
        case=case,
        time=time,
        group=group,
        columns=dict.fromkeys(values, "number"),
    )


def _read(source: Source, path: Path) -> tuple[Arrays, tuple[str, ...], NDArray[np.int64]]:
    """The raw arrays, the names of the classes, and the length of each series."""
    if path.suffix.lower() == ".npz":
        steps, lengths, given = _of_archive(path)
        groups, what = None, "labels"
    else:
        steps, lengths, given, groups = _of_table(source, path)
        what = f"column {files.shown(source.label or '')}"
    codes, names = labels.coded(path, given, what, "series")
    arrays: Arrays = {"images": _padded(path, steps, lengths), "labels": codes}
    if groups is not None:
        arrays["groups"] = tables.group_codes(path, groups)
    return arrays, names, lengths


def _padded(path: Path, steps: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, 1, longest, channels) of the steps of all series one after another (total, channels);
    where lengths differ, one more channel that is 1 in real steps."""
    longest = int(lengths.max())
    if not MIN_STEPS <= longest <= MAX_STEPS:
        raise FileError(
            path,
            f"series of {MIN_STEPS} to {MAX_STEPS:,} steps",
            f"one of {longest:,}: {'cut it' if longest > MAX_STEPS else 'is --case right?'}",
        )
    unequal = bool((lengths < longest).any())
    channels = steps.shape[1]
    shape = (len(lengths), 1, longest, channels + unequal)
    files.check_size(path, shape, 4, "cut long series, or give fewer")
    images = np.zeros(shape, np.float32)
    real = np.arange(longest) < lengths[:, None]
    with np.errstate(over="ignore"):
        images[:, 0, :, :channels][real] = steps
    if unequal:
        images[:, 0, :, -1] = real
    _check_finite(path, images)
    return images


def _check_finite(path: Path, images: NDArray[np.float32]) -> None:
    if np.isfinite(images).all():
        return
    row, _, step, channel = (int(where[0]) for where in np.nonzero(~np.isfinite(images)))
    raise FileError(
        path,
        "a finite number in every step",
        f"{images[row, 0, step, channel]:g} in series {row + 1}, step {step + 1}, channel "
        f"{channel + 1}: fill gaps in, by neighbours",
    )


def _of_archive(path: Path) -> tuple[NDArray[Any], NDArray[np.int64], pd.Series]:
    """Steps (total, channels), lengths (n,), a label each."""
    arrays = files.load_arrays(path, ("series", "labels"), ("lengths",))
    series, lengths = arrays["series"], arrays.get("lengths")
    sides = "×".join(map(str, series.shape))
    if series.dtype.kind not in "biuf" or not series.size:
        raise FileError(path, "series of numbers", f"{series.dtype} of shape {sides}")
    if lengths is not None:
        if (
            lengths.ndim != 1
            or lengths.dtype.kind not in "iu"
            or not len(lengths)
            or lengths.min() < 1
        ):
            raise FileError(path, "lengths that are whole numbers above 0", "others")
        lengths = lengths.astype(np.int64)
        if series.ndim <= 2 and lengths.sum() == len(series):  # one after another
            steps = series.reshape(len(series), -1)
            return steps, lengths, labels_of(path, arrays["labels"], len(lengths))
    if series.ndim not in (2, 3):
        raise FileError(
            path,
            "series of shape n×steps or n×steps×channels, or one after another with lengths",
            sides if lengths is None else f"{sides} with lengths that add up to {lengths.sum():,}",
        )
    series = series.reshape(*series.shape[:2], -1)
    given = labels_of(path, arrays["labels"], len(series))
    if lengths is None:
        lengths = _real_lengths(series)
    elif len(lengths) != len(series) or lengths.max() > series.shape[1]:
        raise FileError(
            path,
            f"{len(series):,} lengths of at most {series.shape[1]:,}",
            f"{len(lengths):,} of at most {lengths.max():,}",
        )
    real = np.arange(series.shape[1]) < lengths[:, None]
    return series[real], lengths, given


def _real_lengths(series: NDArray[Any]) -> NDArray[np.int64]:
    """How many steps are left of each without those at the end whose channels are all NaN."""
    if series.dtype.kind != "f":
        return np.full(len(series), series.shape[1], np.int64)
    measured = ~np.isnan(series).all(axis=2)
    behind = measured[:, ::-1].argmax(axis=1)
    lengths: NDArray[np.int64] = np.where(measured.any(axis=1), series.shape[1] - behind, 1)
    return lengths


def _of_table(
    source: Source, path: Path
) -> tuple[NDArray[Any], NDArray[np.int64], pd.Series, pd.Series | None]:
    """Steps (total, channels), lengths (n,), a label each, a group each: in the order in which
    series first come, their steps in the order of time."""
    table = text.read(path)
    case = text.column(path, table, source.case or "", "--case")
    if (absent := text.missing(case)).any():
        raise FileError(
            path, "a case for each row", f"none in row {absent.argmax() + 1}: fill it in"
        )
    codes, names = pd.factorize(labels.as_texts(case))
    times = tables.times(path, table, text.column(path, table, source.time or "", "--time"))
    order = np.lexsort((times, codes))
    same = (np.diff(codes[order]) == 0) & (np.diff(times[order]) == 0)
    if same.any():
        row = int(order[1:][same][0])
        raise FileError(
            path,
            "one row for each case and time",
            f"several of case {files.shown(str(names[codes[row]]))} (row {row + 1}): --case "
            "names the column that tells series apart",
        )
    columns = []
    for name in source.columns or {}:
        values = text.column(path, table, name, "source.columns")
        numbers = text.as_numbers(values, table.decimal_comma)
        if not np.isfinite(numbers).all():
            row = int((~np.isfinite(numbers)).argmax())
            raise FileError(
                path,
                f"numbers in column {files.shown(name)}",
                f"{files.shown(str(values.iloc[row]))} in row {row + 1}: fill gaps in, by "
                "neighbours, or leave the column out with --drop",
            )
        columns.append(numbers[order])
    first = np.unique(codes, return_index=True)[1]
    label = _constant(path, table, source.label or "", "--label", codes, first)
    group = None
    if source.group is not None:
        group = _constant(path, table, source.group, "--group", codes, first)
    return np.column_stack(columns), np.bincount(codes), label, group


def _constant(
    path: Path, table: text.Table, name: str, option: str, codes: NDArray[Any], first: NDArray[Any]
) -> pd.Series:
    """A column's value of each series, which must be the same in all its rows."""
    values = labels.as_texts(text.column(path, table, name, option))
    other = values.to_numpy() != values.to_numpy()[first][codes]
    if other.any():
        row = int(other.argmax())
        raise FileError(
            path,
            f"one value of {files.shown(name)} in all rows of a case",
            f"another in row {row + 1}: {files.shown(str(values.iloc[row]))}",
        )
    return values.iloc[first].reset_index(drop=True).rename(name)


def _telling_lengths(lengths: NDArray[np.int64], codes: NDArray[np.uint8]) -> bool:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)
    rows = np.random.default_rng(0).permutation(len(codes))
    half, rest = np.array_split(rows, 2)
    tree.fit(lengths[half, None], codes[half])
    majority = np.bincount(codes).max() / len(codes)
    return bool(tree.score(lengths[rest, None], codes[rest]) >= 0.99 > 0.98 > majority)
