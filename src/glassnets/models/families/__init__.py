"""The families, one file each, found by name. Every file holds

- ``Network``, the shape of its networks: a validated group of params.yaml,
- ``PRESETS``, networks with a name; ``article``, where there is one, is that of the article this
  project grew from,
- ``build(network, shape, classes, kind, masked)``, which gives a Keras model from raw images
  (n, h, w) or (n, h, w, channels) to logits (n, classes) float32, and beside it the named inner
  activations. A row of a table and a series are images of height 1: see `data`.

Keras is imported inside ``build``: stages that only read parameters must not pay for TensorFlow.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets import registry
from glassnets.config.schema import InputShape, Kind, Network

# A Keras model, and its inner activations (Keras tensors) by name. `keras.Model(model.inputs,
# activations)` computes them all in one pass.
Built = tuple[Any, dict[str, Any]]


def build(
    family: str,
    network: Network,
    shape: InputShape,
    classes: int,
    kind: Kind = "image",
    masked: bool = False,
) -> Built:
    """Builds a network of this family with freshly drawn weights.

    shape: of an image, (height, width) or (height, width, channels).
    classes: how many logits.
    kind: images are uint8 or float32 in 0…255; other kinds float32 in units of their own, which
    `layers.standardize` has the model bring to one scale.
    masked: whether the last channel says where a series has a step (1) and where it is padded (0).
    """
    module = registry.member(registry.FAMILIES, family)
    built: Built = module.build(network, shape, classes, kind, masked)
    return built


def scaled(images: Any, kind: Kind, masked: bool) -> Any:
    """A model's input, a Keras tensor (n, h, w[, c]), brought to one scale; of the same shape."""
    from keras import layers

    from glassnets.models.layers import Standardization

    if kind == "image":
        return layers.Rescaling(1 / 255, name="scale")(images)
    return Standardization(by_player=kind == "table", masked=masked, name="scale")(images)


def predict(model: Any, images: NDArray[np.uint8], batch_size: int = 1000) -> NDArray[np.float32]:
    """Logits float32 (n, classes) of images (n, h, w)."""
    import tensorflow as tf

    logits: NDArray[np.float32] = model.predict(
        tf.data.Dataset.from_tensor_slices(images).batch(batch_size), verbose=0
    )
    return logits
