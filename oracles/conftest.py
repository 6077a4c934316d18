"""The trained networks of digits, as we and as the other libraries want them."""

import glassnets.stages  # noqa: F401, I001  pins the processor, before NumPy is imported

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from glassnets import artefacts, families, params, runtime
from glassnets.explanations import Explained

PARAMS = params.load(artefacts.params_file())
DIGITS = PARAMS.dataset("digits")


@dataclass(frozen=True)
class Trained:
    """A trained network, and images of the test part with the classes it answers.

    model takes images (n, h, w, 1), as Xplique wants them; columns has a dimension more than
    images, one_hot (n, classes) says what targets (n,) say.
    """

    network: Explained
    model: Any
    images: np.ndarray
    targets: np.ndarray

    @property
    def columns(self):
        return self.images[..., np.newaxis]

    @property
    def one_hot(self):
        return np.eye(self.network.classes, dtype=np.float32)[self.targets]


@pytest.fixture(scope="session", autouse=True)
def _tensorflow():
    runtime.start_tensorflow(PARAMS.runtime)


@pytest.fixture(autouse=True)
def _same_draws():
    """The libraries draw from TensorFlow's and NumPy's global generators."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(params=DIGITS.families)
def trained(request):
    """Each family in turn, its first seed, with eight images."""
    return _trained(request.param)


@pytest.fixture
def trained_cnn():
    return _trained("cnn")


@functools.cache
def _trained(family):
    import keras

    path = artefacts.weights("digits", family, DIGITS.seeds[0])
    if not path.exists():
        pytest.fail(f"expected the trained network {path}, got none: run `make run` first")
    cell = DIGITS.family(family)
    model, activations = families.build(family, cell.network, DIGITS.image_shape, DIGITS.classes)
    artefacts.load_weights(model, path)
    train = artefacts.load_arrays(artefacts.part("digits", "train"))["images"]
    images = artefacts.load_arrays(artefacts.part("digits", "test"))["images"][:8]
    columns = keras.Input((*DIGITS.image_shape, 1))
    return Trained(
        network=Explained(model, activations, references=train[:100]),
        model=keras.Model(columns, model(keras.layers.Reshape(DIGITS.image_shape)(columns))),
        images=images.astype(np.float32),
        targets=families.predict(model, images).argmax(axis=1).astype(np.int32),
    )


@pytest.fixture
def assert_close():
    """``assert_close(ours, theirs, tolerance)``: no pixel differs by more than the tolerance, in
    parts of the largest pixel (of either sign) of their map of that image."""

    def check(ours, theirs, tolerance):
        theirs = np.asarray(theirs).reshape(ours.shape)
        scale = np.abs(theirs).max(axis=(1, 2))
        assert scale.min() > 0
        assert (np.abs(ours - theirs).max(axis=(1, 2)) / scale).max() <= tolerance

    return check
