"""A function is explained as a network is: the same values, and theory where it is linear."""

import numpy as np
import pytest

from glassnets.attribution.function import ExplainedFunction
from glassnets.attribution.methods import explain
from glassnets.errors import GlassnetsError


@pytest.fixture(autouse=True)
def _tensorflow(tensorflow):
    pass


RNG = np.random.default_rng(0)
SHAPES = {
    ("image", (4, 5)): RNG.integers(0, 256, (30, 4, 5)).astype(np.float32),
    ("image", (4, 5, 3)): RNG.integers(0, 256, (30, 4, 5, 3)).astype(np.float32),
    ("table", (1, 6)): RNG.normal(size=(30, 1, 6)).astype(np.float32),
    ("table", (1, 6, 2)): RNG.normal(size=(30, 1, 6, 2)).astype(np.float32),
    ("series", (1, 8)): RNG.normal(size=(30, 1, 8)).astype(np.float32),
    ("series", (1, 8, 2)): RNG.normal(size=(30, 1, 8, 2)).astype(np.float32),
}


@pytest.fixture(params=SHAPES, ids=str)
def logistic(request):
    """A logistic regression of two classes, its weights (h, w[, c]), its inputs."""
    kind, shape = request.param
    inputs = SHAPES[request.param]
    weights = np.random.default_rng(1).normal(size=shape) / inputs.std() / np.sqrt(np.prod(shape))

    def probabilities(inputs):
        z = (inputs.astype(np.float64) * weights).reshape(len(inputs), -1).sum(axis=1)
        return 1 / (1 + np.exp(-z))

    references = inputs - inputs.mean(axis=0) if kind != "image" else inputs
    labels = np.arange(len(inputs)) % 2
    network = ExplainedFunction(
        function=lambda x: np.stack([1 - probabilities(x), probabilities(x)], axis=1),
        shape=shape,
        count=2,
        clip=1e-12,
        kind=kind,
        references=references,
        labels=labels,
    )
    return network, weights, inputs[:5]


@pytest.mark.parametrize("method", ["occlusion", "kernel_shap"])
def test_of_a_linear_function_a_player_counts_its_weight_times_its_difference(logistic, method):
    network, weights, inputs = logistic
    options = {"patch_size": 1, "coalitions": 400}
    if method == "occlusion":
        options = {"patch_size": 1, "stride": 1}
    found = explain(f"{method}:mean", network, inputs, np.ones(len(inputs), int), **options)
    differences = weights * (inputs - network.mean_image)
    wanted = network.of_players(differences)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


def test_as_a_network_gives_them(linear):
    network, _ = linear((4, 5), references=SHAPES["image", (4, 5)])
    function = ExplainedFunction(
        function=network.model.predict_on_batch,
        shape=(4, 5),
        count=3,
        returns="logits",
        references=network.references,
        batch_size=7,
    )
    images = SHAPES["image", (4, 5)][:3]
    for name in ("occlusion:draws", "rise:blur", "kernel_shap:black"):
        options = {} if name.startswith("rise") else {"patch_size": 2}
        own, other = (
            explain(name, each, images, np.array([0, 1, 2]), **options)
            for each in (network, function)
        )
        np.testing.assert_allclose(own, other, atol=1e-4)


def test_gradients_are_not_defined():
    function = ExplainedFunction(function=len, shape=(4, 5), count=2)
    with pytest.raises(GlassnetsError, match="gradients of its logits"):
        explain("gradient", function, np.zeros((1, 4, 5), np.uint8), np.zeros(1, int))


def test_log_odds_give_the_probabilities_back():
    p = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    function = ExplainedFunction(function=lambda x: p[: len(x)], shape=(1, 2), count=3)
    outputs = function.outputs(np.zeros((2, 1, 2), np.float32))
    np.testing.assert_allclose(outputs[0], np.log(p[0] / (1 - p[0])), rtol=1e-6)
    np.testing.assert_allclose(outputs[1], [13.8155, -13.8155, -13.8155], rtol=1e-4)
    np.testing.assert_allclose(function.probabilities(outputs), p, atol=2e-6)


@pytest.mark.parametrize(
    ("function", "returns", "message"),
    [
        (lambda x: 1 / 0, "probabilities", "gives an array of numbers, got ZeroDivisionError"),
        (lambda x: np.zeros((len(x), 3)), "probabilities", r"array \(2, 2\) of probabilities"),
        (lambda x: np.full((len(x), 2), np.nan), "logits", "finite logits"),
        (lambda x: np.full((len(x), 2), 3.0), "probabilities", 'returns="logits" if they are'),
        (lambda x: np.zeros((1, 2)), "logits", r"got an array \(1, 2\)"),
        (lambda x: "no", "logits", "array of numbers, got ValueError"),
    ],
)
def test_what_a_function_may_not_give(function, returns, message):
    network = ExplainedFunction(function=function, shape=(1, 2), count=2, returns=returns)
    with pytest.raises(GlassnetsError, match=message) as raised:
        network.outputs(np.zeros((2, 1, 2), np.float32))
    assert "\n" not in str(raised.value)
