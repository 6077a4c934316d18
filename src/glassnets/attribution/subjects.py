"""The model that a person gives to `judging.judge`, as what methods explain: `Explained`."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution import function, logits
from glassnets.attribution.arguments import Data
from glassnets.attribution.function import ExplainedFunction, Outputs
from glassnets.attribution.layout import Layout
from glassnets.attribution.network import Explained, Floats, slices
from glassnets.errors import GlassnetsError, ParameterError


def explained(
    model: Any,
    how: Layout,
    data: Data,
    notes: list[str],
    *,
    returns: Outputs,
    clip: float | None,
    batch_size: int | None,
    masked: bool,
) -> Explained:
    """The model as methods explain it, without labels; what was recognised is added to notes. The
    arguments are those of `judging.judge`, and so are the errors."""
    shared: dict[str, Any] = {
        "references": data.references,
        "batch_size": batch_size,
        "kind": how.kind,
        "masked": masked,
    }
    keras = sys.modules.get("keras")  # where it is not loaded, there is no model of it
    of_keras = keras is not None and isinstance(model, keras.Model)
    first = data.images[: min(16, batch_size or 16)].astype(np.float32)
    if of_keras and getattr(model, "inputs", None):
        ready = _to_logits(model, how, first, notes)
        return Explained(ready, _feature_maps(ready), **shared)
    if not callable(model):
        raise ParameterError(
            "model: expected a Keras model, or a function from an array to probabilities, got "
            f"{type(model).__name__}"
        )
    own = how.function(model)
    outputs = function.called(own, first)
    if of_keras:
        notes.append("a Keras model that is no graph of layers is explained as a function")
        returns = "probabilities" if function.are_probabilities(outputs) else "logits"
    function.check(outputs, len(first), returns)
    if returns == "logits" and function.are_probabilities(outputs):
        raise GlassnetsError(
            "expected a function that gives logits, got rows that sum to 1: "
            'say returns="probabilities"'
        )
    network = ExplainedFunction(
        function=own,
        shape=how.grid,
        count=outputs.shape[1],
        returns=returns,
        clip=clip or _CLIP,
        **shared,
    )
    text = "a function: explained by the methods that need no gradient"
    if returns == "probabilities":
        if clip is None:
            network = replace(network, clip=_clip(network, data, notes))
        text += "; of probabilities the log-odds are explained"
    notes.append(text)
    return network


_CLIP = 1e-6  # of float32, whose rounding near 1 it exceeds 16 times
_CLIP_DOUBLE = 1e-12


def _clip(network: ExplainedFunction, data: Data, notes: list[str]) -> float:
    """Below what probability log-odds are cut off: where rounding begins to tell; of a model that
    is certain of some inputs, as a forest is whose trees all say the same, half of the smallest
    doubt that it has of others, since log-odds of certainty are infinite."""
    inputs = np.concatenate([data.images, data.references[:200]]).astype(np.float32)
    dtypes = set()

    def noted(inputs: Floats) -> NDArray[Any]:
        raw = np.asarray(network.function(inputs))
        dtypes.add(raw.dtype)
        return raw

    parts = slices(len(inputs), network.points_at_once)
    doubts = [1 - function.called(noted, inputs[rows]).max(axis=1) for rows in parts]
    doubt, least = (
        np.concatenate(doubts),
        _CLIP_DOUBLE if dtypes == {np.dtype(np.float64)} else _CLIP,
    )
    certain = float((doubt <= least).mean())
    if not 0 < certain < 1:
        return least
    clip = float(max(least, min(doubt[doubt > least].min() / 2, 0.25)))
    if clip > least:
        notes.append(
            f"the model is certain of {100 * certain:.0f} % of the inputs: probabilities count as "
            f"at most 1 − {clip:.2g}, half of the smallest doubt"
        )
    return clip


def _to_logits(model: Any, how: Layout, first: Floats, notes: list[str]) -> Any:
    """The Keras model of the grid to logits."""
    shape = tuple(model.outputs[0].shape)
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(shape) != 2:
        raise GlassnetsError(
            "expected a Keras model of one input and one output (n, classes), got one of "
            f"{len(model.inputs)} and {len(model.outputs)}, {shape}"
        )
    end = logits.end_of(model)
    if end == "sigmoid" and shape[1] != 1:
        raise GlassnetsError(
            f"expected classes that exclude each other, got a model with {shape[1]} sigmoids: "
            "judge each as a model of its own, of two classes"
        )
    if end is not None:
        notes.append(f"the model ends in {end}, which is looked through: its logits are explained")
    ready = _in_single_precision(how.model(logits.to_logits(model)))
    outputs = ready(first, training=False).numpy()
    if not np.isfinite(outputs).all():
        raise GlassnetsError("expected a model that gives finite logits, got infinite ones or NaN")
    if function.are_probabilities(outputs):
        notes.append("the model gives probabilities: their logarithms are explained as its logits")
        return logits.of_probabilities(ready)
    return ready


def _in_single_precision(model: Any) -> Any:
    """The Keras model to float32, the model itself where its outputs are: of float16 or float64."""
    import keras
    from keras import ops

    if model.outputs[0].dtype == "float32":
        return model
    return keras.Model(model.inputs[0], ops.cast(model.outputs[0], "float32"))


_BEYOND = ("Pool", "Padding", "Dropout", "Flatten", "Reshape")  # no feature maps of their own


def _feature_maps(model: Any) -> dict[str, Any]:
    """The outputs (n, rows, columns, channels) of a Keras model's layers from the first convolution
    on, by name."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        if not (found or "Conv" in type(layer).__name__):
            continue
        output = layer._inbound_nodes[-1].output_tensors[0]
        shape: tuple[Any, ...] = getattr(output, "shape", ())
        own = not any(word in type(layer).__name__ for word in _BEYOND)
        if own and len(shape) == 4 and shape[1] is not None and shape[1] * shape[2] > 1:
            found[layer.name] = output
    return found
