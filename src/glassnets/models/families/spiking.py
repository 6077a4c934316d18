"""Spiking network: dense layers of leaky integrate-and-fire neurons, which see the image as a
constant current and answer by how often they fire.

Eshraghian et al. (2023), "Training spiking neural networks using lessons from deep learning"; the
neurons: see `models.spikes`.
"""

from typing import Annotated

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, InputShape, Kind, Positive
from glassnets.models import families


class Network(schema.Network):
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]
    steps: Annotated[int, Field(gt=0, le=1000)]  # for how long an image is shown
    decay: Fraction  # of a membrane potential that is left after a step
    slope: Annotated[
        float, Field(gt=0, le=1000)
    ]  # of the surrogate gradient: the higher, the narrower
    dropout: Fraction


PRESETS = {
    # Tutorial 5 of snnTorch (Eshraghian et al. 2023).
    "snntorch": Network(units=(1000,), steps=25, decay=0.95, slope=25.0, dropout=0.0)
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

    from glassnets.models.spikes import LeakyIntegrateAndFire

    images = keras.Input(shape, name="images")  # (n, h, w[, c])
    x = families.scaled(images, kind, masked)
    x = layers.Flatten(name="flatten")(x)  # (n, h·w·c)
    activations = {}
    for i, units in enumerate(network.units):
        x = layers.Dense(units, name=f"dense_{i}")(x)  # (n[, steps], units)
        x = LeakyIntegrateAndFire(network.steps, network.decay, network.slope, name=f"spikes_{i}")(
            x
        )
        activations[f"block_{i}"] = x  # (n, steps, units)
        if network.dropout:  # of whole neurons, at all steps
            left_out = layers.Dropout(
                network.dropout, noise_shape=(None, 1, units), name=f"dropout_{i}"
            )
            x = left_out(x)
    x = layers.GlobalAveragePooling1D(name="rates")(x)  # spikes a step: (n, units)
    activations["penultimate"] = x
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="spiking"), {**activations, "logits": logits}
