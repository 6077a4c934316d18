"""Contrast, "why a and not b": logits are defined only up to what is added to all of them, a
contrastive map must not see it.

This holds for every method, because each of them takes its values and gradients of f_a − f_b, in
which the addition cancels; for the class activation maps too, since it cancels in ∂f/∂A. Attention
rollout sees no logit at all and the controls no network, so for them it holds without merit.
"""

import numpy as np
import pytest

from glassnets.attribution.methods import METHODS, Explained, explain

QUICK = {
    "integrated_gradients": {"steps": 5},
    "smoothgrad": {"draws": 5},
    "occlusion": {"patch_size": 4},
    "rise": {"masks": 40},
    "kernel_shap": {"patch_size": 4},
    "kernel_shap_shifted": {"patch_size": 4, "grids": 2, "coalitions": 200},
}
LINEAR = ("gradient", "gradient_x_input", "integrated_gradients", "smoothgrad", "occlusion")
LINEAR += ("rise", "kernel_shap", "kernel_shap_shifted")  # in what is explained
BLIND = {name for name, method in METHODS.items() if method.control} | {"attention_rollout"}


@pytest.fixture(scope="module")
def lifted(family):
    """``lifted(name)``: the family's network with the same g(x) added to all logits, g of the
    pixels and of an inner activation."""
    import keras

    def build(name):
        own = family(name)
        inner = {"cnn": "block_1", "attention": "attention_1", "lstm": "tokens"}[name]
        added = [own.model.output]
        for part, values in (("pixels", own.model.input), ("inner", own.activations[inner])):
            # All named, since Keras counts its own names anew when a test clears the session.
            x = keras.layers.Flatten(name=f"flat_{part}")(values)
            x = keras.layers.Rescaling(1 / 255 if part == "pixels" else 1, name=f"in_{part}")(x)
            x = keras.layers.Dense(1, activation="tanh", name=f"g_{part}")(x)
            added.append(keras.layers.Rescaling(3, name=f"out_{part}")(x))
        model = keras.Model(own.model.input, keras.layers.Add(name="lifted")(added))
        return Explained(
            model, own.activations, references=own.references, labels=own.labels, batch_size=1024
        )

    return build


@pytest.mark.parametrize(
    "name",
    ["cnn", *(pytest.param(name, marks=pytest.mark.release) for name in ("attention", "lstm"))],
)
def test_what_is_added_to_all_logits_moves_no_contrastive_map(family, lifted, draw_images, name):
    own, other = family(name), lifted(name)
    x, y, contrast = draw_images(3), np.array([0, 1, 2]), np.array([4, 5, 6])
    assert np.abs(own.outputs(x) - other.outputs(x)).min() > 0.01
    for method in METHODS:
        if METHODS[method].lacks(own) is not None:
            continue
        given = {**QUICK.get(method, {}), "seed": 1}
        before, after = (explain(method, n, x, y, contrast=contrast, **given) for n in (own, other))
        scale = np.abs(before).max()
        assert scale > 0, method
        np.testing.assert_allclose(after, before, rtol=0, atol=2e-3 * scale, err_msg=method)
        one_class = [explain(method, network, x, y, **given) for network in (own, other)]
        moved = np.abs(one_class[1] - one_class[0]).max() / np.abs(one_class[0]).max()
        # The same addition does move the map of one class, unless the map sees no class.
        assert (moved > 0.01) == (method not in BLIND), (method, moved)


@pytest.mark.parametrize("method", LINEAR)
def test_a_contrastive_map_is_the_difference_of_two_maps(family, draw_images, method):
    network = family("cnn")
    x, y, contrast = draw_images(3), np.array([0, 1, 2]), np.array([4, 5, 6])
    given = QUICK.get(method, {})
    one, other = (explain(method, network, x, each, **given) for each in (y, contrast))
    maps = explain(method, network, x, y, contrast=contrast, **given)
    np.testing.assert_allclose(maps, one - other, rtol=1e-3, atol=1e-3 * np.abs(maps).max())
    turned = explain(method, network, x, contrast, contrast=y, **given)
    np.testing.assert_allclose(turned, -maps, rtol=1e-3, atol=1e-3 * np.abs(maps).max())
