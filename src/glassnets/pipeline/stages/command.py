"""What all stages do on the command line: read the arguments and params.yaml, work, and print in
one line what went wrong (exit 2: usage error; 1: failure while working)."""

from collections.abc import Callable
from typing import Annotated

import typer

from glassnets import config, registry
from glassnets.config.schema import Params
from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts

DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Such as digits or mnist.")]
FamilyName = Annotated[str, typer.Argument(metavar="FAMILY", help="Such as cnn.")]


def run_dataset(work: Callable[[Params, str], None]) -> None:
    """Makes a command line of a stage that works on a dataset."""

    def command(dataset: DatasetName) -> None:
        _run(work, dataset)

    command.__doc__ = work.__doc__
    typer.run(command)


def run_cell(work: Callable[[Params, str, str], None]) -> None:
    """Makes a command line of a stage that works on a (dataset, family)."""

    def command(dataset: DatasetName, family: FamilyName) -> None:
        _run(work, dataset, family)

    command.__doc__ = work.__doc__
    typer.run(command)


def _run(work: Callable[..., None], dataset: str, *family: str) -> None:
    """Works once it is sure that params.yaml has the requested groups."""
    with in_one_line("a smaller batch_size"):
        params = config.load(artefacts.params_file())
        config.check_known("datasets", [dataset], params.datasets)
        config.check_known("families", family, registry.names(registry.FAMILIES))
        group = params.dataset(dataset)
        for name in family:
            group.family(name)
        work(params, dataset, *family)
