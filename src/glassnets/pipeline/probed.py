"""The networks whose units are looked at, each with the images that it knows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets.config.schema import Dataset
from glassnets.pipeline import artefacts

TRAINED, MEMORISED = "trained", "memorised"


class Subject(NamedTuple):
    """A network, by what it learnt and its seed, and images of the classes that it gives them."""

    network: str  # TRAINED or MEMORISED
    seed: int
    images: NDArray[Any]
    labels: NDArray[np.int64]
    of_test: bool  # whether the images are the test part's, else the training part's

    @property
    def key(self) -> str:
        return f"{self.network}/{self.seed}"


def subjects(
    data: Dataset, dataset: str, family: str, model: Any, rows: NDArray[np.int64]
) -> Iterator[Subject]:
    """Gives the model the weights of each of a cell's networks in turn: of those that learnt the
    classes, with these rows of the test part; of those that memorised shuffled labels, with the
    images and labels that they memorised, and with the same images the trained ones again."""
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    count = min(data.memorise.images, len(train["labels"]))
    known = train["images"][:count], train["labels"][:count].astype(np.int64)
    with tqdm(total=3 * len(data.seeds), desc="networks", unit="network", disable=None) as bar:
        for seed in data.seeds:
            artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
            labels = test["labels"][rows].astype(np.int64)
            yield Subject(TRAINED, seed, test["images"][rows], labels, True)
            bar.update()
            yield Subject(TRAINED, seed, *known, False)
            bar.update()
            path = artefacts.memorised(dataset, family) / artefacts.weights_name(seed)
            if path.is_file():  # else it did not learn them
                artefacts.load_weights(model, path)
                # As `models.memorise` shuffles them.
                shuffled = np.random.default_rng(seed).permutation(known[1])
                yield Subject(MEMORISED, seed, known[0], shuffled, False)
            bar.update()
