"""The families, one file each, found by name. Every file holds

- ``Network``, the shape of its networks: a validated group of params.yaml,
- ``PRESETS``, networks with a name; ``article`` is that of the article this project grew from,
- ``build(network, image_shape, classes)``, which gives a Keras model from raw images (n, h, w),
  pixels 0…255, to logits (n, classes) float32, and beside it the named inner activations.

Keras is imported inside ``build``: stages that only read parameters must not pay for TensorFlow.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets import registry
from glassnets.config.schema import Network, Shape

# A Keras model, and its inner activations (Keras tensors) by name. `keras.Model(model.inputs,
# activations)` computes them all in one pass.
Built = tuple[Any, dict[str, Any]]


def build(family: str, network: Network, image_shape: Shape, classes: int) -> Built:
    """Builds a network of this family with freshly drawn weights.

    image_shape is (height, width) in pixels. The model takes images (n, h, w), uint8 or float32
    in 0…255, and gives logits (n, classes) float32.
    """
    built: Built = registry.member(registry.FAMILIES, family).build(network, image_shape, classes)
    return built


def predict(model: Any, images: NDArray[np.uint8], batch_size: int = 1000) -> NDArray[np.float32]:
    """Logits float32 (n, classes) of images (n, h, w)."""
    import tensorflow as tf

    logits: NDArray[np.float32] = model.predict(
        tf.data.Dataset.from_tensor_slices(images).batch(batch_size), verbose=0
    )
    return logits
