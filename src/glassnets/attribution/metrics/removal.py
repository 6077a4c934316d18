"""References: what stands in the place of pixels that are removed from an image.

Every choice has a bias: black is MNIST's own background, so that removing background changes
nothing; a constant leaves the outline of what is removed visible. Hence several references, and
a score for each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.network import Floats
from glassnets.config.schema import Removal

Reference = Literal["black", "mean", "blur", "noisy_linear"]
Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Filling:
    """What removed pixels are filled with: the mean image (h, w) of the training part, the
    standard deviations of blur and noise, and the seed of the noise."""

    mean_image: Floats
    removal: Removal
    seed: int


def without(image: Floats, removed: Masks, reference: Reference, filling: Filling) -> Floats:
    """The image (h, w) without the pixels that masks (k, h, w) remove: float32 (k, h, w).

    In their place: black, 0; mean, the mean image; blur, a Gaussian blur of the image itself, its
    border pixels repeated outwards; noisy_linear, ROAD's interpolation from the remaining pixels.
    Noise is drawn once, the same for every image and mask; with it removed pixels may leave 0…255.
    """
    return np.where(removed, REFERENCES[reference](image, removed, filling), image)


def _black(image: Floats, removed: Masks, filling: Filling) -> Floats:
    return np.zeros_like(image)


def _mean(image: Floats, removed: Masks, filling: Filling) -> Floats:
    return filling.mean_image


def _blur(image: Floats, removed: Masks, filling: Filling) -> Floats:
    from scipy import ndimage

    deviation = filling.removal.blur * min(image.shape)
    blurred: Floats = ndimage.gaussian_filter(image, deviation, mode="nearest")
    return blurred


def _noisy_linear(image: Floats, removed: Masks, filling: Filling) -> Floats:
    """Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share
    an edge and 1/12 for those at a corner (at the border, rescaled to a sum of 1), and noise; of an
    image with no pixel left, the mean image.

    Rong, Leemann, Borisov, Kasneci & Kasneci (2022), "A consistent and efficient evaluation
    strategy for attribution methods" (ROAD).
    """
    rng = np.random.default_rng(filling.seed)
    noise = filling.removal.noise * 255 * rng.standard_normal(image.shape)
    filled = np.empty(removed.shape, np.float32)
    filled[:] = filling.mean_image
    some_left = ~removed.all(axis=(1, 2))
    filled[some_left] = interpolated(image, removed[some_left]) + noise
    return filled


# A filling of image (h, w), masks (k, h, w): (h, w) or (k, h, w).
REFERENCES: dict[Reference, Callable[[Floats, Masks, Filling], Floats]] = dict(
    zip(get_args(Reference), (_black, _mean, _blur, _noisy_linear), strict=True)
)

_WEIGHTS = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12


def interpolated(image: Floats, removed: Masks) -> NDArray[np.float64]:
    """The image (h, w) with the pixels removed by each mask (k, h, w) interpolated: (k, h, w).

    One linear equation a removed pixel i, Σ_j w_ij (v_i − v_j) = 0 over its neighbours j. The
    matrix is symmetric, positive definite as long as a pixel is left, and its bandwidth is that of
    a row of the image: a banded Cholesky decomposition solves it. Kept pixels stay among the
    unknowns, v_i = x_i, so that all masks share one pattern of bands.
    """
    from scipy import ndimage
    from scipy.linalg import lapack

    # A column of pixels that are never removed separates the end of a row from the next one.
    removed = np.pad(removed, ((0, 0), (0, 0), (0, 1)))
    count, height, width = removed.shape
    inside = np.pad(np.ones(image.shape), ((0, 0), (0, 1)))
    shown = np.where(removed, 0, np.pad(image, ((0, 0), (0, 1))))
    near = ndimage.convolve(shown, _WEIGHTS[np.newaxis], mode="constant")
    degree = ndimage.convolve(inside, _WEIGHTS, mode="constant")
    pixels = height * width
    right = np.where(removed, near, shown).reshape(count, pixels)
    diagonal = np.where(removed, degree, 1).reshape(count, pixels)
    gone = removed.reshape(count, pixels)
    # Of a pixel's neighbours, those that follow it row by row: at which distance, and the weight.
    later = {1: 1 / 6, width - 1: 1 / 12, width: 1 / 6, width + 1: 1 / 12}
    values = np.empty((count, pixels))
    for i in range(count):
        band = np.zeros((pixels, width + 2))  # [pixel, distance]
        band[:, 0] = diagonal[i]
        for distance, weight in later.items():
            both = gone[i, distance:] & gone[i, :-distance]
            band[:-distance, distance] = -weight * both
        _, values[i], info = lapack.dpbsv(band.T, right[i], lower=1, overwrite_ab=1)
        assert info == 0, "some pixel is left"
    return values.reshape(removed.shape)[..., :-1]
