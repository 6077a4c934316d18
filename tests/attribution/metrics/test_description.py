"""Completeness, complexity and sparseness by hand."""

import numpy as np
import pytest

from glassnets.attribution.methods import explain
from glassnets.attribution.metrics.description import completeness, complexity
from glassnets.attribution.references import fills


@pytest.fixture(scope="module")
def network_and_images(linear, draw_images):
    network, w = linear((8, 8), references=draw_images(5, (8, 8), seed=2))
    return network, w, draw_images(3), np.array([2, 0, 1])


@pytest.mark.parametrize("reference", ["black", "mean", "blur", "draws"])
def test_complete_methods_have_no_error(network_and_images, judge, reference):
    network, w, x, y = network_and_images
    of_ours = [f"integrated_gradients:{reference}", f"kernel_shap:{reference}"]
    scores = completeness(judge(network, x, y, of_ours))
    for name in of_ours:
        np.testing.assert_allclose(scores[name]["completeness_error"], 0, atol=1e-3)
    # By hand, with the draws that the variant says: as many as steps, or as draws.
    for name, count in zip(of_ours, (50, 5), strict=True):
        fill = fills(network, x, reference, count, 0).mean(axis=1)
        maps = (x - fill) * np.moveaxis(w[..., y], -1, 0)
        scores = completeness(judge(network, x, y, {name: maps}))
        np.testing.assert_allclose(scores[name]["completeness_error"], 0, atol=1e-3)
        # The sum is twice what it should be: an error of all that should be.
        scores = completeness(judge(network, x, y, {name: 2 * maps}))
        np.testing.assert_allclose(scores[name]["completeness_error"], 1, atol=1e-3)


def test_maps_of_another_reference_show_an_error(network_and_images, judge):
    network, _, x, y = network_and_images
    of_black = explain("integrated_gradients:black", network, x, y)
    for name in ("integrated_gradients:mean", "integrated_gradients:draws"):
        scores = completeness(judge(network, x, y, {name: of_black}))
        assert (scores[name]["completeness_error"] > 0.05).all()


def test_only_methods_that_are_declared_complete_are_judged(network_and_images, judge):
    network, _, x, y = network_and_images
    judged = judge(network, x, y, ["gradient", "gradient_x_input", "integrated_gradients"])
    assert completeness(judged).keys() == {"integrated_gradients"}


def test_the_error_of_a_zero_difference_is_relative_to_a_small_logit(network_and_images, judge):
    network, _, _, y = network_and_images
    black = np.zeros((3, 8, 8), np.float32)
    maps = np.full_like(black, 1e-3 / 64)
    scores = completeness(judge(network, black, y, {"kernel_shap": maps}))
    np.testing.assert_allclose(scores["kernel_shap"]["completeness_error"], 1, rtol=1e-5)


def described(linear, judge, *maps):
    maps = np.array(maps, np.float32)[:, np.newaxis]  # of one row each
    network, _ = linear(maps.shape[1:])
    images = np.ones_like(maps)
    scores = complexity(judge(network, images, [0] * len(maps), {"m": maps}))["m"]
    return scores["complexity"], scores["sparseness"]


def test_complexity_and_sparseness_solved_by_hand(linear, judge):
    entropy, gini = described(
        linear,
        judge,
        [0, 0, -7, 0],  # one pixel
        [3, -3, 3, 3],  # all alike, whatever their sign
        [1, 0, -1, 0],  # two of four
        [0, 1, 3, 0],
    )
    three_to_one = 0.25 * np.log(4) + 0.75 * np.log(4 / 3)
    np.testing.assert_allclose(entropy, [0, np.log(4), np.log(2), three_to_one], atol=1e-12)
    # Of 0, 0, ¼, ¾: 1 − 2(¼·1.5/4 + ¾·0.5/4) = ⅝.
    np.testing.assert_allclose(gini, [3 / 4, 0, 1 / 2, 5 / 8], atol=1e-12)


def test_neither_depends_on_length_or_sign_or_place(linear, judge):
    own = np.random.default_rng(0).normal(size=9)
    entropy, gini = described(linear, judge, own, -1e-3 * own, own[::-1])
    np.testing.assert_allclose(entropy, entropy[0], rtol=1e-6)
    np.testing.assert_allclose(gini, gini[0], rtol=1e-6)


def test_a_zero_map_counts_as_constant(linear, judge):
    entropy, gini = described(linear, judge, [0] * 5, [1] * 5)
    np.testing.assert_allclose(entropy, np.log(5))
    np.testing.assert_allclose(gini, 0, atol=1e-12)
