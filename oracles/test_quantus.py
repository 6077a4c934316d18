"""Our attribution metrics against Quantus', on the trained networks of digits, in all families.

Where the implementations differ, and why. Each test removes the difference on one side.

Pixel flipping is our deletion by black; it counts the end where all pixels are gone twice if steps
do not divide the pixels, so they do here. It has no insertion.

Faithfulness correlation draws other subsets for each image, ours the same for all; ours is 0 where
sums or drops do not vary.

Relevance mass is the share of all relevance, negative too, ours of the positive: compared on maps
that are not negative. The pointing game and relevance rank leave equal pixels to the sort, ours
take them as in random order.

Max-sensitivity divides the change of a whole batch by the norm of its maps; ours is image by image.

Random logit compares with a class at random, by structural similarity; ours with the most probable
other class, by rank correlation.

ROAD interpolates by a sparse system, ours by bands; its noise is left out.

Its infidelity perturbs patches of a grid by a constant and draws them anew for each image; ours
squares at random, in place of a reference, so that the two are not the same quantity. Randomisation
of parameters: see test_metrics.py.
"""

from dataclasses import replace

import numpy as np
import pytest
import quantus

from glassnets.attribution.metrics import faithfulness
from glassnets.attribution.metrics.classes import class_sensitivity, most_probable_others
from glassnets.attribution.metrics.localization import localization
from glassnets.attribution.metrics.removal import interpolated
from glassnets.attribution.metrics.robustness import max_sensitivity


@pytest.fixture
def theirs(trained):
    """``theirs(metric, maps, …)``: the scores of a metric of Quantus', which asks a model's last
    layer for its activation."""
    import keras

    logits = keras.layers.Activation("linear")(trained.model.output)
    model = keras.Model(trained.model.input, logits)

    def score(metric, maps, **options):
        given = {"softmax": False, "channel_first": False, "batch_size": len(maps)} | options
        rows = maps[:, np.newaxis]
        targets = trained.targets.astype(int)
        return np.array(metric(model, trained.columns, targets, rows, **given))

    return score


@pytest.mark.parametrize(("quantity", "softmax"), [("probability", True), ("logit", False)])
def test_deletion(judged, theirs, quantity, softmax):
    options = faithfulness.DeletionInsertion(steps=32, removals=("black",))
    scores = faithfulness.deletion_insertion(judged, options)
    assert judged.images.min(axis=(1, 2)).max() == 0  # their black is an image's darkest pixel
    flipping = quantus.PixelFlipping(features_in_step=2, normalise=False, disable_warnings=True)
    for method in ("gradient", "random_map"):
        curve = theirs(flipping, judged.maps[method], softmax=softmax)  # without its first point
        own = scores[method]
        if softmax:
            np.testing.assert_allclose(own["deletion_curve_black"][:, 1:], curve, atol=1e-5)
        intact = judged.network.outputs(judged.images).astype(np.float64)
        if softmax:
            intact = np.exp(intact) / np.exp(intact).sum(axis=1, keepdims=True)
        first = intact[np.arange(len(curve)), judged.targets]
        area = np.trapezoid(np.column_stack([first, curve]), dx=1 / 32, axis=1)
        np.testing.assert_allclose(own[f"deletion_{quantity}_black"], area, rtol=1e-4, atol=1e-5)


def test_faithfulness_correlation(judged, theirs, monkeypatch):
    options = faithfulness.FaithfulnessCorrelation(subsets=100, fraction=0.2, removals=("black",))
    scores = faithfulness.faithfulness_correlation(judged, options)
    subsets = faithfulness.random_subsets(judged.network.image_shape, 100, 0.2, 0)
    pixels = [np.flatnonzero(subset) for subset in subsets]
    for method in judged.maps:
        drawn = iter(np.repeat(np.arange(100), len(judged.images)))
        monkeypatch.setattr(np.random, "choice", lambda *_, d=drawn, **__: pixels[next(d)])
        metric = quantus.FaithfulnessCorrelation(
            nr_runs=100,
            subset_size=len(pixels[0]),
            perturb_baseline="black",
            normalise=False,
            return_aggregate=False,
            disable_warnings=True,
        )
        found = theirs(metric, judged.maps[method])
        np.testing.assert_allclose(scores[method]["faithfulness_correlation"], found, atol=1e-5)


