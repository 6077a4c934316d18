"""Controls: maps that do not depend on the network. A method must score above each of them."""

import hashlib

import numpy as np

from glassnets.attribution.methods.method import Options, method
from glassnets.attribution.network import Explained, Floats, Targets


@method(control=True)
def random_map(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """Independent standard normal pixels. Each image's are drawn from the seed and a digest of the
    image, so that a map does not depend on the other images.
    """
    maps = np.empty(images.shape, np.float32)
    for image, drawn in zip(images, maps, strict=True):
        digest = hashlib.sha256(image.tobytes()).digest()
        rng = np.random.default_rng([seed, *digest])
        rng.standard_normal(out=drawn, dtype=np.float32)
    return maps


@method(control=True)
def edges(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """√(Gx² + Gy²) of Sobel's derivatives (Sobel & Feldman 1968), the border pixels repeated."""
    from scipy import ndimage

    def magnitude(image: Floats) -> Floats:
        across, down = (ndimage.sobel(image, axis=axis, mode="nearest") for axis in (1, 0))
        length: Floats = np.hypot(across, down)
        return length

    return np.stack([magnitude(image) for image in images])  # sobel smooths along every axis


@method(control=True)
def image_itself(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """x: the brightness of the pixels."""
    return images
