"""A trained network that answers images, explains its answers, and knows how far to be believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets import artefacts, explanations, families, params
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.explanations.method import Need
from glassnets.explanations.network import Explained, Floats
from glassnets.report import explained


@dataclass(frozen=True, eq=False)
class Trained:
    """The network of one (dataset, family, seed).

    settings: how the dataset's networks are explained. leaderboard: what explain@dataset-family
    found of each method, None where it has not run. judge: the command that runs it.
    """

    family: str
    seed: int
    network: Explained
    settings: params.Explanations
    leaderboard: pd.DataFrame | None
    judge: str

    def probabilities(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (n, classes) of images uint8 (n, h, w)."""
        from glassnets import evaluation  # scikit-learn takes a second to load

        return evaluation.softmax(self.network.outputs(images.astype(np.float32)))

    def lacks(self, method: str) -> str | None:
        """What the method needs and this network has not, in words; None where it is defined."""
        need = explanations.named(method).need
        return need.value if need and not need.met_by(self.network) else None

    def explain(self, method: str, images: NDArray[Any], targets: NDArray[Any]) -> Floats:
        """Maps float32 (n, h, w) of images uint8 (n, h, w) for the classes targets (n,), with the
        options of params.yaml. Raises GlassnetsError for a method that is not defined for it."""
        options = self.settings.chosen(self.settings.methods).get(method)
        seed = self.settings.random_state
        return explanations.named(method)(self.network, images, targets, options=options, seed=seed)

    def trust(self, method: str) -> explained.Trust:
        """What the cell's leaderboard says of the method."""
        control = method in explanations.CONTROLS
        return explained.trust(self.leaderboard, method, control, self.judge)


def load(
    cells: params.Dataset,
    family: str,
    seed: int,
    weights: Path,
    references: NDArray[np.uint8] | None,
    leaderboard: pd.DataFrame | None,
    judge: str,
) -> Trained:
    """Builds the family's network and gives it its weights. Needs TensorFlow started."""
    network = cells.family(family).network
    model, activations = families.build(family, network, cells.image_shape, cells.classes)
    artefacts.load_weights(model, weights)
    built = Explained(model, activations, references)
    return Trained(family, seed, built, cells.explanations, leaderboard, judge)


def of_project(
    dataset: str,
    cells: params.Dataset,
    family: str,
    seed: int,
    references: NDArray[np.uint8] | None,
) -> Trained:
    """The network that `dvc repro` trained and judged. Needs TensorFlow started."""
    return load(
        cells,
        family,
        seed,
        weights(dataset, family, seed),
        references,
        leaderboard(dataset, family),
        judge=f"dvc repro explain@{dataset}-{family}",
    )


def seed(dataset: str, cells: params.Dataset, asked: int | None) -> int:
    """The seed asked for, or the dataset's first. Raises ParameterError for one it has not."""
    if asked is None:
        return cells.seeds[0]
    if asked not in cells.seeds:
        raise ParameterError(
            f"--seed: expected one of {', '.join(map(str, cells.seeds))} (of which "
            f"{dataset}'s networks are trained), got {asked}"
        )
    return asked


def weights(dataset: str, family: str, seed: int) -> Path:
    """Where the project's weights are. Raises GlassnetsError where they are not."""
    path = artefacts.weights(dataset, family, seed)
    if not path.is_file():
        raise GlassnetsError(
            f"expected a trained network in {path}, got none: `dvc repro train@{dataset}-{family}` "
            "trains it"
        )
    return path


def leaderboard(dataset: str, family: str) -> pd.DataFrame | None:
    path = artefacts.results(dataset, family) / "leaderboard.csv"
    return artefacts.load_table(path) if path.is_file() else None


def references(dataset: str, methods: Iterable[str]) -> NDArray[np.uint8] | None:
    """The training images, if one of the methods draws baselines from them."""
    if any(explanations.named(method).need is Need.REFERENCES for method in methods):
        return artefacts.load_arrays(artefacts.part(dataset, "train"))["images"]
    return None
