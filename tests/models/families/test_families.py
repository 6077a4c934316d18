"""The families: sizes by hand, mathematics by NumPy, learning by one step."""

import numpy as np
import pytest

from glassnets import registry, runtime
from glassnets.models import families

FAMILIES = registry.names("models.families")
CELLS = [(d, f) for d in ("digits", "mnist") for f in FAMILIES]


@pytest.fixture(scope="module", autouse=True)
def _tensorflow(tensorflow):
    pass


def first_preset(family):
    """The article's network, or, where it has none, the family's first."""
    return next(iter(registry.member("models.families", family).PRESETS.values()))


def predict(model, images):
    """As Keras' own, which compiles the network first."""
    import keras

    return keras.tree.map_structure(np.asarray, model(images, training=False))


def images(n, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def test_the_families_are_here():
    assert FAMILIES == ("attention", "cnn", "feedforward", "lstm", "spiking")


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        # One dense layer of 64, then the ten classes.
        ("feedforward", (784 + 1) * 64 + (64 + 1) * 10),
        # Two LSTMs of 64, four gates each, over single pixels.
        ("lstm", 4 * 64 * (1 + 64 + 1) + 4 * 64 * (64 + 64 + 1) + (64 + 1) * 10),
        # 3×3 convolutions: 28 → 26 → 13 → 11 → 5 pixels a side.
        (
            "cnn",
            (9 + 1) * 32 + (9 * 32 + 1) * 64 + (5 * 5 * 64 + 1) * 64 + (64 + 1) * 10,
        ),
        # Tutorial 5 of snnTorch: 784 → 1000 → 10; the neurons have no parameters.
        ("spiking", (784 + 1) * 1000 + (1000 + 1) * 10),
        # 49 patches of 16 pixels, a bias for each; queries, keys, values and output.
        ("attention", 16 * 64 + 49 * 64 + 4 * (64 + 1) * 64 + (64 + 1) * 10),
    ],
)
def test_parameters_of_the_first_preset_on_mnist(family, expected):
    model, _ = families.build(family, first_preset(family), (28, 28), 10)
    assert model.count_params() == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_one_step_lowers_the_loss_of_the_first_preset(family):
    import keras

    runtime.set_seed(0)
    # The LSTM over single pixels on small images: 784 steps would cost a minute here.
    model, _ = families.build(family, first_preset(family), (8, 8), 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=True)
    x, y = images(32, (8, 8)), np.arange(32) % 10
    before = model.evaluate(x, y, verbose=0)
    model.train_on_batch(x, y)
    assert model.evaluate(x, y, verbose=0) < before


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("shape", "classes"), [((8, 8), 10), ((12, 20), 3), ((28, 28), 62)])
def test_any_image_shape_and_class_count(family, shape, classes):
    network = first_preset(family)
    assert network.problem(shape) is None
    model, _ = families.build(family, network, shape, classes)
    logits = model.predict(images(3, shape), verbose=0)
    assert logits.shape == (3, classes)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(("dataset", "family"), CELLS)
