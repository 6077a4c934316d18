"""The logits of a Keras model that ends in probabilities.

Softmax makes probabilities exp(z)/Σ exp(z) of logits z. The probability of one class depends on
the logits of all, and its gradient vanishes where the class is all but certain. So it is logits
that are explained, and a model that ends in softmax must never be taken for one that ends in them.
"""

from typing import Any, NamedTuple

# Activations, as Keras names their functions, and what a person calls them; layers and operations.
_ENDS = {"softmax": "softmax", "log_softmax": "log-softmax", "sigmoid": "sigmoid"}
_OPERATIONS = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "sigmoid"}
_PASSING = {"Identity", "Dropout", "Reshape", "Flatten", "Cast"}  # which change no probability


def end_of(model: Any) -> str | None:
    """Which of softmax, log-softmax and sigmoid a Keras model of layers ends in, None if none."""
    return _end(model.outputs[0])


def to_logits(model: Any) -> Any:
    """The Keras model to logits (n, classes), its layers shared with the model; the model itself
    where it ends in several logits already.

    One unit is the logit z, or its sigmoid the probability, of the second of two classes, whose
    logits are −z/2 and z/2. Of several sigmoids the classes do not exclude each other, no logits
    have these for a softmax, and the model is left as it is.
    """
    import keras
    from keras import ops

    output = model.outputs[0]
    end, single = _end(output), output.shape[-1] == 1
    if (end is None and not single) or (end == "sigmoid" and not single):
        return model
    logits = output if end is None else _before(output)
    if single:
        logits = ops.concatenate([logits * -0.5, logits * 0.5], axis=-1)
    return keras.Model(model.inputs[0], logits)


def of_probabilities(model: Any, smallest: float = 1e-7) -> Any:
    """The Keras model to log p, logits whose softmax is p, of one to probabilities p that no layer
    says it makes; p counts as at least ``smallest``."""
    import keras
    from keras import ops

    return keras.Model(model.inputs[0], ops.log(ops.maximum(model.outputs[0], smallest)))


class _Made(NamedTuple):
    by: Any  # a layer, an operation or a model
    of: list[Any]  # Keras tensors


def _made(tensor: Any) -> _Made:
    history = tensor._keras_history  # Keras has no public name for it
    node = history.operation._inbound_nodes[history.node_index]
    return _Made(history.operation, list(node.input_tensors))


def _end(tensor: Any) -> str | None:
    made = _made(tensor)
    if outputs := _outputs_of_model(made.by):
        return _end(outputs[0])
    if type(made.by).__name__ in _PASSING and made.of:
        return _end(made.of[0])
    activation = getattr(getattr(made.by, "activation", None), "__name__", "")
    return _OPERATIONS.get(type(made.by).__name__) or _ENDS.get(activation)


def _before(tensor: Any) -> Any:
    """The logits of a Keras tensor that is their softmax, log-softmax or sigmoid."""
    import keras

    made = _made(tensor)
    if outputs := _outputs_of_model(made.by):
        return keras.Model(made.by.inputs, _before(outputs[0]))(made.of)
    if type(made.by).__name__ in _PASSING:
        return made.by(_before(made.of[0]))
    if type(made.by).__name__ in ("Activation", *_OPERATIONS):
        return made.of[0]
    own = {"activation": "linear", "name": f"{made.by.name}_logits"}
    linear = type(made.by).from_config(made.by.get_config() | own)
    logits = linear(made.of[0])
    linear.set_weights(made.by.get_weights())
    return logits


def _outputs_of_model(operation: Any) -> list[Any]:
    """The outputs of a model of layers within a model, none of anything else."""
    import keras

    return list(operation.outputs) if isinstance(operation, keras.Model) else []
