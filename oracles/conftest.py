"""The trained networks of digits, in the form that we and the other libraries need."""

import glassnets.pipeline.stages  # noqa: F401, I001  pins the processor before NumPy is imported

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest

from glassnets import config, runtime
from glassnets.attribution.methods import Explained, explain
from glassnets.attribution.metrics.metric import Judged
from glassnets.errors import GlassnetsError
from glassnets.models import families
from glassnets.pipeline import artefacts, networks

PARAMS = config.load(artefacts.params_file())
DIGITS = PARAMS.dataset("digits")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network, and images of the test part with the classes it predicts.

    model: takes images (n, h, w, 1), as Xplique needs them.
    images, targets: float32 (n, h, w), int32 (n,); columns are the images (n, h, w, 1), one_hot
    the targets (n, classes).
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
    try:
        model, activations = networks.load(DIGITS, family, path)
    except GlassnetsError as error:
        pytest.fail(f"{error}: run `make run` first")
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
def judged(trained):
    """The network and its maps; the gradient's and the random ones have no two equal pixels."""

    def attribute(method, images, targets):
        return explain(method, trained.network, images, targets)

    maps = ("gradient", "gradient_x_input", "random_map")
    return Judged(
        network=trained.network,
        images=trained.images,
        targets=trained.targets,
        maps={method: attribute(method, trained.images, trained.targets) for method in maps},
        attribute=attribute,
    )


@pytest.fixture(scope="session")
def grey():
    """``grey(network, value)``: the network with this grey level for a mean image, so that the
    reference mean is what other libraries call a baseline value."""

    def build(network, value):
        images = np.full((1, *network.image_shape), value, np.float32)
        return dataclasses.replace(network, references=images)

    return build


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
