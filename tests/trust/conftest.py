"""Networks and their maps, to be judged."""

import numpy as np
import pytest

from glassnets.explanations import explain
from glassnets.trust.metric import Judged


@pytest.fixture(scope="session", autouse=True)
def _tensorflow(tensorflow):
    pass


@pytest.fixture(scope="session")
def judge():
    """``judge(network, images, targets, maps)``: what a metric is given. maps is a dictionary of
    arrays, or the names of the methods that make them; the mean image is 100 everywhere."""

    def build(network, images, targets, maps, **others):
        targets = np.asarray(targets, np.int32)

        def ask(method, images, targets):
            return explain(method, network, images, targets)

        if not isinstance(maps, dict):
            maps = {method: ask(method, images, targets) for method in maps}
        mean = np.full(images.shape[1:], 100, np.float32)
        return Judged(
            network=network,
            images=images,
            targets=targets,
            maps=maps,
            explain=ask,
            mean_image=mean,
            **others,
        )

    return build
