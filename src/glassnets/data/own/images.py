"""Pictures: a folder for each class, a CSV of file names and labels, or an .npz."""

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from glassnets.config.schema import InputShape, Shape, Source
from glassnets.data import Arrays, pictures
from glassnets.data.own import files, labels, tables, text
from glassnets.data.own import sizes as sizing
from glassnets.data.own.files import FileError
from glassnets.data.own.found import Found, Options
from glassnets.errors import GlassnetsError, ParameterError

FORMATS = (*pictures.FORMATS, "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MIN_SIDE, MAX_SIDE = 4, 1024  # pixels
_SLOW_SIDE = 64  # from which four families take long on a processor
_TURNED = 0x0112  # EXIF's tag of the camera's orientation

Bytes = NDArray[np.uint8]


def read(source: Source, path: Path) -> Arrays:
    """``images`` uint8 (n, h, w) or (n, h, w, 3), ``labels``, and ``groups`` of a CSV."""
    return _read(source, path, _Counts())[0]


def look(path: Path, options: Options) -> Found:
    """The size of the pictures, how they are converted, the arrays, and what may be wrong.
    Raises GlassnetsError."""
    tabular = path.is_file() and path.suffix.lower() != ".npz"
    allowed = {"--size"} | ({"--label", "--group"} if tabular else set())
    for option in options.given():
        if option not in allowed:
            kind = "a CSV of pictures" if tabular else "pictures without a table"
            raise ParameterError(f"{option}: expected with other data, got {kind} ({path.name})")
    source = Source(kind="image", path=str(path), label=None)
    facts: list[tuple[str, list[str]]] = []
    if tabular:
        table = text.read(path)
        file = file_column(table)
        if file is None:
            raise FileError(
                path, "a column of names of picture files", "none: add one, as cats/1.png"
            )
        label = tables.label_column(path, table, options.label)
        group = options.group and str(text.column(path, table, options.group, "--group").name)
        if len({file, label, group}) < 3:
            raise ParameterError(
                f"{path.name}: expected different columns for files, --label, --group"
            )
        source = source.model_copy(update={"label": label, "file": file, "group": group})
        facts.append(
            ("file", [f"{len(table.frame):,} rows; pictures by column {file}; {table.form}"])
        )
    size, sizes = _size(source, path, options.size)
    source = source.model_copy(update={"size": f"{size[0]}x{size[1]}"})
    counts = _Counts()
    arrays, names = _read(source, path, counts)
    images = arrays["images"]
    colours = "RGB" if images.ndim == 4 else "grey"
    resized = counts.said.get("resized", 0)
    facts.append(
        ("pictures", [f"{len(images):,}, {colours}, {size[0]}×{size[1]} (height×width)", *sizes])
    )
    facts.append(("converted", counts.lines() or ["nothing"]))
    look_at = []
    if counts.ignored:
        facts.append(
            ("ignored", [f"{len(counts.ignored)} other files: {files.listed(counts.ignored, 3)}"])
        )
    if resized and counts.stretched:
        look_at.append(
            f"size: {counts.stretched:,} pictures had another aspect and were stretched; crop them "
            "first if that matters"
        )
    if max(size) > _SLOW_SIDE:
        look_at.append(
            f"size: training on {size[0]}×{size[1]} takes long on a processor; --size 32x32 "
            "shows sooner whether it is worth it"
        )
    if images.max() < 64:
        look_at.append(
            f"brightness: the brightest pixel of all is {images.max()} of 255; were 16 bits a "
            "channel written where fewer are used?"
        )
    return Found(source, arrays, names, facts, look_at)


def file_column(table: text.Table) -> str | None:
    """The first column most of whose values are names of pictures."""
    for name in table.frame.columns:
        values = table.frame[name]
        if text.is_text(values):
            ends = values.astype(str).str.strip().str.lower().str.endswith(SUFFIXES)
            if ends.mean() > 0.5:
                return str(name)
    return None


@dataclass
class _Counts:
    """What happened to pictures on the way, for the person to read."""

    said: Counter[str] = field(default_factory=Counter)
    stretched: int = 0
    ignored: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [f"{count:,} {what}" for what, count in self.said.items()]


def _read(source: Source, path: Path, counts: _Counts) -> tuple[Arrays, tuple[str, ...]]:
    """The raw arrays, and the names of the classes."""
    size = None if source.size is None else parsed_size(source.size)
    if path.is_file() and path.suffix.lower() == ".npz":
        return _from_archive(path, size, counts)
    listing = _listing(source, path, counts)
    codes, names = labels.coded(path, listing.labels, listing.what, "picture", path.is_dir())
    if size is None:
        size, _ = _size(source, path, None)
    arrays: Arrays = {"images": _decoded(path, listing.files, size, counts), "labels": codes}
    if listing.groups is not None:
        arrays["groups"] = tables.group_codes(path, listing.groups)
    return arrays, names


def parsed_size(written: str) -> Shape:
    """(height, width) of ``"32x48"``. Raises ParameterError for another text."""
    height, cross, width = written.lower().replace("×", "x").partition("x")
    if cross and height.isdecimal() and width.isdecimal():
        size = int(height[:6]), int(width[:6])
        if all(MIN_SIDE <= side <= MAX_SIDE for side in size):
            return size
    raise ParameterError(
        f"--size: expected HEIGHTxWIDTH as 32x32, of {MIN_SIDE} to {MAX_SIDE} pixels each, "
        f"got {files.shown(written)}"
    )


# Which files there are


@dataclass(frozen=True)
class _Listing:
    files: list[Path]
    labels: pd.Series
    what: str  # how errors call the labels
    groups: pd.Series | None = None


def _listing(source: Source, path: Path, counts: _Counts) -> _Listing:
    return _of_folders(path, counts) if path.is_dir() else _of_table(source, path)


def _of_folders(path: Path, counts: _Counts) -> _Listing:
    """The pictures of a folder, one folder a class: sorted by class, then by name."""
    found: list[Path] = []
    named: list[str] = []
    loose = []
    for folder in sorted(path.iterdir()):
        if folder.name.startswith((".", "__")):
            continue
        if not folder.is_dir():
            loose.append(folder)
            continue
        _check_inside(folder, path)
        own = _pictures_of(folder, path, counts)
        if not own:
            raise FileError(folder, "pictures of a class", "none: add some, or remove the folder")
        found += own
        named += [files.normal(folder.name)] * len(own)
    if not found:
        came = "none"
        if pictures_here := sum(each.suffix.lower() in SUFFIXES for each in loose):
            came = (
                f"{pictures_here:,} pictures beside each other: sort them into folders, or name a "
                "CSV of files and labels"
            )
        raise FileError(path, "a folder of pictures for each class", came)
    counts.ignored += [each.name for each in loose]
    _check_count(path, found)
    return _Listing(found, pd.Series(named, dtype=object), "folders")


def _pictures_of(folder: Path, path: Path, counts: _Counts) -> list[Path]:
    found = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith("."):
            continue
        _check_inside(file, path)
        if file.is_dir():
            raise FileError(
                folder,
                "pictures of a class, no folders within",
                f"{files.shown(file.name)}: name the folder that holds the classes, parts as "
                "train and test joined",
            )
        if file.suffix.lower() in SUFFIXES:
            found.append(file)
        else:
            counts.ignored.append(f"{folder.name}/{file.name}")
    return found


def _of_table(source: Source, path: Path) -> _Listing:
    """The pictures that a table names, in its order."""
    table = text.read(path)
    names = text.column(path, table, source.file or "", "source.file").astype(str).str.strip()
    label = text.column(path, table, source.label or "", "--label")
    twice = names[names.duplicated()]
    if len(twice):
        raise FileError(path, "each picture in one row", f"{files.shown(twice.iloc[0])} in several")
    found = []
    folder = path.parent
    for row, name in enumerate(names):
        file = folder / name
        if not name or Path(name).is_absolute() or not _is_inside(file, folder):
            raise FileError(
                path,
                f"names of files in its own folder {pictures.printable(folder)}",
                f"{files.shown(name)} in row {row + 1}: put the picture beside the table",
            )
        found.append(file)
    _check_count(path, found)
    group = None if source.group is None else text.column(path, table, source.group, "--group")
    return _Listing(found, label, f"column {files.shown(str(label.name))}", group)


def _check_count(path: Path, found: list[Path]) -> None:
    files.check_size(path, (len(found), MIN_SIDE, MIN_SIDE), 1, "give fewer pictures")


def _check_inside(file: Path, path: Path) -> None:
    if file.is_symlink() and not _is_inside(file, path):
        raise FileError(
            file, f"a file within {pictures.printable(path)}", "a link out of it: copy the file"
        )


def _is_inside(file: Path, folder: Path) -> bool:
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file can have
        return False


# Sizes


def _size(source: Source, path: Path, wanted: Shape | None) -> tuple[Shape, list[str]]:
    """The size that all pictures get, the most frequent one if none is wanted; lines on others."""
    if path.is_file() and path.suffix.lower() == ".npz":
        shape = _archive(path)[0].shape
        sizes = Counter({(int(shape[1]), int(shape[2])): int(shape[0])})
    else:
        sizes = _sizes(path, _listing(source, path, _Counts()).files)
    usual = min(sizes, key=lambda each: (-sizes[each], each))
    size = wanted or usual
    if not MIN_SIDE <= min(size) <= max(size) <= MAX_SIDE:
        raise FileError(
            path,
            f"pictures of {MIN_SIDE} to {MAX_SIDE} pixels a side",
            f"{size[0]}×{size[1]} (height×width): give --size, as --size 32x32",
        )
    if wanted is None:
        size = sizing.tiled(size)
    how = "as requested" if wanted else "the most frequent size"
    if size != usual and wanted is None:
        how = f"near the most frequent size {usual[0]}×{usual[1]}, so that patches tile them"
    if set(sizes) == {size}:
        return size, []
    shown = [f"{h}×{w}: {count:,}" for (h, w), count in sizes.most_common(3)]
    more = f", {len(sizes) - 3:,} other sizes" if len(sizes) > 3 else ""
    return size, [f"files: {', '.join(shown)}{more}; resized, {how}"]


def _sizes(path: Path, found: Iterable[Path]) -> Counter[Shape]:
    """How many pictures have each size, (height, width), by their headers."""
    sizes: Counter[Shape] = Counter()
    problems: list[GlassnetsError] = []
    for file in found:
        try:
            sizes[_header_size(file)] += 1
        except GlassnetsError as error:
            problems.append(error)
    _raise_first(problems)
    return sizes


def _header_size(file: Path) -> Shape:
    _check_file(file)
    with file.open("rb") as content, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(content, formats=FORMATS) as image:
                width, height = image.size
                # A PNG's may stand behind its pixels: then the picture is turned and resized.
                known = image.format != "PNG" or "exif" in image.info
                if known and image.getexif().get(_TURNED, 1) >= 5:
                    width, height = height, width
                return height, width
        except MemoryError:
            raise
        except Exception:  # decoders raise all kinds; the whole reading says which
            pass
    whole, _ = pictures.decoded(file.read_bytes(), pictures.printable(file), FORMATS)
    return whole.height, whole.width


def _check_file(file: Path) -> None:
    name = pictures.printable(file)
    if not file.is_file():
        came = "none" if not file.exists() else "something else"
        raise FileError(name, "a picture file", came)
    pictures.check_size(name, file.stat().st_size)


def _raise_first(problems: list[GlassnetsError]) -> None:
    """The first error, and how many there are beside it."""
    if not problems:
        return
    more = len(problems) - 1
    others = f" ({more:,} other file{'s are' if more > 1 else ' is'} broken too)" if more else ""
    raise GlassnetsError(f"{problems[0]}; mend or remove it{others}")


# Pixels


def _decoded(path: Path, found: list[Path], size: Shape, counts: _Counts) -> Bytes:
    """uint8 (n, h, w), or (n, h, w, 3) where a picture has colours."""
    files.check_size(path, (len(found), *size, 3), 1, "give a smaller --size")
    images = np.empty((len(found), *size, 3), np.uint8)
    coloured = False
    problems: list[GlassnetsError] = []
    for i, file in enumerate(found):
        try:
            _check_file(file)
            name = pictures.printable(file)
            image, steps = pictures.decoded(file.read_bytes(), name, FORMATS)
            counts.said.update(steps)
            images[i] = _rgb(image, name, size, counts)
        except GlassnetsError as error:
            problems.append(error)
            continue
        coloured = coloured or _has_colours(images[i])
    _raise_first(problems)
    return images if coloured else np.ascontiguousarray(images[..., 0])


def _rgb(image: Image.Image, name: str, size: Shape, counts: _Counts) -> Bytes:
    """uint8 (h, w, 3)."""
    if image.mode in ("F", "LAB"):
        came = "one of fractions" if image.mode == "F" else "CIE L*a*b*"
        raise FileError(name, "a picture of 8 or 16 bits a channel, grey, RGB or CMYK", came)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        if whole.getchannel("A").getextrema() != (255, 255):
            counts.said["transparent: on white"] += 1
        image = Image.new("RGBA", whole.size, "white")
        image.alpha_composite(whole)
    if image.mode in ("CMYK", "P", "YCbCr", "HSV"):
        names = {"CMYK": "CMYK: as RGB", "P": "with a palette: as RGB"}
        counts.said[names.get(image.mode, f"{image.mode}: as RGB")] += 1
    image = image.convert("RGB")
    height, width = size
    if image.size != (width, height):
        counts.said["resized"] += 1
        counts.stretched += abs(image.width * height / (image.height * width) - 1) > 0.05
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def single(content: bytes, name: str, shape: InputShape) -> tuple[Bytes, list[str]]:
    """A picture's bytes as one of a dataset's images, (h, w) or (h, w, 3), and in words what was
    done to it. name: what errors call it. Raises GlassnetsError."""
    counts = _Counts()
    image, steps = pictures.decoded(content, name, FORMATS)
    came = f"{image.width}×{image.height}"
    height, width, *channels = shape
    pixels = _rgb(image, name, (height, width), counts)
    steps += [step for step in counts.said if step != "resized"]
    if "resized" in counts.said:
        steps.append(f"resized from {came} to {width}×{height} pixels")
    if channels:
        return pixels, steps
    if _has_colours(pixels):
        steps.append("colours read as grey")
    return np.asarray(Image.fromarray(pixels).convert("L")), steps


def _has_colours(image: Bytes) -> bool:
    return bool((image[..., 0] != image[..., 1]).any() or (image[..., 1] != image[..., 2]).any())


# Archives


def _archive(path: Path) -> tuple[NDArray[Any], pd.Series]:
    """images (n, h, w) or (n, h, w, 3) of any numbers, and a label each."""
    arrays = files.load_arrays(path, ("images", "labels"))
    images, given = arrays["images"], arrays["labels"]
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)  # channels first, as PyTorch has them
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    sides: tuple[int, ...] = images.shape
    if not (len(sides) == 3 or sides[3:] == (3,)) or not images.size:
        came = "×".join(map(str, arrays["images"].shape))
        raise FileError(path, "images of shape n×height×width or n×height×width×3", came)
    return images, labels_of(path, given, len(images))


