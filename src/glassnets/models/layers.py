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
