"""``glassnets add NAME PATH``: takes a person's own data in. It looks, says what it found, and
writes the group into params.yaml. Exit code 2: a usage error; 1: data that cannot be used."""

import hashlib
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import numpy as np
import typer
from numpy.typing import NDArray

from glassnets import config, registry
from glassnets.config import adding, loading, schema
from glassnets.data import own, splits
from glassnets.data.own import Found, Options, checks, files, images, labels, sizes
from glassnets.data.pictures import printable
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import artefacts

# The validation part, a sixth of the rows at least, then has one of each class.
_ROWS_OF_A_CLASS = 8
# Folders of models/ that hold something else than a dataset's networks, and groups of params.yaml.
_RESERVED = ("memorised", "additive", "shortcut", "evaluation", "runtime")


@in_one_line("a part of the data, or a smaller --size")
def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the dataset, as my_flowers.")],
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A folder with a folder of pictures a class; a CSV or Parquet file; an .npz.",
        ),
    ],
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to be predicted.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="image, table or series. Default: by what lies there.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Of pictures. Default: their most frequent size."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Rows of one group stay in one part of the split. Of a table, not beside --time.",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Of a table: the latest rows are the test part. Of series: the order of steps.",
        ),
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of series: which one a row is a step of.")
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="It holds numbers. Again for more.")
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="It holds categories. Again for more."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave it out. Again for more.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the group, and write nothing.")
    ] = False,
) -> None:
    """Takes your data in: says what it found, and writes their group into params.yaml."""
    params_file = artefacts.params_file()
    params = config.load(params_file)
    content = params_file.read_bytes()
    _check_name(name, params)
    path = Path(os.path.normpath(Path.cwd() / path))
    if not path.exists():
        raise ParameterError(f"PATH: expected a file or a folder, got none at {printable(path)}")
    options = Options(
        label=label,
        size=None if size is None else images.parsed_size(size),
        group=group,
        time=time,
        case=case,
        numbers=tuple(number or ()),
        categories=tuple(category or ()),
        dropped=tuple(drop or ()),
    )
    config.check_known("--kind", [kind] if kind else [], get_args(schema.Kind))
    root = artefacts.root()
    _check_outside(path, root)
    which = own.kind_of(path, options) if kind is None else cast(schema.Kind, kind)
    found = own.look(which, path, options)
    _check_shape(found)

    whole, extended = _extended(content.decode(), name, found, path, root)
    report = "\n".join(_report(name, printable(Path(whole["source"]["path"])), found))
    if dry_run:
        print(report, file=sys.stderr)
        print(adding.group_text(name, whole), end="")
        return
    with artefacts.replacing(params_file) as (partial,):
        partial.write_bytes(extended.encode())
        if params_file.read_bytes() != content:
            raise GlassnetsError(
                "expected params.yaml as it was when this began, got one that was changed "
                "meanwhile: run it again"
            )
    print(report)
    print(f"\nwrote into params.yaml: the group {name}, its lines in datasets, cells, sources")
    print(f"next: make run DATASET={name}")


# What may be added


def _check_name(name: str, params: schema.Params) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]{0,63}", name):
        came = files.shown(name)
        raise ParameterError(
            f"NAME: expected a small letter, then small letters, digits, _ (64 at most), got {came}"
        )
    if name in params.datasets:
        raise ParameterError(
            f"NAME: expected a new one, got {name}: params.yaml has it; take its group and its "
            "lines in datasets, cells and sources out to add it again"
        )
    taken = (*_RESERVED, *registry.names(registry.SOURCES), *registry.names(registry.FAMILIES))
    if name in taken or not loading.free(name):
        raise ParameterError(
            f"NAME: expected a name that means nothing else here, got {name}: take my_{name}"
        )


def _check_outside(path: Path, root: Path) -> None:
    """That DVC does not come to watch the project's own folder for its data."""
    if root.resolve().is_relative_to(path.resolve()):
        raise ParameterError(
            f"PATH: expected a folder of data, got one that holds the project: {printable(path)}"
        )


def _watched(path: Path, source: schema.Source, root: Path) -> Path:
    """What DVC watches: of a table of pictures, its folder, since the pictures lie there."""
    if source.file is None:
        return path
    if root.resolve().is_relative_to(path.parent.resolve()):
        raise ParameterError(
            f"PATH: expected a table of pictures in a folder of its own, got one beside the "
            f"project: move {path.name} and its pictures into data/external/"
        )
    return path.parent


