"""Random sets of pixels, drawn alike where they are removed and where maps are summed over them."""

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Shape

Masks = NDArray[np.bool_]


def random_subsets(shape: Shape, count: int, fraction: float, seed: int) -> Masks:
    """Masks bool (count, h, w), each of this fraction of the pixels, at least one."""
    pixels = shape[0] * shape[1]
    chosen = np.arange(pixels) < max(1, round(fraction * pixels))
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(chosen, (count, 1)), axis=1).reshape(count, *shape)
