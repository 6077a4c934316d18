"""Files of a person: what may be read, and archives of arrays that are checked before reading."""

import math
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from glassnets.data.pictures import printable
from glassnets.errors import GlassnetsError, ParameterError

MAX_ROWS = 1_000_000
MAX_ARRAY_BYTES = 2**29  # of the raw arrays: looking makes copies, and stays within 2 GiB


def got(path: Path | str, expected: str, came: str) -> str:
    """The line of an error about a file."""
    name = printable(path) if isinstance(path, Path) else path
    return f"{name}: expected {expected}, got {came}"


class FileError(GlassnetsError):
    """A file that is not what it must be."""

    def __init__(self, path: Path | str, expected: str, came: str) -> None:
        super().__init__(got(path, expected, came))


def shown(text: str) -> str:
    """A text of the data in one printable line, not too long."""
    text = text if len(text) <= 60 else text[:57] + "…"
    return f"'{text}'" if text.isprintable() else repr(text)


def listed(texts: Iterable[str], most: int = 8) -> str:
    """Texts of the data in one line: the first few."""
    texts = list(texts)
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return (", ".join(map(shown, texts[:most])) or "none") + more


def check_readable(path: Path) -> None:
    """That the path is a file with something in it: a pipe or a device might never end."""
    if not path.is_file():
        came = "a folder" if path.is_dir() else "something else" if path.exists() else "none"
        raise ParameterError(got(path, "a file", came))
    if path.stat().st_size == 0:
        raise FileError(path, "data", "an empty file")


def check_size(path: Path, shape: Sequence[int], item_bytes: int, remedy: str) -> None:
    """That raw arrays of this shape are few and small enough. Raises GlassnetsError."""
    if shape[0] > MAX_ROWS:
        raise FileError(path, f"at most {MAX_ROWS:,} rows", f"{shape[0]:,}: give a part of them")
    if (size := math.prod(shape) * item_bytes) > MAX_ARRAY_BYTES:
        sides = "×".join(map(str, shape))
        raise FileError(
            path,
            f"at most {MAX_ARRAY_BYTES >> 20} MiB of numbers",
            f"{sides}, {size / 2**20:,.0f} MiB: {remedy}",
        )


def check_texts(path: Path, what: str, texts: Iterable[str]) -> None:
    """That texts of the data can stand in params.yaml, which DVC reads its own way."""
    for text in texts:
        if not text.strip():
            came = "an empty one"
        elif len(text) > 200:
            came = f"one of {len(text):,} characters: {shown(text)}"
        elif not text.isprintable():
            came = f"one with control characters: {shown(text)}"
        elif "${" in text or text == "???":
            came = f"{shown(text)}, which DVC would read as a reference"
        else:
            continue
        raise FileError(path, f"{what} that can be read", f"{came}; rename it")


def normal(text: str) -> str:
    """A text without spaces around it, in Unicode's composed form: file systems differ in it."""
    return unicodedata.normalize("NFC", text).strip()


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz, sorted. Raises GlassnetsError for another file."""
    with _opened(path) as archive:
        return sorted(info.filename.removesuffix(".npy") for info in archive.infolist())


def load_arrays(path: Path, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """Arrays of an .npz, each checked by its header before it is read: its size, and that it holds
    numbers or text, never Python objects. Raises GlassnetsError."""
    arrays: dict[str, Any] = {}
    with _opened(path) as archive:
        inside = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        for name in (*names, *optional):
            if name in inside:
                arrays[name] = _array(path, archive, inside[name], name)
            elif name in names:
                raise FileError(path, f"an array {name}", f"{listed(sorted(inside))}: rename it")
    return arrays


def _opened(path: Path) -> zipfile.ZipFile:
    check_readable(path)
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise FileError(
            path, "an .npz as np.savez writes it", f"a broken file or another kind ({error})"
        ) from error


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    try:
        with archive.open(info) as file:
            version = npy.read_magic(file)
            read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
            shape, _, dtype = read_header[version](file)
            header = file.tell()
            if dtype.hasobject or dtype.fields:
                raise FileError(
                    path,
                    f"{name} of numbers or text",
                    "Python objects, which are not opened: save it with a dtype of numbers "
                    "(of lists of unequal lengths: one long array and their lengths)",
                )
            if not shape:
                raise FileError(path, f"{name} with a row each", "a single value")
            check_size(path, shape, dtype.itemsize, "give fewer or smaller ones")
            if info.file_size != header + math.prod(shape) * dtype.itemsize:
                raise ValueError("its size is not what its header says")
        with archive.open(info) as file:
            array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
            return array
    except (GlassnetsError, MemoryError):
        raise
    # zip, zlib and NumPy's own reader each fail in their own ways.
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        RuntimeError,
        TypeError,
        zlib.error,
        zipfile.BadZipFile,
        SyntaxError,
        OverflowError,
    ) as error:
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileError(path, f"a whole array {name}", f"a broken one ({message})") from error