def _relative(path: Path, root: Path) -> str:
    """Relative to the project where the path lies inside it, else absolute."""
    text = (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
    files.check_texts(path, "a path", [text])
    return text


# The group


def _extended(
    content: str, name: str, found: Found, path: Path, root: Path
) -> tuple[dict[str, Any], str]:
    """The group, and params.yaml with it: read back, so that what is written is valid."""
    watched = _relative(_watched(path, found.source, root), root)
    group = _group(found, _relative(path, root))
    _check_enough(found)

    def extended(group: Mapping[str, Any]) -> tuple[str, schema.Dataset]:
        text = adding.with_dataset(content, name, watched, group)
        with tempfile.TemporaryDirectory(prefix="glassnets-add-") as folder:
            file = Path(folder, "params.yaml")
            file.write_bytes(text.encode())
            return text, config.load(file).dataset(name)

    # The least that any split allows, until the sizes of the parts are known.
    one = {"images": 1}
    _, dataset = extended(
        group | {"sample": one, "memorise": one, "training": {"batch_size": 1, "epochs": 100}}
    )
    _merge(group, sizes.of_parts(found.source.kind, *_parts(found, dataset)))
    return group, extended(group)[0]


def _check_shape(found: Found) -> None:
    """That the patches of a network with attention tile pictures."""
    height, width = found.arrays["images"].shape[1:3]
    if found.source.kind == "image" and not sizes.are_tiled((height, width)):
        raise ParameterError(
            f"--size: expected sides that patches tile, as multiples of 8, got {height}x{width}"
        )


def _check_enough(found: Found) -> None:
    """That each class can be in each part, of which the validation part is the smallest."""
    rows, classes = len(found.arrays["labels"]), len(found.class_names)
    least = _ROWS_OF_A_CLASS * classes
    if rows < least:
        raise GlassnetsError(
            f"expected {least:,} {_UNITS[found.source.kind]} or more for {classes} classes, so "
            f"that each part of the split has each class, got {rows:,}: add some, or join classes"
        )


def _group(found: Found, path: str) -> dict[str, Any]:
    """All but what the sizes of the parts decide."""
    source, arrays = found.source.model_copy(update={"path": path}), found.arrays
    n, height, width, *channels = arrays["images"].shape
    shape = {"images": n, "height": height, "width": width}
    if channels:
        shape["channels"] = channels[0]
    group: dict[str, Any] = {
        "source": {
            key: _plain(value) for key, value in source.model_dump(exclude_defaults=True).items()
        },
        "shape": shape,
        "classes": len(found.class_names),
        "class_names": list(found.class_names),
        "sha256": {key: _sha256(arrays[key]) for key in ("images", "labels")},
    }
    if "groups" in arrays:
        group["split"] = "grouped"
    elif "times" in arrays:
        group["split"] = "by_time"
    _merge(group, sizes.of_rows(n, len(found.class_names)))
    _merge(group, sizes.of_shape(source.kind, (height, width)))
    return group


def _plain(value: Any) -> Any:
    """Tuples as the lists that YAML has."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _merge(group: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Adds keys to a group, and to the groups within."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(group.get(key), dict):
            _merge(group[key], value)
        else:
            group[key] = value if not isinstance(value, Mapping) else dict(value)


def _parts(found: Found, dataset: schema.Dataset) -> tuple[int, int]:
    """How many rows the training and the test part have. Raises GlassnetsError where a part is
    left without an example of a class."""
    arrays = {name: array for name, array in found.arrays.items() if name != "images"}
    try:
        parts = splits.split(arrays, dataset)
    except ParameterError as error:
        counts = np.bincount(arrays["labels"], minlength=dataset.classes)
        rarest = int(counts.argmin())
        name = files.shown(found.class_names[rarest])
        by = {"grouped": ", whole groups each", "by_time": ", by time"}.get(dataset.split, "")
        raise GlassnetsError(
            f"expected enough of each class for a training, a validation and a test part{by}, got "
            f"{counts[rarest]:,} of {name} among {len(arrays['labels']):,}: add some, or take the "
            "class out"
        ) from error
    return len(parts["train"]["labels"]), len(parts["test"]["labels"])


# The report


def _report(name: str, path: str, found: Found) -> list[str]:
    """What was found, aligned; then what a person should look at."""
    source, arrays = found.source, found.arrays
    counted, warnings = labels.balance(arrays["labels"], found.class_names)
    units = _UNITS[found.source.kind]
    repeated, more = checks.duplicates(arrays, units)
    warnings = [*_hints(name, path, found), *warnings, *found.warnings, *more]
    if source.kind != "table":
        warnings += checks.near_duplicates(arrays, units)
    label = "the array labels" if source.path.lower().endswith(".npz") else "folders"
    facts = [
        *found.facts,
        ("label", [f"{source.label or label}: {len(found.class_names)} classes", *counted]),
        ("duplicates", repeated),
    ]
    lines = [f"{name}: {'a table' if source.kind == 'table' else units} from {path}"]
    for heading, texts in facts:
        lines += [
            f"  {heading if i == 0 else '':<{_HEADING}}{text}" for i, text in enumerate(texts)
        ]
    if warnings:
        lines += ["", "look at this first:", *(f"  ! {_one_line(each)}" for each in warnings)]
    return lines


def _hints(name: str, path: str, found: Found) -> list[str]:
    """The command that takes a table's rows as steps of series, where they look like it."""
    if found.case_and_time is None:
        return []
    case, time = found.case_and_time
    options = {"--case": case, "--time": time, "--label": found.source.label or ""}
    command = ["glassnets", "add", f"{name}_series", path, *chain.from_iterable(options.items())]
    return [
        f"series? the rows of each {case} follow each other by {time} and have one label; as "
        f"series: {shlex.join(command)}"
    ]


_HEADING = 12  # characters
_UNITS = {"image": "pictures", "table": "rows", "series": "series"}


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
