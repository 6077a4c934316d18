"""Our attribution metrics against Xplique's, on the trained networks of digits, in all families.

Where the implementations differ, and why. Each test removes the difference on one side and holds
the rest to a tolerance.

Every metric gives a score for each image, for the intervals; Xplique gives the mean.

deletion, insertion: of equal pixels the upper, then the left one goes first; Xplique leaves their
order to the sort. So maps without equal pixels are compared.

faithfulness correlation: Pearson's, over subsets of one size, as in the paper; Xplique's MuFidelity
is Spearman's, over subsets of random size, which changes both sums.

max-sensitivity: the largest change, in parts of the map's norm, by noise of both signs; Xplique's
AverageStability is the mean change, in the map's own units, by noise that only brightens. So a
single draw is compared, with the norm divided out.

parameter randomisation: weights from each layer's own initialiser, at least the whole network at
the end, and an error where they did not change; Xplique draws all weights uniformly from 0…1,
variances and scales of normalisation too, and rounds the share of layers down, to none in a small
network, without a word. So the rank correlation alone is compared; ours also of absolute values.

Infidelity, label randomisation and completeness are in neither library, nor are removals by a blur
or by draws; average precision is scikit-learn's own. What Quantus has: see test_quantus.py. Captum
is not held against, for it needs PyTorch.
"""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from glassnets.attribution.metrics import faithfulness
from glassnets.attribution.metrics.description import complexity
from glassnets.attribution.metrics.randomization import rank_correlations, ranked
from glassnets.attribution.metrics.robustness import max_sensitivity


@pytest.mark.parametrize(("quantity", "activation"), [("probability", "softmax"), ("logit", None)])
@pytest.mark.parametrize("level", [0.0, 100.0])
def test_deletion_and_insertion(trained, judged, grey, quantity, activation, level):
    from xplique.metrics import Deletion, Insertion

    options = faithfulness.DeletionInsertion(steps=32, removals=("mean",))
    of_grey = replace(judged, network=grey(trained.network, level))
    scores = faithfulness.deletion_insertion(of_grey, options)
    given = trained.model, trained.columns, trained.one_hot
    for metric in (Deletion, Insertion):
        theirs = metric(*given, steps=32, activation=activation, baseline_mode=level)
        for method in ("gradient", "random_map"):
            ours = scores[method][f"{metric.__name__.lower()}_{quantity}_mean"]
            assert ours.mean() == pytest.approx(theirs(judged.maps[method]), rel=1e-5)


def test_faithfulness_correlation(trained, judged, monkeypatch):
    from scipy.stats import pearsonr
    from xplique.metrics import MuFidelity, fidelity

    options = faithfulness.FaithfulnessCorrelation(subsets=200, fraction=0.2, removals=("black",))
    scores = faithfulness.faithfulness_correlation(judged, options)
    subsets = faithfulness.random_subsets(trained.network.image_shape, 200, 0.2, 0)

    def hidden(self, images, count):
        shown = tf.constant(~subsets, tf.float32)[tf.newaxis, ..., tf.newaxis]
        return tf.reshape(images[:, tf.newaxis] * shown, (-1, *images.shape[1:])), shown

    monkeypatch.setattr(fidelity, "spearmanr", pearsonr)
    monkeypatch.setattr(MuFidelity, "_perturb_samples", hidden)
    # All subsets of an image in one batch, for they are given whole.
    theirs = MuFidelity(trained.model, trained.columns, trained.one_hot, batch_size=200)
    for method in judged.maps:
        ours = scores[method]["faithfulness_correlation"]
        assert ours.mean() == pytest.approx(theirs(judged.maps[method]), abs=1e-5)


def test_max_sensitivity(trained, judged):
    """Of a single draw the mean is the largest."""
    from xplique.attributions import GradientInput
    from xplique.metrics import AverageStability

    options = max_sensitivity.options(radius=0.05, draws=1)
    ours = max_sensitivity(judged, options, seed=3)["gradient_x_input"]["max_sensitivity"]
    theirs = AverageStability(
        trained.model,
        trained.columns,
        trained.one_hot,
        distance=lambda after, before: tf.norm(after - before) / tf.norm(before),
        nb_samples=1,
    )
    noise = np.random.default_rng(3).uniform(-0.05 * 255, 0.05 * 255, (1, 8, 8))
    theirs.noisy_masks = noise[..., np.newaxis].astype(np.float32)
    assert ours.mean() == pytest.approx(theirs(GradientInput(trained.model)), rel=1e-5)


def test_complexity_and_sparseness(judged):
    from xplique.metrics import Complexity, Sparseness

    scores = complexity(judged)
    for method, maps in judged.maps.items():
        for metric in (Complexity(), Sparseness()):
            ours = scores[method][type(metric).__name__.lower()]
            np.testing.assert_allclose(ours, metric.detailed_evaluate(maps), atol=1e-4)


def test_rank_correlation(judged):
    from xplique.metrics.randomization import batched_spearman

    before, after = judged.maps["gradient_x_input"], judged.maps["random_map"]
    for a, b in ((before, after), (before, judged.maps["gradient"])):
        ours, _ = rank_correlations(ranked(a), ranked(b))
        theirs = batched_spearman(*(tf.constant(m.reshape(len(m), -1)) for m in (a, b)))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
