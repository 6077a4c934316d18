"""An additive network of patches: what each patch counts for is known exactly, for real images.

f_c(x) = b_c + Σ_p g_{p,c}(x_p), p the patches of a fixed grid, each with a small network g_p of
its own weights. No patch interacts with another, so under any reference r, and in any coalition of
the other patches, patch p adds g_{p,c}(x_p) − g_{p,c}(r_p) to the logit: its Shapley value, and
what its removal takes away. Generalised additive models: Hastie & Tibshirani (1986), of networks:
Agarwal et al. (2021), "Neural additive models: interpretable machine learning with neural nets".
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Additive, InputShape, Kind
from glassnets.models import families

HIDDEN, LOGITS = "hidden", "logits"  # names of layers


def build(
    shape: InputShape,
    classes: int,
    options: Additive,
    kind: Kind = "image",
    masked: bool = False,
) -> Any:
    """A Keras model from raw images (n, h, w[, channels]) to logits (n, classes) float32.

    shape: (height, width) or (height, width, channels), height and width in pixels. Patches are
    squares of options.patch_size, or of one row where the image has one, numbered row by row; the
    last of a row or column is smaller where the size does not divide the side (what it lacks is a
    constant).
    classes, kind, masked: see `families.build`.
    """
    import keras
    from keras import layers

    height, width = shape[:2]
    high, wide = (min(options.patch_size, side) for side in shape[:2])
    rows, columns = -(-height // high), -(-width // wide)
    patches = rows * columns

    images = keras.Input(shape, name="images")
    x = families.scaled(images, kind, masked)
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1), name="channel")(x)
    beyond = ((0, rows * high - height), (0, columns * wide - width))
    x = layers.ZeroPadding2D(beyond, name="whole_patches")(x)
    x = layers.Reshape((rows, high, columns, wide, *shape[2:]), name="rows_and_columns")(x)
    x = layers.Permute((1, 3, 2, 4, *range(5, len(shape) + 3)), name="grid")(x)
    x = layers.Reshape((patches, -1), name="patches")(x)  # (n, p, pixels)
    for i, units in enumerate(options.units):
        last = i == len(options.units) - 1
        x = layers.EinsumDense(
            "npi,piu->npu",
            (patches, units),
            bias_axes="pu",
            activation="relu",
            kernel_initializer="he_uniform",  # He et al. (2015), of each patch
            name=HIDDEN if last else f"hidden_{i}",
        )(x)
    # One dense layer over all patches is the sum of one for each.
    x = layers.Flatten(name="flatten")(x)  # (n, p·units)
    return keras.Model(images, layers.Dense(classes, name=LOGITS)(x), name="additive")


def contributions(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """g_{p,c}(x_p), float32 (n, patches, classes), of images (n, h, w), uint8 or float32 in 0…255.

    Their sum over the patches is the logits less b, the bias of the layer `LOGITS`.

    model: of `build`. All images go through it at once.
    """
    import keras

    hidden = model.get_layer(HIDDEN).output
    values = np.asarray(keras.Model(model.input, hidden)(images, training=False))  # (n, p, units)
    kernel, _ = model.get_layer(LOGITS).get_weights()
    of_patch = kernel.reshape(*hidden.shape[1:], -1)  # (p, units, classes)
    each: NDArray[np.float32] = (values.transpose(1, 0, 2) @ of_patch).transpose(1, 0, 2)
    return each
