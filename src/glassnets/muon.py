"""Muon for kernels of every shape.

Jordan, Jin, Boza, You, Cesista, Newhouse & Bernstein (2024), "Muon: an optimizer for hidden layers
in neural networks"; its step in proportion to AdamW's: Liu et al. (2025), arXiv:2502.16982.
"""

import math
from typing import Any

import keras
from keras import ops


class Muon(keras.optimizers.Muon):  # type: ignore[misc]  # Keras has no types
    """Keras' Muon, which moves matrices alone, moves a convolution's kernel (h, w, in, out) too: as
    the matrix (h·w·in, out) that multiplies a patch of the image.

    What else Keras leaves to Adam stays Adam's: vectors, embeddings, ``exclude_layers``.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 and super()._should_use_adamw(variable)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """The nearest matrix of orthonormal rows or columns, about; float32 of x's shape."""
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """x scaled to a root mean square of ``rms_rate`` times its learning rate."""
        *rest, last = x.shape
        return x * (max(math.prod(rest), last) ** 0.5 * self.rms_rate)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        rate = self.learning_rate  # asked once: Keras traces the schedule anew for each variable
        for variable in filter(self._use_weight_decay, variables):
            is_adams = self._should_use_adamw(variable)
            decay = self.adam_weight_decay if is_adams else self.weight_decay
            variable.assign(variable - variable * decay * rate)
