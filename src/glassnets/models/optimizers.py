"""AdamW and Muon, for kernels of every shape and with the same bytes on every processor.

AdamW: Loshchilov & Hutter (2019), "Decoupled weight decay regularization". Muon: Jordan, Jin,
Boza, You, Cesista, Newhouse & Bernstein (2024), "Muon: an optimizer for hidden layers in neural
networks"; its step in proportion to AdamW's: Liu et al. (2025), arXiv:2502.16982.
"""

import math
from typing import Any

import keras
from keras import ops


class _Step:
    """Clipping and weight decay in the place of Keras'."""

    def _clip_gradients(self: Any, gradients: list[Any]) -> list[Any]:
        """Scales all gradients together to a norm of global_clipnorm at most (Pascanu, Mikolov &
        Bengio 2013), by an exact division: Keras takes an approximate reciprocal."""
        if self.global_clipnorm is None:
            return gradients
        norm = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
        scale = ops.minimum(1.0, ops.divide_no_nan(self.global_clipnorm, norm))
        return [gradient * scale for gradient in gradients]

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        rate = self.learning_rate  # once: Keras traces the schedule anew for each variable
        for variable in filter(self._use_weight_decay, variables):
            variable.assign(variable - variable * self._decay_of(variable) * rate)

    def _decay_of(self: Any, variable: Any) -> float:
        decay: float = self.weight_decay
        return decay


class AdamW(_Step, keras.optimizers.AdamW):  # type: ignore[misc]  # Keras has no types
    """Keras' AdamW; without weight decay it is Adam."""


class Muon(_Step, keras.optimizers.Muon):  # type: ignore[misc]
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

    def _decay_of(self, variable: Any) -> float:
        is_adams = self._should_use_adamw(variable)
        decay: float = self.adam_weight_decay if is_adams else self.weight_decay
        return decay
