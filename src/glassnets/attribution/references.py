"""References: what stands in the place of an absent pixel, for methods and for metrics alike.

Every choice has a bias: black is the background of a digit, so that to hide background changes
nothing; the mean image and a blur leave the outline of what is hidden; draws are other digits. So
the reference is a factor of every attribution and of every score, never a hidden option.
"""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Reference

if TYPE_CHECKING:
    from glassnets.attribution.network import Explained

Floats = NDArray[np.float32]

# What takes the place of removed pixels in a metric: see `metrics.removal`.
RemovedBy = Reference | Literal["noisy_linear"]
REMOVALS: tuple[RemovedBy, ...] = (*get_args(Reference), "noisy_linear")
OF_OTHERS = "_of_others"  # ends the name of a score of other networks' maps, judged by a network
FROM_TRAINING: tuple[Reference, ...] = ("mean", "draws")  # need training images


def fills(
    network: "Explained", images: Floats, reference: Reference, draws: int, seed: int
) -> Floats:
    """What stands for absent pixels of images (n, h, w[, c]): float32 (n or 1, d, h, w[, c]), 1
    where it is the same for every image. Padded steps of a series keep what they have.

    network: its training images, for mean and draws, and the width of its blur.
    reference: black, grey level 0; mean, the mean training image; blur, a Gaussian blur of the
    image itself; draws, training images drawn at random, over which a method averages.
    draws, seed: how many of them, and of what seed; d is 1 for the other references.
    """
    match reference:
        case "black":
            fill = np.zeros((1, 1, *network.input_shape), np.float32)
        case "blur":
            fill = np.stack([blurred(image, network.blur) for image in images])[:, np.newaxis]
        case "mean":
            fill = network.mean_image[np.newaxis, np.newaxis]
        case "draws":
            assert network.references is not None  # a need of the reference: see `Method.lacks`
            drawn = np.random.default_rng(seed).integers(len(network.references), size=draws)
            fill = network.references[drawn][np.newaxis].astype(np.float32)
    return with_padding(network, images[:, np.newaxis], fill) if network.masked else fill


def with_padding(network: "Explained", images: Floats, fill: Floats) -> Floats:
    """Of series of different lengths: fill (…, h, w, c) with the steps that the images (…, h, w, c)
    have, its own mean where fill has none, and the images' where the images have none."""
    mean = network.mean_image
    filled = np.where(fill[..., -1:] > 0, fill, mean)
    filled[..., -1] = 1
    whole: Floats = np.where(images[..., -1:] > 0, filled, images).astype(np.float32)
    return whole


def blurred(image: Floats, width: float) -> Floats:
    """A Gaussian blur of an image (h, w), or of each channel of one (h, w, c), its border pixels
    repeated outwards; width is the standard deviation in parts of the shorter side, which a series,
    of height 1, has in its length."""
    from scipy import ndimage

    side = min((side for side in image.shape[:2] if side > 1), default=1)
    deviation = [width * side] * 2 + [0] * (image.ndim - 2)
    smooth: Floats = ndimage.gaussian_filter(image, deviation, mode="nearest")
    return smooth
