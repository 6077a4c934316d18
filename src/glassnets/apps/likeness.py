"""Whether a picture of handwriting is like the images that networks learnt from: they predict a
class for any picture, a rotated digit or a scribble too."""

import numpy as np
from numpy.typing import NDArray

_SIDE = 8  # to which images are reduced by means, so that a shift of a pixel counts for little
_KNOWN, _HELD = (
    10_000,
    500,
)  # training images that a picture is compared with; and that say how near
_SHARE = 0.99  # of training images count as like the others


class Likeness:
    """How near to its nearest training image a picture is, by the cosine of their grey levels."""

    def __init__(self, images: NDArray[np.uint8], margin: float = 1) -> None:
        """images: training images (n, h, w), n at least 2. margin: how many times further away than
        99 % of training images are from the others a picture may be."""
        held = images[:: max(2, -(-len(images) // _HELD))]
        known = np.delete(images, np.s_[:: max(2, -(-len(images) // _HELD))], axis=0)
        self._known = _directions(known[:: -(-len(known) // _KNOWN)])
        self.limit = margin * float(np.quantile(self._distances(held), _SHARE))

    def unlike(self, image: NDArray[np.uint8]) -> bool:
        """Whether an image (h, w) is further away than the limit."""
        return bool(self._distances(image[np.newaxis])[0] > self.limit)

    def _distances(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """1 less the cosine with the nearest known image, of images (n, h, w)."""
        distances: NDArray[np.float32] = 1 - (_directions(images) @ self._known.T).max(axis=1)
        return distances


def _directions(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Vectors (n, k) of length 1, of an image that is all black 0."""
    by = -(-max(images.shape[1:]) // _SIDE)
    padded = np.pad(images, ((0, 0), *((0, -side % by) for side in images.shape[1:])))
    n, height, width = padded.shape
    blocks = padded.reshape(n, height // by, by, width // by, by).astype(np.float32)
    vectors = blocks.mean(axis=(2, 4)).reshape(n, -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: NDArray[np.float32] = vectors / np.where(lengths > 0, lengths, 1)
    return directions
