"""Controls: maps that do not depend on the network. A method must score above each of those that
take the same reference as it, or none.
"""

import hashlib
from typing import Literal

import numpy as np

from glassnets.attribution.methods.method import Need, Options, Referenced, method
from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.attribution.references import fills


@method(control=True)
def random_map(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """Independent standard normal numbers. Each image's are drawn from the seed and a digest of the
    image, so that a map does not depend on the other images.
    """
    maps = np.empty(images.shape[:3], np.float32)
    for image, drawn in zip(images, maps, strict=True):
        digest = hashlib.sha256(image.tobytes()).digest()
        rng = np.random.default_rng([seed, *digest])
        rng.standard_normal(out=drawn, dtype=np.float32)
    return maps


@method(need=Need.NEIGHBOURS, control=True)
def edges(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """√(Gx² + Gy²) of Sobel's derivatives (Sobel & Feldman 1968), the border pixels repeated; of
    the sum of the channels."""
    from scipy import ndimage

    def magnitude(image: Floats) -> Floats:
        across, down = (ndimage.sobel(image, axis=axis, mode="nearest") for axis in (1, 0))
        length: Floats = np.hypot(across, down)
        return length

    grey = network.of_players(images)
    return np.stack([magnitude(image) for image in grey])  # sobel smooths along every axis


class OfOneImage(Referenced):
    reference: Literal["black", "mean", "blur"] = "black"  # for draws, the mean image stands


@method(OfOneImage, control=True)
def difference(
    network: Explained, images: Floats, targets: Targets, options: OfOneImage, seed: int
) -> Floats:
    """x − r; with black, the image itself."""
    fill = fills(network, images, options.reference, 1, seed)[:, 0]
    return network.of_players((images - fill) / network.unit)


class AbsoluteDifference(Referenced):
    reference: Literal["mean", "blur"] = "mean"  # with black it is `difference`


@method(AbsoluteDifference, control=True)
def absolute_difference(
    network: Explained, images: Floats, targets: Targets, options: AbsoluteDifference, seed: int
) -> Floats:
    """|x − r|."""
    fill = fills(network, images, options.reference, 1, seed)[:, 0]
    return network.of_players(np.abs(images - fill) / network.unit)


@method(OfOneImage, Need.LABELS, control=True)
def class_template(
    network: Explained, images: Floats, targets: Targets, options: OfOneImage, seed: int
) -> Floats:
    """(c − r) ⊙ (x − r), c the mean training image of the class; of two classes, the difference."""
    fill = fills(network, images, options.reference, 1, seed)[:, 0]
    weight: Floats = targets.sum(axis=1).reshape(-1, *(1 for _ in network.input_shape))
    template = np.tensordot(targets, network.class_means, 1) - weight * fill
    return network.of_players(template / network.unit * ((images - fill) / network.unit))


@method(OfOneImage, Need.LABELS, control=True)
def linear_classifier(
    network: Explained, images: Floats, targets: Targets, options: OfOneImage, seed: int
) -> Floats:
    """w ⊙ (x − r), w the class' weights of ridge regression from training images to classes."""
    fill = fills(network, images, options.reference, 1, seed)[:, 0]
    weights: Floats = np.tensordot(targets, network.linear_weights, 1)
    return network.of_players(weights * ((images - fill) / network.unit))


@method(need=Need.LABELS, control=True)
def nearest_other_class(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """x − z, z the nearest training image (Euclidean distance, of equals the first) of another
    class, or of the class that the target is contrasted with.
    """
    assert network.references is not None
    assert network.labels is not None
    # Sums of squares of grey levels are whole numbers below 2⁵³, so exact in any order.
    pool, rows = (
        (each.astype(np.float64) / network.unit).reshape(len(each), -1)
        for each in (network.references, images)
    )
    distances = (pool**2).sum(axis=1) - 2 * rows @ pool.T  # (n, m), less the image's own norm
    of_label = targets[:, network.labels]  # the label's weight in what is explained
    contrasted = (targets < 0).any(axis=1, keepdims=True)
    distances[np.where(contrasted, of_label >= 0, of_label > 0)] = np.inf
    nearest: Floats = network.references[distances.argmin(axis=1)].astype(np.float32)
    return network.of_players((images - nearest) / network.unit)
