"""glassnets add on a thousand folders, tables and archives broken in random ways: never a
traceback, never a half-written params.yaml, each refusal in one line."""

import functools
import io
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassnets import config
from glassnets.apps import add
from glassnets.data import own
from glassnets.pipeline import artefacts

ROOT = Path(__file__).parents[2]
CASES = 1000
BATCH = 50

LONG = "x" * 300
TEXTS = ("", " ", "NA", "?", "-", "nan", "inf", "1e999", "12", "-3.5", "1,5", "1.234,5", "1_000")
TEXTS += ("2024-02-30", "2024-01-02", "03/04/2024", "31.12.2024", "true", "ja", "naïve", "猫 1")
TEXTS += ("${x}", "???", "(missing)", "(other)", "=1+1", '"', "'", "a\nb", "\x1b[31m", "0x1F")
TEXTS += (LONG, "é", "e\u0301", "\u202egpj.exe", "None", "NULL", "#", "- a", "a: b", "{", "~", "no")


NAMES = (*["t.csv"] * 6, "mit Leerzeichen é.csv", "猫.csv", "t.tsv", "t.CSV", "t", "t.parquet")


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


# Tables


def table(rng, folder):
    """A CSV of numbers, categories and labels, then broken."""
    n = int(pick(rng, (0, 1, 3, 12, 40, 40, 40, 40, 40)))
    rows = [["a", "b", "c", "label"]]
    for i in range(n):
        rows.append([str(i * 0.5), f"{rng.normal():.3f}", pick(rng, ("x", "y")), "uv"[i % 2]])
    for _ in range(rng.integers(0, 3)):
        break_table(rng, rows)
    options = table_options(rng)
    return write_table(rng, folder, rows), options


def break_table(rng, rows):
    column, row = int(rng.integers(4)), int(rng.integers(len(rows)))
    match int(rng.integers(11)):
        case 0:
            rows[0][column % len(rows[0])] = pick(rng, (*TEXTS, "a", "label"))
        case 1 | 2:
            rows[row][column % len(rows[row])] = pick(rng, TEXTS)
        case 3:
            for each in rows[1:]:
                each[column % len(each)] = pick(rng, TEXTS)
        case 4:
            for each in rows[1:]:
                each[-1] = "one"
        case 5:
            for i, each in enumerate(rows[1:]):
                each[-1] = str(i + 0.25)
        case 6:
            rows[row].append("more")
        case 7:
            rows[row][:] = rows[row][:1]
        case 8:
            del rows[0][1:]
        case 9:
            del rows[0]
            rows.append(["last"])
        case 10:
            for i, each in enumerate(rows):
                each += [f"c{i}"] * int(pick(rng, (1, 30, 2500)))


def table_options(rng):
    names = ("a", "b", "c", "label", "none", "", "${x}", LONG)
    options = {}
    for option in ("label", "group", "time", "case"):
        if rng.random() < 0.05:
            options[option] = pick(rng, names)
    for option in ("number", "category", "drop"):
        if rng.random() < 0.07:
            options[option] = [pick(rng, names) for _ in range(rng.integers(1, 4))]
    if rng.random() < 0.03:
        options["kind"] = pick(rng, ("image", "table", "series", "audio"))
    if rng.random() < 0.02:
        options["size"] = pick(rng, ("8x8", "0x8", "8", "-1x4", "9999999x4", "axb", "²x²"))
    return options