def labels_of(path: Path, given: NDArray[Any], rows: int) -> pd.Series:
    """An archive's labels as a column. Raises GlassnetsError unless there is one for each row."""
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.shape != (rows,):
        sides = "×".join(map(str, given.shape))
        if given.ndim == 2 and len(given) == rows:
            sides += ", one-hot? Save labels.argmax(axis=1)"
        raise FileError(path, f"labels of shape {rows}, a class number or name each", sides)
    if given.dtype.kind == "S":
        given = np.char.decode(given, "utf-8", "replace")
    if given.dtype.kind not in "biufU":
        raise FileError(path, "labels that are numbers or texts", f"{given.dtype}")
    return pd.Series(given)


def _from_archive(
    path: Path, size: Shape | None, counts: _Counts
) -> tuple[Arrays, tuple[str, ...]]:
    raw, given = _archive(path)
    codes, names = labels.coded(path, given, "labels", "picture")
    images = _as_bytes(path, raw, counts)
    if size is not None and images.shape[1:3] != size:
        files.check_size(path, (len(images), *size, *images.shape[3:]), 1, "give a smaller --size")
        resized = np.empty((len(images), *size, *images.shape[3:]), np.uint8)
        for i, image in enumerate(images):
            bilinear = Image.Resampling.BILINEAR
            resized[i] = np.asarray(Image.fromarray(image).resize(size[::-1], bilinear))
        counts.said["resized"] += len(images)
        images = resized
    if images.ndim == 4 and not any(_has_colours(image) for image in images):
        images = images[..., 0]
    return {"images": np.ascontiguousarray(images), "labels": codes}, names


def _as_bytes(path: Path, images: NDArray[Any], counts: _Counts) -> Bytes:
    """Levels 0…255 of levels 0…255, 0…65535 or 0…1."""
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    expected = "images of levels 0…255, 0…65535 or 0…1"
    if images.dtype.kind not in "iuf":
        raise FileError(path, expected, f"{images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not 0 <= low <= high <= 65535:
        raise FileError(path, expected, f"numbers from {low:g} to {high:g}: rescale them")
    if images.dtype.kind == "f":
        if high > 255:
            raise FileError(path, expected, f"fractions up to {high:g}: rescale them")
        scale = 255 if high <= 1 else 1
        counts.said[f"from fractions 0…{255 // scale}"] += len(images)
        converted = np.empty(images.shape, np.uint8)
        for i, image in enumerate(images):
            converted[i] = np.rint(image * scale)
        return converted
    if high > 255:
        counts.said["from 16 bits: as 8"] += len(images)
        return (images >> 8).astype(np.uint8)
    return images.astype(np.uint8)
