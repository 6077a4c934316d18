"""Full batch, mini-batch or single images: which gets to an equal loss with how many epochs and
updates, each at a rate of its own; and how the noise of a gradient depends on the size of its
batch.

Wilson & Martinez (2003), "The general inefficiency of batch training for gradient descent
learning"; Bottou, Curtis & Nocedal (2018), "Optimization methods for large-scale machine learning".
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import BatchSize
from glassnets.learning import images, network
from glassnets.learning.images import Images, Parts
from glassnets.learning.network import Array, Shape

CHECKS = 20  # of the validation loss, an epoch; after every update at most
_DIVERGED = 100  # a loss from which descent is taken to have diverged


class Descent(NamedTuple):
    """Where descent stopped: whether at the loss that was wanted, the loss, after how many updates,
    by how many examples (an image counts each time it is seen), and the parameters there."""

    reached: bool
    loss: float
    updates: int
    examples: int
    parameters: Array


def descend(
    shape: Shape,
    train: Images,
    validation: Images,
    size: int,
    rate: float,
    options: BatchSize,
    seed: int,
) -> Descent:
    """Gradient descent in batches of this size, shuffled anew each epoch, until the mean loss of
    the validation images is at most options.loss, or for options.epochs. The rate is constant."""
    rng = np.random.default_rng(seed)
    parameters = shape.draw(rng, 1.0)
    count = len(train.inputs)
    between = max(1, math.ceil(count / size) // CHECKS)
    updates = examples = 0
    found = math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(options.epochs):
            order = rng.permutation(count)
            inputs, targets = train.inputs[order], train.targets[order]
            for start in range(0, count, size):
                batch = slice(start, start + size)
                parameters -= rate * network.gradient(
                    shape, parameters, inputs[batch], targets[batch]
                )
                updates += 1
                examples += len(targets[batch])
                if updates % between:
                    continue
                outputs = network.outputs(shape, parameters, validation.inputs)
                found = network.loss(shape, outputs, validation.targets)
                if found <= options.loss or not found < _DIVERGED:
                    return Descent(found <= options.loss, found, updates, examples, parameters)
    return Descent(False, found, updates, examples, parameters)


def sizes(parts: Parts, options: BatchSize) -> list[int]:
    """Sizes of batches, the last one all training images that take part."""
    count = min(options.images, len(parts.train.labels))
    return [*(size for size in options.sizes if size < count), count]


def rates(options: BatchSize) -> list[float]:
    """The rates that are tried, each twice the one before."""
    octaves = math.floor(math.log2(options.rates.highest / options.rates.lowest))
    return [options.rates.lowest * 2.0**octave for octave in range(octaves + 1)]


def tune(parts: Parts, options: BatchSize, size: int, seed: int) -> pd.DataFrame:
    """Descent at every rate, a row each: batch_size, rate, reached, loss, updates, epochs. Where a
    rate does not reach the loss though a lower one does, no higher one is tried."""
    train, validation = _drawn(parts, options, seed)
    shape = _shape(parts, options)
    rows = []
    for rate in rates(options):
        run = descend(shape, train, validation, size, rate, options, seed)
        epochs = run.examples / len(train.labels)
        rows.append((size, rate, run.reached, run.loss, run.updates, epochs))
        if not run.reached and any(row[2] for row in rows):
            break
    return pd.DataFrame(
        rows, columns=["batch_size", "rate", "reached", "loss", "updates", "epochs"]
    )


def best(tuned: pd.DataFrame) -> float:
    """The rate that reached the loss with the fewest updates; where none did, the one that came
    nearest. tuned: `tune`'s."""
    rows = tuned[tuned["reached"]]
    if len(rows):
        return float(rows.sort_values(["updates", "rate"])["rate"].iloc[0])
    return float(tuned.sort_values(["loss", "rate"])["rate"].iloc[0])


def race(
    parts: Parts, options: BatchSize, size: int, rate: float, seed: int
) -> tuple[dict[str, float], Array]:
    """Descent in batches of this size: batch_size, rate, reached, updates, examples, epochs and
    accuracy (of test images) as a row of a table, and the parameters where it stopped. Where it did
    not reach the loss, updates, examples and epochs are all that it might have made."""
    train, validation = _drawn(parts, options, seed)
    shape = _shape(parts, options)
    run = descend(shape, train, validation, size, rate, options, seed)
    test, count = parts.test, len(train.labels)
    updates, examples = run.updates, run.examples
    if not run.reached:  # it may have diverged early
        updates, examples = options.epochs * math.ceil(count / size), options.epochs * count
    row = {
        "batch_size": size,
        "rate": rate,
        "reached": float(run.reached),
        "updates": updates,
        "examples": examples,
        "epochs": examples / count,
        "accuracy": network.accuracy(shape, run.parameters, test.inputs, test.labels),
    }
    return row, run.parameters


