"""The inner layers of a network of any family: its units, its representations, and the network
from a layer on.

A *unit* is one number behind a nonlinearity. One that stands at many places (a channel of a
convolution in each position, a unit of a recurrent layer at each step, a hidden unit of an
attention block at each token) answers with its mean over them. The tokens that attention's blocks
add to have no privileged basis: rotated, with the weights that read and write them rotated back,
they make the same network (Elhage et al. 2021, "A mathematical framework for transformer
circuits"). So their coordinates are no units; the units of attention are the hidden ones of its
dense halves, behind their ReLU.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.errors import GlassnetsError

Floats = NDArray[np.float32]

_PASSING = ("Dropout", "Flatten", "Reshape")  # layers that change no response at prediction


def unit_layers(model: Any, activations: Mapping[str, Any]) -> dict[str, Any]:
    """The Keras tensors (n, …, units) whose last axis is units, by name, first layer first.

    model, activations: as `families.build` gives them. A layer with a nonlinearity, or one that
    activations name ``block_<i>`` and that is no sum; by that name where it has it. Raises
    GlassnetsError where there is none.
    """
    named = {id(t): name for name, t in activations.items() if name.startswith("block_")}
    found = {}
    for layer in model.layers:
        tensor = layer.output
        kind = type(layer).__name__
        block = id(tensor) in named and kind != "Add"
        if tensor is not model.outputs[0] and (block or kind == "ReLU" or _bends(layer)):
            found[named.get(id(tensor), layer.name)] = tensor
    if not found:
        raise GlassnetsError(
            f"expected a layer with a nonlinearity, whose units can be looked at, got none in "
            f"{model.name}: give attention an mlp_width"
        )
    return found


def representation_layers(model: Any, activations: Mapping[str, Any]) -> dict[str, Any]:
    """The Keras tensors (n, …) to compare as wholes, by name, first layer first: blocks, what the
    logits see where that is not the last block itself, and the logits."""
    blocks = {name: t for name, t in activations.items() if name.startswith("block_")}
    last = _before_passing(activations["penultimate"])
    if all(last is not tensor for tensor in blocks.values()):
        blocks["penultimate"] = activations["penultimate"]
    return {**blocks, "logits": model.outputs[0]}


class Responses:
    """The responses of tensors of a model, with the weights that it has when it is asked."""

    def __init__(self, model: Any, tensors: Mapping[str, Any], *, pooled: bool) -> None:
        """tensors: by name. pooled: whether a unit answers with its mean over places, which gives
        (n, units) of each tensor."""
        import keras
        import tensorflow as tf

        outputs = {name: _pooled(t) if pooled else t for name, t in tensors.items()}
        reading = keras.Model(model.inputs, outputs)
        shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        self._read = tf.function(lambda x: reading(x, training=False), input_signature=[shape])

    def __call__(self, images: NDArray[Any], batch_size: int = 500) -> dict[str, Floats]:
        """By name, float32 (n, …), of images (n, h, w)."""
        batches = np.array_split(images.astype(np.float32), -(-len(images) // batch_size))
        each = [self._read(batch) for batch in batches]
        return {name: np.concatenate([batch[name] for batch in each]) for name in each[0]}


class After:
    """The network from a layer on, with the weights that the model has when it is asked."""

    def __init__(self, model: Any, tensor: Any) -> None:
        """tensor: the layer's Keras tensor (n, …, units)."""
        import keras

        beside = _read_beside(model, tensor)
        read = {f"{i}": each for i, each in enumerate([tensor, *beside])}
        self.before = Responses(model, read, pooled=False)
        self.after = keras.Model([*read.values()], model.outputs[0])

    def read(self, images: NDArray[Any]) -> list[Floats]:
        """The layer's responses (n, …, units), then whatever else the rest of the network reads."""
        responses = self.before(images)
        return [responses[f"{i}"] for i in range(len(responses))]

    def logits(self, read: list[Floats], lesioned: NDArray[np.bool_], fill: Floats) -> Floats:
        """Logits float32 (n, classes) with these units (units,) lesioned, each of which then gives
        its number of fill (units,), everywhere. read: what `read` gives, as tensors or arrays."""
        kept = (~lesioned).astype(np.float32)
        return np.asarray(self._logits(kept, fill * lesioned, *read))

    @cached_property
    def _logits(self) -> Any:
        import tensorflow as tf

        def logits(kept: Any, fill: Any, responses: Any, *beside: Any) -> Any:
            return self.after([responses * kept + fill, *beside], training=False)

        units = self.after.inputs[0].shape[-1]

        shapes = [(units,), (units,), *(each.shape for each in self.after.inputs)]
        specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
        return tf.function(logits, input_signature=specs)


def mean_gradients(model: Any, tensor: Any, images: Floats, chosen: NDArray[np.int64]) -> Floats:
    """The mean over images of the gradient of each chosen unit by the image, float32 (k, h, w).

    tensor (n, …, units): of a unit at many places, the mean over them. images float32 (n, h, w).
    """
    import keras
    import tensorflow as tf

    reading = keras.Model(model.inputs, _pooled(tensor))

    def gradient(images: Any, unit: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(tf.gather(reading(images, training=False), unit, axis=1))
        return tf.reduce_mean(tape.gradient(total, images), axis=0)

    compiled, at = tf.function(gradient), tf.constant(images)
    return np.stack([compiled(at, tf.constant(unit)) for unit in chosen])


def _pooled(tensor: Any) -> Any:
    from keras import ops

    places = [*range(1, len(tensor.shape) - 1)]
    return ops.mean(tensor, axis=places) if places else tensor


def _bends(layer: Any) -> bool:
    """Whether a layer ends in a nonlinearity."""
    return getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear"


def _made(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer or operation that made a Keras tensor, and the tensors it was made of."""
    history = tensor._keras_history  # Keras has no public name for it
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, list(node.input_tensors)


def _before_passing(tensor: Any) -> Any:
    by, of = _made(tensor)
    return _before_passing(of[0]) if type(by).__name__ in _PASSING else tensor


def _read_beside(model: Any, tensor: Any) -> list[Any]:
    """The tensors that what follows a layer reads and that do not depend on the layer."""
    depends: dict[int, bool] = {id(tensor): True}

    def follows(each: Any) -> bool:
        if id(each) not in depends:
            depends[id(each)] = any(follows(one) for one in _made(each)[1])
        return depends[id(each)]

    beside: dict[int, Any] = {}
    waiting, visited = [model.outputs[0]], set()
    follows(model.outputs[0])
    while waiting:
        each = waiting.pop()
        if each is tensor or id(each) in visited:
            continue
        visited.add(id(each))
        if not follows(each):
            beside[id(each)] = each
        else:
            waiting += _made(each)[1]
    return [*beside.values()]
