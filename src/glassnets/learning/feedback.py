"""Learning rules beside backpropagation: feedforward networks whose errors come back through fixed
random matrices in the place of the transposed weights, which no brain is known to have.

z_l is what layer l gives to its activation φ, ℒ the loss of L layers, and W_l learns from
δ_l h_{l−1}ᵀ, where

    backpropagation:            δ_l = (W_{l+1}ᵀ δ_{l+1}) ⊙ φ′(z_l),
    feedback alignment:         δ_l = (B_{l+1} δ_{l+1}) ⊙ φ′(z_l),
    direct feedback alignment:  δ_l = (B_l ∂ℒ/∂z_L) ⊙ φ′(z_l).

Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors";
Lillicrap, Cownden, Tweed & Akerman (2016), "Random synaptic feedback weights support error
backpropagation for deep learning"; Nøkland (2016), "Direct feedback alignment provides learning in
deep neural networks". Importing this module imports Keras.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

BACKPROPAGATION, ALIGNMENT, DIRECT = RULES = (
    "backpropagation",
    "feedback alignment",
    "direct feedback alignment",
)


class Feedback(keras.layers.Layer):  # type: ignore[misc]
    """0 of values h (n, m); of what a gradient δ (n, units) is there, B δ goes back to h, with a
    fixed matrix B (m, units)."""

    def __init__(self, units: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.units, self.seed = units, seed

    def build(self, shape: tuple[int | None, ...]) -> None:
        drawn = keras.initializers.GlorotUniform(self.seed)
        size = (shape[-1], self.units)
        self.matrix = self.add_weight(size, drawn, trainable=False, name="matrix")

    def call(self, values: Any) -> Any:
        back = ops.matmul(values, self.matrix)
        return back - ops.stop_gradient(back)


def learner(network: Any, rule: str, seed: int) -> Any:
    """A Keras model with the layers, and so the weights, and the outputs of a network, whose
    gradients by the weights are those of one of RULES.

    network: a Keras model whose layers are a chain, as `models.families.feedforward` builds it.
    seed: of the fixed matrices, which are drawn as the weights of dense layers are (Glorot & Bengio
    2010, uniform).
    """
    if rule == BACKPROPAGATION:
        return network
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    x, direct = network.inputs[0], []
    for layer in network.layers[1:]:
        if layer not in dense[1:]:  # which the first is not: nothing learns below it
            x = layer(x)
            continue
        place = dense.index(layer)
        units = layer.units if rule == ALIGNMENT else dense[-1].units
        back = Feedback(units, 1000 * seed + place, f"feedback_{place}")(x)
        x = layer(ops.stop_gradient(x))
        if rule == ALIGNMENT:
            x = x + back
        else:
            direct.append(back)
    return keras.Model(network.inputs[0], sum(direct, x), name=network.name)


def angles(network: Any, learner: Any, images: NDArray[Any], labels: NDArray[Any]) -> list[float]:
    """Between what a learner's rule and backpropagation would change in each layer of weights, in
    degrees, the layer nearest the images first; 90 where they have nothing in common.

    network, learner: of `learner`. images (n, h, w[, c]) and their labels (n,), one batch. NaN of a
    layer without gradient.
    """
    import tensorflow as tf

    one_hot = tf.one_hot(labels, network.output_shape[-1])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    kernels = [each.kernel for each in network.layers if isinstance(each, keras.layers.Dense)]
    both = []
    for model in (learner, network):
        with tf.GradientTape() as tape:
            value = loss(one_hot, model(images.astype(np.float32)))
        gradients = tape.gradient(value, [kernel.value for kernel in kernels])
        both.append([np.asarray(each, np.float64).ravel() for each in gradients])
    return [_angle(own, true) for own, true in zip(*both, strict=True)]


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    product = np.sqrt((a @ a) * (b @ b))
    return float(np.degrees(np.arccos(np.clip(a @ b / product, -1, 1)))) if product else math.nan
