"""The digits that ship inside scikit-learn: 1,797 images of 8×8, no network needed.

Test part of UCI's "Optical recognition of handwritten digits" (Alpaydin & Kaynak 1998, CC BY 4.0).
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from glassnets.data import Arrays


def load(external: Path) -> Arrays:
    """The images' 0…16 counts of set pixels, scaled to 0…255 uint8 and rounded."""
    digits = load_digits()
    return {
        "images": np.rint(digits.images * (255 / 16)).astype(np.uint8),
        "labels": digits.target.astype(np.uint8),
    }
