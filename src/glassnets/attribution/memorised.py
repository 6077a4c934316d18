"""A network of a person's layers that memorises shuffled labels: see `models.memorise`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.metrics.randomization import redrawn
from glassnets.attribution.network import Explained
from glassnets.config.schema import Memorise
from glassnets.models.memorise import memorise

ACCURACY = 0.99  # of the shuffled labels, at which they count as memorised


def memorised(
    network: Explained, images: int, seed: int
) -> tuple[list[NDArray[Any]] | None, float]:
    """The weights, as ``model.get_weights()``, of the network's model after its weights were drawn
    anew and it learnt shuffled labels of so many training images, None where it did not learn them;
    and its accuracy on them. The model's own weights are as before when this ends.

    network: with references and labels. Raises what `redrawn` does.
    """
    import keras

    assert network.references is not None
    assert network.labels is not None
    # A model of the same layers: the person's own keeps its optimizer and what it was compiled for.
    model = keras.Model(network.model.inputs[0], network.model.outputs[0])
    kept = model.get_weights()
    options = Memorise(
        images=images, accuracy=ACCURACY, epochs=300, batch_size=32, learning_rate=0.003
    )
    chosen = np.random.default_rng(seed).permutation(len(network.labels))[:images]

    def fresh(seed: int) -> Any:
        for layer, weights in zip(model.layers, redrawn(model, seed), strict=True):
            layer.set_weights(weights)
        return model

    try:
        learning = memorise(
            fresh,
            [seed],
            network.references[chosen].astype(np.float32),
            network.labels[chosen],
            options,
        )
        [(_, accuracy)] = learning
        weights = model.get_weights()
    finally:
        model.set_weights(kept)
    return (weights if accuracy >= ACCURACY else None), accuracy
