"""A person's own data: pictures, tables and series, read into the arrays that every stage takes.

Each kind's module holds ``look(path, options)``, which decides how the data are read and says what
it found, and ``read(source, path)``, which reads them as decided. ``images`` is a grid of players:

- image: uint8 (n, h, w) grey, or (n, h, w, 3) RGB;
- table: float32 (n, 1, columns, channels). A number: its value, NaN where missing, and, where some
  are missing, a flag that says so. A category: one-hot of its levels;
- series: float32 (n, 1, steps, channels). Where lengths differ, the last channel is 1 in the steps
  that were measured, 0 in those added at the end.

``labels`` is uint8 (n,), in the order of the class names; ``groups`` int64 (n,) and ``times``
float64 (n,) are there where the source names a column for them.
"""

from pathlib import Path
from typing import Any

from glassnets.config.schema import Kind, Source
from glassnets.data import Arrays
from glassnets.data.own import files, images, series, tables, text
from glassnets.data.own.found import Found, Options
from glassnets.errors import ParameterError

__all__ = ["Found", "Options", "kind_of", "look", "read"]

_MODULES: dict[Kind, Any] = {"image": images, "table": tables, "series": series}
_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst")
_REFUSED = (  # endings, what is expected, what came
    (_ARCHIVES, "a folder, CSV, Parquet or .npz", "an archive: unpack it"),
    ((".xlsx", ".xls", ".ods"), "a table as CSV", "a spreadsheet: save it as CSV"),
    ((".npy",), "an .npz of images (or series) and labels", "one array: np.savez them"),
    (images.SUFFIXES, "a folder of pictures", "one picture: name its folder"),
)


def kind_of(path: Path, options: Options) -> Kind:
    """The kind of the data that lie there. Raises GlassnetsError where none is recognised."""
    if path.is_dir():
        return "image"
    files.check_readable(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        names = files.array_names(path)
        if "images" in names or "series" in names:
            return "image" if "images" in names else "series"
        expected = "the arrays images and labels (pictures), or series and labels (series)"
        raise ParameterError(files.got(path, expected, f"{files.listed(names)}: rename them"))
    if suffix in (".parquet", ".pq"):
        return "table"
    for endings, expected, came in _REFUSED:
        if suffix in endings:
            raise ParameterError(files.got(path, expected, came))
    start = text.read_start(path)
    if options.case is not None or series.looks_long(start):
        return "series"
    return "table" if images.file_column(start) is None else "image"


def look(kind: Kind, path: Path, options: Options) -> Found:
    """What lies there, how it is to be read, and the arrays read so. Raises GlassnetsError, one
    line that says what is wrong, where, and what to do."""
    found: Found = _MODULES[kind].look(path, options)
    return found


def read(source: Source, path: Path) -> Arrays:
    """The raw arrays of a source whose data lie at the path. Raises GlassnetsError."""
    arrays: Arrays = _MODULES[source.kind].read(source, path)
    return arrays
