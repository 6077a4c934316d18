"""``glassnets judge MODEL DATA``: which explanations of a person's own model can be believed. Exit
code 2: a usage error; 1: a failure while working."""

import filecmp
import itertools
import math
import sys
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from glassnets import config, runtime
from glassnets.apps import judged_data, model_files
from glassnets.attribution.judging import JudgedModel, judge
from glassnets.attribution.methods import CONTROLS, METHODS
from glassnets.config.schema import Kind, Reference, Runtime
from glassnets.data.pictures import printable
from glassnets.errors import ParameterError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.report import drawing, own_model

PAGE, TABLE, PICTURE = "verdicts.md", "leaderboard.csv", "attributions.png"


@in_one_line("fewer or smaller inputs")
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .keras or .onnx file.")],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="An .npz (images, or series, or table; labels, train_images, train_labels, "
            "class_names, column_names), a folder of pictures a class, a CSV or Parquet file.",
        ),
    ],
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of a table: the column of labels.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="image, table or series. Default: by what lies there.")
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK..WHITE",
            help="The levels of pixels that the model takes, as 0..1. Default: those of DATA.",
        ),
    ] = None,
    other: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MODEL", help="Trained alike with another seed; again for another one."
        ),
    ] = None,
    sample: Annotated[int, typer.Option(help="How many inputs are explained.")] = 100,
    method: Annotated[
        list[str] | None, typer.Option(help="Again for another. Default: all that are defined.")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="What stands for absent values. Default: all of the kind."),
    ] = None,
    memorise: Annotated[
        int,
        typer.Option(
            help="How many shuffled labels a network of a Keras model's layers learns, for the "
            "test label randomization; 0: none."
        ),
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: <model>-verdicts, here.")
    ] = None,
) -> None:
    """Says which explanations of your own model can be believed, by all tests that it allows."""
    folder = out or Path(f"{model.stem}-verdicts")
    model_files.check(model, data)
    for path in other or ():
        model_files.check(path)
    _check_different(model, *(other or ()))
    for option, names, known in (
        ("--kind", [kind] if kind else [], get_args(Kind)),
        ("--reference", reference or [], get_args(Reference)),
        ("--method", method or [], [name for name in METHODS if name not in CONTROLS]),
    ):
        config.check_known(option, names, known)
    levels = _levels(scale)
    _check_writable(folder)
    if data.suffix.lower() == ".npz":
        judged_data.read(data, None, label, ())  # before the seconds that TensorFlow takes

    runtime.start_tensorflow(Runtime(intra_op_threads=1, inter_op_threads=2))
    opened, *rivals = (model_files.opened(path) for path in (model, *(other or ())))
    given = judged_data.read(data, cast(Kind | None, kind), label, opened.shape)
    returns: Any = "probabilities"
    if model.suffix.lower() == ".onnx":
        returns = model_files.returns(opened.model, given.images)
    judged = judge(
        opened.model,
        given.images,
        given.labels,
        given.train_images,
        given.train_labels,
        kind=given.kind,
        class_names=given.class_names,
        column_names=given.column_names,
        returns=returns,
        scale=levels,
        masked=given.masked,
        others=[rival.model for rival in rivals],
        memorise=memorise,
        sample=sample,
        methods=method,
        references=cast(Any, reference),
        seed=seed,
        progress=True,
    )
    write(judged, folder, model.stem)
    for warning in judged.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(*judged.conclusions(), sep="\n")
    for note in (*opened.notes, *given.notes, *judged.notes):
        print(f"- {note}")
    print(f"wrote {folder / PAGE}, {TABLE}, {PICTURE}")


def write(judged: JudgedModel, folder: Path, name: str) -> None:
    """Writes the page, the leaderboard and the picture into a folder, all or none of them. Raises
    ParameterError where a file of one of these names is not of such a page."""
    _check_writable(folder)
    page = own_model.page(judged, name, PICTURE)
    picture = drawing.png(own_model.maps(judged, name))
    with artefacts.replacing(*(folder / each for each in (PAGE, TABLE, PICTURE))) as paths:
        paths[0].write_text(page, encoding="utf-8")
        artefacts.save_table(paths[1], judged.board)
        paths[2].write_bytes(picture)


def _check_writable(folder: Path) -> None:
    """That the folder is new, or holds nothing of these names but what this command wrote."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"--out: expected a folder, got a file: {folder}")
    present = [name for name in (PAGE, TABLE, PICTURE) if (folder / name).exists()]
    page = folder / PAGE
    if present and not (page.is_file() and _is_ours(page)):
        raise ParameterError(
            f"--out: expected a new folder, or one that this command wrote, to write over, got "
            f"{folder} with another {present[0]}"
        )


def _is_ours(page: Path) -> bool:
    with page.open(encoding="utf-8", errors="replace") as file:
        return file.readline(1000).rstrip().endswith(own_model.TITLE)


def _check_different(*models: Path) -> None:
    """That no file is another's copy: its maps would be the model's own."""
    for one, another in itertools.combinations(models, 2):
        if filecmp.cmp(one, another, shallow=False):
            raise ParameterError(
                f"--other: expected a model trained alike with another seed, got a copy of "
                f"{printable(one)}: {printable(another)}"
            )


def _levels(scale: str | None) -> tuple[float, float] | None:
    if scale is None:
        return None
    low, dots, high = scale.partition("..")
    try:
        levels = float(low), float(high)
    except ValueError:
        levels = (0.0, 0.0)
    if not dots or not -math.inf < levels[0] < levels[1] < math.inf:
        raise ParameterError(f"--scale: expected two levels as 0..1, got {scale!r}")
    return levels
