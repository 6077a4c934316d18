"""Networks of several learning rules, compared on the same images and seeds."""

import numpy as np
import pytest

from glassnets.config.schema import Evaluation
from glassnets.learning import rules

EVALUATION = Evaluation(
    bootstrap_resamples=500, confidence_level=0.95, calibration_bins=10, random_state=0
)


def probabilities(labels, right):
    """Of networks (seeds) that are right where `right` (seeds, n) is true, with 0.8."""
    p = np.full((*right.shape, 4), 0.2 / 3)
    predicted = np.where(right, labels, (labels + 1) % 4)
    np.put_along_axis(p, predicted[..., np.newaxis], 0.8, axis=2)
    return p


def test_differences_are_of_the_same_images_and_seeds():
    labels = np.arange(200).astype(np.uint8) % 4
    right = np.random.default_rng(0).random((3, 200)) < 0.9
    fewer = right & (np.arange(200) % 20 > 0)  # some that backpropagation has, none that it has not
    given = {"backpropagation": right, "feedback alignment": fewer}
    table = rules.compared(
        {rule: probabilities(labels, each) for rule, each in given.items()}, labels, EVALUATION
    ).set_index(["rule", "score"])
    one, other = (table.loc[(rule, "accuracy")] for rule in given)
    assert one["mean"] == pytest.approx(right.mean())
    assert one["ci_low"] < right.mean() < one["ci_high"]
    assert (one[["less_mean", "less_ci_low", "less_ci_high"]] == 0).all()
    assert other["less_mean"] == pytest.approx(fewer.mean() - right.mean())
    assert other["less_ci_high"] < 0  # though the intervals of the two overlap
    assert other["ci_high"] > one["ci_low"]
    loss = table.loc[("feedback alignment", "log_loss")]
    expected = -np.log(np.where(fewer, 0.8, 0.2 / 3)).mean()
    assert loss["mean"] == pytest.approx(expected)
