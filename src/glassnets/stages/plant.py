"""plant@D: the raw arrays of a made dataset, its cues over the images of another."""

from glassnets import artefacts
from glassnets.datasets import planted
from glassnets.errors import ParameterError
from glassnets.params import Params
from glassnets.stages.command import run_dataset


def plant(params: Params, dataset: str) -> None:
    """Plants cues, whose place is known, over the raw images of the dataset's source."""
    planting = params.dataset(dataset).planting
    if planting is None:
        raise ParameterError(
            f"{dataset}: expected a dataset with a group 'planting' in params.yaml, got none; "
            f"`dvc repro fetch@{dataset}` fetches it"
        )
    sources = artefacts.load_arrays(artefacts.raw(planting.source))["images"]
    arrays = planted.plant(sources, params.dataset(dataset))
    with artefacts.replacing(artefacts.raw(dataset)) as (partial,):
        artefacts.save_arrays(partial, arrays)
    print(f"{dataset}: {len(arrays['labels'])} images planted over {planting.source}")


if __name__ == "__main__":
    run_dataset(plant)
