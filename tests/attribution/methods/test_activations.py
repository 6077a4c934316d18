"""Methods that use activations, each against its definition in NumPy."""

import numpy as np
import pytest

from glassnets import registry, runtime
from glassnets.attribution.methods import Explained, explain
from glassnets.errors import GlassnetsError
from glassnets.models import families


@pytest.fixture(scope="module")
def tiny_cnn():
    """Feature maps A (n, 2, 2, 2) of positive numbers, logits v·A: ∂f/∂A is v."""
    import keras

    images = keras.Input((4, 4))
    x = keras.layers.Reshape((4, 4, 1))(images)
    maps = keras.layers.Conv2D(2, 2, strides=2, use_bias=False, name="maps")(x)
    dense = keras.layers.Dense(2, name="logits")
    logits = dense(keras.layers.Flatten()(maps))
    model = keras.Model(images, logits)
    rng = np.random.default_rng(0)
    model.get_layer("maps").set_weights([rng.uniform(0, 0.01, (2, 2, 1, 2))])
    v = rng.normal(size=(8, 2)).astype(np.float32)
    dense.set_weights([v, np.zeros(2)])
    return Explained(model, {"maps": maps, "logits": logits}), v


def enlarged(maps):
    """Bilinear from (n, 2, 2) to (n, 4, 4), half-pixel centres."""
    weights = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    return weights @ maps @ weights.T


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus"])
def test_class_activation_maps_by_hand(tiny_cnn, draw_images, method):
    import keras

    network, v = tiny_cnn
    x, y = draw_images(6, (4, 4)), np.arange(6) % 2
    a = keras.Model(network.model.input, network.activations["maps"]).predict(x, verbose=0)
    g = v.T.reshape(2, 2, 2, 2)[y]
    if method == "grad_cam":
        weights = g.mean(axis=(1, 2))
    else:
        alpha = g**2 / (2 * g**2 + g**3 * a.sum(axis=(1, 2), keepdims=True))
        weights = (alpha * np.maximum(g, 0)).sum(axis=(1, 2))
    expected = enlarged(np.maximum(np.einsum("nijc,nc->nij", a, weights), 0))
    assert expected.max() > 0
    maps = explain(method, network, x, y)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_the_layer_of_a_class_activation_map_can_be_chosen(family, draw_images):
    x, y = draw_images(2), np.array([0, 1])
    network = family("cnn")
    assert network.feature_maps == ("block_0", "block_1")
    last = explain("grad_cam", network, x, y)
    np.testing.assert_array_equal(explain("grad_cam", network, x, y, layer="block_1"), last)
    assert not np.allclose(explain("grad_cam", network, x, y, layer="block_0"), last)
    with pytest.raises(GlassnetsError, match=r"layer: expected one of block_0, block_1, got 'x'"):
        explain("grad_cam", network, x, y, layer="x")


def attention_values(network, x):
    import keras

    return keras.Model(network.model.input, network.activations).predict(x, verbose=0)


def spread(relevance):
    """Tokens (n, 3·3) of 4×4 patches at stride 2 to pixels (n, 8, 8), by looping over both."""
    total, count = np.zeros((len(relevance), 8, 8)), np.zeros((8, 8))
    for token in range(9):
        row, column = 2 * (token // 3), 2 * (token % 3)
        total[:, row : row + 4, column : column + 4] += relevance[:, token, None, None]
        count[row : row + 4, column : column + 4] += 1
    return total / count


def test_rollout_over_two_blocks_by_hand(family, draw_images):
    network, x = family("attention"), draw_images(3)
    values = attention_values(network, x)
    assert network.attentions == ("attention_0", "attention_1")
    first, second = (
        0.5 * values[name].mean(axis=1) + 0.5 * np.eye(9) for name in ("attention_0", "attention_1")
    )
    expected = spread((second @ first).mean(axis=1))
    maps = explain("attention_rollout", network, x, np.zeros(3, int))
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
    assert np.ptp(maps) > 0


def test_relevance_of_one_block_by_hand(draw_images):
    """Without normalisation and dense half, logits are mean(tokens + (A·V)·Wo + bo)·W + b, so
    ∂f/∂A is known."""
    runtime.set_seed(1)
    heads, width, side = 2, 6, 4
    article = registry.member(registry.FAMILIES, "attention").PRESETS["article"]
    preset = article.model_copy(update={"heads": heads, "width": width})
    model, activations = families.build("attention", preset, (8, 8), 3)
    network = Explained(model, activations)
    x, y = draw_images(4), np.array([0, 1, 2, 0])
    values = attention_values(network, x)
    a, tokens = values["attention_0"], values["tokens"]  # (n, heads, t, t), (n, t, d)
    layer = model.get_layer("attention_0")
    value_kernel, value_bias = (w.numpy() for w in layer.value_dense.weights)  # (d, heads, ·)
    output_kernel = layer.output_dense.weights[0].numpy()  # (heads, ·, d)
    class_kernel = model.get_layer("logits").get_weights()[0][:, y].T  # (n, d)
    v = np.einsum("ntd,dhk->nhtk", tokens, value_kernel) + value_bias[:, np.newaxis]
    # f = 1/t Σ_q Σ_h Σ_j A[h, q, j] v[h, j]·Wo[h]·w: the slope does not depend on q.
    slope = np.einsum("nhjk,hkd,nd->nhj", v, output_kernel, class_kernel)[:, :, np.newaxis] / 4
    expected = np.maximum(a * slope, 0).mean(axis=1).mean(axis=1)  # heads, then last tokens
    expected = expected.reshape(4, 2, 2).repeat(side, axis=1).repeat(side, axis=2)
    assert expected.max() > 0
    maps = explain("attention_relevance", network, x, y)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-7)