def noise(
    shape: Shape, parameters: Array, own: Images, options: BatchSize, seed: int
) -> pd.DataFrame:
    """The variance of a batch's gradient, a row a size: batch_size; with_replacement and
    without_replacement, the mean over draws of ‖g_B − g‖², g the gradient of all the images;
    theory, tr Σ/B, Σ being the covariance of single images' gradients, and theory_without, (n −
    B)/(n − 1) of it. Drawn without replacement, sizes below n only, NaN else."""
    rng = np.random.default_rng(seed)
    count = len(own.labels)
    whole = network.gradient(shape, parameters, own.inputs, own.targets)

    def distance(rows: NDArray[np.int64]) -> float:
        gradient = network.gradient(shape, parameters, own.inputs[rows], own.targets[rows])
        return float(np.square(gradient - whole).sum())

    trace = float(np.mean([distance(np.array([row])) for row in range(count)]))
    table = []
    for size in (2**power for power in range(count.bit_length())):
        anew = [distance(rng.integers(count, size=size)) for _ in range(options.noise.draws)]
        row = {
            "batch_size": size,
            "with_replacement": float(np.mean(anew)),
            "theory": trace / size,
            "without_replacement": math.nan,
            "theory_without": math.nan,
        }
        if size < count:
            once = [distance(rng.permutation(count)[:size]) for _ in range(options.noise.draws)]
            row["without_replacement"] = float(np.mean(once))
            row["theory_without"] = trace / size * (count - size) / (count - 1)
        table.append(row)
    return pd.DataFrame(table)


def noise_of_seed(
    parts: Parts, options: BatchSize, trained: Array, seed: int
) -> dict[str, pd.DataFrame]:
    """`noise`, a row a size and moment (start: of random weights; end: of trained ones), relative
    to tr Σ; and slopes: of log variance by log size, of batches drawn with replacement."""
    rng = np.random.default_rng(seed)
    shape = _shape(parts, options)
    own = parts.train.drawn(options.noise.images, rng)
    tables, slopes = [], []
    for moment, parameters in (("start", shape.draw(rng, 1.0)), ("end", trained)):
        table = noise(shape, parameters, own, options, seed)
        trace = table["theory"].iloc[0] * table["batch_size"].iloc[0]
        table.iloc[:, 1:] /= trace
        table.insert(0, "moment", moment)
        tables.append(table)
        slopes.append({"moment": moment, "slope": slope(table)})
    return {"noise": pd.concat(tables), "slopes": pd.DataFrame(slopes)}


def slope(table: pd.DataFrame) -> float:
    """Of log variance by log size, by least squares, of batches drawn with replacement. table:
    `noise`'s."""
    logarithms = np.log(table[["batch_size", "with_replacement"]].to_numpy())
    return float(np.polyfit(logarithms[:, 0], logarithms[:, 1], 1)[0])


def over_seeds(
    races: Sequence[pd.DataFrame], noises: Sequence[Mapping[str, pd.DataFrame]], level: float
) -> dict[str, pd.DataFrame]:
    """The tables of all seeds: means, and intervals. races: each has `race`'s rows of a seed."""
    return {
        "batch_races": images.over_seeds(races, ["batch_size"], level, same=["rate", "reached"]),
        "gradient_noise": images.over_seeds(
            [each["noise"] for each in noises],
            ["moment", "batch_size"],
            level,
            same=["theory", "theory_without"],
        ),
        "noise_slopes": images.over_seeds([each["slopes"] for each in noises], ["moment"], level),
    }


def _shape(parts: Parts, options: BatchSize) -> Shape:
    ends = parts.train.inputs.shape[1], parts.train.targets.shape[1]
    return Shape((ends[0], options.units, ends[1]), "tanh")


def _drawn(parts: Parts, options: BatchSize, seed: int) -> tuple[Images, Images]:
    """The training images of a seed, and the validation images, the same for all."""
    train = parts.train.drawn(options.images, np.random.default_rng([seed, 1]))
    return train, parts.validation.rows(
        np.arange(min(options.validation_images, len(parts.validation.labels)))
    )
