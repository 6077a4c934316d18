"""Methods that hide parts of the image and compare f, what is explained; they need no gradient. A
hidden pixel takes the value of the reference.
"""

import math
from itertools import product
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from glassnets.attribution.methods.method import Need, Referenced, method
from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.attribution.references import fills
from glassnets.config.schema import Positive, ProperFraction, Shape
from glassnets.errors import ParameterError


class Occlusion(Referenced):
    patch_size: Positive = 4
    stride: Positive = 2
    draws: Positive = 5


@method(Occlusion)
def occlusion(
    network: Explained, images: Floats, targets: Targets, options: Occlusion, seed: int
) -> Floats:
    """f(x) − f(x without a patch), mean over the patches that cover a pixel.

    Zeiler & Fergus (2014), "Visualizing and understanding convolutional networks", §4.2. Patches
    are `stride` pixels apart; the last of a row or column ends with the image. With a stride of 1
    they lie on no grid. A patch whose pixels all equal the reference changes nothing and costs no
    pass.
    """
    hidden = windows(network.image_shape, options.patch_size, options.stride)
    fill = fills(network, images, options.reference, options.draws, seed)
    intact = network.explained(images, targets)
    drops = np.zeros((len(images), len(hidden)), np.float32)
    for draw in range(fill.shape[1]):
        own = fill[:, draw : draw + 1]
        differs = network.of_players(images != own[:, 0]).astype(np.float32)
        pairs = np.argwhere(np.tensordot(differs, hidden, ((1, 2), (1, 2))) > 0)  # image, patch
        values = network.values_of_pairs(images, targets, 1 - hidden, own, pairs)
        drops[tuple(pairs.T)] += intact[pairs[:, 0]] - values
    maps: Floats = np.tensordot(drops / fill.shape[1], hidden / hidden.sum(axis=0), 1)
    return maps


def windows(shape: Shape, size: int, stride: int) -> Floats:
    """Masks float32 (k, h, w), 1 in a square window, or of one row where the image has one, that
    together cover the image."""
    if size > min((side for side in shape if side > 1), default=1) or stride > size:
        raise ParameterError(
            f"occlusion: patch_size, stride: expected patches within {shape[0]}×{shape[1]} pixels "
            f"and no farther apart than their size, got {size}, {stride}"
        )
    rows, columns = (
        sorted({*range(0, side - size, stride), side - min(size, side)}) for side in shape
    )
    masks = np.zeros((len(rows) * len(columns), *shape), np.float32)
    for mask, (row, column) in zip(masks, product(rows, columns), strict=True):
        mask[row : row + size, column : column + size] = 1
    return masks


class Rise(Referenced):
    masks: Positive = 2000
    grid: Annotated[int, Field(gt=1, le=1000)] = 7  # cells a side of a mask before enlarging
    probability: ProperFraction = 0.5  # that a cell is kept


@method(Rise, Need.NEIGHBOURS)
def rise(network: Explained, images: Floats, targets: Targets, options: Rise, seed: int) -> Floats:
    """Σ_k (f_k − f̄)·m_k / Σ_k m_k, f_k = f(m_k ⊙ x + (1 − m_k) ⊙ r), f̄ their mean, m_k random
    smooth masks, the same for every image; with draws, each mask has a draw of its own.

    Petsiuk, Das & Saenko (2018), "RISE: randomized input sampling for explanation of black-box
    models", eq. 6, with the masks' own mean in the place of E[m]. f is a logit, which is defined
    only up to a constant, not a probability: so the mean over the masks is subtracted, and a
    network whose logit is constant gets a map of zeros. The order of the pixels is as in eq. 6.
    """
    rng = np.random.default_rng(seed)
    cells = rng.random((options.masks, options.grid, options.grid)) < options.probability
    sides = [math.ceil(side / options.grid) for side in network.image_shape]
    masks = enlarged(cells, rng.integers(sides, size=(options.masks, 2)), network.image_shape)
    fill = fills(network, images, options.reference, options.masks, seed)
    values = network.values(images, targets, masks, fill)
    total = masks.sum(axis=0)
    if not total.all():
        raise ParameterError(
            f"rise: masks: expected enough to keep every pixel in one of them, got {options.masks} "
            f"(probability: {options.probability})"
        )
    maps: Floats = np.tensordot(values - values.mean(axis=1, keepdims=True), masks, 1) / total
    return maps


def enlarged(cells: NDArray[np.bool_], shifts: NDArray[np.int64], shape: Shape) -> Floats:
    """RISE's masks float32 (k, h, w) in 0…1: cells (k, g, g), enlarged bilinearly to g + 1 cells a
    side of ⌈h/g⌉×⌈w/g⌉ pixels each, cut at shifts (k, 2) in pixels.
    """
    import tensorflow as tf

    grid = cells.shape[1]
    size = [(grid + 1) * math.ceil(side / grid) for side in shape]
    large = tf.image.resize(cells[..., np.newaxis].astype(np.float32), size).numpy()[..., 0]
    views = np.lib.stride_tricks.sliding_window_view(large, shape, axis=(1, 2))
    return np.ascontiguousarray(views[np.arange(len(cells)), shifts[:, 0], shifts[:, 1]])


class KernelShap(Referenced):
    patch_size: Positive = 4
    coalitions: Positive = 1000
    draws: Positive = 5


