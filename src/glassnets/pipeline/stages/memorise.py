"""``memorise@D-F``: networks of a cell that memorised shuffled labels."""

from typing import Any

from tqdm import tqdm

from glassnets import runtime
from glassnets.config.schema import Params
from glassnets.models import memorise as memorising
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.stages.command import run_cell


def memorise(params: Params, dataset: str, family: str) -> None:
    """Trains a network for each seed on shuffled labels, and keeps those that memorised them."""
    data = params.dataset(dataset)
    options = data.memorise
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    runtime.start_tensorflow(params.runtime)

    def build(seed: int) -> Any:
        runtime.set_seed(seed)
        return networks.build(data, family)[0]

    accuracies = {}
    learning = memorising.memorise(build, data.seeds, train["images"], train["labels"], options)
    with artefacts.replacing(artefacts.memorised(dataset, family)) as (folder,):
        folder.mkdir()
        bar = tqdm(data.seeds, desc="memorising", unit="seed", disable=None)
        for seed, (model, accuracy) in zip(bar, learning, strict=True):
            accuracies[f"seed_{seed}"] = accuracy
            if accuracy >= options.accuracy:
                artefacts.save_weights(model, folder / artefacts.weights_name(seed))
        artefacts.save_json(folder / "accuracy.json", accuracies)
    kept = sum(accuracy >= options.accuracy for accuracy in accuracies.values())
    print(f"{kept} of {len(accuracies)} networks memorised {options.images} shuffled labels")


if __name__ == "__main__":
    run_cell(memorise)
