"""LSTM: the image read as a sequence, by rows, pixels or patches. Other recurrent cells can take
the place of its own.

lstm: Hochreiter & Schmidhuber (1997), "Long short-term memory". gru: Cho and others (2014),
"Learning phrase representations using RNN encoder–decoder". simple, h_t = tanh(W x_t + U h_{t−1} +
b): Elman (1990), "Finding structure in time". Both directions: Schuster & Paliwal (1997),
"Bidirectional recurrent neural networks".
"""

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, InputShape, Kind, Positive, Shape
from glassnets.models import families


class Network(schema.Network):
    cell: Literal["lstm", "gru", "simple"] = "lstm"
    # Players: each pixel, column of a table or step of a series is a step.
    sequence: Literal["rows", "pixels", "patches", "players"]
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
        if self.cell != "lstm" and self.chrono_steps is not None:
            return f"chrono_steps: expected null with cell: {self.cell}, got {self.chrono_steps}"
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


def build(
    network: Network,
    shape: InputShape,
    classes: int,
    kind: Kind = "image",
    masked: bool = False,
) -> families.Built:
    import keras
    from keras import layers

    from glassnets.models.layers import Orthogonal

    (height, width), channels = shape[:2], math.prod(shape[2:])
    images = keras.Input(shape, name="images")  # (n, h, w[, c])
    x = families.scaled(images, kind, masked)
    if network.sequence == "patches":
        assert network.patch_size is not None  # `problem` refused it
        side = network.patch_size
        cut = (height // side, side, width // side, side, *shape[2:])
        x = layers.Reshape(cut, name="cut")(x)
        x = layers.Permute((1, 3, 2, 4, *range(5, len(cut) + 1)), name="gather")(x)
        tokens = (height * width // side**2, side**2 * channels)
        x = layers.Reshape(tokens, name="tokens")(x)
    elif network.sequence != "rows":
        x = layers.Reshape((height * width, channels), name="tokens")(x)
    elif len(shape) == 3:
        x = layers.Reshape((height, width * channels), name="tokens")(x)
    mask = x[..., -1] > 0.5 if masked and network.sequence == "players" else None
    cell = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}[network.cell]
    activations = {"tokens": x}  # (n, steps, pixels of a step)
    last = len(network.units) - 1
    for i, units in enumerate(network.units):
        sequences = i < last or network.head != "last"
        layer = cell(
            units,
            kernel_initializer=network.kernel_initializer,
            recurrent_initializer=Orthogonal(),
            return_sequences=sequences,
            name=f"{network.cell}_{i}",
        )
        if network.bidirectional:
            layer = layers.Bidirectional(layer, name=f"bidirectional_{i}")
        x = layer(
            x, mask=mask
        )  # (n, steps, units·directions); the last step alone: (n, units·directions)
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
