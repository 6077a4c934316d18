"""LSTM: the image read as a sequence, by rows, pixels or patches.

Hochreiter & Schmidhuber (1997), "Long short-term memory"; both directions: Schuster & Paliwal
(1997), "Bidirectional recurrent neural networks".
"""

from typing import Annotated, Literal

from pydantic import Field

from glassnets import families, params
from glassnets.params import Fraction, Positive, Shape


class Network(params.Network):
    sequence: Literal["rows", "pixels", "patches"]
    patch_size: Positive | None  # side of a patch in pixels; null for rows and pixels
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # of each layer and direction
    bidirectional: bool
    head: Literal["last", "flatten"]  # what the logits see: a direction's last step, or all steps
    dropout: Fraction

    def problem(self, image_shape: Shape) -> str | None:
        height, width = image_shape
        if self.sequence != "patches":
            if self.patch_size is not None:
                return (
                    f"patch_size: expected null with sequence: {self.sequence}, "
                    f"got {self.patch_size}"
                )
        elif self.patch_size is None or height % self.patch_size or width % self.patch_size:
            return (
                f"patch_size: expected a side that divides images of {height}×{width}, "
                f"got {self.patch_size or 'null'}"
            )
        return None


PRESETS = {
    "seed": Network(
        sequence="pixels",
        patch_size=None,
        units=(64, 64),
        bidirectional=False,
        head="last",
        dropout=0.0,
    )
}


def build(network: Network, image_shape: Shape, classes: int) -> families.Built:
    import keras
    from keras import layers

    height, width = image_shape
    images = keras.Input(image_shape, name="images")  # (n, h, w)
    x = layers.Rescaling(1 / 255, name="scale")(images)
    if network.sequence == "patches":
        assert network.patch_size is not None  # `problem` refused it
        side = network.patch_size
        x = layers.Reshape((height // side, side, width // side, side), name="cut")(x)
        x = layers.Permute((1, 3, 2, 4), name="gather")(x)
        x = layers.Reshape((height * width // side**2, side**2), name="tokens")(x)
    elif network.sequence == "pixels":
        x = layers.Reshape((height * width, 1), name="tokens")(x)
    activations = {"tokens": x}  # (n, steps, pixels of a step)
    last = len(network.units) - 1
    for i, units in enumerate(network.units):
        sequences = i < last or network.head == "flatten"
        layer = layers.LSTM(units, return_sequences=sequences, name=f"lstm_{i}")
        if network.bidirectional:
            layer = layers.Bidirectional(layer, name=f"bidirectional_{i}")
        x = layer(x)  # (n, steps, units·directions); the last step alone: (n, units·directions)
        activations[f"block_{i}"] = x
        if network.dropout:
            x = layers.Dropout(network.dropout, name=f"dropout_{i}")(x)
    if network.head == "flatten":
        x = layers.Flatten(name="flatten")(x)  # (n, steps·units·directions)
    activations["penultimate"] = x
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="lstm"), {**activations, "logits": logits}
