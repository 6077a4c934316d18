"""``fetch@D``: the raw arrays of a dataset, proven by their hash."""

from glassnets.config.schema import Params
from glassnets.data import sources
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def fetch(params: Params, dataset: str) -> None:
    """Fetches a dataset's raw arrays and checks their hash, or makes them of another's images."""
    planting = params.dataset(dataset).planting
    arrays = sources.load(dataset, params, artefacts.root(), artefacts.external)
    with artefacts.replacing(artefacts.raw(dataset)) as (partial,):
        artefacts.save_arrays(partial, arrays)
    how = f"planted over {planting.source}" if planting else "hashes as pinned"
    print(f"{dataset}: {len(arrays['labels'])} images, {how}")


if __name__ == "__main__":
    run_dataset(fetch)
