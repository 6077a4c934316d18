"""Spiking neurons as a Keras layer.

Leaky integrate-and-fire: Gerstner, Kistler, Naud & Paninski (2014), "Neuronal dynamics", chapter 1;
in discrete time, and learnt through a surrogate gradient: Neftci, Mostafa & Zenke (2019),
"Surrogate gradient learning in spiking neural networks"; the surrogate: Zenke & Ganguli (2018),
"SuperSpike: supervised learning in multilayer spiking neural networks".
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

THRESHOLD = 1.0  # the scale of weights and biases is free, so any other would do the same


@keras.saving.register_keras_serializable("glassnets")
class LeakyIntegrateAndFire(keras.layers.Layer):  # type: ignore[misc]
    """Currents (n, units), the same at each step, or (n, steps, units) → spikes (n, steps, units),
    float32 of zeros and ones.

    At each step U ← βU + I − S and then S = Θ(U − 1): the membrane potential U leaks, takes the
    current I in, and falls by the threshold 1 after a spike S of the step before. U and S are 0 at
    first. Θ is 1 above 0, else 0; its slope is 0, so gradients take 1/(1 + k|U − 1|)² in its place,
    and none goes through the fall after a spike.

    steps: how many. decay: β, in 0…1. slope: k, above 0.
    """

    def __init__(self, steps: int, decay: float, slope: float, **options: Any) -> None:
        super().__init__(**options)
        self.steps, self.decay, self.slope = steps, decay, slope

    def call(self, currents: Any) -> Any:
        return spikes(currents, self.steps, self.decay, lambda x: fired(x, self.slope))

    def get_config(self) -> dict[str, Any]:
        own = {"steps": self.steps, "decay": self.decay, "slope": self.slope}
        return {**super().get_config(), **own}


def spikes(currents: Any, steps: int, decay: float, fires: Callable[[Any], Any]) -> Any:
    """What `LeakyIntegrateAndFire` gives, by operations of Keras. fires: Θ, of tensors."""
    constant = len(currents.shape) == 2
    first = currents if constant else currents[:, 0]
    membrane = spike = ops.zeros_like(first)
    each = []
    for step in range(steps):
        current = first if constant else currents[:, step]
        membrane = membrane * decay + current - ops.stop_gradient(spike) * THRESHOLD
        spike = fires(membrane - THRESHOLD)
        each.append(spike)
    return ops.stack(each, axis=1)


def above_zero(x: Any) -> Any:
    """Θ(x): 1 where x > 0, else 0; of the dtype of x."""
    return ops.cast(ops.greater(x, 0), x.dtype)


def fired(above: Any, slope: float) -> Any:
    """Θ(x), 1.0 where x > 0 and else 0.0, whose gradient is taken to be 1/(1 + k|x|)².

    above: x, the membrane potential less the threshold, float32 of any shape. slope: k.
    """

    def heaviside(x: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            # TensorFlow would turn a plain 1/(…) into an approximation: see `layers`.
            distance = 1.0 + slope * ops.abs(x)
            nearness = ops.divide_no_nan(ops.ones_like(distance), distance)
            return upstream * nearness * nearness

        return above_zero(x), gradient

    return ops.custom_gradient(heaviside)(above)
