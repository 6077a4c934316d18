"""What all stages do on the command line: read the arguments and params.yaml, work, and say in
one line what went wrong (exit 2: usage error; 1: failure while working)."""

from collections.abc import Callable
from typing import Annotated

import typer

from glassnets import config, registry
from glassnets.config.schema import Params
from glassnets.errors import ParameterError, in_one_line
from glassnets.pipeline import artefacts

DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Such as digits or mnist.")]
FamilyName = Annotated[str, typer.Argument(metavar="FAMILY", help="Such as cnn.")]

_OUT_OF_MEMORY = "a smaller batch_size"


def run_dataset(work: Callable[[Params, str], None]) -> None:
    """Makes a command line of a stage that works on a dataset."""

    def command(dataset: DatasetName) -> None:
        with in_one_line(_OUT_OF_MEMORY):
            work(_params(dataset), dataset)

    _run(command, work.__doc__)


def run_cell(work: Callable[[Params, str, str], None]) -> None:
    """Makes a command line of a stage that works on a (dataset, family)."""

    def command(dataset: DatasetName, family: FamilyName) -> None:
        with in_one_line(_OUT_OF_MEMORY):
            work(_params(dataset, family), dataset, family)

    _run(command, work.__doc__)


def _params(dataset: str, family: str | None = None) -> Params:
    """params.yaml, once it is sure that it holds what was asked for."""
    for kind, package, name in (
        ("datasets", registry.SOURCES, dataset),
        ("families", registry.FAMILIES, family),
    ):
        known = registry.names(package)
        if name is not None and name not in known:
            raise ParameterError(f"{kind}: expected one of {', '.join(known)}, got {name!r}")
    loaded = config.load(artefacts.params_file())
    group = loaded.dataset(dataset)
    if family is not None:
        group.family(family)
    return loaded


def _run(command: Callable[..., None], doc: str | None) -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=doc)(command)
    app()
