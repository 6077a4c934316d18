"""Keras layers and an initialiser that give the same bytes on every processor.

Keras' own reach two operations that do not: ``Rsqrt``, an approximation that is the processor
maker's own and one Newton step, and ``Qr``, which cuts its blocks by the cache sizes that the
processor reports. TensorFlow's graph optimiser also turns ``x / sqrt(y)`` into the former, but
leaves a division that allows zero alone.

The classes keep Keras' names, so that weights have the same places in their files.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


def inverse_square_root(x: Any) -> Any:
    """1/√x, elementwise, by a square root and a division that are exact to the last bit; 0 for 0.

    x is a float32 tensor of any shape, not negative.
    """
    return ops.divide_no_nan(ops.ones_like(x), ops.sqrt(x))


@keras.saving.register_keras_serializable("glassnets")
class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """γ(x − μ)/√(σ² + ε) + β over the last axis, with the batch's moments in training and moving
    averages of them else.

    Ioffe & Szegedy (2015), "Batch normalization", algorithms 1 and 2.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._moments(inputs, mask)
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return _normalised(inputs, mean, variance, self)


@keras.saving.register_keras_serializable("glassnets")
class LayerNormalization(keras.layers.LayerNormalization):  # type: ignore[misc]
    """γ(x − μ)/√(σ² + ε) + β, with the moments of each row along the last axis.

    Ba, Kiros & Hinton (2016), "Layer normalization", eq. 4.
    """

    def call(self, inputs: Any) -> Any:
        mean, variance = ops.moments(inputs, axes=-1, keepdims=True)
        return _normalised(inputs, mean, variance, self)


@keras.saving.register_keras_serializable("glassnets")
class Standardization(keras.layers.Layer):  # type: ignore[misc]
    """(x − mean)·factor of inputs (n, h, w, c), by numbers that `standardize` takes from training
    data and that are no part of what is learnt.

    by_player: a mean and a factor for each player and channel, as columns of a table need it; else
    for each channel, the same for all players.
    masked: whether the last channel is 1 in a series' steps and 0 in padded ones, which stay 0.
    """

    def __init__(self, by_player: bool, masked: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.by_player, self.masked = by_player, masked

    def build(self, shape: tuple[int | None, ...]) -> None:
        own = shape[1:] if self.by_player else shape[-1:]
        self.mean = self.add_weight(own, "zeros", trainable=False, name="mean")
        self.factor = self.add_weight(own, "ones", trainable=False, name="factor")

    def call(self, inputs: Any) -> Any:
        scaled = (inputs - self.mean) * self.factor
        if self.masked:
            there = inputs[..., -1:]
            scaled = ops.concatenate([scaled[..., :-1] * there, there], axis=-1)
        return scaled

    def get_config(self) -> dict[str, Any]:
        own = {"by_player": self.by_player, "masked": self.masked}
        return {**super().get_config(), **own}


def standardize(model: Any, images: NDArray[Any]) -> None:
    """Gives a model's `Standardization`, where it has one, the means of these images (n, h, w, c)
    and the inverses of their standard deviations; channels of zeros and ones alone (a category, a
    flag) and constant ones are left as they are."""
    for layer in model.layers:
        if isinstance(layer, Standardization):
            layer.set_weights(_moments(images, layer))


def _moments(images: NDArray[Any], layer: Standardization) -> list[NDArray[Any]]:
    rows = images if layer.by_player else images.reshape(-1, images.shape[-1])
    if layer.masked:
        rows = rows[rows[:, -1] > 0]
    rows = rows.astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    left = ((rows == 0) | (rows == 1)).all(axis=0) | (deviation == 0)
    return [np.where(left, 0, mean), 1 / np.where(left, 1, deviation)]


def _normalised(inputs: Any, mean: Any, variance: Any, layer: Any) -> Any:
    scale = inverse_square_root(variance + layer.epsilon) * layer.gamma
    return inputs * scale + (layer.beta - mean * scale)


@keras.saving.register_keras_serializable("glassnets")
class Orthogonal(keras.initializers.Orthogonal):  # type: ignore[misc]
    """A random matrix of orthonormal rows or columns, the QR decomposition by NumPy.

    Saxe, McClelland & Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """A tensor of this shape, at least two-dimensional; the last axis is the columns."""
        *rest, columns = shape
        rows = int(np.prod(rest))
        size = (max(rows, columns), min(rows, columns))
        drawn = keras.random.normal(size, seed=self.seed, dtype=dtype)
        q, r = np.linalg.qr(np.asarray(drawn))
        q = q * np.sign(np.diag(r))  # so that every orthogonal matrix is as likely
        return ops.convert_to_tensor(self.gain * np.reshape(q if rows >= columns else q.T, shape))