@pytest.mark.parametrize("name", ["relevance_mass", "relevance_rank", "pointing_game"])
def test_localization(judged, theirs, name):
    evidence = np.random.default_rng(1).random(judged.images.shape) < 0.3
    positive = {method: np.abs(maps) for method, maps in judged.maps.items()}
    scores = localization(replace(judged, maps=positive, evidence=evidence))
    metric = {
        "relevance_mass": quantus.RelevanceMassAccuracy,
        "relevance_rank": quantus.RelevanceRankAccuracy,
        "pointing_game": quantus.PointingGame,
    }[name](normalise=False, disable_warnings=True)
    for method in ("gradient", "random_map"):
        found = theirs(metric, positive[method], s_batch=evidence[:, np.newaxis])
        np.testing.assert_allclose(scores[method][name], found.ravel(), rtol=1e-5)


def test_max_sensitivity(judged, trained):
    noise = np.random.default_rng(3).uniform(-0.05 * 255, 0.05 * 255, (4, 8, 8)).astype(np.float32)
    ours = max_sensitivity(judged, max_sensitivity.options(radius=0.05, draws=4), seed=3)
    for i in range(3):
        drawn = iter(noise)
        metric = quantus.MaxSensitivity(
            nr_samples=4,
            perturb_func=lambda arr, d=drawn, **_: arr + next(d).reshape(arr.shape),
            normalise=False,
            disable_warnings=True,
        )

        def explained(model, inputs, targets, **_):
            images = np.asarray(inputs).reshape(-1, 8, 8).astype(np.float32)
            return judged.attribute("gradient_x_input", images, targets)[:, np.newaxis]

        found = metric(
            trained.model,
            trained.columns[i : i + 1],
            trained.targets[i : i + 1].astype(int),
            judged.maps["gradient_x_input"][i : i + 1, np.newaxis],
            explain_func=explained,
            channel_first=False,
            batch_size=1,
        )
        assert ours["gradient_x_input"]["max_sensitivity"][i] == pytest.approx(found[0], rel=1e-4)


def test_class_sensitivity(judged, theirs, monkeypatch):
    ours = class_sensitivity(judged, class_sensitivity.options(images=len(judged.images)))
    others = most_probable_others(judged, len(judged.images))
    place = others - (others > judged.targets)  # among the classes that are not explained
    monkeypatch.setattr(np.random, "randint", lambda *_, **__: place)

    def explained(model, inputs, targets, **_):
        images = np.asarray(inputs).reshape(-1, 8, 8).astype(np.float32)
        return judged.attribute("gradient_x_input", images, targets)[:, np.newaxis]

    metric = quantus.RandomLogit(
        similarity_func=quantus.correlation_spearman,
        num_classes=judged.network.classes,
        normalise=False,
        disable_warnings=True,
    )
    found = theirs(metric, judged.maps["gradient_x_input"], explain_func=explained)
    np.testing.assert_allclose(ours["gradient_x_input"]["class_correlation"], found, atol=1e-6)


def test_interpolation(judged):
    rng = np.random.default_rng(4)
    for image in judged.images:
        for share in (0.1, 0.5, 0.9):
            removed = rng.random(image.shape) < share
            found = quantus.noisy_linear_imputation(
                image[np.newaxis].astype(np.float64), np.flatnonzero(removed), noise=0
            )
            np.testing.assert_allclose(
                interpolated(image, removed[np.newaxis])[0], found.reshape(image.shape), atol=1e-6
            )
