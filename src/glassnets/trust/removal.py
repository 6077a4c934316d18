"""What stands in the place of pixels that are removed from an image.

No choice is innocent: black is MNIST's own background, so that removing background changes
nothing; any constant leaves the outline of what was removed to be seen. Hence several baselines,
and every figure for each.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glassnets.explanations.network import Floats

Baseline = Literal["black", "mean", "blur", "noisy_linear"]
Masks = NDArray[np.bool_]

# Standard deviations: of the blur, in parts of the image's shorter side (with an eighth, networks
# still answered seven to nine of ten of digits' blurred images as before; with a quarter, one to
# four, and MNIST's no better than by chance); of the noise, in grey levels, 0.01 of the range, as
# in ROAD's own code.
BLUR = 1 / 4
NOISE = 0.01 * 255


def without(
    image: Floats, removed: Masks, baseline: Baseline, mean_image: Floats, seed: int
) -> Floats:
    """The image (h, w) without the pixels that masks (k, h, w) remove: float32 (k, h, w).

    black puts 0 in their place; mean the mean image (h, w); blur a Gaussian blur of the image
    itself, its border pixels repeated outwards; noisy_linear what ROAD interpolates from the
    pixels that are left. Noise is drawn from the seed once, the same for every image and mask;
    by it removed pixels may leave 0…255.
    """
    return np.where(removed, BASELINES[baseline](image, removed, mean_image, seed), image)


def _black(image: Floats, removed: Masks, mean_image: Floats, seed: int) -> Floats:
    return np.zeros_like(image)


def _mean(image: Floats, removed: Masks, mean_image: Floats, seed: int) -> Floats:
    return mean_image


def _blur(image: Floats, removed: Masks, mean_image: Floats, seed: int) -> Floats:
    from scipy import ndimage

    blurred: Floats = ndimage.gaussian_filter(image, BLUR * min(image.shape), mode="nearest")
    return blurred


def _noisy_linear(image: Floats, removed: Masks, mean_image: Floats, seed: int) -> Floats:
    """Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share
    an edge and 1/12 for those at a corner (the weights of those beyond the border shared out to
    the others), and noise; of an image with no pixel left, the mean image.

    Rong, Leemann, Borisov, Kasneci & Kasneci (2022), "A consistent and efficient evaluation
    strategy for attribution methods" (ROAD).
    """
    noise = NOISE * np.random.default_rng(seed).standard_normal(image.shape)
    filled = np.empty(removed.shape, np.float32)
    filled[:] = mean_image
    some_left = ~removed.all(axis=(1, 2))
    filled[some_left] = interpolated(image, removed[some_left]) + noise
    return filled


# A filling of image (h, w), masks (k, h, w), mean image and seed: (h, w) or (k, h, w).
BASELINES: dict[Baseline, Callable[[Floats, Masks, Floats, int], Floats]] = dict(
    zip(get_args(Baseline), (_black, _mean, _blur, _noisy_linear), strict=True)
)

_WEIGHTS = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12


def interpolated(image: Floats, removed: Masks) -> NDArray[np.float64]:
    """The image (h, w) with the pixels removed by each mask (k, h, w) interpolated: (k, h, w).

    One linear equation a removed pixel i, Σ_j w_ij (v_i − v_j) = 0 over its neighbours j. They
    are symmetric and positive definite as long as a pixel is left, and no farther apart than a
    row of the image, so that a banded Cholesky solves them. Kept pixels stay among the unknowns,
    v_i = x_i, for one pattern of bands.
    """
    from scipy import ndimage
    from scipy.linalg import lapack

    # A column of pixels that are never removed, so that no pair wraps around the border.
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
    # Of a pixel, the neighbours that come later, row by row: how much later, and their weight.
    later = {1: 1 / 6, width - 1: 1 / 12, width: 1 / 6, width + 1: 1 / 12}
    values = np.empty((count, pixels))
    for i in range(count):
        band = np.zeros((pixels, width + 2))  # [pixel, how much later]
        band[:, 0] = diagonal[i]
        for distance, weight in later.items():
            both = gone[i, distance:] & gone[i, :-distance]
            band[:-distance, distance] = -weight * both
        _, values[i], info = lapack.dpbsv(band.T, right[i], lower=1, overwrite_ab=1)
        assert info == 0, "some pixel is left"
    return values.reshape(removed.shape)[..., :-1]
