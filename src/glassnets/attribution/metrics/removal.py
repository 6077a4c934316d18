"""Removals: pixels are taken out of an image, and a reference, or ROAD's interpolation from the
pixels that are left, stands in their place. Which one does so decides much of a score, hence
several removals, and a score for each.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.network import Explained, Floats
from glassnets.attribution.references import RemovedBy, blurred, with_padding

Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Filling:
    """What removed pixels are filled with: by training images of the network and by its blur;
    noise, the standard deviation of noisy_linear's, of the range 0…255; draws, how many training
    images; and the seed of noise and draws."""

    network: Explained
    noise: float
    draws: int
    seed: int


def without(image: Floats, removed: Masks, by: RemovedBy, filling: Filling) -> Floats:
    """The image (h, w[, c]) without the pixels that masks (k, h, w) remove: float32 (d, k, h, w[,
    c]). Padded steps of a series stay.

    In their place: black, 0; mean, the mean training image; blur, a Gaussian blur of the image
    itself; draws, d training images, drawn for each image by itself; noisy_linear, ROAD's
    interpolation from the remaining pixels. d is 1 but for draws. Noise is drawn once, the same for
    every image and mask; with it removed pixels may leave 0…255.
    """
    filled = _filled(image, removed, by, filling)
    if filling.network.masked:
        filled = with_padding(filling.network, image, filled)
    return np.where(removed if image.ndim == 2 else removed[..., np.newaxis], filled, image)


def _filled(image: Floats, removed: Masks, by: RemovedBy, filling: Filling) -> Floats:
    """float32 (d, 1 or k, h, w[, c])."""
    network = filling.network
    match by:
        case "black":
            return np.zeros((1, 1, *image.shape), np.float32)
        case "mean":
            return network.mean_image[np.newaxis, np.newaxis]
        case "blur":
            return blurred(image, network.blur)[np.newaxis, np.newaxis]
        case "draws":
            assert network.references is not None
            digest = hashlib.sha256(image.tobytes()).digest()
            rng = np.random.default_rng([filling.seed, *digest])
            drawn = rng.integers(len(network.references), size=filling.draws)
            return network.references[drawn][:, np.newaxis].astype(np.float32)
        case _:
            return _noisy_linear(image, removed, filling)[np.newaxis]


def _noisy_linear(image: Floats, removed: Masks, filling: Filling) -> Floats:
    """Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share
    an edge and 1/12 for those at a corner (at the border, rescaled to a sum of 1), and noise; of an
    image with no pixel left, the mean image.

    Rong, Leemann, Borisov, Kasneci & Kasneci (2022), "A consistent and efficient evaluation
    strategy for attribution methods" (ROAD).
    """
    rng = np.random.default_rng(filling.seed)
    noise = filling.noise * filling.network.span * rng.standard_normal(image.shape)
    filled = np.empty((len(removed), *image.shape), np.float32)
    filled[:] = filling.network.mean_image
    some_left = ~removed.all(axis=(1, 2))
    channels = [image] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    each = [interpolated(channel, removed[some_left]) for channel in channels]
    filled[some_left] = (each[0] if image.ndim == 2 else np.stack(each, axis=-1)) + noise
    return filled


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
