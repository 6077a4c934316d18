"""What is often wrong with data: rows that lie there twice, or nearly so."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.data import Arrays

_LOOKED_AT = 2000  # rows whose nearest other row is sought
_MAX_COMPARED, _MAX_BYTES = 100_000, 2**27  # rows, the first ones, of at most so much memory
_BLOCK = 20_000  # rows compared at a time
_NEAR = 1e-3  # squared distance, in parts of the median between two rows
_SIDE = 16  # cells along a side of what is compared of a picture


def digests(images: NDArray[Any]) -> list[bytes]:
    """A digest of each row's content, equal where rows are."""
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in images]


def duplicates(arrays: Arrays, units: str) -> tuple[list[str], list[str]]:
    """A line and warnings on rows with the same content as an earlier one."""
    seen: dict[bytes, int] = {}
    repeated = contradicting = 0
    for content, label in zip(digests(arrays["images"]), arrays["labels"].tolist(), strict=True):
        if content in seen:
            repeated += 1
            contradicting += seen[content] != label
        else:
            seen[content] = label
    total = len(arrays["labels"])
    warnings = []
    if repeated > 0.01 * total:
        warnings.append(
            f"duplicates: {repeated:,} of {total:,} {units} are equal to an earlier one, so test "
            "parts hold what was trained on: take them out, or name a column with --group"
        )
    if contradicting:
        warnings.append(
            f"labels: {contradicting:,} {units} are equal to an earlier one of another class"
        )
    return [f"{repeated:,} equal to an earlier one" if repeated else "none"], warnings


def near_duplicates(arrays: Arrays, units: str) -> list[str]:
    """Warnings on rows that hardly differ from another, as frames of one film do, equal ones left
    out. Of large data, 2,000 rows are looked at."""
    contents = digests(arrays["images"])
    most = min(_MAX_COMPARED, _MAX_BYTES // arrays["images"][0].nbytes)
    _, distinct = np.unique(np.array(contents, "S16"), return_index=True)
    features = _features(arrays["images"][np.sort(distinct)[:most]])
    if len(features) < 10 or features.shape[1] < 8:
        return []
    rows = np.random.default_rng(0).permutation(len(features))[:_LOOKED_AT]
    nearest = np.full(len(rows), np.inf, np.float32)
    squares = (features**2).sum(axis=1)
    typical = float(np.median(_distances(features, squares, rows[:200], slice(0, 2000))))
    for start in range(0, len(features), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(features)))
        distances = _distances(features, squares, rows, block)
        inside = np.flatnonzero((rows >= block.start) & (rows < block.stop))
        distances[inside, rows[inside] - block.start] = np.inf  # the row itself
        nearest = np.minimum(nearest, distances.min(axis=1))
    near = int((nearest < _NEAR * typical).sum())
    if not near or near < 0.005 * len(rows):
        return []
    return [
        f"near-duplicates: {near:,} of {len(rows):,} {units} looked at hardly differ from another "
        "(frames of a film, copies?): test parts may hold what was trained on; --group keeps "
        "those of a group in one part"
    ]


def _distances(
    features: NDArray[np.float32], squares: NDArray[np.float32], rows: Any, block: slice
) -> NDArray[np.float32]:
    """Squared distances (rows, block)."""
    products = features[rows] @ features[block].T
    distances: NDArray[np.float32] = squares[rows, None] + squares[None, block] - 2 * products
    return distances


def _features(images: NDArray[Any]) -> NDArray[np.float32]:
    """float32 (n, at most some hundreds): means over cells of the grid, of each channel, in units
    of their own standard deviation over all rows where channels differ in kind."""
    n, height, width = images.shape[:3]
    channels = images.reshape(n, height, width, -1)
    sides = [
        np.linspace(0, size, min(size, _SIDE if height > 1 else 128) + 1)
        for size in (height, width)
    ]
    rows, columns = (np.unique(side.astype(int))[:-1] for side in sides)
    features = np.empty((n, len(rows) * len(columns) * channels.shape[-1]), np.float32)
    for start in range(0, n, 1000):
        part = np.nan_to_num(channels[start : start + 1000].astype(np.float32))
        sums = np.add.reduceat(np.add.reduceat(part, rows, axis=1), columns, axis=2)
        features[start : start + 1000] = sums.reshape(len(part), -1)
    features -= features.mean(axis=0)
    scale = features.std()
    return features / scale if scale else features
