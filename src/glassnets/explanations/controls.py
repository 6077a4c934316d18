"""Maps that know nothing of the network: what a method must beat to be worth reading."""

import hashlib

import numpy as np

from glassnets.explanations.method import Options, method
from glassnets.explanations.network import Explained, Floats, Targets


@method()
def random_map(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """Independent standard normal pixels, drawn anew for each image from the seed and the image's
    own pixels, so equal images have equal maps wherever they stand.
    """
    maps = np.empty(images.shape, np.float32)
    for image, drawn in zip(images, maps, strict=True):
        digest = hashlib.sha256(image.tobytes()).digest()
        rng = np.random.default_rng([seed, *digest])
        rng.standard_normal(out=drawn, dtype=np.float32)
    return maps


@method()
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


@method()
def image_itself(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """x: bright pixels count, whatever the network does with them."""
    return images
