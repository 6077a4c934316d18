"""A map against another family's, and against another image's, by what the network does."""

import numpy as np
import pytest

from glassnets.attribution.metrics.faithfulness import FaithfulnessCorrelation
from glassnets.attribution.specificity import between_families, of_other_images
from glassnets.attribution.subsets import random_subsets
from glassnets.config.schema import Evaluation

OPTIONS = FaithfulnessCorrelation(subsets=60, fraction=0.2)
EVALUATION = Evaluation(
    bootstrap_resamples=400, confidence_level=0.95, calibration_bins=15, random_state=0
)
SEEDS, IMAGES, SHAPE = 2, 12, (5, 5)


def drops_of(maps, random_state=3):
    """The drops of a network of which these maps (seeds, n, h, w) are the whole truth."""
    drops = []
    for seed, own in enumerate(maps):
        subsets = random_subsets(SHAPE, OPTIONS.subsets, OPTIONS.fraction, random_state + seed)
        sums = own.reshape(IMAGES, -1) @ subsets.reshape(OPTIONS.subsets, -1).T
        centred = sums - sums.mean(axis=1, keepdims=True)
        drops.append(centred / centred.std(axis=1, keepdims=True))
    return np.stack(drops)


def drawn(seed):
    shape = (SEEDS, IMAGES, *SHAPE)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def arrays(predictions=None, **maps):
    if predictions is None:
        predictions = np.zeros((SEEDS, IMAGES), np.int64)
    images = np.zeros((IMAGES, *SHAPE), np.uint8)
    return {"seeds": np.arange(SEEDS), "predictions": predictions, "images": images, **maps}


def compared(a, b, drops):
    return between_families({"a": a, "b": b}, drops, OPTIONS, 3, EVALUATION)


def test_a_faithful_map_is_above_a_map_that_has_nothing_to_do_with_the_network():
    true = drawn(0)
    drops = {"a": {"black": drops_of(true)}, "b": {"black": drops_of(drawn(1))}}
    table = compared(arrays(gradient=true), arrays(gradient=drawn(2)), drops)
    of_a = table[table["family"] == "a"].iloc[0]
    assert of_a["difference"] == pytest.approx(1, abs=0.15)  # 1, less a correlation near 0
    assert of_a["p_holm"] < 1e-6
    assert of_a["images"] == IMAGES
    of_b = table[table["family"] == "b"].iloc[0]  # neither map is true of it
    assert of_b["ci_low"] < 0 < of_b["ci_high"]
    assert of_b["p_holm"] > 0.05


def test_equal_maps_differ_by_nothing_and_are_never_shown_to():
    maps = drawn(0)
    drops = {family: {"black": drops_of(maps)} for family in "ab"}
    table = compared(arrays(edges=maps), arrays(edges=maps), drops)
    assert (table["difference"] == 0).all()
    assert (table["p_holm"] == 1).all()


def test_the_removal_that_is_the_reference_is_left_out():
    true, other = drawn(0), drawn(1)
    drops = {
        "a": {"black": drops_of(true), "mean": drops_of(other)},
        "b": {"black": drops_of(true), "mean": drops_of(other)},
    }
    own, others = arrays(**{"rise:black": true}), arrays(**{"rise:black": other})
    table = compared(own, others, drops).set_index("family")
    # By mean alone the other family's map is the true one.
    assert table.loc["a", "difference"] == pytest.approx(-1, abs=0.15)
    assert table.loc["b", "difference"] == pytest.approx(1, abs=0.15)


def test_images_of_which_the_networks_disagree_do_not_count():
    true = drawn(0)
    wrong = true.copy()
    wrong[:, 4:] = -true[:, 4:]
    predictions = np.zeros((SEEDS, IMAGES), np.int64)
    predictions[:, 4:] = 1
    drops = {family: {"black": drops_of(true)} for family in "ab"}
    table = compared(arrays(gradient=true), arrays(predictions, gradient=wrong), drops)
    assert (table["images"] == 4).all()
    np.testing.assert_allclose(table["difference"], 0, atol=1e-6)


def test_methods_of_one_family_alone_are_not_compared():
    drops = {family: {"black": drops_of(drawn(0))} for family in "ab"}
    table = compared(arrays(grad_cam=drawn(0)), arrays(rise=drawn(0)), drops)
    assert table.empty


def test_the_map_of_another_image_of_the_class_tells_less_than_the_own():
    true = drawn(0)
    predictions = np.tile(np.arange(IMAGES) % 4, (SEEDS, 1))
    others = of_other_images(
        arrays(predictions, gradient=true), {"black": drops_of(true)}, OPTIONS, 3
    )["gradient"]["black"]
    assert others.shape == (SEEDS, IMAGES)
    assert abs(others.mean()) < 0.2  # maps of different images have nothing in common here
    equal = np.broadcast_to(true[:, :1], true.shape)
    same = of_other_images(
        arrays(predictions, gradient=equal), {"black": drops_of(equal)}, OPTIONS, 3
    )["gradient"]["black"]
    np.testing.assert_allclose(same, 1, rtol=1e-6)


def test_the_other_image_is_the_next_of_the_class_that_the_network_predicts():
    true = drawn(0)
    predictions = np.array([[0, 0, 0, *range(1, 10)]] * SEEDS)
    moved = np.roll(true[:, :3], 1, axis=1)  # each has the map of the one before
    maps = np.concatenate([moved, true[:, 3:]], axis=1)
    others = of_other_images(
        arrays(predictions, gradient=maps), {"black": drops_of(true)}, OPTIONS, 3
    )["gradient"]["black"]
    np.testing.assert_allclose(others[:, :3], 1, rtol=1e-6)
    assert np.isnan(others[:, 3:]).all()  # alone in their class
