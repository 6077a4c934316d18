"""Networks and their maps, to be judged."""

import numpy as np
import pytest

from glassnets.attribution.methods import explain
from glassnets.attribution.metrics.metric import Judged
from glassnets.config.schema import Removal


@pytest.fixture(scope="session", autouse=True)
def _tensorflow(tensorflow):
    pass


@pytest.fixture(scope="session")
def judge():
    """``judge(network, images, targets, maps)``: the `Judged` that a metric takes. maps is a
    dictionary of arrays, or the names of methods; the mean image is 100 everywhere."""

    def build(network, images, targets, maps, **others):
        targets = np.asarray(targets, np.int32)

        def attribute(method, images, targets):
            return explain(method, network, images, targets)

        if not isinstance(maps, dict):
            maps = {method: attribute(method, images, targets) for method in maps}
        mean = np.full(images.shape[1:], 100, np.float32)
        return Judged(
            network=network,
            images=images,
            targets=targets,
            maps=maps,
            attribute=attribute,
            mean_image=mean,
            removal=Removal(blur=0.25, noise=0.01),
            **others,
        )

    return build
