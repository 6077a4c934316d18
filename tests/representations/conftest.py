"""Networks whose units and lesions are looked at."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def built(family):
    """``built(name)``: the model of digits' cell with drawn weights, and its activations."""

    def get(name):
        network = family(name)
        return network.model, network.activations

    return get


@pytest.fixture(scope="session")
def images(draw_images):
    return draw_images(40)


@pytest.fixture(scope="session")
def labels():
    return np.arange(40) % 10
