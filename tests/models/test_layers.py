"""Layers of the same bytes on every processor: Keras' own mathematics by other operations."""

import numpy as np
import pytest

from glassnets import runtime
from glassnets.models import families

SHAPES = {
    "BatchNormalization": [(32, 5), (8, 4, 3, 6), (8, 7, 5)],
    "LayerNormalization": [(32, 5), (8, 7, 6)],
}
CASES = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]


# What imports TensorFlow is imported once that has its threads and determinism.


@pytest.fixture(autouse=True)
def _seeded(tensorflow):
    runtime.set_seed(0)


@pytest.fixture
def tf(tensorflow):
    import tensorflow

    return tensorflow


@pytest.fixture
def keras(tensorflow):
    import keras

    return keras


@pytest.fixture
def layers(tensorflow):
    from glassnets.models import layers

    return layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(2, 3, shape).astype(np.float32)


def both(name, shape, **options):
    """Our layer and Keras' own, with the same weights, none of which are as they begin."""
    import keras

    from glassnets.models import layers

    pair = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    for layer in pair:
        layer.build(shape)
    weights = [normal(*weight.shape, seed=i) ** 2 for i, weight in enumerate(pair[0].weights)]
    for layer in pair:
        layer.set_weights(weights)
    return pair


def output_and_gradients(layer, x, **options):
    """The output of a compiled call, and the gradients of a random sum of it."""
    import tensorflow as tf

    direction = normal(*x.shape, seed=9)

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **options)
            total = tf.reduce_sum(y * direction)
        return y, tape.gradient(total, [x, *layer.trainable_variables])

    y, gradients = run(tf.constant(x))
    return [y.numpy(), *(gradient.numpy() for gradient in gradients)]


def assert_close(ours, theirs, tolerance=1e-6):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize(("name", "shape"), CASES)
@pytest.mark.parametrize("is_training", [False, True])
def test_normalisations_and_their_gradients_are_those_of_keras(name, shape, is_training):
    ours, keras_own = both(name, shape)
    options = {"training": is_training} if name == "BatchNormalization" else {}
    x = normal(*shape)
    assert_close(
        output_and_gradients(ours, x, **options), output_and_gradients(keras_own, x, **options)
    )


def test_moving_averages_are_those_of_keras():
    ours, keras_own = both("BatchNormalization", (32, 5), momentum=0.9)
    before = ours.get_weights()
    for step in range(5):
        for layer in (ours, keras_own):
            layer(normal(32, 5, seed=step), training=True)
    assert_close(ours.get_weights(), keras_own.get_weights())
    for moving, old in zip(ours.get_weights()[2:], before[2:], strict=True):
        assert (moving != old).all()
    ours(normal(32, 5), training=False)
    assert_close(ours.get_weights(), keras_own.get_weights())


def test_moving_averages_by_hand(layers):
    layer = layers.BatchNormalization(momentum=0.75)
    x = normal(32, 5)
    layer(x, training=True)
    _, _, mean, variance = layer.get_weights()
    np.testing.assert_allclose(mean, 0.25 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.75 + 0.25 * x.var(axis=0), rtol=1e-5)


def test_a_frozen_or_masked_batch_normalisation_is_that_of_keras(tf):
    x, mask = normal(8, 7, 5), np.arange(7) < np.arange(1, 9)[:, np.newaxis] % 7 + 1
    for frozen, options in ((True, {}), (False, {"mask": tf.constant(mask)})):
        pair = both("BatchNormalization", x.shape)
        for layer in pair:
            layer.trainable = not frozen
        assert_close(*(output_and_gradients(each, x, training=True, **options) for each in pair))
        assert_close(*(each.get_weights() for each in pair))


def test_normalised_rows_have_mean_0_and_variance_1(layers):
    layer = layers.LayerNormalization(epsilon=1e-9)
    y = layer(normal(6, 50)).numpy()
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=-1), 1, rtol=1e-4)


