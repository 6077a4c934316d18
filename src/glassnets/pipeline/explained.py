"""A cell's network as attribution methods use it."""

from glassnets.attribution.network import Explained
from glassnets.config.schema import Dataset
from glassnets.data import Arrays
from glassnets.pipeline import networks


def explained(data: Dataset, family: str, train: Arrays | None) -> Explained:
    """A network of this family to explain, its weights freshly drawn; train is the training part,
    for references and controls, None where no method needs it."""
    model, activations = networks.build(data, family)
    images, labels = (train["images"], train["labels"]) if train else (None, None)
    blur, masked = data.attribution.removal.blur, data.masked
    return Explained(model, activations, images, labels, blur, kind=data.kind, masked=masked)
