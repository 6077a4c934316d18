"""Max-sensitivity where it can be solved by hand, and of random maps."""

from dataclasses import replace

import numpy as np
import pytest

from glassnets.attribution.metrics.robustness import MaxSensitivity, max_sensitivity


def sensitivity(judged, seed=0, **options):
    scores = max_sensitivity(judged, MaxSensitivity(**options), seed)
    return {method: own["max_sensitivity"] for method, own in scores.items()}


def test_one_pixel_by_hand(linear, judge):
    """Its map is w·x, so the score is max|d|/x; the largest of many draws is near the radius."""
    network, _ = linear((1, 1))
    images = np.array([51.0, 255.0], np.float32).reshape(2, 1, 1)
    judged = judge(network, images, [0, 1], ["gradient_x_input"])
    (scores,) = sensitivity(judged, radius=0.1, draws=200).values()
    assert scores[0] == pytest.approx(0.5, rel=0.05)
    assert scores[0] <= 0.5
    assert scores[1] == pytest.approx(scores[0] / 5)  # the same draws


def test_a_constant_map_scores_0_and_a_random_one_badly(linear, judge, draw_images):
    network, _ = linear((8, 8))
    methods = ["gradient", "gradient_x_input", "random_map"]
    judged = judge(network, draw_images(3), [0, 1, 2], methods)
    scores = sensitivity(judged)
    assert (scores["gradient"] == 0).all()
    assert (scores["gradient_x_input"] > 0.01).all()
    assert (scores["gradient_x_input"] < 0.2).all()
    assert (scores["random_map"] > 1.3).all()  # two random maps are √2 apart


def test_a_wider_ball_has_a_higher_score(family, judge, draw_images):
    judged = judge(family("cnn"), draw_images(2), [0, 1], ["integrated_gradients"])
    (near,), (far,) = (sensitivity(judged, radius=r).values() for r in (0.02, 0.1))
    assert (near < far).all()


def test_a_score_depends_on_its_image_alone(family, judge, draw_images):
    images, targets = draw_images(4), np.array([0, 1, 2, 3])
    methods = ["gradient", "random_map"]
    together = sensitivity(judge(family("feedforward"), images, targets, methods))
    swapped = sensitivity(judge(family("feedforward"), images[::-1], targets[::-1], methods))
    some = sensitivity(judge(family("feedforward"), images, targets, methods), images=3)
    for method in methods:
        np.testing.assert_allclose(swapped[method][::-1], together[method], rtol=1e-4)
        np.testing.assert_allclose(some[method][:3], together[method][:3], rtol=1e-4)
        assert np.isnan(some[method][3])


def test_the_seed_decides(linear, judge, draw_images):
    judged = judge(linear((8, 8))[0], draw_images(2), [0, 1], ["gradient_x_input"])
    (one,), (again,), (other,) = (sensitivity(judged, seed).values() for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).all()


def test_the_disturbance_is_uniform_not_clipped_and_of_the_class_explained(linear, judge):
    calls = []

    def attribute(method, images, targets):
        calls.append((images, targets))
        return images

    images = np.stack([np.zeros((8, 8), np.float32), np.full((8, 8), 255, np.float32)])
    judged = replace(judge(linear((8, 8))[0], images, [2, 1], {"it": images}), attribute=attribute)
    sensitivity(judged, radius=0.1, draws=100)
    ((disturbed, targets),) = calls  # all draws of all images at once
    assert targets.tolist() == [2] * 100 + [1] * 100
    black, white = disturbed[:100], disturbed[100:] - 255
    np.testing.assert_allclose(black, white, atol=1e-4)
    assert black.min() == pytest.approx(-25.5, rel=0.01)
    assert black.max() == pytest.approx(25.5, rel=0.01)
    assert black.std() == pytest.approx(25.5 / np.sqrt(3), rel=0.02)


def test_a_map_of_zeros(linear, judge):
    """Score 0 while it stays so; no relative change where it does not."""
    images = np.zeros((2, 8, 8), np.float32)
    judged = judge(linear((8, 8))[0], images, [0, 0], {"zero": images, "waking": images})
    judged = replace(
        judged, attribute=lambda method, images, targets: images * np.float32(method == "waking")
    )
    scores = sensitivity(judged)
    assert (scores["zero"] == 0).all()
    assert np.isnan(scores["waking"]).all()