@method(KernelShap, complete=True)
def kernel_shap(
    network: Explained, images: Floats, targets: Targets, options: KernelShap, seed: int
) -> Floats:
    """Shapley values of the game whose players are the patches of a grid and whose value is f of
    the image with the other patches hidden, mean over draws. A patch's value is divided among its
    pixels, so that the map sums to f(x) − f(r).

    Lundberg & Lee (2017), "A unified approach to interpreting model predictions", theorem 2: least
    squares of the values on the coalitions z, weighted by the Shapley kernel, with the sum held:
    φ = A⁻¹(c − 1·(1ᵀA⁻¹c − f(x) + f(b))/(1ᵀA⁻¹1)), A = Σ w zzᵀ, c = Σ w z (f(z) − f(b)). With at
    most `coalitions` of them all are taken, and the values are exact; else they are drawn by the
    kernel in pairs of a coalition and its complement (Covert & Lee 2021, "Improving KernelSHAP"),
    the same for every image.
    """
    fill = fills(network, images, options.reference, options.draws, seed)
    patches = grid_of_patches(network.image_shape, options.patch_size)
    return _shapley_values(network, images, targets, options, fill, patches, seed)


class KernelShapShifted(KernelShap):
    grids: Positive = 4


@method(KernelShapShifted, complete=True)
def kernel_shap_shifted(
    network: Explained, images: Floats, targets: Targets, options: KernelShapShifted, seed: int
) -> Floats:
    """The mean of `kernel_shap`'s maps over several grids, each shifted from the last by
    patch_size/grids pixels along the diagonal, so that no place of the patches decides the map.
    """
    fill = fills(network, images, options.reference, options.draws, seed)
    shifts = np.arange(options.grids) * options.patch_size // options.grids
    each = (
        grid_of_patches(network.image_shape, options.patch_size, shift) for shift in shifts.tolist()
    )
    maps = [
        _shapley_values(network, images, targets, options, fill, patches, seed) for patches in each
    ]
    mean: Floats = np.mean(maps, axis=0)
    return mean


def _shapley_values(
    network: Explained,
    images: Floats,
    targets: Targets,
    options: KernelShap,
    fill: Floats,
    patches: NDArray[np.int64],
    seed: int,
) -> Floats:
    """Maps float32 (n, h, w) of one grid, its patches numbered int64 (h, w)."""
    players = int(patches.max()) + 1
    members, weights = coalitions(players, options.coalitions, seed)
    extremes = np.stack([np.zeros(players, bool), np.ones(players, bool)])
    masks = np.concatenate([extremes, members])[:, patches].astype(np.float32)  # (k + 2, h, w)
    draws = fill.shape[1]
    of_draws = (
        network.values(images, targets, masks, fill[:, draw : draw + 1]) for draw in range(draws)
    )
    value = sum(values.astype(np.float64) for values in of_draws) / draws
    empty, full, values = value[:, :1], value[:, 1:2], value[:, 2:]

    z = members.astype(np.float64)  # (k, players)
    a = (z * weights[:, np.newaxis]).T @ z
    if np.linalg.matrix_rank(a) < players:
        raise ParameterError(
            f"kernel_shap: patch_size, coalitions: expected two patches or more and enough "
            f"coalitions to tell them apart, got {players} patches and {len(z)} coalitions"
        )
    c = (values - empty) * weights @ z  # (n, players)
    free, ones = np.linalg.solve(a, c.T).T, np.linalg.solve(a, np.ones(players))
    excess = free.sum(axis=1, keepdims=True) - (full - empty)
    shapley = free - ones * excess / ones.sum()  # (n, players)
    pixels = np.bincount(patches.ravel())
    maps: Floats = (shapley / pixels)[:, patches].astype(np.float32)
    return maps


def grid_of_patches(shape: Shape, size: int, shift: int = 0) -> NDArray[np.int64]:
    """Each pixel's patch, numbered row by row: int64 (h, w). The first of a row or column is
    smaller by the shift, in pixels, and the last where its end is not the image's."""
    rows, columns = ((np.arange(side) + shift) // size for side in shape)
    numbers: NDArray[np.int64] = rows[:, np.newaxis] * (columns[-1] + 1) + columns
    return numbers


def coalitions(
    players: int, count: int, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Coalitions bool (k, players), neither empty nor full, and their weights (k,) in the least
    squares: all 2^players − 2 if these are at most count, else count (or one more) drawn."""
    sizes = np.arange(1, players)
    if players < 2 or 2**players - 2 <= count:
        all_of_them = np.arange(1, 2**players - 1)[:, np.newaxis] >> np.arange(players) & 1
        size = all_of_them.sum(axis=1)
        ways = np.array([math.comb(players, s) for s in range(players + 1)])
        return all_of_them.astype(bool), (players - 1) / (ways[size] * size * (players - size))
    rng = np.random.default_rng(seed)
    # The kernel of a size times the number of its coalitions is 1/(size·(players − size)).
    kernel = 1 / (sizes * (players - sizes))
    size = rng.choice(sizes, -(-count // 2), p=kernel / kernel.sum())
    order = rng.permuted(np.tile(np.arange(players), (len(size), 1)), axis=1)
    drawn = order < size[:, np.newaxis]
    return np.concatenate([drawn, ~drawn]), np.ones(2 * len(drawn))
