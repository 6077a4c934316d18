"""fetch@D: the raw arrays of a dataset, proven by their hash."""

from glassnets import artefacts, datasets
from glassnets.params import Params
from glassnets.stages.command import run_dataset


def fetch(params: Params, dataset: str) -> None:
    """Fetches a dataset's raw arrays and checks their hash against params.yaml."""
    target = artefacts.raw(dataset)
    arrays = datasets.load(dataset, params.dataset(dataset), artefacts.external(dataset))
    with artefacts.replacing(target) as (partial,):
        artefacts.save_arrays(partial, arrays)
    print(f"{dataset}: {len(arrays['labels'])} images, hashes as pinned")


if __name__ == "__main__":
    run_dataset(fetch)
