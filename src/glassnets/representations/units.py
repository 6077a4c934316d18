"""Units, as a neuroscientist looks at them: tuning, selectivity, sparsity, receptive fields.

A unit's responses are a column of float32 (n, units), a row an image. Which class a unit prefers is
chosen on one half of the images and its selectivity measured on the other: the largest of several
noisy means is too large on the images that it was chosen by. Chance is the same procedure with
permuted labels.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Responses = NDArray[np.float32]


def tuning(responses: Responses, labels: Ints, classes: int) -> Floats:
    """The mean response of each unit to the images of each class, float64 (classes, units); 0 where
    a class has no image. labels (n,)."""
    members = _members(labels, classes)
    count = members.sum(axis=1, keepdims=True)
    totals = members @ responses.astype(np.float64)
    means: Floats = np.divide(totals, count, out=np.zeros_like(totals), where=count > 0)
    return means


def selectivity(means: Floats, chosen: Ints) -> Floats:
    """(μ_c − μ_rest)/(μ_c + μ_rest) of each unit's chosen class c, float64 (units,): 1 for a unit
    that answers to its class alone, 0 for one that answers to all alike, and for one that never
    answers. μ_rest is the mean over the other classes' means. Defined for units that are never
    negative.

    means: `tuning`'s (classes, units). chosen (units,). Morcos, Barrett, Rabinowitz & Botvinick
    (2018), "On the importance of single directions for generalization", eq. 1.
    """
    own, rest = _own_and_rest(means, chosen)
    total = own + rest
    index: Floats = np.divide(own - rest, total, out=np.zeros_like(total), where=total > 0)
    return index


def discriminability(responses: Responses, labels: Ints, classes: int) -> Floats:
    """d′ of each class against the rest, float64 (classes, units): the difference of the means over
    the root of the mean of both variances, 0 where both are 0.

    Green & Swets (1966), "Signal detection theory and psychophysics".
    """
    values, members = responses.astype(np.float64), _members(labels, classes)
    count = np.maximum(members.sum(axis=1, keepdims=True), 1)
    others = np.maximum(len(labels) - count, 1)
    sums, squares = members @ values, members @ values**2
    own, rest = sums / count, (values.sum(axis=0) - sums) / others
    variance = squares / count - own**2
    variance += ((values**2).sum(axis=0) - squares) / others - rest**2
    spread = np.sqrt(np.maximum(variance, 0) / 2)
    # What is smaller than the rounding of the sums is no spread.
    there = spread > 1e-6 * np.abs(values).max(axis=0, initial=0)
    d: Floats = np.divide(own - rest, spread, out=np.zeros_like(spread), where=there)
    return d


def choose(responses: Responses, labels: Ints, classes: int) -> tuple[Ints, Floats]:
    """The class that each unit prefers, and whether it answers more (1) or less (−1) to it: both
    (units,).

    Units that are never negative prefer the class of the largest mean. Of a layer with signed
    ones, a unit's class is that of the largest |d′|: such a unit may tell a class by falling.
    """
    if (responses >= 0).all():
        means = tuning(responses, labels, classes)
        return means.argmax(axis=0), np.ones(means.shape[1])
    d = discriminability(responses, labels, classes)
    chosen = np.abs(d).argmax(axis=0)
    return chosen, np.where(d[chosen, np.arange(d.shape[1])] < 0, -1.0, 1.0)


def area(ranks: Floats, labels: Ints, classes: int, chosen: Ints, sign: Floats) -> Floats:
    """The probability that a unit answers more (or, where its sign is −1, less) to an image of its
    chosen class than to another, ties counting half: the area under the ROC curve, (units,).

    ranks: of the responses among the images, from 1, float64 (n, units). NaN where a class is
    absent. Hanley & McNeil (1982).
    """
    members = _members(labels, classes)
    count = members.sum(axis=1)[chosen]
    sums = (members @ ranks)[chosen, np.arange(ranks.shape[1])]
    pairs = count * (len(labels) - count)
    above = sums - count * (count + 1) / 2
    auc = np.divide(above, pairs, out=np.full_like(above, np.nan), where=pairs > 0)
    oriented: Floats = np.where(sign < 0, 1 - auc, auc)
    return oriented


def stratified(labels: Ints, random_state: int) -> Ints:
    """All rows (n,) in a random order of which any first k has nearly the classes' shares."""
    rng = np.random.default_rng(random_state)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    order: Ints = np.argsort(place, kind="stable")
    return order


def halves(labels: Ints, rng: np.random.Generator) -> NDArray[np.bool_]:
    """One half of the images, at random within each class: bool (n,)."""
    first = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        first[rows[::2]] = True
    return first


