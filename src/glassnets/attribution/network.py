"""A network as attribution methods use it: class logits, their gradients, named activations.

Methods evaluate an image x at *points* s_k·x + t_k·r, r the reference's pixels (see `references`).
The scale s_k, and t_k, which is 1 − s_k unless said otherwise, are arrays (k, h or 1, w or 1), the
same for every image. What is drawn at random is thus drawn once for all images, and no map depends
on the batch that holds its image.

An image is a grid of *players*, each with a channel or several: pixels; the columns of a table,
whose row is an image of height 1; the steps of a series, which is one too. A map has a number for
each player, the sum over its channels.

What is explained is a weighted sum of the class logits: that of one class, or the difference of
two, "why a and not b".
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.logits import end_of
from glassnets.config.schema import InputShape, Kind, Shape
from glassnets.errors import GlassnetsError
from glassnets.runtime import concurrently

Floats = NDArray[np.float32]
# Float32 (n, classes): the weight of each class logit in what is explained.
Targets = NDArray[np.float32]

# Rows of the images, rows of the points, and the arrays of these.
Block = tuple[slice, slice, list[Any]]

# In TensorFlow: named activations (n, …) and the gradients by them of what is explained → (n, …).
Reading = Callable[[list[Any], list[Any]], Any]


@dataclass(frozen=True, eq=False)
class Explained:
    """A network to be explained, and what some methods need beside it.

    model: a Keras model from raw images (n, h, w) or (n, h, w, c) to logits (n, classes).
    activations: inner Keras tensors of the model by name, as `families.build` gives them. Methods
    read feature maps (n, rows, columns, channels) of any name, ``tokens`` (n, t, d), and attention
    scores ``attention_<i>`` (n, heads, t, t), block by block.
    references: training images (m, h, w[, c]), uint8 or float32, to take references from.
    labels: their classes (m,), which some controls need.
    blur: the standard deviation of the reference blur, in parts of the image's shorter side.
    batch_size: how many points go through the network in one pass, which bounds the memory; None
    chooses for speed, see `points_at_once`.
    kind: pixels of an image are in 0…255; other kinds need references, whose range is theirs. The
    columns of a table are in no order.
    masked: whether the last channel is 1 in a series' steps, 0 in padded ones, which nothing hides.

    Raises GlassnetsError where the model, references, labels or batch_size are not as said here.
    """

    model: Any
    activations: Mapping[str, Any] = field(default_factory=dict)
    references: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    blur: float = 0.25
    batch_size: int | None = None
    kind: Kind = "image"
    masked: bool = False
    _readings: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._check_model()
        if self.batch_size is not None and self.batch_size < 1:
            raise GlassnetsError(f"batch_size: expected at least 1, got {self.batch_size}")
        if self.references is not None and (
            self.references.shape[1:] != self.input_shape or not len(self.references)
        ):
            raise GlassnetsError(
                f"references: expected images (m, {', '.join(map(str, self.input_shape))}), "
                f"got an array {self.references.shape}"
            )
        if self.references is None and self.kind != "image":
            raise GlassnetsError(
                f"references: expected training images, by whose range a {self.kind} is scaled, "
                "got none"
            )
        if self.labels is not None and (
            self.references is None or self.labels.shape != self.references.shape[:1]
        ):
            raise GlassnetsError(
                f"labels: expected one for each training image, got an array {self.labels.shape}"
            )

    def _check_model(self) -> None:
        shape = self.model.input_shape
        if not (
            isinstance(shape, tuple) and len(shape) in (3, 4) and len(self.model.output_shape) == 2
        ):
            raise GlassnetsError(
                "expected a Keras model from images (n, h, w) or (n, h, w, channels) to logits (n, "
                f"classes), got one from {shape} to {self.model.output_shape}: begin it with a "
                "Reshape layer, say"
            )
        if end := end_of(self.model):
            raise GlassnetsError(
                f"expected a Keras model that ends in logits, got one that ends in {end}: give "
                "glassnets.attribution.logits.to_logits(model), which has the same weights"
            )

    @property
    def input_shape(self) -> InputShape:
        """Of an image: (height, width) or (height, width, channels)."""
        shape: InputShape = self.model.input_shape[1:]
        return shape

    @property
    def image_shape(self) -> Shape:
        """(height, width) of the grid of players: of an image, in pixels."""
        height, width = self.input_shape[:2]
        return height, width

    def of_players(self, values: Floats) -> Floats:
        """Values (…, h, w) or (…, h, w, c) of the inputs, summed over channels: (…, h, w)."""
        if len(self.input_shape) == 2:
            return values
        total: Floats = values.sum(axis=-1)
        return total

    @cached_property
    def span(self) -> Any:
        """The range of an input: 255 for images; for other kinds float32 (h, w, c), the largest
        less the smallest in the training part, 0 where the input is constant."""
        if self.kind == "image":
            return 255.0
        assert self.references is not None  # see __post_init__
        spans: Floats = np.ptp(self.references, axis=0).astype(np.float32)
        if self.masked:
            spans[..., -1] = 0
        return spans

    @cached_property
    def unit(self) -> Any:
        """In what differences of inputs are measured, so that those of different columns compare:
        a grey level for images, else the span, 1 where it is 0."""
        return np.float32(1) if self.kind == "image" else np.where(self.span > 0, self.span, 1)

    @property
    def classes(self) -> int:
        classes: int = self.model.output_shape[1]
        return classes

    @cached_property
    def mean_image(self) -> Floats:
        """The mean of the training images, float32 (h, w[, c]); of series, of the steps there."""
        assert self.references is not None
        return self._mean_of(self.references)

    def _mean_of(self, images: NDArray[Any]) -> Floats:
        mean = images.mean(axis=0, dtype=np.float64)
        if self.masked:
            there = mean[..., -1:]
            mean = np.divide(mean, there, out=np.zeros_like(mean), where=there > 0)
        mean_image: Floats = mean.astype(np.float32)
        return mean_image

    @cached_property
    def class_means(self) -> Floats:
        """The mean training image of each class, float32 (classes, h, w[, c]); of a class without
        an image, the mean of all."""
        assert self.references is not None
        assert self.labels is not None
        means = [
            self._mean_of(self.references[self.labels == label])
            if (self.labels == label).any()
            else self.mean_image
            for label in range(self.classes)
        ]
        return np.stack(means)

    @cached_property
    def linear_weights(self) -> Floats:
        """The weights of each class, float32 (classes, h, w[, c]), by ridge regression from
        training images, 0…1, to classes."""
        from sklearn.linear_model import Ridge

        assert self.references is not None
        assert self.labels is not None
        span = np.where(self.span > 0, self.span, 1)
        rows = (self.references.astype(np.float64) / span).reshape(len(self.references), -1)
        classes = np.eye(self.classes)[self.labels]
        weights = Ridge(alpha=1.0, solver="cholesky").fit(rows, classes).coef_  # (classes, pixels)
        by_pixel: Floats = weights.reshape(self.classes, *self.input_shape).astype(np.float32)
        return by_pixel

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

    def probabilities(self, outputs: Floats) -> NDArray[np.float64]:
        """The probabilities float64 (m, classes) that outputs (m, classes) stand for."""
        from glassnets.evaluation.metrics import softmax  # scikit-learn takes a second to load

        return softmax(outputs)

    def outputs(self, images: Floats) -> Floats:
        """Logits of every class, float32 (m, classes), of images float32 (m, h, w)."""
        values = np.empty((len(images), self.classes), np.float32)
        program = self._outputs

        def part(rows: slice) -> None:
            values[rows] = program(images[rows])

        concurrently(part, slices(len(images), self.points_at_once, even=True), compiled=True)
        return values

    @cached_property
    def _outputs(self) -> Any:
        return self._compiled(lambda x: self.model(x, training=False), targets=False)

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
        # Of a layer that other models share, those of the last time that it was called.
        outputs = [layer._inbound_nodes[-1].output_tensors for layer in self.model.layers]
        numbers = sum(int(math.prod(each.shape[1:])) for each in keras.tree.flatten(outputs))
        return min(max(1, 2**24 // numbers), 4096)

    def explained(self, images: Floats, targets: Targets) -> Floats:
        """What is explained, float32 (n,), of images float32 (n, h, w)."""
        value: Floats = np.einsum("nc,nc->n", self.outputs(images), targets)
        return value

    def values(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        fill: Floats,
        filled: Floats | None = None,
    ) -> Floats:
        """What is explained, float32 (n, k), of each image in k points.

        Here and in the methods below:
        images: float32 (n, h, w) or, here and below, with channels last.
        targets: float32 (n, classes).
        scale: s, float32 (k, h or 1, w or 1), the same for all channels.
        fill: r, float32 (n or 1, k or 1, h or 1, w or 1).
        filled: t, as scale; None is 1 − s.
        """
        values = np.empty((len(images), len(scale)), np.float32)
        program = self._values

        def part(block: Block) -> None:
            rows, points, arrays = block
            values[rows, points] = program(images[rows], targets[rows], *arrays)

        concurrently(part, self._blocks(len(images), scale, fill, filled), compiled=True)
        return values

    def values_of_pairs(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        fill: Floats,
        pairs: NDArray[np.int64],
    ) -> Floats:
        """What is explained, float32 (m,), of pairs (m, 2): the row of an image, the number of a
        point. fill is float32 (n or 1, 1, h, w)."""
        import tensorflow as tf

        values = np.empty(len(pairs), np.float32)
        fill = np.broadcast_to(fill[:, 0], (len(fill), *self.input_shape))
        arrays = [tf.constant(array) for array in (images, targets, scale, fill)]
        program = self._values_of_pairs

        def part(rows: slice) -> None:
            values[rows] = program(*arrays, pairs[rows])

        concurrently(part, slices(len(pairs), self.points_at_once, even=True), compiled=True)
        return values

    def mean_gradient(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        fill: Floats,
        filled: Floats | None = None,
        *,
        times_difference: bool = False,
    ) -> Floats:
        """Mean over points of the gradients of what is explained by the inputs, float32 (n, h, w[,
        c]).

        times_difference: whether each gradient is first multiplied by x − r.
        """
        program = self._weighted_gradients if times_difference else self._gradients
        mean = np.empty((len(images), *self.input_shape), np.float32)

        def part(block: Block) -> None:
            rows, points, arrays = block
            gradients = program(images[rows], targets[rows], *arrays)
            if points.start == 0:
                mean[rows] = gradients
            else:
                mean[rows] += gradients

        # The points of an image are summed in their order.
        every = self._blocks(len(images), scale, fill, filled)
        for _, blocks in groupby(every, lambda block: block[1].start):
            concurrently(part, blocks, compiled=True)
        if len(scale) > 1:
            mean /= len(scale)
        return mean

    def gradient_changes(
        self, images: Floats, targets: Targets, scale: Floats, fill: Floats, gradients: Floats
    ) -> Floats:
        """Σ over inputs of |gradient in a point − the given gradient| (n, h, w[, c]), in units of
        their span: float32 (n, k)."""
        values = np.empty((len(images), len(scale)), np.float32)
        program = self._gradient_changes

        def part(block: Block) -> None:
            rows, points, arrays = block
            values[rows, points] = program(images[rows], targets[rows], *arrays, gradients[rows])

        concurrently(part, self._blocks(len(images), scale, fill), compiled=True)
        return values

    def _blocks(
        self, images: int, scale: Floats, fill: Floats, filled: Floats | None = None
    ) -> Iterator[Block]:
        """Slices of images and of points, at most `points_at_once` together, and scale, fill and
        filled of that block; what blocks share as tensors."""
        import tensorflow as tf

        filled = 1 - scale if filled is None else filled
        for points in slices(len(scale), self.points_at_once):
            arrays = [tf.constant(array[points]) for array in (scale, filled)]
            of_points = fill[:, points] if fill.shape[1] > 1 else fill
            shared = tf.constant(of_points) if len(fill) == 1 else None
            for rows in slices(images, max(1, self.points_at_once // len(scale)), even=True):
                own = of_points[rows] if shared is None else shared
                yield rows, points, [arrays[0], own, arrays[1]]

    def _compiled(self, function: Callable[..., Any], *more: Any, targets: bool = True) -> Any:
        """A function of images, targets and more, or of images alone, as one graph."""
        import tensorflow as tf

        signature = [tf.TensorSpec((None, *self.input_shape), tf.float32)]
        if targets:
            signature.append(tf.TensorSpec((None, self.classes), tf.float32))
        compiled = tf.function(function, input_signature=[*signature, *more])
        compiled.get_concrete_function()  # now, and not on each of the threads that call it
        return compiled

    @cached_property
    def _spec(self) -> list[Any]:
        """The specifications of scale, fill and filled."""
        import tensorflow as tf

        axes = len(self.input_shape)
        return [tf.TensorSpec((None,) * count, tf.float32) for count in (3, axes + 2, 3)]

    @cached_property
    def _values(self) -> Any:
        import tensorflow as tf

        def values(images: Any, targets: Any, scale: Any, fill: Any, filled: Any) -> Any:
            points = self._points(images, scale, fill, filled)
            explained = self._explained(self._flat(points), self._repeated(targets, scale))
            return tf.reshape(explained, (-1, tf.shape(scale)[0]))

        return self._compiled(values, *self._spec)

    @cached_property
    def _values_of_pairs(self) -> Any:
        import tensorflow as tf

        def values(images: Any, targets: Any, scale: Any, fill: Any, pairs: Any) -> Any:
            rows, points = tf.unstack(pairs, axis=1)
            kept = self._over_channels(tf.gather(scale, points))
            own = tf.gather(fill, rows % tf.shape(fill, tf.int64)[0])
            at = tf.gather(images, rows) * kept + own * (1 - kept)
            at = tf.ensure_shape(at, (None, *self.input_shape))  # Keras' patches need it
            return self._explained(at, tf.gather(targets, rows))

        scale, fill = (tf.TensorSpec((None,) * (n + 1)) for n in (2, len(self.input_shape)))
        pairs = tf.TensorSpec((None, 2), tf.int64)
        return self._compiled(values, scale, fill, pairs)

    @cached_property
    def _gradients(self) -> Any:
        import tensorflow as tf

        def gradients(images: Any, targets: Any, *arrays: Any) -> Any:
            return tf.reduce_sum(self._gradients_in(images, targets, *arrays), axis=1)

        return self._compiled(gradients, *self._spec)

    @cached_property
    def _weighted_gradients(self) -> Any:
        import tensorflow as tf

        def gradients(images: Any, targets: Any, scale: Any, fill: Any, filled: Any) -> Any:
            each = self._gradients_in(images, targets, scale, fill, filled)
            return tf.reduce_sum(each * (images[:, tf.newaxis] - fill), axis=1)

        return self._compiled(gradients, *self._spec)

    @cached_property
    def _gradient_changes(self) -> Any:
        import tensorflow as tf

        def changes(
            images: Any, targets: Any, scale: Any, fill: Any, filled: Any, gradients: Any
        ) -> Any:
            each = self._gradients_in(images, targets, scale, fill, filled)
            difference = tf.abs(each - gradients[:, tf.newaxis])
            if self.kind != "image":
                difference *= self.span
            return tf.reduce_sum(difference, axis=[*range(2, len(difference.shape))])

        gradients = tf.TensorSpec((None, *self.input_shape), tf.float32)
        return self._compiled(changes, *self._spec, gradients)

    def _points(self, images: Any, scale: Any, fill: Any, filled: Any) -> Any:
        """All points of all images, (n, k, h, w[, c])."""
        import tensorflow as tf

        scale, filled = self._over_channels(scale), self._over_channels(filled)
        return images[:, tf.newaxis] * scale + fill * filled

    def _over_channels(self, scale: Any) -> Any:
        return scale if len(self.input_shape) == 2 else scale[..., None]

    def _flat(self, points: Any) -> Any:
        import tensorflow as tf

        return tf.reshape(points, (-1, *self.input_shape))

    def _repeated(self, targets: Any, scale: Any) -> Any:
        import tensorflow as tf

        return tf.repeat(targets, tf.shape(scale)[0], axis=0)

    def _explained(self, images: Any, targets: Any) -> Any:
        import tensorflow as tf

        return tf.reduce_sum(self.model(images, training=False) * targets, axis=1)

    def _gradients_in(self, images: Any, targets: Any, scale: Any, fill: Any, filled: Any) -> Any:
        """The gradient in each point, (n, k, h, w[, c])."""
        import tensorflow as tf

        points = self._flat(self._points(images, scale, fill, filled))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            explained = self._explained(points, self._repeated(targets, scale))
        gradients = tape.gradient(explained, points)
        return tf.reshape(gradients, (-1, tf.shape(scale)[0], *self.input_shape))

    # Activations

    def read(
        self, images: Floats, targets: Targets, names: tuple[str, ...], reading: Reading
    ) -> Floats:
        """``reading(activations, gradients)``, of the named activations and the gradients by them
        of what is explained, batch by batch: float32 (n, …).

        reading takes two lists of TensorFlow's tensors and is compiled once for each network.
        Raises GlassnetsError where the logits do not depend on an activation.
        """
        key = names, reading
        if key not in self._readings:
            self._readings[key] = self._compiled(self._reader(names, reading))
        program = self._readings[key]

        def part(rows: slice) -> Floats:
            values: Floats = program(images[rows], targets[rows]).numpy()
            return values

        parts = slices(len(images), self.points_at_once, even=True)
        return np.concatenate(concurrently(part, parts, compiled=True))

    def _reader(self, names: tuple[str, ...], reading: Reading) -> Callable[..., Any]:
        import keras
        import tensorflow as tf

        outputs = [self.activations[name] for name in names] + [self.model.outputs[0]]
        model = keras.Model(self.model.input, outputs)

        def read(images: Any, targets: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(images)
                *values, logits = model(images, training=False)
                explained = tf.reduce_sum(logits * targets, axis=1)
            gradients = tape.gradient(explained, values)
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
        noise = rng.uniform(0, 255, self.input_shape).astype(np.float32)
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
        return np.asarray(seen if len(self.input_shape) == 2 else seen.any(axis=-1))


def _is_attention(name: str) -> bool:
    return re.fullmatch(r"attention_\d+", name) is not None


def slices(total: int, size: int, *, even: bool = False) -> list[slice]:
    """0…total in as few slices of at most this size as possible, of nearly equal length.

    even: an even number of them where there is much to do, so that two threads have the same share;
    with one thread too, since no result may depend on their number.
    """
    count = -(-total // size)
    if even and total > size // 4:
        count = min(count + count % 2, total)
    ends = np.linspace(0, total, count + 1).astype(int).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