def test_activations_are_named_and_end_in_the_logits(parameters, dataset, family):
    import keras

    group = parameters.dataset(dataset)
    network = group.family(family).network
    model, activations = families.build(family, network, group.image_shape, group.classes)
    x = images(2, group.image_shape)
    values = predict(keras.Model(model.inputs, activations), x)
    assert {"block_0", "penultimate", "logits"} <= set(values)
    np.testing.assert_allclose(values["logits"], predict(model, x), rtol=1e-5, atol=1e-6)
    # The logits are the last dense layer of the penultimate activation, nothing between.
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(
        values["penultimate"] @ kernel + bias, values["logits"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_the_pixels(family):
    import tensorflow as tf

    model, _ = families.build(family, first_preset(family), (8, 8), 10)
    x = tf.constant(images(2, (8, 8)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logit = model(x)[:, 3]
    assert np.abs(tape.gradient(logit, x).numpy()).sum() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_images_of_a_batch_do_not_affect_each_other(parameters, family):
    group = parameters.dataset("digits")
    model, _ = families.build(family, group.family(family).network, (8, 8), 10)
    x = images(6, (8, 8))
    alone = np.concatenate([predict(model, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(predict(model, x), alone, rtol=1e-4, atol=1e-5)


def test_attention_is_softmax_of_scaled_dot_products():
    import keras

    runtime.set_seed(0)
    model, activations = families.build("attention", first_preset("attention"), (8, 8), 10)
    x = images(2, (8, 8))
    values = predict(keras.Model(model.inputs, activations), x)
    tokens = values["tokens"]  # (n, 4, 64)
    layer = model.get_layer("attention_0")
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = (
        (dense.kernel.numpy(), dense.bias.numpy())
        for dense in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    q = tokens @ wq[:, 0] + bq[0]
    k = tokens @ wk[:, 0] + bk[0]
    v = tokens @ wv[:, 0] + bv[0]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(64)
    scores = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(values["attention_0"][:, 0], scores, rtol=1e-4, atol=1e-6)
    expected = tokens + (scores @ v) @ wo[0] + bo
    np.testing.assert_allclose(values["block_0"], expected, rtol=1e-4, atol=1e-5)


def test_patches_are_the_pixels_of_their_place():
    import keras

    for family, layer in (("attention", "patches"), ("lstm", "tokens")):
        network = first_preset(family).model_copy(
            update={"patch_size": 4, "sequence": "patches"} if family == "lstm" else {}
        )
        model, _ = families.build(family, network, (8, 12), 10)
        x = images(2, (8, 12))
        cut = predict(keras.Model(model.inputs, model.get_layer(layer).output), x)
        expected = [
            x[:, row : row + 4, column : column + 4].reshape(2, 16)
            for row in (0, 4)
            for column in (0, 4, 8)
        ]
        np.testing.assert_allclose(cut * 255, np.stack(expected, axis=1), rtol=1e-5)


def test_positions_matter_to_attention():
    runtime.set_seed(0)
    model, _ = families.build("attention", first_preset("attention"), (8, 8), 10)
    layer = model.get_layer("tokens")
    kernel, bias = layer.get_weights()
    x = images(1, (8, 8))
    swapped = np.concatenate([x[:, 4:], x[:, :4]], axis=1)  # upper and lower patches change places
    layer.set_weights([kernel, np.zeros_like(bias)])
    without = predict(model, x), predict(model, swapped)
    np.testing.assert_allclose(*without, rtol=1e-4, atol=1e-5)
    layer.set_weights([kernel, np.random.default_rng(0).normal(size=bias.shape)])
    assert not np.allclose(predict(model, x), predict(model, swapped))


@pytest.mark.parametrize(
    ("preset", "variance"),
    [
        ("article", 2 / (1 + 4 * 64)),  # Glorot & Bengio (2010), equation 16: one pixel, four gates
        ("pixels", 1),  # 1 / (inputs of a step)
    ],
)
def test_what_a_single_pixel_weighs_at_first(preset, variance):
    runtime.set_seed(0)
    network = registry.member("models.families", "lstm").PRESETS[preset]
    model, _ = families.build("lstm", network, (28, 28), 10)
    layer = model.get_layer("bidirectional_0" if network.bidirectional else "lstm_0")
    kernels = [w.numpy() for w in layer.weights if w.path.endswith("lstm_cell/kernel")]
    np.testing.assert_allclose(np.var(kernels), variance, rtol=0.25)


def test_gates_keep_to_the_time_scales_they_are_given():
    runtime.set_seed(0)
    network = registry.member("models.families", "lstm").PRESETS["pixels"]
    network = network.model_copy(update={"units": (400,), "chrono_steps": 5})
    model, _ = families.build("lstm", network, (2, 3), 10)
    layer = model.get_layer("bidirectional_0")
    biases = [way.cell.bias.numpy() for way in (layer.forward_layer, layer.backward_layer)]
    assert not np.allclose(*biases)
    for bias in biases:
        into, forget, inner, out = np.split(bias, 4)
        np.testing.assert_array_equal(into, -forget)
        assert not np.any([inner, out])
        # e to the bias is uniform in [1, 4]: mean 5/2, variance 3²/12
        scales = np.exp(forget)
        np.testing.assert_allclose([scales.min(), scales.max()], [1, 4], atol=0.05)
        np.testing.assert_allclose([scales.mean(), scales.var()], [2.5, 0.75], atol=0.15)


def test_an_lstm_reads_in_order_and_both_ways():
    import keras

    runtime.set_seed(0)
    one_way = first_preset("lstm").model_copy(update={"sequence": "rows", "units": (8,)})
    for bidirectional in (False, True):
        network = one_way.model_copy(update={"bidirectional": bidirectional})
        model, activations = families.build("lstm", network, (8, 8), 10)
        state = keras.Model(model.inputs, activations["penultimate"])
        x = images(1, (8, 8))
        assert state.output_shape == (None, 8 * (1 + bidirectional))
        flipped = x[:, ::-1]
        assert not np.allclose(predict(state, x), predict(state, flipped))


def test_a_simple_cell_is_the_plain_formula():
    import keras

    runtime.set_seed(0)
    network = first_preset("lstm").model_copy(
        update={"cell": "simple", "sequence": "rows", "units": (5,)}
    )
    model, activations = families.build("lstm", network, (4, 3), 10)
    x = images(2, (4, 3))
    kernel, recurrent, bias = (w.numpy() for w in model.get_layer("simple_0").weights)
    state = np.zeros((2, 5))
    for row in np.moveaxis(x / 255, 1, 0):
        state = np.tanh(row @ kernel + state @ recurrent + bias)
    own = predict(keras.Model(model.inputs, activations["penultimate"]), x)
    np.testing.assert_allclose(own, state, atol=1e-6)


@pytest.mark.parametrize(("cell", "gates", "biases"), [("lstm", 4, 1), ("gru", 3, 2)])
def test_cells_have_their_gates(cell, gates, biases):
    network = first_preset("lstm").model_copy(
        update={"cell": cell, "sequence": "rows", "units": (5,)}
    )
    model, _ = families.build("lstm", network, (4, 3), 10)
    assert model.count_params() == gates * 5 * (3 + 5 + biases) + (5 + 1) * 10


def test_time_scales_are_of_lstm_cells():
    network = registry.member("models.families", "lstm").PRESETS["pixels"]
    problem = network.model_copy(update={"cell": "gru"}).problem((28, 28))
    assert problem == "chrono_steps: expected null with cell: gru, got 28"


@pytest.mark.parametrize("family", ["lstm", "attention"])
def test_a_flat_head_sees_every_step_or_token(family):
    import keras

    network = first_preset(family).model_copy(update={"head": "flatten", "sequence": "rows"})
    model, activations = families.build(family, network, (8, 8), 10)
    inner = "block_1" if family == "lstm" else "block_0"
    values = predict(keras.Model(model.inputs, activations), images(2, (8, 8)))
    assert values[inner].shape == (2, 8 if family == "lstm" else 4, 64)
    np.testing.assert_array_equal(values["penultimate"], values[inner].reshape(2, -1))


def test_the_ends_of_rows_are_what_a_head_of_rows_sees(tmp_path):
    import keras

    rows, columns = 4, 6
    network = registry.member("models.families", "lstm").PRESETS["pixels"]
    model, activations = families.build("lstm", network, (rows, columns), 10)
    values = predict(keras.Model(model.inputs, activations), images(2, (rows, columns)))
    assert values["block_0"].shape == (2, rows * columns, 64)
    ends = values["block_0"].reshape(2, rows, columns, 64)[:, :, -1]
    np.testing.assert_array_equal(values["penultimate"], ends.reshape(2, -1))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    logits = predict(loaded, images(2, (rows, columns)))
    np.testing.assert_array_equal(logits, values["logits"])


def test_a_stage_is_pooled_before_it_is_normalised_the_last_one_after():
    import keras

    network = first_preset("cnn").model_copy(
        update={"filters": ((4, 4), (8,)), "padding": "same", "batch_normalization": 0.9}
    )
    model, activations = families.build("cnn", network, (8, 8), 10)
    values = predict(keras.Model(model.inputs, activations), images(2, (8, 8)))
    assert values["block_0"].shape == (2, 4, 4, 4)
    assert values["block_1"].shape == (2, 4, 4, 8)
    kernel = model.get_layer("dense_0").kernel
    assert kernel.shape[0] == 2 * 2 * 8
    order = [layer.name for layer in model.layers]
    assert order.index("pooling_0") < order.index("normalization_0_1")
    assert order.index("pooling_0") > order.index("relu_0_0")
    assert order.index("pooling_1") > order.index("relu_1_0")


def test_same_seed_same_weights_whatever_came_before():
    def weights(seed):
        runtime.set_seed(seed)
        model, _ = families.build("cnn", first_preset("cnn"), (8, 8), 10)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    first = weights(1)
    other = weights(2)
    np.testing.assert_array_equal(weights(1), first)
    assert not np.array_equal(first, other)
