"""Does a map depend on the class? Exactly 1 where it does not."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from glassnets.attribution.methods import explain
from glassnets.attribution.metrics.classes import (
    ClassSensitivity,
    class_sensitivity,
    most_probable_others,
)

Y = [0, 1, 2, 0]


def test_maps_that_are_the_same_for_every_class_have_correlation_1_exactly(
    family, judge, draw_images
):
    blind = ["random_map", "edges", "difference:mean", "absolute_difference:blur"]
    judged = judge(
        family("attention"), draw_images(4), Y, [*blind, "attention_rollout", "gradient"]
    )
    scores = class_sensitivity(judged)
    for name in (*blind, "attention_rollout"):
        np.testing.assert_array_equal(scores[name]["class_correlation"], 1)
    assert (scores["gradient"]["class_correlation"] < 1).all()


def test_the_correlation_is_of_the_map_of_the_most_probable_other_class(linear, judge, draw_images):
    network, w = linear((8, 8))
    x = draw_images(4)
    logits = 1 + np.einsum("nij,ijc->nc", x, w)
    expected = [
        max((c for c in range(3) if c != y), key=lambda c: own[c])
        for own, y in zip(logits, Y, strict=True)
    ]
    judged = judge(network, x, Y, ["gradient", "gradient_x_input"])
    assert most_probable_others(judged, 4).tolist() == expected
    scores = class_sensitivity(judged, ClassSensitivity(images=3))
    maps = explain("gradient_x_input", network, x, np.array(expected))
    for i in range(3):
        found = scores["gradient_x_input"]["class_correlation"][i]
        own = judged.maps["gradient_x_input"][i].ravel()
        assert found == pytest.approx(spearmanr(own, maps[i].ravel()).statistic, abs=1e-4)
    assert np.isnan(scores["gradient"]["class_correlation"][3])


def test_a_map_and_its_opposite(linear, judge, draw_images):
    """Of two classes of opposite weights the correlation is −1."""
    network, _ = linear((8, 8), classes=2)
    kernel, bias = network.model.get_weights()
    network.model.set_weights([np.stack([kernel[:, 0], -kernel[:, 0]], axis=1), bias])
    scores = class_sensitivity(judge(network, draw_images(2), [0, 1], ["gradient"]))
    np.testing.assert_allclose(scores["gradient"]["class_correlation"], -1)
