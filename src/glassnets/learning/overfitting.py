"""What a network learns by heart: accuracy on augmented, on clean, and on other images; accuracy by
the number of training images; shuffled labels; the double descent of a regression.

Zhang et al. (2017), "Understanding deep learning requires rethinking generalization"; Arpit et al.
(2017), "A closer look at memorization in deep networks"; Belkin et al. (2019), "Reconciling modern
machine-learning practice and the classical bias–variance trade-off"; Hastie et al. (2022),
"Surprises in high-dimensional ridgeless least squares interpolation".
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Overfitting
from glassnets.learning import images, network
from glassnets.learning.images import Images, Parts
from glassnets.learning.network import Array, Shape

Pixels = NDArray[np.uint8]
# Numbers of features, in parts of the number of images.
RATIOS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10)
# A squared error that rounding alone leaves where a model fits exactly.
_EXACT = 1e-20


def shifted(pixels: Pixels, most: int, rng: np.random.Generator) -> Pixels:
    """Images (n, h, w[, channels]), each moved by a whole number of pixels, drawn from −most…most
    for each direction; black comes in at the edges."""
    height, width = pixels.shape[1:3]
    edges = [(0, 0), (most, most), (most, most), (0, 0)][: pixels.ndim]
    padded = np.pad(pixels, edges)
    down, right = rng.integers(2 * most + 1, size=(2, len(pixels), 1))
    rows = (down + np.arange(height))[:, :, np.newaxis]
    columns = (right + np.arange(width))[:, np.newaxis]
    moved: Pixels = padded[np.arange(len(pixels))[:, np.newaxis, np.newaxis], rows, columns]
    return moved


def augmented(parts: Parts, options: Overfitting, seed: int) -> pd.DataFrame:
    """Training on `shifted` images, a row an epoch: epoch (from 1), and the accuracy of augmented
    images, as they were seen during the epoch, of the same images clean, and of test images, both
    at its end."""
    rng = np.random.default_rng(seed)
    own, test = parts.train.drawn(options.images, rng), parts.test.drawn(options.test_images, rng)
    shape = _shape(parts, options)
    parameters = shape.draw(rng, 1.0)
    rows = []
    for epoch in range(1, options.augmented.epochs + 1):
        right = 0
        for batch in _batches(len(own.labels), options.training.batch_size, rng):
            moved = parts.scale(shifted(own.pixels[batch], options.augmented.shift, rng))
            predicted = network.outputs(shape, parameters, moved).argmax(axis=1)
            right += int((predicted == own.labels[batch]).sum())
            parameters -= options.training.rate * network.gradient(
                shape, parameters, moved, own.targets[batch]
            )
        clean, other = (_accuracy(shape, parameters, each) for each in (own, test))
        rows.append((epoch, right / len(own.labels), clean, other))
    return pd.DataFrame(rows, columns=["epoch", "augmented", "clean", "test"])


def learning_curve(parts: Parts, options: Overfitting, seed: int) -> pd.DataFrame:
    """Accuracy of networks that learnt from ever more images, for as many updates, a row each:
    images, train (of these) and test."""
    rng = np.random.default_rng(seed)
    own, test = parts.train.drawn(options.images, rng), parts.test.drawn(options.test_images, rng)
    shape = _shape(parts, options)
    rows = []
    count = options.fewest
    while count <= len(own.labels):
        few = own.rows(np.arange(count))
        *_, parameters = trained(shape, few, options, options.training.updates, seed)
        accuracies = (_accuracy(shape, parameters, each) for each in (few, test))
        rows.append((count, *accuracies))
        count *= 2
    return pd.DataFrame(rows, columns=["images", "train", "test"])


def shuffled(parts: Parts, options: Overfitting, seed: int) -> pd.DataFrame:
    """Training on true and on shuffled labels of the same images, a row an epoch: labels, epoch
    (from 1), and accuracy of train, by the labels learnt, and of test, by the true ones."""
    rng = np.random.default_rng(seed)
    own, test = (
        parts.train.drawn(options.shuffled.images, rng),
        parts.test.drawn(options.test_images, rng),
    )
    order = rng.permutation(len(own.labels))
    other = own._replace(labels=own.labels[order], targets=own.targets[order])
    shape = _shape(parts, options)
    updates = options.shuffled.epochs * math.ceil(len(own.labels) / options.training.batch_size)
    rows = []
    for name, each in (("true", own), ("shuffled", other)):
        epochs = trained(shape, each, options, updates, seed)
        for epoch, parameters in enumerate(epochs, start=1):
            accuracies = (_accuracy(shape, parameters, part) for part in (each, test))
            rows.append((name, epoch, *accuracies))
    return pd.DataFrame(rows, columns=["labels", "epoch", "train", "test"])


def trained(
    shape: Shape, own: Images, options: Overfitting, updates: int, seed: int
) -> Iterator[Array]:
    """The parameters of a network, (count,), after each epoch of stochastic descent, until it has
    made so many updates or more."""
    rng = np.random.default_rng(seed)
    parameters = shape.draw(rng, 1.0)
    made = 0
    while made < updates:
        for batch in _batches(len(own.labels), options.training.batch_size, rng):
            parameters -= options.training.rate * network.gradient(
                shape, parameters, own.inputs[batch], own.targets[batch]
            )
            made += 1
        yield parameters


def features(inputs: Array, count: int, rng: np.random.Generator) -> Array:
    """Random ReLU features (n, count) of inputs (n, numbers): of inputs that have unit variance,
    each is a unit whose weights are drawn once and never learnt. Rahimi & Recht (2007)."""
    weights = rng.normal(size=(inputs.shape[1], count)) / np.sqrt(inputs.shape[1])
    found: Array = np.maximum(inputs @ weights, 0)
    return found


def regression(
    train: Array, targets: Array, test: Array, test_targets: Array, ridge: float
) -> tuple[float, float]:
    """The mean squared error on training and on test images of least squares of targets (n,
    classes) on features (n, N): of all that fit best the one of least norm or, with a ridge, the
    one of least mean squared error + ridge·‖w‖²."""
    if ridge:
        scale = ridge * len(train)
        if train.shape[1] < len(train):
            system = train.T @ train + scale * np.eye(train.shape[1])
            weights = np.linalg.solve(system, train.T @ targets)
        else:
            system = train @ train.T + scale * np.eye(len(train))
            weights = train.T @ np.linalg.solve(system, targets)
    else:
        weights, *_ = np.linalg.lstsq(train, targets, rcond=None)
    own, other = (
        float(np.square(given @ weights - wanted).mean())
        for given, wanted in ((train, targets), (test, test_targets))
    )
    return own, other


def double_descent(parts: Parts, options: Overfitting, seed: int) -> pd.DataFrame:
    """The errors of `regression` on random features, a row a number of features N, which are
    RATIOS of the n training images: ratio, features, train, test, ridge (its test error).
    """
    rng = np.random.default_rng(seed)
    own = parts.train.drawn(options.regression.images, rng)
    test = parts.test.drawn(options.test_images, rng)
    count = len(own.labels)
    rows = []
    for ratio in RATIOS:
        number = max(1, round(ratio * count))
        both = features(np.concatenate([own.inputs, test.inputs]), number, rng)
        given = both[:count], own.targets, both[count:], test.targets
        train, other = regression(*given, ridge=0)
        _, ridge = regression(*given, ridge=options.regression.ridge)
        rows.append((ratio, number, train if train > _EXACT else 0.0, other, ridge))
    return pd.DataFrame(rows, columns=["ratio", "features", "train", "test", "ridge"])


def of_seed(parts: Parts, options: Overfitting, seed: int) -> dict[str, pd.DataFrame]:
    """What is measured of a seed, which draws images, weights and features."""
    return {
        "augmented": augmented(parts, options, seed),
        "learning_curve": learning_curve(parts, options, seed),
        "shuffled_labels": shuffled(parts, options, seed),
        "double_descent": double_descent(parts, options, seed),
    }


def over_seeds(
    results: Sequence[Mapping[str, pd.DataFrame]], level: float
) -> dict[str, pd.DataFrame]:
    """The tables of all seeds: means, and intervals; of errors, whose peak differs by factors
    between seeds, those of the logarithm."""
    keys = {
        "augmented": ["epoch"],
        "learning_curve": ["images"],
        "shuffled_labels": ["labels", "epoch"],
        "double_descent": ["ratio"],
    }
    return {
        name: images.over_seeds(
            [each[name] for each in results],
            own,
            level,
            same=["features"],
            factors=["test", "ridge"] if name == "double_descent" else (),
        )
        for name, own in keys.items()
    }


def _shape(parts: Parts, options: Overfitting) -> Shape:
    ends = parts.train.inputs.shape[1], parts.train.targets.shape[1]
    return Shape((ends[0], options.units, ends[1]), "tanh")


def _accuracy(shape: Shape, parameters: Array, own: Images) -> float:
    return network.accuracy(shape, parameters, own.inputs, own.labels)


def _batches(count: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The rows of an epoch, shuffled."""
    order = rng.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]
