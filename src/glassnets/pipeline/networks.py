"""The networks of a cell, built and given the weights that a stage has left."""

from pathlib import Path

from glassnets.config.schema import Dataset
from glassnets.models import families
from glassnets.pipeline import artefacts


def build(data: Dataset, family: str) -> families.Built:
    """A network of this family, as the dataset has it, with freshly drawn weights."""
    network = data.family(family).network
    return families.build(family, network, data.input_shape, data.classes, data.kind, data.masked)


def load(data: Dataset, family: str, weights: Path) -> families.Built:
    """A network of this family with the weights of a file. Raises GlassnetsError where the file is
    absent, broken, or has another network's weights."""
    model, activations = build(data, family)
    artefacts.load_weights(model, weights)
    return model, activations
