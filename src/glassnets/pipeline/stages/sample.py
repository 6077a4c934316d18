"""``sample@D``: the test images that are explained."""

from glassnets.config.schema import Params
from glassnets.data import sample as samples
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def sample(params: Params, dataset: str) -> None:
    """Draws the test images that are explained, at random, whatever networks predict of them."""
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    drawn = samples.draw(test, params.dataset(dataset).sample)
    with artefacts.replacing(artefacts.sample(dataset)) as (sample_csv,):
        artefacts.save_table(sample_csv, drawn)
    print(f"{dataset}: {len(drawn)} of {len(test['labels'])} test images drawn")


if __name__ == "__main__":
    run_dataset(sample)
