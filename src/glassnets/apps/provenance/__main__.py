"""``glassnets provenance [DATASET]…``: writes what results were made of, in standard forms."""

from pathlib import Path
from typing import Annotated

import typer

from glassnets.apps import outputs, release
from glassnets.apps.provenance import Project, runs
from glassnets.apps.provenance.datasets import datasets as described
from glassnets.apps.provenance.packages import packages
from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts

PACKAGES = "packages.cdx.json"
DATASET = "dataset-{}.croissant.json"
RUNS = "ro-crate-metadata.json"


def write(project: Project, folder: Path) -> list[str]:
    """Writes all into the folder, which is then the crate; the names of the files."""
    texts = {PACKAGES: packages(project)}
    texts |= {DATASET.format(name): text for name, text in described(project).items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    runs.write(project, folder, texts)
    return sorted(path.name for path in folder.iterdir())


@in_one_line("other programs closed")
def command(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET]…",
            help="Of which to tell. Default: all of the project; data of your own only by name.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("provenance"),
) -> None:
    """Writes the packages, runs and datasets that results were made of, in standard forms."""
    folder = outputs.folder(out, RUNS)
    project = Project(artefacts.root(), tuple(release.names(datasets)))
    with artefacts.replacing(folder) as (partial,):
        partial.mkdir()
        files = write(project, partial)
    print(*(f"{out / name}" for name in files), sep="\n")


if __name__ == "__main__":
    typer.run(command)
