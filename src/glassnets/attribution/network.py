"""A network as attribution methods use it: class logits, their gradients, named activations.

Methods evaluate an image x at *points* s_k·x + o_k: scale s_k and offset o_k are arrays
(k, h or 1, w or 1), the same for every image. What is drawn at random is thus drawn once for all
images, and no map depends on the batch that holds its image.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Shape
from glassnets.errors import GlassnetsError

Floats = NDArray[np.float32]
Targets = NDArray[np.int32]

# In TensorFlow: named activations (n, …) and the class logit's gradients by them → (n, …).
Reading = Callable[[list[Any], list[Any]], Any]


@dataclass(frozen=True, eq=False)
class Explained:
    """A network to be explained, and what some methods need beside it.

    model: a Keras model from raw images (n, h, w), pixels 0…255, to logits (n, classes).
    activations: inner Keras tensors of the model by name, as `families.build` gives them. Methods
    read feature maps (n, rows, columns, channels) of any name, ``tokens`` (n, t, d), and attention
    scores ``attention_<i>`` (n, heads, t, t), block by block.
    references: training images (m, h, w), uint8 or float32, to draw references from.
    batch_size: how many points go through the network in one pass, which bounds the memory; None
    chooses for speed, see `points_at_once`.

    Raises GlassnetsError where the model, references or batch_size are not as said here.
    """

    model: Any
    activations: Mapping[str, Any] = field(default_factory=dict)
    references: NDArray[Any] | None = None
    batch_size: int | None = None
    _readings: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        shape = self.model.input_shape
        if not (isinstance(shape, tuple) and len(shape) == 3 and len(self.model.output_shape) == 2):
            raise GlassnetsError(
                "expected a Keras model from images (n, h, w) to logits (n, classes), got one from "
                f"{shape} to {self.model.output_shape}: begin it with a Reshape layer, say"
            )
        if self.batch_size is not None and self.batch_size < 1:
            raise GlassnetsError(f"batch_size: expected at least 1, got {self.batch_size}")
        if self.references is not None and (
            self.references.shape[1:] != self.image_shape or not len(self.references)
        ):
            raise GlassnetsError(
                f"references: expected images (m, {shape[1]}, {shape[2]}), "
                f"got an array {self.references.shape}"
            )

    @property
    def image_shape(self) -> Shape:
        """(height, width), in pixels."""
        height, width = self.model.input_shape[1:]
        return height, width

    @property
    def classes(self) -> int:
        classes: int = self.model.output_shape[1]
        return classes

    @cached_property
    def feature_maps(self) -> tuple[str, ...]:
        """Names of the activations (n, rows, columns, channels), in the order they came."""
        return tuple(
            name
            for name, tensor in self.activations.items()
            if len(tensor.shape) == 4 and not _is_attention(name)
        )

    @cached_property
    def attentions(self) -> tuple[str, ...]:
        """Names of the attention scores (n, heads, t, t), first block first."""
        names = filter(_is_attention, self.activations)
        return tuple(sorted(names, key=lambda name: int(name.split("_")[1])))

    def outputs(self, images: Floats) -> Floats:
        """Logits of every class, float32 (m, classes), of images float32 (m, h, w)."""
        values = np.empty((len(images), self.classes), np.float32)
        for rows in _slices(len(images), self.points_at_once):
            values[rows] = self._outputs(images[rows])
        return values

    @cached_property
    def _outputs(self) -> Any:
        import tensorflow as tf

        images = tf.TensorSpec((None, *self.image_shape), tf.float32)
        return tf.function(lambda x: self.model(x, training=False), input_signature=[images])

    # Points

    @cached_property
    def points_at_once(self) -> int:
        """How many points go through the network in one pass: batch_size, or as many as keep the
        layers' outputs within 2²⁴ numbers (64 MB), 4096 at most. Large batches are fast for a
        small network, since each call has a fixed cost; small ones, which stay in the processor's
        cache, for a large network.
        """
        import keras

        if self.batch_size is not None:
            return self.batch_size
        outputs = keras.tree.flatten([layer.output for layer in self.model.layers])
        numbers = sum(int(math.prod(tensor.shape[1:])) for tensor in outputs)
        return min(max(1, 2**24 // numbers), 4096)

    def logits(self, images: Floats, targets: Targets, scale: Floats, offset: Floats) -> Floats:
        """Class logits float32 (n, k) of each image in k points.

        images float32 (n, h, w), targets int32 (n,), scale and offset float32 (k, ·, ·) as in the
        module's docstring, here and in the methods below.
        """
        values = np.empty((len(images), len(scale)), np.float32)
        for rows, points, arrays in self._blocks(len(images), scale, offset):
            values[rows, points] = self._logits(images[rows], targets[rows], *arrays)
        return values

    def logits_of_pairs(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        offset: Floats,
        pairs: NDArray[np.int64],
    ) -> Floats:
        """Class logits float32 (m,) of pairs (m, 2): the row of an image, the number of a point."""
        import tensorflow as tf

        values = np.empty(len(pairs), np.float32)
        arrays = [tf.constant(array) for array in (images, targets, scale, offset)]
        for part in _slices(len(pairs), self.points_at_once):
            values[part] = self._logits_of_pairs(*arrays, pairs[part])
        return values

    def mean_gradient(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        offset: Floats,
        references: Floats | None = None,
    ) -> Floats:
        """Mean over points of the gradients of the class logit by the pixels: float32 (n, h, w).

        With references b (k, h, w), each gradient is first multiplied by x − b_k.
        """
        if references is None:
            program, arrays = self._gradients, [scale, offset]
        else:
            program, arrays = self._weighted_gradients, [scale, offset, references]
        mean = np.empty((len(images), *self.image_shape), np.float32)
        for rows, points, block in self._blocks(len(images), *arrays):
            part = program(images[rows], targets[rows], *block)
            if points.start == 0:
                mean[rows] = part
            else:
                mean[rows] += part
        if len(scale) > 1:
            mean /= len(scale)
        return mean

    def gradient_changes(
        self, images: Floats, targets: Targets, scale: Floats, offset: Floats, gradients: Floats
    ) -> Floats:
        """Σ over pixels of |gradient in a point − the given gradient| (n, h, w): float32 (n, k)."""
        values = np.empty((len(images), len(scale)), np.float32)
        for rows, points, arrays in self._blocks(len(images), scale, offset):
            values[rows, points] = self._gradient_changes(
                images[rows], targets[rows], *arrays, gradients[rows]
            )
        return values

    def _blocks(self, images: int, *arrays: Floats) -> Iterator[tuple[slice, slice, list[Any]]]:
        """Slices of images and of points, at most `points_at_once` together, and that slice of
        each array (k, ·, ·) as a tensor, made once for all images."""
        import tensorflow as tf

        points = len(arrays[0])
        for columns in _slices(points, self.points_at_once):
            tensors = [tf.constant(array[columns]) for array in arrays]
            for rows in _slices(images, max(1, self.points_at_once // points)):
                yield rows, columns, tensors

    def _compiled(self, function: Callable[..., Any], arrays: int, *more: Any) -> Any:
        """A function of images, targets, further arrays (·, ·, ·) and more, as one graph."""
        import tensorflow as tf

        images = tf.TensorSpec((None, *self.image_shape), tf.float32)
        targets = tf.TensorSpec((None,), tf.int32)
        others = [tf.TensorSpec((None, None, None), tf.float32)] * arrays
        return tf.function(function, input_signature=[images, targets, *others, *more])

    @cached_property
    def _logits(self) -> Any:
        import tensorflow as tf

        def logits(images: Any, targets: Any, scale: Any, offset: Any) -> Any:
            points, classes = self._points(images, targets, scale, offset)
            return tf.reshape(self._class_logits(points, classes), (-1, tf.shape(scale)[0]))

        return self._compiled(logits, 2)

    @cached_property
    def _logits_of_pairs(self) -> Any:
        import tensorflow as tf

        def logits(images: Any, targets: Any, scale: Any, offset: Any, pairs: Any) -> Any:
            rows, points = tf.unstack(pairs, axis=1)
            at = tf.gather(images, rows) * tf.gather(scale, points) + tf.gather(offset, points)
            return self._class_logits(at, tf.gather(targets, rows))

        return self._compiled(logits, 2, tf.TensorSpec((None, 2), tf.int64))

    @cached_property
    def _gradients(self) -> Any:
        import tensorflow as tf

        def gradients(images: Any, targets: Any, scale: Any, offset: Any) -> Any:
            return tf.reduce_sum(self._gradients_in(images, targets, scale, offset), axis=1)

        return self._compiled(gradients, 2)

    @cached_property
    def _weighted_gradients(self) -> Any:
        import tensorflow as tf

        def gradients(images: Any, targets: Any, scale: Any, offset: Any, references: Any) -> Any:
            each = self._gradients_in(images, targets, scale, offset)
            return tf.reduce_sum(each * (images[:, tf.newaxis] - references), axis=1)

        return self._compiled(gradients, 3)

    @cached_property
    def _gradient_changes(self) -> Any:
        import tensorflow as tf

        def changes(images: Any, targets: Any, scale: Any, offset: Any, gradients: Any) -> Any:
            each = self._gradients_in(images, targets, scale, offset)
            return tf.reduce_sum(tf.abs(each - gradients[:, tf.newaxis]), axis=(2, 3))

        return self._compiled(changes, 3)

    def _points(self, images: Any, targets: Any, scale: Any, offset: Any) -> tuple[Any, Any]:
        """All points of all images (n·k, h, w), and the targets (n·k,)."""
        import tensorflow as tf

        points = images[:, tf.newaxis] * scale + offset  # (n, k, h, w)
        return tf.reshape(points, (-1, *self.image_shape)), tf.repeat(targets, tf.shape(scale)[0])

    def _class_logits(self, images: Any, targets: Any) -> Any:
        import tensorflow as tf

        return tf.gather(self.model(images, training=False), targets, batch_dims=1)

    def _gradients_in(self, images: Any, targets: Any, scale: Any, offset: Any) -> Any:
        """The gradient in each point, (n, k, h, w)."""
        import tensorflow as tf

        points, classes = self._points(images, targets, scale, offset)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            logits = self._class_logits(points, classes)
        gradients = tape.gradient(logits, points)
        return tf.reshape(gradients, (-1, tf.shape(scale)[0], *self.image_shape))

    # Activations

    def read(
        self, images: Floats, targets: Targets, names: tuple[str, ...], reading: Reading
    ) -> Floats:
        """``reading(activations, gradients)``, of the named activations and the gradients of the
        class logit by them, batch by batch: float32 (n, …).

        reading takes two lists of TensorFlow's tensors and is compiled once for each network.
        Raises GlassnetsError where the logits do not depend on an activation.
        """
        key = names, reading
        if key not in self._readings:
            self._readings[key] = self._compiled(self._reader(names, reading), 0)
        program = self._readings[key]
        return np.concatenate(
            [
                program(images[rows], targets[rows])
                for rows in _slices(len(images), self.points_at_once)
            ]
        )

    def _reader(self, names: tuple[str, ...], reading: Reading) -> Callable[..., Any]:
        import keras
        import tensorflow as tf

        outputs = [self.activations[name] for name in names] + [self.model.outputs[0]]
        model = keras.Model(self.model.input, outputs)

        def read(images: Any, targets: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(images)
                *values, logits = model(images, training=False)
                chosen = tf.gather(logits, targets, batch_dims=1)
            gradients = tape.gradient(chosen, values)
            for name, gradient in zip(names, gradients, strict=True):
                if gradient is None:
                    raise GlassnetsError(
                        f"expected logits that depend on the activation '{name}', got none that do"
                    )
            return reading(values, gradients)

        return read

    @cached_property
    def footprints(self) -> NDArray[np.bool_]:
        """The pixels that each token depends on: bool (t, h, w).

        Those where the derivative of ``tokens`` (n, t, d) by the pixels of an image of noise is
        not zero: it holds for rows, pixels and patches, overlapping or not.
        """
        import keras
        import tensorflow as tf

        tokens = self.activations["tokens"]
        count, width = tokens.shape[1:]
        rng = np.random.default_rng(0)
        noise = rng.uniform(0, 255, self.image_shape).astype(np.float32)
        images = tf.constant(np.repeat(noise[np.newaxis], count, axis=0))
        direction = tf.constant(rng.normal(size=width).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(images)
            each = keras.Model(self.model.input, tokens)(images, training=False)
            # Token i of copy i alone, projected on a direction that no token is orthogonal to.
            own = tf.linalg.matvec(
                tf.linalg.diag_part(tf.transpose(each, (2, 0, 1))), direction, True
            )
        seen: NDArray[np.bool_] = tape.gradient(own, images).numpy() != 0
        return seen


def _is_attention(name: str) -> bool:
    return re.fullmatch(r"attention_\d+", name) is not None


def _slices(total: int, size: int) -> list[slice]:
    """0…total in as few slices of at most this size as possible, of nearly equal length."""
    ends = np.linspace(0, total, -(-total // size) + 1).astype(int).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
