"""Random changes of training images: affine maps and elastic deformation."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Augmentation


def augment(
    images: Any, augmentation: Augmentation, seed: tuple[Any, Any], share: Any = 1.0
) -> Any:
    """The first of the images, each under a random affine map about its centre and, where that is
    asked for, a random elastic deformation; bilinear, black beyond the edge. The others as they
    are, which costs nothing.

    images: float32 (b, h, w) or (b, h, w, channels), as what is returned.
    augmentation: the largest affine change, and the deformation.
    seed: a pair of integers, on which alone the draw depends.
    share: 0 to 1, of the images that are changed. It grows in training, as the strength of the
    change does with Tan & Le (2021), "EfficientNetV2", section 4.
    """
    import tensorflow as tf

    changed = tf.cast(tf.round(share * tf.cast(tf.shape(images)[0], tf.float32)), tf.int32)
    moved = _augmented(images[:changed], augmentation, tf.stack([*map(_int64, seed)]))
    return tf.concat([moved, images[changed:]], axis=0)


def _augmented(images: Any, augmentation: Augmentation, seed: Any) -> Any:
    import tensorflow as tf

    count = tf.shape(images)[0]
    height, width = images.shape[1:3]
    grey = len(images.shape) == 3
    draw = tf.random.stateless_uniform((count, 5), seed, -1, 1)
    angle = draw[:, 0] * math.radians(augmentation.rotation)
    scale = 1 + draw[:, 1] * augmentation.scale
    shear = draw[:, 2] * augmentation.shear
    down = draw[:, 3] * augmentation.shift * height
    right = draw[:, 4] * augmentation.shift * width
    # The map from output to input pixels, (x, y) ↦ (a·x + b·y + c, d·x + e·y + f), is made of a
    # shear, a scaling and a rotation about the centre, then a shift.
    a, b = scale * tf.cos(angle), scale * (shear * tf.cos(angle) - tf.sin(angle))
    d, e = scale * tf.sin(angle), scale * (shear * tf.sin(angle) + tf.cos(angle))
    x, y = (width - 1) / 2, (height - 1) / 2
    c, f = x - a * x - b * y + right, y - d * x - e * y + down
    channels = images[..., tf.newaxis] if grey else images
    if augmentation.elastic is None:
        zero = tf.zeros_like(a)
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=channels,
            transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
            output_shape=(height, width),
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        )
    else:
        a, b, c, d, e, f = (number[:, tf.newaxis, tf.newaxis] for number in (a, b, c, d, e, f))
        rows, columns = (tf.constant(grid) for grid in np.indices((height, width), np.float32))
        by = displacements(
            tf.random.experimental.stateless_fold_in(seed, 1),  # another draw than the map's
            (count, height, width),
            augmentation.elastic.alpha,
            augmentation.elastic.sigma,
        )
        moved = _at(
            channels, d * columns + e * rows + f + by[0], a * columns + b * rows + c + by[1]
        )
    return moved[..., 0] if grey else moved


def displacements(seed: Any, shape: tuple[Any, int, int], alpha: Any, sigma: float) -> Any:
    """Of the pixels of images of this shape (b, h, w), down and right, in pixels: float32 (2, b, h,
    w).

    Uniform numbers in ±1, smoothed by a Gaussian of standard deviation sigma in pixels, times
    alpha: Simard, Steinkraus & Platt (2003), "Best practices for convolutional neural networks
    applied to visual document analysis", section 2. What is beyond the edge counts as 0.
    """
    import tensorflow as tf

    down, across = (tf.constant(_smoothing(size, sigma)) for size in shape[1:])
    noise = tf.random.stateless_uniform((2, *shape), seed, -1, 1)
    return alpha * tf.matmul(down, tf.matmul(noise, across))


def _smoothing(size: int, sigma: float) -> NDArray[np.float32]:
    """The Gaussian's weights of pixel j for pixel i, float32 (size, size), symmetric."""
    far = math.ceil(10 * sigma)  # weights beyond are 0 in float32
    total = np.exp(-(np.arange(-far, far + 1) ** 2) / (2 * sigma**2)).sum()
    place = np.arange(size)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2)) / total
    smoothing: NDArray[np.float32] = weights.astype(np.float32)
    return smoothing


def _at(images: Any, rows: Any, columns: Any) -> Any:
    """Images (b, h, w, channels) at the places (rows, columns), each (b, h, w): the bilinear mean
    of the four pixels around, those beyond the edge black."""
    import tensorflow as tf

    count, (height, width, channels) = tf.shape(images)[0], images.shape[1:]
    # With a border of black pixels; a place beyond it is as good as on it.
    flat = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), (-1, channels))
    rows = tf.clip_by_value(rows + 1, 0.0, height + 1.0)
    columns = tf.clip_by_value(columns + 1, 0.0, width + 1.0)
    above = tf.minimum(tf.floor(rows), float(height))
    left = tf.minimum(tf.floor(columns), float(width))
    down, right = ((rows - above)[..., tf.newaxis], (columns - left)[..., tf.newaxis])
    first = tf.cast(above, tf.int32) * (width + 2) + tf.cast(left, tf.int32)
    first += tf.reshape(tf.range(count) * (height + 2) * (width + 2), (-1, 1, 1))

    def across(row: Any) -> Any:
        return tf.gather(flat, row) * (1 - right) + tf.gather(flat, row + 1) * right

    return across(first) * (1 - down) + across(first + width + 2) * down


def _int64(number: Any) -> Any:
    import tensorflow as tf

    return tf.cast(number, tf.int64)
