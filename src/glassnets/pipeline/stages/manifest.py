"""``manifest``: what every stage depends on beside data, written down."""

import typer

from glassnets import config
from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts, manifests


def manifest() -> None:
    """Checks params.yaml, then writes the manifest of every stage below manifests/."""
    with in_one_line("other programs closed"):
        root = artefacts.root()
        params = config.load(artefacts.params_file())
        requirements = (root / "requirements.txt").read_text(encoding="utf-8")
        contents = manifests.all_manifests(params, root / "src", requirements)
        with artefacts.replacing(root / "manifests") as (folder,):
            for path, content in contents.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                artefacts.save_json(folder / path, content)
    print(f"params.yaml is valid; {len(contents)} manifests")


if __name__ == "__main__":
    typer.run(manifest)
