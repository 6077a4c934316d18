"""Convolutional network: stages of convolutions, each stage closed by pooling, then dense layers.

LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document recognition";
normalisation: Ioffe & Szegedy (2015), "Batch normalization".
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from glassnets.config import schema
from glassnets.config.schema import Fraction, InputShape, Kind, Positive, Shape
from glassnets.models import families


class Network(schema.Network):
    filters: Annotated[  # one list a stage, one number a convolution
        tuple[Annotated[tuple[Positive, ...], Field(min_length=1)], ...], Field(min_length=1)
    ]
    kernel_size: Annotated[int, Field(gt=0, le=99)]
    padding: Literal["same", "valid"]
    head: Literal["flatten", "average"]  # what the dense layers see of the last feature maps
    units: tuple[Positive, ...]  # dense layers between feature maps and logits
    batch_normalization: Fraction | None  # momentum of its moving averages; null leaves it out
    dropout: Fraction

    def problem(self, image_shape: Shape) -> str | None:
        size = min((side for side in image_shape if side > 1), default=1)
        for stage in self.filters:
            if self.padding == "valid":
                size -= len(stage) * (self.kernel_size - 1)
            if size < 1:
                return (
                    f"kernel_size: expected convolutions that leave a pixel of images of "
                    f"{image_shape[0]}×{image_shape[1]}, got {self.kernel_size} (padding: valid)"
                )
            size = max(1, size // 2)
        return None


PRESETS = {
    "article": Network(
        filters=((32,), (64,)),
        kernel_size=3,
        padding="valid",
        head="flatten",
        units=(64,),
        batch_normalization=None,
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

    from glassnets.models.layers import BatchNormalization

    normalise = network.batch_normalization is not None
    images = keras.Input(shape, name="images")  # (n, h, w[, c])
    x = families.scaled(images, kind, masked)
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1), name="channel")(x)  # (n, h, w, c)
    across = [side > 1 for side in shape[:2]]  # a series has one row, and so have its convolutions

    def pool(x: Any, i: int) -> Any:
        sides = [side for side, more in zip(x.shape[1:3], across, strict=True) if more]
        if min(sides, default=1) == 1:  # a single row or column is pooled no further
            return x
        size = tuple(2 if more else 1 for more in across)
        return layers.MaxPooling2D(size, name=f"pooling_{i}")(x)  # (n, h/2, w/2, filters)

    activations = {}
    last = len(network.filters) - 1
    for i, stage in enumerate(network.filters):
        for j, filters in enumerate(stage):
            x = layers.Conv2D(  # (n, h, w, filters)
                filters,
                tuple(network.kernel_size if more else 1 for more in across),
                padding=network.padding,
                use_bias=not normalise,
                name=f"convolution_{i}_{j}",
            )(x)
            # Pooled first, there is a quarter to normalise (maximum and ReLU may change places).
            # The last maps are pooled last: class-activation maps look at them as they are.
            if i < last and j == len(stage) - 1:
                x = pool(x, i)
            if normalise:
                x = BatchNormalization(
                    momentum=network.batch_normalization, name=f"normalization_{i}_{j}"
                )(x)
            x = layers.ReLU(name=f"relu_{i}_{j}")(x)
        activations[f"block_{i}"] = x
    x = pool(x, last)
    if network.head == "average":
        x = layers.GlobalAveragePooling2D(name="average")(x)  # (n, filters)
    else:
        x = layers.Flatten(name="flatten")(x)  # (n, h·w·filters)
    for i, units in enumerate(network.units):
        x = layers.Dense(units, activation="relu", name=f"dense_{i}")(x)  # (n, units)
    activations["penultimate"] = x
    if network.dropout:
        x = layers.Dropout(network.dropout, name="dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)  # (n, classes)
    return keras.Model(images, logits, name="cnn"), {**activations, "logits": logits}