def write_table(rng, folder, rows):
    delimiter = pick(rng, (",", ",", ",", ";", ";", ";", "\t", "\t", "|", " "))
    end = pick(rng, ("\n", "\n", "\r\n", "\n\n"))
    content = end.join(delimiter.join(row) for row in rows)
    encoding = pick(rng, ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"))
    path = folder / pick(rng, NAMES)
    path.write_bytes(broken(rng, content.encode(encoding, "replace")))
    return path


def broken(rng, content, chance=0.12):
    """Bytes, now and then cut, changed, repeated, or others altogether."""
    if rng.random() > chance or not content:
        return content
    at = int(rng.integers(len(content)))
    other = (b"", b"\x00" * 50, b"PK\3\4" + bytes(30), b"%PDF-1.4", b"<html>", b"\xff\xfe", b'"')
    return (
        content[:at],
        content[:at] + rng.bytes(1) + content[at + 1 :],
        content[:at] + b"\x00" + content[at:],
        content[:at] + b'"' + content[at:],
        content + content,
        rng.bytes(200),
        pick(rng, other),
    )[rng.integers(7)]


def long_table(rng, folder):
    """A CSV of series, a row a step, then broken."""
    rows = [["case", "time", "value", "label"]]
    lengths = pick(rng, ((1,), (3,), (5,), (5, 7, 9), (6, 8)))
    for case in range(int(pick(rng, (1, 6, 20, 20, 20)))):
        for step in range(lengths[case % len(lengths)]):
            rows.append([f"s{case}", str(step), f"{rng.normal():.2f}", "uv"[case % 2]])
    for _ in range(rng.integers(0, 3)):
        break_table(rng, rows)
    options = {}
    for option in ("case", "time", "label", "group"):
        if rng.random() < 0.1:
            options[option] = pick(rng, ("case", "time", "value", "label", "none", option))
    return write_table(rng, folder, rows), options


# Archives


def archive(rng, folder):
    n = int(pick(rng, (0, 1, 3, 20, 40, 40, 40, 40, 40)))
    images = ((8, 8), (8, 8, 1), (8, 8, 3), (3, 8, 8), (2, 2), (8, 8, 2))
    kind = pick(rng, ("images", "series", "images", "series", "images", "series", "x"))
    shapes = ((8,), (8, 2), (8, 1), (16,), (), (9, 1, 2)) if kind == "series" else images
    shape = pick(rng, shapes)
    dtype = pick(
        rng,
        (
            "u1",
            "u1",
            "f4",
            "f4",
            "f8",
            "u1",
            "f4",
            "i8",
            "u2",
            "?",
            "c8",
            "U3",
            "O",
            "M8[s]",
            "i4,i4",
            "f2",
        ),
    )
    values = np.zeros((n, *shape)) + rng.integers(
        0, pick(rng, (1, 2, 256, 256, 256, 70_000)), (n, *shape)
    )
    if rng.random() < 0.2 and values.size:
        values.flat[rng.integers(values.size)] = pick(rng, (np.nan, np.inf, -1.0, 1e39))
    with np.errstate(all="ignore"):
        arrays = {kind: values.astype(dtype) if dtype != "i4,i4" else np.zeros(n, dtype)}
    labels = np.arange(n) % 2
    odd = (*[labels] * 12, labels[:-1], labels * 0, labels + 0.25 * np.arange(n))
    odd += (labels[:, None], labels.astype("U1"), labels.astype("S1"), labels.astype(object))
    odd += (np.where(labels == 0, np.nan, 1.0), np.float64(1), np.arange(n), labels == 1)
    arrays["labels"] = pick(rng, odd)
    if rng.random() < 0.3:
        lengths = (np.full(n, 8), np.full(n, 3), np.arange(n), np.zeros(n), np.full(n, 2**40))
        arrays["lengths"] = pick(rng, (*lengths, np.int64(3), np.full(n, -1)))
    if rng.random() < 0.1:
        del arrays["labels"]
    buffer = io.BytesIO()
    pick(rng, (np.savez, np.savez_compressed))(buffer, **arrays)
    path = folder / pick(rng, (*["d.npz"] * 10, "d.csv", "d.npy", "d.zip", "d"))
    path.write_bytes(broken(rng, buffer.getvalue()))
    return path, {"size": pick(rng, ("16x16", "4x8"))} if rng.random() < 0.2 else {}


# Folders


def pictures(rng, folder):
    root = folder / pick(rng, ("bilder", "mit Leerzeichen", "猫"))
    root.mkdir()
    classes = ("cats", "dogs", "", "a b", "été", "${x}", "???", ".hidden", "x" * 200, "a\nb", "1")
    for i in range(int(pick(rng, (0, 1, 2, 2, 2, 2, 2, 3)))):
        of_class = root / pick(rng, (*[f"c{i}"] * 20, *classes))
        of_class.mkdir(exist_ok=True)
        for j in range(int(pick(rng, (0, 1, *[12] * 8)))):
            picture(rng, of_class / f"{j}{pick(rng, ('.png', '.png', '.jpg', '.gif', '.tif'))}")
    for _ in range(int(pick(rng, (0, 0, 1, 2)))):
        with suppress(FileExistsError):  # broken in this way already
            break_folder(rng, root)
    if rng.random() < 0.3:
        return picture_table(rng, root)
    options = {"size": pick(rng, ("8x8", "33x47", "4x1024"))} if rng.random() < 0.1 else {}
    return root, options


def picture_table(rng, root):
    """A CSV of the pictures' names and labels, some of which are not there."""
    names = [str(file.relative_to(root)) for file in sorted(root.rglob("*.*"))]
    names += [pick(rng, ("none.png", "../../x.png", "/etc/passwd.png", "", "a\0b.png"))] * (
        rng.random() < 0.3
    )
    rows = ["file,label", *(f'"{name}",{"uv"[i % 2]}' for i, name in enumerate(names))]
    path = root / "labels.csv"
    path.write_bytes(broken(rng, "\n".join(rows).encode()))
    return path, {}


def picture(rng, path):
    side = int(pick(rng, (*[8] * 12, 1, 3, 16)))
    mode = pick(rng, (*["L", "RGB", "RGBA", "LA", "P", "1", "CMYK", "I;16"] * 8, "F"))
    values = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 200)
    elif mode in ("F", "LA"):
        image = image.convert("L").convert(mode)
    else:
        image = image.convert(mode)
    buffer = io.BytesIO()
    formats = {".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".tif": "TIFF"}
    try:
        image.save(buffer, formats[path.suffix])
    except (OSError, ValueError):  # a mode that the format has not
        image.convert("RGB").save(buffer, "PNG")
    path.write_bytes(broken(rng, buffer.getvalue(), chance=0.01))


def break_folder(rng, root):
    folders = [root, *(each for each in root.iterdir() if each.is_dir())]
    place = pick(rng, folders)
    match int(rng.integers(9)):
        case 0:
            (place / "readme.txt").write_text("notes")
        case 1:
            (place / "empty.png").touch()
        case 2:
            (place / "page.png").write_text("<html>")
        case 3:
            (place / "link.png").symlink_to("/etc/hostname")
        case 4:
            (place / "loop.png").symlink_to("loop.png")
        case 5:
            (place / "inner").mkdir()
        case 6:
            (place / "folder.png").mkdir(exist_ok=True)
        case 7:
            os.mkfifo(place / "pipe.png")
        case 8:
            (place / "out").symlink_to("/tmp")


GENERATORS = (table, table, table, long_table, archive, archive, pictures, pictures)


@pytest.fixture(scope="module")
def small_params():
    """params.yaml with digits alone, which is read sooner."""
    content = (ROOT / "params.yaml").read_text(encoding="utf-8")
    head, _, rest = content.partition("\nplanted:\n")
    assert rest
    head = re.sub("shortcut_cells: #.*", "shortcut_cells: {}", head)
    others = re.compile("- (planted|mnist)|  (planted|mnist)[:-]")
    return "\n".join(line for line in head.splitlines() if not others.match(line)) + "\n"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.release] if first >= CASES / 5 else [])
        for first in range(0, CASES, BATCH)
    ],
)
def test_whatever_is_given(first, small_params, tmp_path, monkeypatch, capsys):
    (tmp_path / "dvc.yaml").touch()
    params = tmp_path / "params.yaml"
    params.write_text(small_params, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    read, load = functools.cache(_load), config.load
    monkeypatch.setattr(config, "load", lambda path: read(load, path.read_text(encoding="utf-8")))
    refused = 0
    for seed in range(first, first + BATCH):
        rng = np.random.default_rng(seed)
        folder = tmp_path / "data" / str(seed)
        folder.mkdir(parents=True)
        path, options = pick(rng, GENERATORS)(rng, folder)
        before = sorted(each.name for each in tmp_path.iterdir())
        code = 0
        try:
            add.command("mine", path, **options)
        except SystemExit as left:
            code = left.code
        out, err = capsys.readouterr()
        case = f"case {seed}: {path.name!r} {options}\n{out}{err}"
        assert sorted(each.name for each in tmp_path.iterdir()) == before, case
        if code:
            refused += 1
            assert code in (1, 2), case
            assert out == "", case
            assert err.startswith("error: "), case
            assert err.endswith("\n"), case
            assert err[:-1].isprintable(), case
            assert len(err) < 1500, case
            assert params.read_text(encoding="utf-8") == small_params, case
        else:
            assert err == "", case
            dataset = config.load(params).dataset("mine")
            arrays = own.read(dataset.source, artefacts.root() / dataset.source.path)
            assert arrays["images"].shape == (dataset.shape.images, *dataset.input_shape), case
            assert dataset.sha256 is not None
            assert add._sha256(arrays["images"]) == dataset.sha256.images, case
            assert add._sha256(arrays["labels"]) == dataset.sha256.labels, case
            params.write_text(small_params, encoding="utf-8")
        shutil.rmtree(folder)
    assert BATCH / 4 < refused < BATCH  # those that are not refused reach the end


def _load(load, content):
    file = Path.cwd() / "data" / "params.yaml"
    file.write_text(content, encoding="utf-8")
    return load(file)
