"""Networks and their maps, to be judged."""

from dataclasses import replace

import numpy as np
import pytest

from glassnets.attribution.methods import METHODS, named, split
from glassnets.attribution.metrics.metric import Judged


@pytest.fixture(scope="session", autouse=True)
def _tensorflow(tensorflow):
    pass


@pytest.fixture(scope="session")
def judge():
    """``judge(network, images, targets, maps)``: the `Judged` that a metric takes. maps is a
    dictionary of arrays, or the names of variants; where the network has no training images it gets
    two that are 100 everywhere."""

    def build(network, images, targets, maps, **others):
        targets = np.asarray(targets, np.int32)
        if network.references is None:
            grey = np.full((2, *network.image_shape), 100, np.float32)
            network = replace(network, references=grey, labels=np.array([0, 1]))

        def attribute(name, images, targets):
            return named(name)(network, images, targets)

        if not isinstance(maps, dict):
            maps = {name: attribute(name, images, targets) for name in maps}
        variants = {name: named(name) for name in maps if split(name)[0] in METHODS}
        return Judged(network, images, targets, maps, attribute, variants=variants, **others)

    return build
