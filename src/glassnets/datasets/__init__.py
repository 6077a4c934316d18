"""The datasets, one file each, found by name. Every file holds ``load(external)``, which gives
the raw arrays of its source: ``images`` uint8 (n, h, w) in 0…255 and ``labels`` uint8 (n,). Only
``planted`` is not fetched but made, of another one.
"""

import hashlib
from pathlib import Path

from glassnets import registry
from glassnets.artefacts import Arrays
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.params import Dataset


def load(name: str, dataset: Dataset, external: Path) -> Arrays:
    """The raw arrays of a dataset, proven to be the ones that params.yaml pins.

    external is the folder where a person may have put the source's files.
    Raises GlassnetsError when they cannot be had or differ from the pinned shape or sha256, and
    ParameterError for a dataset that is made.
    """
    if dataset.planting is not None:
        raise ParameterError(
            f"{name}: expected a dataset to fetch, got one that is planted; "
            f"`dvc repro plant@{name}` makes it"
        )
    arrays: Arrays = registry.member("datasets", name).load(external)
    if arrays["images"].shape != dataset.shape:
        raise GlassnetsError(
            f"{name}: expected images of shape {list(dataset.shape)} (params.yaml: {name}.shape), "
            f"got {list(arrays['images'].shape)}; nothing was written"
        )
    for key, pinned in (("images", dataset.images_sha256), ("labels", dataset.labels_sha256)):
        came = hashlib.sha256(arrays[key].tobytes()).hexdigest()
        if came != pinned:
            raise GlassnetsError(
                f"{name}: expected {key} of sha256 {pinned} (params.yaml: {name}.{key}_sha256), "
                f"got {came}: the source holds other data; nothing was written"
            )
    return arrays
