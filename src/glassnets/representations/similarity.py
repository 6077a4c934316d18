"""How alike two representations are, from their Gram matrices over the same images.

A representation X, (n, p), is a layer's responses to n images; all measures take K = X Xᵀ, (n, n),
X centred. So they do not depend on a rotation of its axes, and (but for the matrix of
dissimilarities itself) not on its scale.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def gram(features: NDArray[Any]) -> Floats:
    """The Gram matrix of centred features (n, …), float64 (n, n), scaled to a mean of 1 on its
    diagonal; of features that are all the same, zeros."""
    flat = features.reshape(len(features), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    products = flat @ flat.T
    scale = np.trace(products) / len(flat)
    scaled: Floats = products / scale if scale > 0 else np.zeros_like(products)
    return scaled


def centred(matrix: Floats) -> Floats:
    """The matrix without the means of its rows and columns."""
    rows, columns = matrix.mean(axis=1, keepdims=True), matrix.mean(axis=0)
    without: Floats = matrix - rows - columns + matrix.mean()
    return without


def u_centred(matrix: Floats) -> Floats:
    """The matrix with a diagonal of 0 and rows and columns that sum to 0 beside it, whose inner
    products are unbiased estimates. Székely & Rizzo (2014), "Partial distance correlation with
    methods for dissimilarities"."""
    n = len(matrix)
    off = matrix - np.diag(np.diag(matrix))
    rows = off.sum(axis=1)
    result: Floats = off - (rows[:, np.newaxis] + rows) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(result, 0)
    return result


def dissimilarities(matrix: Floats) -> Floats:
    """The squared distances of every two images, float64 (n(n − 1)/2,): the upper triangle of the
    representational dissimilarity matrix, row by row."""
    diagonal = np.diag(matrix)
    rows, columns = np.triu_indices(len(matrix), 1)
    distances: Floats = diagonal[rows] + diagonal[columns] - 2 * matrix[rows, columns]
    return distances


def _ranks(matrix: Floats) -> Floats:
    """The ranks of the dissimilarities, less their mean, at both places of each pair."""
    # Distances that differ by rounding alone count as the same.
    ranks = rankdata(np.round(dissimilarities(matrix), 6))
    result = np.zeros_like(matrix)
    result[np.triu_indices(len(matrix), 1)] = ranks - ranks.mean()
    whole: Floats = result + result.T
    return whole


# Measures that are a cosine of two matrices (n, n), each made of one Gram matrix: so all pairs of
# many representations are one product, and a shuffle of images a shuffle of rows and columns.
COSINES: Mapping[str, Callable[[Floats], Floats]] = {
    "cka": u_centred,
    "cka_biased": centred,
    "rdm": _ranks,
}
MEASURES = (*COSINES, "procrustes")


def directions(grams: Iterable[NDArray[Any]], measure: str) -> Floats:
    """Each representation as a matrix of length 1, float64 (m, n, n), by whose inner products a
    measure of `COSINES` compares them; zeros for one that is the same for all images.

    - ``cka``: linear centred kernel alignment, 1 for the same up to rotation and scale; its inner
      products are unbiased, so that unrelated representations have 0 in expectation however wide
      they are. Kornblith, Norouzi, Lee & Hinton (2019), "Similarity of neural network
      representations revisited", §3; debiased as in Song et al. (2012).
    - ``cka_biased``: as there, §3. It grows with the width of unrelated representations.
    - ``rdm``: Spearman's correlation of the matrices of dissimilarities. Kriegeskorte, Mur &
      Bandettini (2008), "Representational similarity analysis".
    """
    matrices = np.stack([COSINES[measure](matrix.astype(np.float64)) for matrix in grams])
    lengths = np.sqrt((matrices**2).sum(axis=(1, 2), keepdims=True))
    np.divide(matrices, lengths, out=matrices, where=lengths > 0)
    return matrices


def table(grams: Iterable[NDArray[Any]], measure: str) -> Floats:
    """The similarity, by a measure of `COSINES`, of every two of m Gram matrices (n, n) over the
    same images: float64 (m, m)."""
    matrices = directions(grams, measure)
    flat = matrices.reshape(len(matrices), -1)
    similarities: Floats = flat @ flat.T
    return similarities


def root(matrix: NDArray[Any]) -> Floats:
    """A matrix A, float64 (n, r), with A Aᵀ the Gram matrix, of rank r: the representation up to a
    rotation."""
    vectors, values, _ = np.linalg.svd(centred(matrix.astype(np.float64)))
    kept = values > 1e-6 * values[0]  # the rest is the rounding of float32
    factor: Floats = vectors[:, kept] * np.sqrt(values[kept])
    return factor


def procrustes(one: Floats, other: Floats) -> float:
    """The angle between two representations after the best rotation of one onto the other, in
    0…π/2: 0 for the same up to rotation and scale.

    arccos(‖XᵀY‖_*/(‖X‖·‖Y‖)). one, other: `root`'s (n, …). Williams, Kunz, Kornblith & Linderman
    (2021), "Generalized shape metrics on neural representations", §2.
    """
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    aligned = np.linalg.svd(one.T @ other, compute_uv=False).sum()
    lengths = np.sqrt((one**2).sum() * (other**2).sum())
    return float(np.arccos(np.clip(aligned / lengths, -1, 1))) if lengths > 0 else np.pi / 2
