"""``manifest``: what every stage depends on beside data, written down."""

from collections.abc import Mapping
from pathlib import Path

import typer

from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts, manifests


def manifest() -> None:
    """Checks params.yaml, then writes the manifest of every stage below manifests/."""
    with in_one_line("other programs closed"):
        contents = manifests.of_project()
        write(contents, artefacts.root() / "manifests")
    print(f"params.yaml is valid; {len(contents)} manifests")


def write(contents: Mapping[Path, manifests.Content], folder: Path) -> None:
    """Writes manifests, by their paths below the folder, in the place of all that it holds."""
    with artefacts.replacing(folder) as (whole,):
        for path, content in contents.items():
            (whole / path).parent.mkdir(parents=True, exist_ok=True)
            artefacts.save_json(whole / path, content)


if __name__ == "__main__":
    typer.run(manifest)
