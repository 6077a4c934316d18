"""LSTM: the image read as a sequence, by rows, pixels or patches.

Hochreiter & Schmidhuber (1997), "Long short-term memory"; both directions: Schuster & Paliwal
(1997), "Bidirectional recurrent neural networks".
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, Positive, Shape
from glassnets.models import families


class Network(schema.Network):
    sequence: Literal["rows", "pixels", "patches"]
    patch_size: Positive | None = None  # side of a patch in pixels; null for rows and pixels
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # of each layer and direction
    bidirectional: bool
    # Of what a step brings. Glorot's range shrinks with the units: one pixel hardly stirs a gate.
    kernel_initializer: Literal["glorot_uniform", "lecun_normal"]
    # Longest time scale of the gates at first, in steps; null: every forget gate's bias is 1.
    chrono_steps: Annotated[int, Field(gt=2, le=1_000_000)] | None = None
    # What the logits see: a direction's last step, the steps at the ends of rows, or all steps.
    head: Literal["last", "rows", "flatten"]
    dropout: Fraction

    def problem(self, image_shape: Shape) -> str | None:
        height, width = image_shape
        if self.head == "rows" and self.sequence != "pixels":
            return f"head: expected last or flatten with sequence: {self.sequence}, got rows"
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
    "article": Network(
        sequence="pixels",
        patch_size=None,
        units=(64, 64),
        bidirectional=False,
        kernel_initializer="glorot_uniform",
        chrono_steps=None,
        head="last",
        dropout=0.0,
    ),
    # The same sequence, but learnt. 28 steps of time scale: a row of MNIST.
    "pixels": Network(
        sequence="pixels",
        patch_size=None,
        units=(32,),
        bidirectional=True,
        kernel_initializer="lecun_normal",
        chrono_steps=28,
        head="rows",
        dropout=0.1,
    ),
}


def build(network: Network, image_shape: Shape, classes: int) -> families.Built:
    import keras
    from keras import layers

    from glassnets.models.layers import Orthogonal

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
        sequences = i < last or network.head != "last"
        layer = layers.LSTM(
            units,
            kernel_initializer=network.kernel_initializer,
            recurrent_initializer=Orthogonal(),
            return_sequences=sequences,
            name=f"lstm_{i}",
        )
        if network.bidirectional:
            layer = layers.Bidirectional(layer, name=f"bidirectional_{i}")
        x = layer(x)  # (n, steps, units·directions); the last step alone: (n, units·directions)
        if network.chrono_steps is not None:
            ways = [layer.forward_layer, layer.backward_layer] if network.bidirectional else [layer]
            for way in ways:
                _set_time_scales(way.cell, network.chrono_steps)
        activations[f"block_{i}"] = x
        if network.dropout:
            x = layers.Dropout(network.dropout, name=f"dropout_{i}")(x)
    if network.head == "rows":
        x = x[:, width - 1 :: width]  # (n, height, units·directions)
    if network.head != "last":
        x = layers.Flatten(name="flatten")(x)  # (n, steps·units·directions)
    activations["penultimate"] = x
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="lstm"), {**activations, "logits": logits}


def _set_time_scales(cell: Any, longest: int) -> None:
    """Chrono initialisation: the forget gates' biases are ln u, the input gates' −ln u, u uniform
    in [1, longest − 1]. Tallec & Ollivier (2018), "Can recurrent neural networks warp time?".
    """
    import keras

    forget = keras.ops.log(keras.random.uniform((cell.units,), 1, longest - 1))
    rest = keras.ops.zeros(2 * cell.units)  # Keras' order of gates: input, forget, cell, output
    cell.bias.assign(keras.ops.concatenate([-forget, forget, rest]))