def describe(
    responses: Responses,
    labels: Ints,
    classes: int,
    permutations: int,
    random_state: int,
) -> pd.DataFrame:
    """A row a unit: ``unit``; ``class``, which it prefers on one half of the images; measured on
    the other half ``selectivity`` (NaN in a layer with negative responses) and ``auc``;
    ``chance``, the mean selectivity with labels permuted within each half, the class chosen anew;
    ``p`` of the auc by the same permutations, 1 where that is NaN, as no image of the class was
    measured; ``lifetime``, its `sparsity` over all images;
    ``dead``, whether all its responses are the same; ``mean``, of them.
    """
    rng = np.random.default_rng(random_state)
    first = halves(labels, rng)
    one, other = responses[first], responses[~first]
    ranks = rankdata(other, axis=0)
    signed = bool((responses < 0).any())

    def measured(labels: Ints) -> tuple[Ints, Floats, Floats]:
        chosen, sign = choose(one, labels[first], classes)
        auc = area(ranks, labels[~first], classes, chosen, sign)
        if signed:
            return chosen, np.full(len(chosen), np.nan), auc
        return chosen, selectivity(tuning(other, labels[~first], classes), chosen), auc

    chosen, own, auc = measured(labels)
    chance, above = np.zeros(len(chosen)), np.zeros(len(chosen))
    for _ in range(permutations):
        permuted = labels.copy()
        for half in (first, ~first):
            permuted[half] = rng.permutation(labels[half])
        _, index, area_ = measured(permuted)
        chance += index / permutations
        above += ~(area_ < auc)  # so p is 1 where the auc is NaN: its class was not measured
    return pd.DataFrame(
        {
            "unit": np.arange(responses.shape[1]),
            "class": chosen,
            "selectivity": own,
            "chance": chance,
            "auc": auc,
            "p": (1 + above) / (1 + permutations),
            "lifetime": sparsity(responses, axis=0),
            "dead": np.ptp(responses, axis=0) == 0,
            "mean": responses.mean(axis=0, dtype=np.float64),
        }
    )


def sparsity(responses: Responses, axis: int) -> Floats:
    """How few responses carry the activity along an axis, 0 where all are alike to 1 where one
    carries all: over images (axis 0) a unit's lifetime sparsity, over units (axis 1) the population
    sparsity at an image. NaN where nothing answers. Of signed responses, their size.

    (1 − a)/(1 − 1/n) with a = (Σ r/n)²/(Σ r²/n): Treves & Rolls (1991), "What determines the
    capacity of autoassociative memories in the brain?"; scaled by Vinje & Gallant (2000), "Sparse
    coding and decorrelation in primary visual cortex during natural vision".
    """
    values = np.abs(responses.astype(np.float64))
    count = values.shape[axis]
    squares = (values**2).mean(axis=axis)
    activity = values.mean(axis=axis) ** 2
    a = np.divide(activity, squares, out=np.full_like(squares, np.nan), where=squares > 0)
    sparse: Floats = (1 - a) / (1 - 1 / count)
    return sparse


def preferred(responses: Responses, count: int) -> Ints:
    """The rows of the images that each unit answers to most, the first the most: (units, count)."""
    rows: Ints = np.argsort(-responses, axis=0, kind="stable")[:count].T
    return rows


def spike_triggered_average(noise: NDArray[Any], responses: Responses, deviation: float) -> Floats:
    """The receptive field of each unit by reverse correlation, float64 (units, h, w).

    The covariance of response and image over the variance of the noise. For noise that is normal,
    independent in each pixel, it is the mean gradient of the unit by the image over that noise, in
    expectation (Stein 1981); for one that is linear before a rectifier, its weights up to a factor
    (Chichilnisky 2001, "A simple white noise analysis of neuronal light responses").

    noise: images (n, h, w); deviation: the standard deviation of each pixel.
    """
    flat = noise.reshape(len(noise), -1).astype(np.float64)
    centred = responses - responses.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ (flat - flat.mean(axis=0)) / len(flat)
    field: Floats = (covariance / deviation**2).reshape(-1, *noise.shape[1:])
    return field


def _own_and_rest(means: Floats, chosen: Ints) -> tuple[Floats, Floats]:
    own: Floats = means[chosen, np.arange(means.shape[1])]
    return own, (means.sum(axis=0) - own) / (len(means) - 1)


def _members(labels: Ints, classes: int) -> Floats:
    """Which images are of which class, float64 (classes, n)."""
    members: Floats = (np.arange(classes)[:, np.newaxis] == labels).astype(np.float64)
    return members
