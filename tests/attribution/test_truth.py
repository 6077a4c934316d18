"""Attributions against the truth of a network whose patches add up."""

import numpy as np
import pytest

from glassnets import runtime
from glassnets.attribution import truth
from glassnets.attribution.methods import Explained, explain
from glassnets.attribution.methods.perturbations import grid_of_patches
from glassnets.attribution.references import fills
from glassnets.models import additive

REFERENCES = ("black", "mean", "blur", "draws")


# Errors


def test_the_error_is_relative_to_the_truth():
    true = np.array([[3.0, 4], [3, 4], [3, 4], [0, 0]])
    maps = np.array([[3.0, 4], [0, 0], [3, -1], [1, 1]])
    np.testing.assert_allclose(truth.error(maps, true), [0, 1, 1, np.nan])


def test_the_dissimilarity_needs_no_unit():
    true = np.array([1.0, 2, 4])
    maps = np.array([true * 3 + 5, -true, [1, 0, 1], true * 0, [7.1, 7.1, 7.1]])
    expected = [0, 2, 1 - np.corrcoef([1, 0, 1], true)[0, 1], 1, 1]
    np.testing.assert_allclose(truth.dissimilarity(maps, np.tile(true, (5, 1))), expected, 0, 1e-12)
    (undefined,) = truth.dissimilarity(true[np.newaxis], np.full((1, 3), 0.1))
    assert np.isnan(undefined)


def test_maps_are_summed_over_patches_and_windows_averaged():
    patches = grid_of_patches((3, 4), 2)
    maps = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    sums = truth.by_patch(maps, patches, "gradient")
    assert sums[0].tolist() == [0 + 1 + 4 + 5, 2 + 3 + 6 + 7, 8 + 9, 10 + 11]
    np.testing.assert_allclose(truth.by_patch(maps, patches, "occlusion"), sums / [4, 4, 2, 2])


def test_the_difference_is_of_the_target_and_of_the_mean_draw():
    own = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    absent = np.zeros((1, 2, 2, 3), np.float32)
    absent[0, 0] = 2
    values = truth.difference(own, absent, np.array([0, 2]))
    assert values.tolist() == [[-1, 2], [7, 10]]


def test_a_row_a_variant(parameters):
    nothing, own = np.array([np.nan, np.nan]), np.array([0.0, 0.5])
    seeds = [
        {
            "one:mean": {"error": own + seed, "dissimilarity": own},
            "two": {"dissimilarity": nothing},
        }
        for seed in (0, 1)
    ]
    table = truth.table(seeds, ["two"], parameters.evaluation)
    assert table["method"].tolist() == ["one", "two"]
    assert table["reference"].fillna("none").tolist() == ["mean", "none"]
    assert table["control"].tolist() == [False, True]
    first, second = table.to_dict("records")
    assert (first["error"], first["dissimilarity"]) == (0.75, 0.25)
    assert first["error_ci_low"] < 0.75 < first["error_ci_high"]
    assert np.isnan([second["error"], second["dissimilarity"], second["error_ci_low"]]).all()


# Methods


@pytest.fixture(scope="module")
def network(tensorflow, parameters, draw_images):
    """An additive network of 16 patches of 2×2, with training images."""
    options = parameters.dataset("digits").additive.model_copy(update={"units": (8,)})
    runtime.set_seed(0)
    model = additive.build((8, 8), 3, options)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(weight + rng.normal(scale=0.2, size=weight.shape))
    return Explained(model, references=draw_images(30, seed=3))


@pytest.fixture(scope="module")
def against_truth(network, draw_images):
    """``against_truth(method, reference, draws, **options)``: the largest error of five images."""
    images, targets = draw_images(5), np.array([0, 1, 2, 0, 1])
    patches = grid_of_patches((8, 8), 2)
    own = additive.contributions(network.model, images)

    def compare(method, reference, draws=7, **options):
        options |= {"draws": draws} if reference == "draws" else {}
        maps = explain(method, network, images, targets, reference=reference, seed=5, **options)
        absent = fills(network, images, reference, draws, 5)
        each = additive.contributions(network.model, absent.reshape(-1, 8, 8))
        each = each.reshape(*absent.shape[:2], *each.shape[1:])
        true = truth.difference(own, each, targets)
        return truth.error(truth.by_patch(maps, patches, method), true).max()

    return compare


@pytest.mark.parametrize("reference", REFERENCES)
def test_kernel_shap_over_the_same_patches_is_the_truth(against_truth, reference):
    assert against_truth("kernel_shap", reference, patch_size=2, coalitions=100) < 1e-4


@pytest.mark.parametrize("reference", REFERENCES)
def test_occlusion_of_the_same_patches_is_the_truth(against_truth, reference):
    assert against_truth("occlusion", reference, patch_size=2, stride=2) < 1e-4


@pytest.mark.parametrize("reference", ["black", "mean", "blur"])
def test_integrated_gradients_tend_to_the_truth(against_truth, reference):
    few, more, many = (
        against_truth("integrated_gradients", reference, steps=n) for n in (4, 32, 512)
    )
    assert many < 0.003 < more < 0.05
    assert few > 2 * more
