"""Self-attention: the image as patch tokens with positions, blocks of scaled dot-product attention.

Attention(Q, K, V) = softmax(QKᵀ/√d_k)V: Vaswani et al. (2017), "Attention is all you need", eq. 1;
patches as tokens, normalisation before each half-block: Dosovitskiy et al. (2021), "An image is
worth 16x16 words".
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, InputShape, Kind, Positive, Shape
from glassnets.models import families


class Network(schema.Network):
    patch_size: Positive  # side of a patch, in pixels
    stride: Positive  # from patch to patch, in pixels; below patch_size, patches overlap
    width: Positive  # of a token
    heads: Annotated[int, Field(gt=0, le=1024)]
    blocks: Annotated[int, Field(gt=0, le=1000)]
    mlp_width: Positive | None  # hidden units of a block's dense half; null leaves it out
    layer_normalization: bool
    head: Literal["average", "flatten"]  # what the logits see of the last tokens
    # Of patches onto tokens: one for all, or one for each, as columns of a table need it.
    projection: Literal["shared", "own"] = "shared"
    dropout: Fraction

    def problem(self, image_shape: Shape) -> str | None:
        height, width = image_shape
        for side in image_shape:
            if side > 1 and (side < self.patch_size or (side - self.patch_size) % self.stride):
                return (
                    f"patch_size: expected patches that, {self.stride} pixels apart, tile images "
                    f"of {height}×{width}, got {self.patch_size}"
                )
        if self.width % self.heads:
            return f"heads: expected a divisor of the width {self.width}, got {self.heads}"
        return None


PRESETS = {
    "article": Network(
        patch_size=4,
        stride=4,
        width=64,
        heads=1,
        blocks=1,
        mlp_width=None,
        layer_normalization=False,
        head="average",
        dropout=0.0,
    )
}


def build(
    network: Network,
    shape: InputShape,
    classes: int,
    kind: Kind = "image",
    masked: bool = False,
) -> families.Built:
    import keras
    from keras import layers

    from glassnets.models.layers import LayerNormalization

    width, channels = network.width, math.prod(shape[2:])
    # A table and a series have one row, and so have their patches.
    size, strides = (
        tuple(min(number, side) for side in shape[:2])
        for number in (network.patch_size, network.stride)
    )
    tokens = 1
    for pixels, side, stride in zip(shape[:2], size, strides, strict=True):
        tokens *= (pixels - side) // stride + 1

    images = keras.Input(shape, name="images")  # (n, h, w[, c])
    x = families.scaled(images, kind, masked)
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1), name="channel")(x)
    x = keras.ops.image.extract_patches(x, size=size, strides=strides)
    x = layers.Reshape((tokens, math.prod(size) * channels), name="patches")(x)  # (n, t, patch)
    mask = None
    if masked:  # a patch is attended to if one of its steps is there
        mask = keras.ops.max(x[..., channels - 1 :: channels], axis=2) > 0.5  # (n, t)
    # One projection for all patches, and a bias for each place: the learned position.
    weights = "pd" if network.projection == "shared" else "tpd"
    x = layers.EinsumDense(f"ntp,{weights}->ntd", (tokens, width), bias_axes="td", name="tokens")(x)
    activations = {"tokens": x}  # (n, t, d)
    for i in range(network.blocks):
        normed = (
            LayerNormalization(name=f"normalization_{i}_0")(x) if network.layer_normalization else x
        )
        attended, scores = layers.MultiHeadAttention(
            network.heads, width // network.heads, name=f"attention_{i}"
        )(normed, normed, return_attention_scores=True, key_mask=mask)
        activations[f"attention_{i}"] = scores  # softmax(QKᵀ/√d_k): (n, heads, t, t)
        if network.dropout:
            attended = layers.Dropout(network.dropout, name=f"dropout_{i}_0")(attended)
        x = layers.Add(name=f"add_{i}_0")([x, attended])  # (n, t, d)
        if network.mlp_width is not None:
            normed = (
                LayerNormalization(name=f"normalization_{i}_1")(x)
                if network.layer_normalization
                else x
            )
            hidden = layers.Dense(network.mlp_width, activation="relu", name=f"mlp_{i}_0")(normed)
            hidden = layers.Dense(width, name=f"mlp_{i}_1")(hidden)
            if network.dropout:
                hidden = layers.Dropout(network.dropout, name=f"dropout_{i}_1")(hidden)
            x = layers.Add(name=f"add_{i}_1")([x, hidden])
        activations[f"block_{i}"] = x
    if network.layer_normalization:
        x = LayerNormalization(name="normalization")(x)
    if network.head == "average":
        x = layers.GlobalAveragePooling1D(name="average")(x, mask=mask)  # (n, d)
    else:
        x = layers.Flatten(name="flatten")(x)  # (n, t·d)
    activations["penultimate"] = x
    if network.dropout:
        x = layers.Dropout(network.dropout, name="dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="attention"), {**activations, "logits": logits}
