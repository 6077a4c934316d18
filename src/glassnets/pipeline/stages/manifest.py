"""``manifest``: what every stage depends on beside data, written down."""

import typer

from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts, manifests


def manifest() -> None:
    """Checks params.yaml, then writes the manifest of every stage below manifests/."""
    with in_one_line("other programs closed"):
        contents = manifests.of_project()
        with artefacts.replacing(artefacts.root() / "manifests") as (folder,):
            for path, content in contents.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                artefacts.save_json(folder / path, content)
    print(f"params.yaml is valid; {len(contents)} manifests")


if __name__ == "__main__":
    typer.run(manifest)