def test_the_inverse_square_root_is_exact_to_the_last_bit(layers, tf):
    x = np.array([0, 1e-30, 0.01, 2, 3, 1e30], np.float32)
    expected = np.float32(1) / np.sqrt(x[1:])
    computed = tf.function(layers.inverse_square_root)(tf.constant(x)).numpy()
    np.testing.assert_array_equal(computed, [0, *expected])


# Orthogonal


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (2, 3, 4), (2, 2, 9), (64, 256)])
def test_a_matrix_is_orthonormal_and_that_of_keras(shape, keras, layers):
    drawn = np.asarray(layers.Orthogonal(seed=3)(shape, dtype="float32"))
    assert (drawn.shape, drawn.dtype) == (shape, np.float32)
    matrix = drawn.reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(min(matrix.shape)), atol=1e-5)
    keras_own = np.asarray(keras.initializers.Orthogonal(seed=3)(shape, dtype="float32"))
    np.testing.assert_allclose(drawn, keras_own, atol=1e-5)


def test_the_gain_scales_and_the_seed_draws(layers):
    one, again, other, double = (
        np.asarray(layers.Orthogonal(gain=gain, seed=seed)((4, 6)))
        for gain, seed in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(double, 2 * one, rtol=1e-6)


def test_a_draw_without_a_seed_depends_on_the_runs_seed_alone(layers):
    def drawn(seed):
        runtime.set_seed(seed)
        return np.asarray(layers.Orthogonal()((4, 4)))

    first = drawn(5)
    assert not np.array_equal(drawn(6), first)
    np.testing.assert_array_equal(drawn(5), first)


def test_no_decomposition_of_tensorflows_is_computed(parameters, monkeypatch, keras, tf):
    def refuse(*arguments, **options):
        raise AssertionError("decomposed by TensorFlow")

    monkeypatch.setattr(tf.linalg, "qr", refuse)
    monkeypatch.setattr(tf.raw_ops, "Qr", refuse)
    with pytest.raises(AssertionError):
        keras.initializers.Orthogonal()((4, 4))
    network = parameters.dataset("digits").family("lstm").network
    families.build("lstm", network, (8, 8), 10)


# Files


def test_configurations_make_the_same_again(keras, layers):
    for ours in (
        layers.Orthogonal(gain=2.0, seed=4),
        layers.BatchNormalization(momentum=0.7, name="n"),
        layers.LayerNormalization(epsilon=0.1, name="n"),
    ):
        serialized = keras.saving.serialize_keras_object(ours)
        assert serialized["registered_name"] == f"glassnets>{type(ours).__name__}"
        again = keras.saving.deserialize_keras_object(serialized)
        assert type(again) is type(ours)
        assert again.get_config() == ours.get_config()
    again = layers.Orthogonal.from_config(layers.Orthogonal(gain=2.0, seed=4).get_config())
    np.testing.assert_array_equal(again((3, 5)), layers.Orthogonal(gain=2.0, seed=4)((3, 5)))


def test_a_saved_model_is_loaded_as_it_was(tmp_path, keras, layers):
    inputs = keras.Input((4, 6))
    x = layers.LayerNormalization()(inputs)
    lstm = keras.layers.LSTM(3, recurrent_initializer=layers.Orthogonal())
    x = keras.layers.Bidirectional(lstm)(x)
    model = keras.Model(inputs, layers.BatchNormalization()(x))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    own = [type(layer) for layer in loaded.layers if type(layer).__module__ == layers.__name__]
    assert own == [layers.LayerNormalization, layers.BatchNormalization]
    x = normal(2, 4, 6)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_weights_are_where_keras_own_layers_have_them(tmp_path, keras, layers):
    def model(package):
        inputs = keras.Input((6,))
        x = package.BatchNormalization()(package.LayerNormalization()(inputs))
        return keras.Model(inputs, package.BatchNormalization()(x))

    keras_own, ours = model(keras.layers), model(layers)
    keras_own.set_weights([normal(*w.shape, seed=i) ** 2 for i, w in enumerate(keras_own.weights)])
    keras_own.save_weights(tmp_path / "a.weights.h5")
    ours.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
