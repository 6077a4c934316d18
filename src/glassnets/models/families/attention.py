"""Self-attention: the image as patch tokens with positions, blocks of scaled dot-product attention.

Attention(Q, K, V) = softmax(QKᵀ/√d_k)V: Vaswani et al. (2017), "Attention is all you need", eq. 1;
patches as tokens, normalisation before each half-block: Dosovitskiy et al. (2021), "An image is
worth 16x16 words".
"""

from typing import Annotated, Literal

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, Positive, Shape
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
    dropout: Fraction

    def problem(self, image_shape: Shape) -> str | None:
        height, width = image_shape
        for side in image_shape:
            if side < self.patch_size or (side - self.patch_size) % self.stride:
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


def build(network: Network, image_shape: Shape, classes: int) -> families.Built:
    import keras
    from keras import layers

    from glassnets.models.layers import LayerNormalization

    side, width = network.patch_size, network.width
    tokens = 1
    for pixels in image_shape:
        tokens *= (pixels - side) // network.stride + 1

    images = keras.Input(image_shape, name="images")  # (n, h, w)
    x = layers.Rescaling(1 / 255, name="scale")(images)
    x = layers.Reshape((*image_shape, 1), name="channel")(x)
    x = keras.ops.image.extract_patches(x, size=side, strides=network.stride)
    x = layers.Reshape((tokens, side * side), name="patches")(x)  # (n, t, patch²)
    # One projection for all patches, and a bias for each place: the learned position.
    x = layers.EinsumDense("ntp,pd->ntd", (tokens, width), bias_axes="td", name="tokens")(x)
    activations = {"tokens": x}  # (n, t, d)
    for i in range(network.blocks):
        normed = (
            LayerNormalization(name=f"normalization_{i}_0")(x) if network.layer_normalization else x
        )
        attended, scores = layers.MultiHeadAttention(
            network.heads, width // network.heads, name=f"attention_{i}"
        )(normed, normed, return_attention_scores=True)
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
        x = layers.GlobalAveragePooling1D(name="average")(x)  # (n, d)
    else:
        x = layers.Flatten(name="flatten")(x)  # (n, t·d)
    activations["penultimate"] = x
    if network.dropout:
        x = layers.Dropout(network.dropout, name="dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="attention"), {**activations, "logits": logits}
