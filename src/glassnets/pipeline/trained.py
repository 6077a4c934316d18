"""A trained network, with what a person may ask of it: predictions, attributions, verdicts."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets import config
from glassnets.attribution import methods, verdicts
from glassnets.attribution.network import Explained, Floats
from glassnets.attribution.verdicts import method_of, reference_of
from glassnets.config import schema
from glassnets.config.schema import Kind, Reference
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline import artefacts
from glassnets.pipeline.explained import explained
from glassnets.report import leaderboards

NOT_JUDGED = "integrated_gradients"  # the default method where no leaderboard ranks any


@dataclass(frozen=True, eq=False)
class Trained:
    """The network of one (dataset, family, seed). settings: options of the methods. leaderboard:
    what verdict@dataset-family wrote, None where it has not run."""

    dataset: str
    family: str
    seed: int
    network: Explained
    settings: schema.Attribution
    leaderboard: pd.DataFrame | None
    inputs: Inputs = field(default_factory=Inputs)

    def probabilities(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Predicted probabilities (n, classes) of images uint8 (n, h, w)."""
        from glassnets.evaluation.metrics import softmax  # scikit-learn takes a second to load

        return softmax(self.network.outputs(images.astype(np.float32)))

    def variant(self, name: str) -> methods.Variant:
        """The variant of this name, with the options of params.yaml; of a method that is named
        without a reference, the one that is best supported. Raises ParameterError."""
        own = resolved(self.leaderboard, name, self.settings.references)
        return methods.named(own, self.settings)

    def lacks(self, method: str) -> str | None:
        """What the method needs and this network has not, in words; None where it is defined.
        Raises ParameterError for an unknown method."""
        return self.variant(method).lacks(self.network)

    def attribute(
        self,
        method: str,
        images: NDArray[Any],
        targets: NDArray[Any],
        contrast: NDArray[Any] | None = None,
    ) -> Floats:
        """Attributions float32 (n, h, w) of images uint8 (n, h, w) for the classes targets (n,), or
        for why these and not the classes contrast (n,), with the options of params.yaml. Raises
        GlassnetsError for a method that is not defined for the network, ParameterError for an
        unknown one."""
        seed = self.settings.random_state
        return self.variant(method)(self.network, images, targets, contrast=contrast, seed=seed)

    def verdict(self, method: str) -> leaderboards.Verdict:
        """What the cell's leaderboard says of the method."""
        command = f"make run DATASET={self.dataset}"
        variant = self.variant(method)
        verdict = leaderboards.verdict(self.leaderboard, variant.name, variant.control, command)
        return replace(verdict, text=self.inputs.words.of(verdict.text))


def of_project(
    data: schema.Dataset, dataset: str, family: str, seed: int, train: Arrays | None
) -> Trained:
    """The network that the pipeline trained, with its leaderboard, once TensorFlow is started.

    data, dataset: the dataset's parameters and its name. family, seed: whose network. train: the
    training part, None where no method that needs it will be called, see `training`.

    Raises GlassnetsError where the weights are absent, broken or another network's.
    """
    network = explained(data, family, train)
    artefacts.load_weights(network.model, weights(dataset, family, seed))
    board = leaderboard(dataset, family)
    return Trained(dataset, family, seed, network, data.attribution, board, Inputs.of(data))


def dataset(requested: str | None, known: Sequence[str]) -> str:
    """The requested dataset, or the first of those that are known whose networks are here, which
    is said on standard error. Raises ParameterError."""
    if requested is not None:
        config.check_known("--dataset", [requested], known)
        return requested
    for name in known:
        if artefacts.models(name, "").is_dir():
            print(f"--dataset: {name}, the first that has networks here", file=sys.stderr)
            return name
    raise ParameterError(
        f"--dataset: expected one that has networks here, of {', '.join(known)}, got none: "
        "`make run DATASET=…` trains them"
    )


def seed(data: schema.Dataset, dataset: str, requested: int | None) -> int:
    """The requested seed, or the dataset's first. Raises ParameterError for one it has not."""
    if requested is None:
        return data.seeds[0]
    if requested not in data.seeds:
        raise ParameterError(
            f"--seed: expected one of {', '.join(map(str, data.seeds))} (of which "
            f"{dataset}'s networks are trained), got {requested}"
        )
    return requested


def weights(dataset: str, family: str, seed: int) -> Path:
    """Where the project's weights are. Raises GlassnetsError where they are not."""
    path = artefacts.weights(dataset, family, seed)
    if not path.is_file():
        raise GlassnetsError(
            f"expected a trained network in {path}, got none: `make run DATASET={dataset}` "
            "trains it"
        )
    return path


def leaderboard(dataset: str, family: str) -> pd.DataFrame | None:
    """The cell's leaderboard, None where there is none. Raises GlassnetsError for another table."""
    path = artefacts.results(dataset, family) / "leaderboard.csv"
    if not path.is_file():
        return None
    board = artefacts.load_table(path)
    columns = {"method", "verdict", "share", "unstable", "reasons", "rank"}
    known = columns <= {*board.columns} and "control" in board.select_dtypes(bool)
    if not (known and board.loc[~board["control"], "verdict"].isin(verdicts.VALUES).all()):
        raise another_table("a leaderboard of methods", path, dataset)
    return board


def another_table(expected: str, path: Path, dataset: str) -> GlassnetsError:
    """That a file of results has not the table that was expected."""
    return GlassnetsError(
        f"expected {expected} in {path}, got another table: `make run DATASET={dataset}` writes it"
    )


def resolved(
    leaderboard: pd.DataFrame | None, name: str, references: Sequence[Reference] = ()
) -> str:
    """A variant's name in full: of a method that takes references but is named without one, the
    best supported by the leaderboard, or where it ranks none, the method's own default, if it is
    one of the references that the dataset has, else the first of these. Raises ParameterError."""
    variant = methods.named(name)
    if reference_of(name) or not variant.reference or variant.control:
        return variant.name
    if leaderboard is not None:
        own = leaderboard[leaderboard["method"].map(method_of) == name]
        if not own.empty:
            return verdicts.best(own)
    known = [r for r in references if r in variant.method.references]
    if known and variant.reference not in known:
        return f"{name}:{known[0]}"
    return variant.name


def default_method(leaderboard: pd.DataFrame | None, reference: str | None) -> str:
    """The best method of a leaderboard, of those with this reference if one is given; `NOT_JUDGED`
    where that ranks none."""
    if leaderboard is None:
        return NOT_JUDGED
    if reference:
        leaderboard = leaderboard[leaderboard["method"].map(reference_of) == reference]
    return NOT_JUDGED if leaderboard["control"].all() else verdicts.best(leaderboard)


def check_class(what: str, given: int, classes: int) -> None:
    """Raises ParameterError, which begins with `what`, for a number that is no class."""
    if not 0 <= given < classes:
        raise ParameterError(f"{what}: expected a class, 0 to {classes - 1}, got {given}")


def training(dataset: str, names: Iterable[str], kind: Kind = "image") -> Arrays | None:
    """The training part, None where none of the methods takes references or labels from it, and the
    kind is images, which alone have a scale without it."""
    if kind != "image" or any(methods.named(name).needs_training for name in names):
        return artefacts.load_arrays(artefacts.part(dataset, "train"))
    return None
