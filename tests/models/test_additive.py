"""An additive network: what each patch counts for, in any coalition of the others."""

import numpy as np
import pytest

from glassnets import runtime
from glassnets.attribution.methods.perturbations import grid_of_patches
from glassnets.models import additive, families

CLASSES = 4
# Patches that tile the image, and patches of which the last are smaller.
SHAPES = [((8, 8), 4), ((8, 12), 2), ((7, 10), 3)]


@pytest.fixture(params=SHAPES, ids=str)
def network(request, tensorflow, parameters):
    """A network as drawn but for its biases, and each pixel's patch."""
    shape, size = request.param
    options = parameters.dataset("digits").additive.model_copy(
        update={"patch_size": size, "units": (6, 5)}
    )
    runtime.set_seed(0)
    model = additive.build(shape, CLASSES, options)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(weight + rng.normal(scale=0.1, size=weight.shape))
    return model, grid_of_patches(shape, size)


def test_contributions_and_bias_sum_to_the_logits(network, draw_images):
    model, patches = network
    images = draw_images(5, patches.shape)
    each = additive.contributions(model, images)
    assert each.shape == (5, patches.max() + 1, CLASSES)
    assert each.dtype == np.float32
    logits, bias = families.predict(model, images), model.get_layer("logits").get_weights()[1]
    np.testing.assert_allclose(each.sum(axis=1) + bias, logits, rtol=1e-5, atol=1e-4)
    whole = images.astype(np.uint8)
    np.testing.assert_array_equal(additive.contributions(model, whole), each)


def test_a_patch_counts_for_the_same_in_every_coalition(network, draw_images):
    """f with patch p from x, less f with p from r, is g(x) − g(r), whatever else is there."""
    model, patches = network
    x, r = draw_images(2, patches.shape)
    own, absent = additive.contributions(model, np.stack([x, r]))
    rng = np.random.default_rng(0)
    for patch in range(patches.max() + 1):
        present = rng.random(patches.max() + 1) < 0.5
        present[patch] = True
        with_patch = np.where(present[patches], x, r)
        without = np.where(patches == patch, r, with_patch)
        one, other = families.predict(model, np.stack([with_patch, without]))
        np.testing.assert_allclose(one - other, (own - absent)[patch], atol=1e-4)


def test_a_patch_depends_on_its_own_pixels_alone(network, draw_images):
    model, patches = network
    (x,) = draw_images(1, patches.shape)
    lit = np.stack([np.where(patches == p, x, 0) for p in range(patches.max() + 1)])
    each, (black, whole) = (
        additive.contributions(model, images) for images in (lit, np.stack([x * 0, x]))
    )
    one = np.eye(len(each), dtype=bool)[..., np.newaxis]
    np.testing.assert_allclose(each, np.where(one, whole, black), rtol=1e-5, atol=1e-5)


def test_each_patch_has_weights_of_its_own(network):
    model, patches = network
    images = np.full((1, *patches.shape), 200, np.uint8)
    (each,) = additive.contributions(model, images)
    assert len(np.unique(each, axis=0)) == patches.max() + 1


def test_a_network_depends_on_the_seed_alone(tensorflow, parameters):
    options = parameters.dataset("digits").additive

    def built(seed):
        runtime.set_seed(seed)
        return additive.build((8, 8), CLASSES, options).get_weights()

    for a, b, c in zip(built(0), built(0), built(1), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim < 2 or (a != c).any() or not a.any()


def test_weights_are_drawn_by_the_size_of_a_patch(tensorflow, parameters):
    """Not the smaller, the more patches there are."""
    spreads = []
    for size in (2, 4):
        options = parameters.dataset("digits").additive.model_copy(update={"patch_size": size})
        runtime.set_seed(0)
        kernel = additive.build((16, 16), CLASSES, options).get_layer("hidden").kernel
        assert kernel.shape == ((16 // size) ** 2, size**2, *options.units)
        spreads.append(np.std(kernel) * size)  # √(pixels of a patch)
    np.testing.assert_allclose(spreads, np.sqrt(2), rtol=0.05)
