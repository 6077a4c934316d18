"""Methods need TensorFlow."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _tensorflow(tensorflow):
    pass
