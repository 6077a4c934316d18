"""Labels: from texts or numbers as people write them to classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.data.own import files
from glassnets.data.own.files import FileError

MAX_CLASSES = 255
MIN_IMAGES = 2  # of a class; how many a split needs, the split itself says
MISSING = frozenset(("", "na", "n/a", "nan", "null", "<na>", "#n/a", "nat", "?", "??", "???"))
# Numbers that are no integers, more different ones than this: a quantity, not a class.
_MAX_FRACTIONS = 20


def coded(
    path: Path, values: pd.Series, what: str, places: str = "row", named: bool = False
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Codes uint8 (n,) and the names of the classes, sorted: as numbers where all are numbers.

    values: a text or a number each. what: how an error calls them. named: they are names of
    folders, where NA is as good as any other. Raises GlassnetsError for
    labels that are missing, of one class or of too many, or a quantity, for a class of one, and for
    names that are the same number.
    """
    texts = as_texts(values)
    absent = texts.str.lower().isin({""} if named else MISSING).to_numpy()
    if absent.any():
        raise FileError(
            path,
            f"a label for each {places} ({what})",
            f"{absent.sum():,} without (first: {places} {absent.argmax() + 1}): "
            "fill them in, or take them out",
        )
    codes, unique = pd.factorize(texts)
    names = [str(name) for name in unique]
    counts = np.bincount(codes, minlength=len(names))
    numbers = pd.to_numeric(pd.Series(names, dtype=object), errors="coerce").to_numpy(float)
    if np.isfinite(numbers).all():
        _check_no_quantity(path, numbers, len(codes), what)
        canonical = [f"{number:.15g}" for number in numbers]
        order = np.argsort(numbers, kind="stable")
        if len(set(canonical)) < len(canonical):  # 1 and 1.0
            if named:
                twice = next(each for each in canonical if canonical.count(each) > 1)
                same = [n for n, each in zip(names, canonical, strict=True) if each == twice]
                came = f"{files.listed(same)}, which are the same number: rename or join them"
                raise FileError(path, f"{what} of different classes", came)
            return coded(
                path, texts.map(dict(zip(names, canonical, strict=True))), what, places, named
            )
        names = canonical
    else:
        order = np.array(sorted(range(len(names)), key=names.__getitem__), int)
    if len(names) < 2:
        raise FileError(
            path,
            f"at least two classes ({what})",
            f"one, {files.shown(names[0])}" if len(names) else "none",
        )
    if len(names) > MAX_CLASSES:
        raise FileError(
            path,
            f"at most {MAX_CLASSES} classes ({what})",
            f"{len(names):,}: name another column, or join classes",
        )
    if (counts < MIN_IMAGES).any():
        rare = names[int(counts.argmin())]
        raise FileError(
            path,
            f"at least {MIN_IMAGES} of each class ({what})",
            f"1 of {files.shown(rare)}: add some, or take the class out",
        )
    sorted_names = tuple(names[i] for i in order.tolist())
    files.check_texts(path, "names of classes", sorted_names)
    return np.argsort(order)[codes].astype(np.uint8), sorted_names


def as_texts(values: pd.Series) -> pd.Series:
    """A text for each value: integers without a fraction, texts in their normal form."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype(str)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.map(lambda value: "" if pd.isna(value) else f"{value:.15g}").astype(object)
    codes, unique = pd.factorize(values)
    texts = np.array([*(files.normal(str(value)) for value in unique), ""], object)
    # None of them: the last, "". As objects, since a text of many rows is kept once.
    return pd.Series(texts[codes], index=values.index, name=values.name, dtype=object)


def _check_no_quantity(path: Path, numbers: NDArray[np.float64], rows: int, what: str) -> None:
    fractions = (numbers != np.rint(numbers)).any()
    many = len(numbers) > (_MAX_FRACTIONS if fractions else 30) and (
        fractions or rows / len(numbers) < 10
    )
    if many or (fractions and len(numbers) > rows / 2):
        raise FileError(
            path,
            f"classes ({what})",
            f"{len(numbers):,} different numbers from {numbers.min():g} to "
            f"{numbers.max():g}: a quantity; put it into bands in a column of its own",
        )


def balance(codes: NDArray[np.uint8], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Lines that count the classes, and a warning where they are far from balanced."""
    counts: NDArray[Any] = np.bincount(codes, minlength=len(names))
    wide = max(len(name) for name in names[:20])
    digits = len(f"{counts.max():,}")
    lines = [
        f"{name:<{wide}}  {count:>{digits},}  {count / len(codes):6.1%}"
        for name, count in list(zip(names, counts.tolist(), strict=True))[:20]
    ]
    if len(names) > 20:
        lines.append(f"… and {len(names) - 20} more")
    ratio = counts.max() / counts.min()
    if ratio < 3:
        return lines, []
    most, least = names[counts.argmax()], names[counts.argmin()]
    return lines, [
        f"imbalance: {files.shown(most)} is {ratio:.0f} times as frequent as "
        f"{files.shown(least)}: accuracy alone flatters; read balanced accuracy"
    ]
