"""Paths of what the stages of studied datasets write: apart from `artefacts`, which all import."""

from pathlib import Path

from glassnets.pipeline import artefacts


def learning(dataset: str) -> Path:
    """Where the tables, numbers and pictures of how networks learn lie."""
    return artefacts.results(dataset) / "learning"


def learning_table(dataset: str, name: str) -> Path:
    return learning(dataset) / "tables" / f"{name}.csv"


def units(dataset: str, family: str) -> Path:
    """Where what the units of a cell's networks do, and lesions of them, lies."""
    return artefacts.results(dataset) / "units" / family


def grams(dataset: str, family: str) -> Path:
    """The Gram matrices of the layers of a cell's networks."""
    return artefacts.results(dataset) / "grams" / f"{family}.npz"