def test_relevance_over_two_blocks_by_hand(family, draw_images):
    import keras
    import tensorflow as tf

    network, x, y = family("attention"), draw_images(2), np.array([4, 5])
    names = ["attention_0", "attention_1"]
    model = keras.Model(network.model.input, [network.activations[n] for n in (*names, "logits")])
    with tf.GradientTape() as tape:
        *scores, logits = model(x)
        chosen = tf.gather(logits, y, batch_dims=1)
    slopes = tape.gradient(chosen, scores)
    relevance = np.tile(np.eye(9), (2, 1, 1))
    for score, slope in zip(scores, slopes, strict=True):
        weighted = np.maximum(score.numpy() * slope.numpy(), 0).mean(axis=1)
        relevance = relevance + weighted @ relevance
    expected = spread((relevance - np.eye(9)).mean(axis=1))
    maps = explain("attention_relevance", network, x, y)
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("sequence", ["rows", "pixels", "patches"])
def test_temporal_saliency_rescaling_by_hand(draw_images, sequence):
    runtime.set_seed(2)
    article = registry.member(registry.FAMILIES, "lstm").PRESETS["article"]
    side = 2 if sequence == "patches" else None
    preset = article.model_copy(update={"sequence": sequence, "patch_size": side, "units": (5,)})
    model, activations = families.build("lstm", preset, (4, 6), 3)
    grey = np.full((1, 4, 6), 3, np.float32)
    network = Explained(model, activations, references=grey)
    x, y = draw_images(2, (4, 6)), np.array([0, 2])

    def cut(images):  # (n, h, w) → (n, steps, features)
        if sequence == "rows":
            return images
        if sequence == "pixels":
            return images.reshape(-1, 24, 1)
        blocks = images.reshape(-1, 2, 2, 3, 2).transpose(0, 1, 3, 2, 4)
        return blocks.reshape(-1, 6, 4)

    places = cut(np.arange(24).reshape(1, 4, 6))[0]  # (steps, features) → pixel
    intact = explain("gradient", network, x, y)

    def change(pixels):
        hidden = x.reshape(2, 24).copy()
        hidden[:, pixels] = 3
        gradient = explain("gradient", network, hidden.reshape(x.shape), y)
        return np.abs(gradient - intact).sum(axis=(1, 2))

    steps, features = places.shape
    of_steps = np.stack([change(places[t]) for t in range(steps)], axis=1)
    of_features = np.stack([change(places[:, i]) for i in range(features)], axis=1)
    expected = np.zeros((2, 24))
    for t in range(steps):
        for i in range(features):
            expected[:, places[t, i]] = of_steps[:, t] * of_features[:, i]
    for reference in ("mean", "draws"):  # every draw is the mean image
        maps = explain(f"temporal_saliency_rescaling:{reference}", network, x, y)
        close = {"rtol": 1e-2, "atol": expected.max() / 1e4}
        np.testing.assert_allclose(maps.reshape(2, 24), expected, **close)


def test_footprints_are_the_pixels_of_each_patch(family):
    seen = family("attention").footprints
    assert seen.shape == (9, 8, 8)
    for token, mask in enumerate(seen):
        row, column = 2 * (token // 3), 2 * (token % 3)
        expected = np.zeros((8, 8), bool)
        expected[row : row + 4, column : column + 4] = True
        np.testing.assert_array_equal(mask, expected)


def test_an_activation_beside_the_way_to_the_logits_is_refused(draw_images):
    import keras

    images = keras.Input((4, 4))
    maps = keras.layers.Conv2D(2, 2)(keras.layers.Reshape((4, 4, 1))(images))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    network = Explained(model, {"aside": maps})
    with pytest.raises(GlassnetsError, match="depend on the activation 'aside'"):
        explain("grad_cam", network, draw_images(1, (4, 4)), np.array([0]))


def test_steps_that_share_pixels_have_no_temporal_saliency(draw_images):
    import keras

    images = keras.Input((4, 4))
    tokens = keras.ops.stack([images[:, 0], images[:, 0] + images[:, 1]], axis=1)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.LSTM(3)(tokens)))
    network = Explained(model, {"tokens": tokens})
    with pytest.raises(GlassnetsError, match="every pixel in exactly one"):
        explain("temporal_saliency_rescaling", network, draw_images(1, (4, 4)), np.array([0]))
