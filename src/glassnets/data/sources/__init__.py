"""Where datasets come from. Of the project's own, one module each, found by name: every module
holds ``load(external)``, which gives the raw arrays, ``images`` uint8 (n, h, w) in 0…255 and
``labels`` uint8 (n,). Only ``planted`` is not loaded but made, of another dataset's images. A
person's own data are read by `data.own`.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from glassnets import registry
from glassnets.config.schema import Dataset, Params
from glassnets.data import Arrays, own
from glassnets.errors import GlassnetsError, ParameterError


def load(name: str, params: Params, root: Path, external: Callable[[str], Path]) -> Arrays:
    """The raw arrays of a dataset, proven to be the ones that params.yaml pins.

    name: of the dataset.
    params: with its group.
    root: the folder of the project, from which paths of a person's own data are relative.
    external: gives, by the name of a dataset, the folder where a person may have put its files.

    Raises GlassnetsError when they cannot be had or differ from the pinned shape or sha256.
    """
    dataset = params.dataset(name)
    if dataset.source is not None:
        given = own.read(dataset.source, root / dataset.source.path)
        _check(name, dataset, given)
        return given
    module = registry.member(registry.SOURCES, name)
    if (dataset.planting is not None) != hasattr(module, "plant"):
        expected = "null, got a group" if dataset.planting else "a group, got null"
        raise ParameterError(f"params.yaml: {name}.planting: expected {expected}")
    if dataset.planting is not None:
        source = load(dataset.planting.source, params, root, external)
        planted: Arrays = module.plant(source["images"], dataset)
        return planted
    arrays: Arrays = module.load(external(name))
    _check(name, dataset, arrays)
    return arrays


def _check(name: str, dataset: Dataset, arrays: Arrays) -> None:
    shape = (dataset.shape.images, *dataset.input_shape)
    if arrays["images"].shape != shape:
        raise GlassnetsError(
            f"{name}: expected images of shape {list(shape)} (params.yaml: {name}.shape), "
            f"got {list(arrays['images'].shape)}; nothing was written"
        )
    for key, pinned in dataset.sha256 or ():
        came = hashlib.sha256(arrays[key].tobytes()).hexdigest()
        if came != pinned:
            raise GlassnetsError(
                f"{name}: expected {key} of sha256 {pinned} (params.yaml: {name}.sha256.{key}), "
                f"got {came}: the source holds other data; nothing was written"
            )
