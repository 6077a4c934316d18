"""Feedforward network: dense layers, each pixel an input of its own.

Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors".
"""

from typing import Annotated

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, InputShape, Kind, Positive
from glassnets.models import families


class Network(schema.Network):
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]
    batch_normalization: Fraction | None  # momentum of its moving averages; null leaves it out
    dropout: Fraction


PRESETS = {"article": Network(units=(64,), batch_normalization=None, dropout=0.0)}


def build(
    network: Network,
    shape: InputShape,
    classes: int,
    kind: Kind = "image",
    masked: bool = False,
) -> families.Built:
    import keras
    from keras import layers

    from glassnets.models.layers import BatchNormalization

    images = keras.Input(shape, name="images")  # (n, h, w[, c])
    x = families.scaled(images, kind, masked)
    x = layers.Flatten(name="flatten")(x)  # (n, h·w·c)
    activations = {}
    for i, units in enumerate(network.units):
        normalise = network.batch_normalization is not None
        x = layers.Dense(units, use_bias=not normalise, name=f"dense_{i}")(x)  # (n, units)
        if normalise:
            x = BatchNormalization(momentum=network.batch_normalization, name=f"normalization_{i}")(
                x
            )
        x = layers.ReLU(name=f"relu_{i}")(x)
        activations[f"block_{i}"] = x
        if network.dropout:
            x = layers.Dropout(network.dropout, name=f"dropout_{i}")(x)
    activations["penultimate"] = x
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="feedforward"), {**activations, "logits": logits}
