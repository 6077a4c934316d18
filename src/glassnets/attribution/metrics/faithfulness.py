"""Do the pixels that a map ranks highest decide the prediction? They are removed, to measure it.

Random subsets and squares are the same for all maps, so that the network is evaluated once on each
changed image. Where ``judged.others`` has maps of other networks for the same answers, these are
judged in the same way by this network: what its own maps score above them is what they say of this
network, and not of the data.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import NETWORK, Judged, Scores, Values, metric
from glassnets.attribution.metrics.removal import Filling, Masks, without
from glassnets.attribution.network import Floats
from glassnets.attribution.references import OF_OTHERS, REMOVALS, RemovedBy
from glassnets.attribution.subsets import random_subsets
from glassnets.config.schema import Positive, ProperFraction, Shape
from glassnets.runtime import concurrently

Removals = Annotated[tuple[RemovedBy, ...], Field(min_length=1)]
QUANTITIES = ("probability", "logit")  # whose curves are taken


class DeletionInsertion(Options):
    steps: Annotated[int, Field(ge=2, le=10_000)] = 16
    removals: Removals = REMOVALS
    draws: Positive = 2  # of training images, for the removal draws


@metric(DeletionInsertion)
def deletion_insertion(judged: Judged, options: DeletionInsertion, seed: int) -> Scores:
    """Areas under the probability and the logit of the class while pixels are removed from the
    image (deletion: low is good) or put back (insertion: high is good), the highest of the signed
    map first, of equals the upper and then the left one first. For each removal b and q in
    probability, logit: ``deletion_<q>_<b>``, ``insertion_<q>_<b>`` and their difference
    ``insertion_minus_deletion_<q>_<b>``, higher is better; ``insertion_minus_deletion`` is the mean
    difference of the probability over the removals. ``…_of_others``: the differences of other
    networks' maps, means over these networks. Curves of the probability: ``deletion_curve_<b>``,
    ``insertion_curve_<b>`` (n, steps + 1).

    Petsiuk, Das & Saenko (2018), "RISE". The area is over the fraction of pixels, 0…1, by
    the trapezoid rule, so the area of a probability lies in 0…1, that of a logit is in logits.
    """
    pixels = math.prod(judged.network.image_shape)
    counts = np.round(np.linspace(0, pixels, min(options.steps, pixels) + 1)).astype(int)
    removals = list(dict.fromkeys(options.removals))
    filling = Filling(judged.network, judged.noise, options.draws, seed)
    scores: Scores = {name: {} for name in judged.maps}
    # Maps of other networks go through this one together with its own: in few, large batches.
    of_others = [each for maps in judged.others.values() for each in maps]
    ranks = np.stack([_ranks(maps) for maps in (*judged.maps.values(), *of_others)], axis=1)
    for by in removals:
        curves = _curves(judged, ranks, counts, by, filling)
        areas: Any = np.trapezoid(curves, counts / pixels)  # (q, n, maps, 2)
        differences = areas[..., 1] - areas[..., 0]
        for place, own in enumerate(scores.values()):
            for way, name in enumerate(("deletion", "insertion")):
                own[f"{name}_curve_{by}"] = curves[0, :, place, way]
                for quantity, area in zip(QUANTITIES, areas, strict=True):
                    own[f"{name}_{quantity}_{by}"] = area[:, place, way]
            for quantity, difference in zip(QUANTITIES, differences, strict=True):
                own[f"insertion_minus_deletion_{quantity}_{by}"] = difference[:, place]
        last = len(judged.maps)
        for variant, maps in judged.others.items():
            first, last = last, last + len(maps)
            same = ~np.isnan(maps[:, :, 0, 0]).T
            for quantity, difference in zip(QUANTITIES, differences, strict=True):
                name = f"insertion_minus_deletion_{quantity}_{by}{OF_OTHERS}"
                scores[variant][name] = _mean_where(difference[:, first:last], same)
    for own in scores.values():
        of_each = [own[f"insertion_minus_deletion_probability_{by}"] for by in removals]
        own["insertion_minus_deletion"] = np.mean(of_each, axis=0)
    return scores


def _mean_where(values: Values, defined: NDArray[np.bool_]) -> Values:
    """The mean of each row of (n, networks) over the entries defined, NaN where none is: (n,)."""
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0).sum(axis=1)
    mean: Values = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _ranks(maps: Floats) -> NDArray[np.int64]:
    """Each pixel's rank from 0, the highest; of equals the first ranks higher: int64 (n, h, w)."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable").reshape(maps.shape)


def _curves(
    judged: Judged,
    ranks: NDArray[np.int64],
    counts: NDArray[np.int64],
    by: RemovedBy,
    filling: Filling,
) -> Values:
    """The class's probability and logit after counts (k,) pixels are removed, or put back: float64
    (2, n, maps, 2, k), deletion before insertion. ranks are (n, maps, h, w).
    """
    shape, inner = judged.network.image_shape, counts[1:-1, np.newaxis, np.newaxis]
    curves = np.empty((2, *ranks.shape[:2], 2, len(counts)))
    # Images with all or no pixels removed are the same for every map.
    ends = np.stack([np.ones(shape, bool), np.zeros(shape, bool)])

    def fill(i: int) -> None:
        deleted = ranks[i, :, np.newaxis] < inner  # (maps, steps − 1, h, w)
        between = np.stack([deleted, ~deleted], axis=1)
        removed = np.concatenate([ends, between.reshape(-1, *shape)])
        values = _values(judged, without(judged.images[i], removed, by, filling), i)  # (2, points)
        empty, intact = values[:, :2].T
        own = curves[:, i]
        own[..., 1:-1] = values[:, 2:].reshape(own[..., 1:-1].shape)
        own[:, :, 0, 0] = own[:, :, 1, -1] = intact[:, np.newaxis]
        own[:, :, 0, -1] = own[:, :, 1, 0] = empty[:, np.newaxis]

    concurrently(fill, range(len(judged.images)))
    return curves


def _values(judged: Judged, changed: Floats, i: int) -> Values:
    """Probability and logit of image i's class for changed images (d, m, h, w), means over d:
    float64 (2, m)."""
    logits = judged.network.outputs(changed.reshape(-1, *changed.shape[2:]))
    of_class = np.stack([judged.network.probabilities(logits), logits])[..., judged.targets[i]]
    mean: Values = of_class.reshape(2, *changed.shape[:2]).mean(axis=1)
    return mean


class FaithfulnessCorrelation(Options):
    subsets: Annotated[int, Field(ge=3, le=1_000_000)] = 200
    fraction: ProperFraction = 0.15  # of the pixels that are in a subset
    removals: Removals = REMOVALS
    draws: Positive = 2


@metric(FaithfulnessCorrelation)
def faithfulness_correlation(judged: Judged, options: FaithfulnessCorrelation, seed: int) -> Scores:
    """``faithfulness_correlation_<b>`` by each removal b: Pearson's correlation, over random
    subsets S of the pixels, of Σ_{i∈S} φ_i with f(x) − f(x without S), f the class logit; −1…1,
    higher is better. Where one of the two is the same for all subsets, as with a constant map, it
    is 0. ``faithfulness_correlation``: the mean over the removals; ``…_of_others``: of other
    networks' maps, with the drops of this one, means over these networks. Of the network itself,
    ``drops_<b>`` (n, subsets): the drops, standardised, for `specificity.between_families`.

    Bhatt, Weller & Moura (2020), "Evaluating and aggregating feature-based model explanations",
    faithfulness. The subsets are the same for every image.
    """
    subsets = random_subsets(judged.network.image_shape, options.subsets, options.fraction, seed)
    filling = Filling(judged.network, judged.noise, options.draws, seed)
    sums = {name: _standardised(_sums(maps, subsets)) for name, maps in judged.maps.items()}
    of_others = {
        name: [_standardised(_sums(np.nan_to_num(each), subsets)) for each in maps]
        for name, maps in judged.others.items()
    }
    scores: Scores = {name: {} for name in (*judged.maps, NETWORK)}
    removals = list(dict.fromkeys(options.removals))
    for by in removals:
        changes = concurrently(_changes(judged, subsets, by, filling), range(len(judged.images)))
        drops = _standardised(np.stack([drops for _, drops in changes]))
        scores[NETWORK][f"drops_{by}"] = drops
        for name, own in sums.items():
            scores[name][f"faithfulness_correlation_{by}"] = (own * drops).mean(axis=1)
        for name, each in of_others.items():
            values = np.stack([(own * drops).mean(axis=1) for own in each], axis=1)
            same = ~np.isnan(judged.others[name][:, :, 0, 0]).T
            scores[name][f"faithfulness_correlation_{by}{OF_OTHERS}"] = _mean_where(values, same)
    for scored in (scores[name] for name in judged.maps):
        of_each = [scored[f"faithfulness_correlation_{by}"] for by in removals]
        scored["faithfulness_correlation"] = np.mean(of_each, axis=0)
    return scores


def _changes(
    judged: Judged, removed: Masks, by: RemovedBy, filling: Filling
) -> Callable[[int], tuple[Values, Values]]:
    """A function of an image's number, of its x, and x′ with the pixels of masks (k, h, w) removed:
    x − x′, float64 (k, h, w[, c]), and the drop of the class logit, f(x) − f(x′), float64 (k,),
    both means over draws.
    """
    logits = judged.network.outputs(judged.images)

    def change(i: int) -> tuple[Values, Values]:
        image = judged.images[i]
        changed = without(image, removed, by, filling)
        _, remaining = _values(judged, changed, i)
        drops = logits[i, judged.targets[i]] - remaining
        return image - changed.mean(axis=0, dtype=np.float64), drops

    return change


def _sums(maps: Floats, subsets: Masks) -> Values:
    """Sums of maps (n, h, w) over subsets (k, h, w): float64 (n, k)."""
    weights = subsets.reshape(len(subsets), -1).astype(np.float64)
    sums: Values = maps.reshape(len(maps), -1) @ weights.T
    return sums


def _standardised(rows: Values) -> Values:
    """Each row of (n, k) less its mean and divided by its standard deviation, so that the mean
    product of two is Pearson's correlation; 0 where the variation is within float32's rounding."""
    deviation = rows.std(axis=1, keepdims=True)
    varies = deviation > 1e-6 * np.abs(rows).max(axis=1, keepdims=True)
    standardised: Values = np.where(varies, rows - rows.mean(axis=1, keepdims=True), 0)
    standardised /= np.where(varies, deviation, 1)
    return standardised


class Infidelity(Options):
    draws: Positive = 200
    max_side: ProperFraction = 0.5  # of a square, in parts of the image's shorter side
    removal: RemovedBy = "mean"
    removal_draws: Positive = 2


@metric(Infidelity)
def infidelity(judged: Judged, options: Infidelity, seed: int) -> Scores:
    """E[(β·I·φ − (f(x) − f(x − I)))²] over changes I that remove a random square from the image, in
    logits², lower is better. β is each image's best scale that is not negative,
    E[I·φ d]⁺/E[(I·φ)²] with d = f(x) − f(x − I): scaling a map changes no score, and a zero map, or
    one of reversed sign (β = 0), has the worst possible score, E[d²].

    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), "On the (in)fidelity and sensitivity of
    explanations", definition 2.1, with their square removal and optimal scaling, except that theirs
    may reverse a map's sign. Their φ is in logits a grey level, a `sensitivity`; for a map in
    logits, φ ⊙ (x − b), I·φ is its sum over the square. A square's side is uniform in 1 … max_side
    of the image, its position uniform within the image; both are drawn once for all images.
    """
    squares = random_squares(judged.network.image_shape, options.draws, options.max_side, seed)
    scores: Scores = {
        name: {"infidelity": np.empty(len(maps))} for name, maps in judged.maps.items()
    }
    filling = Filling(judged.network, judged.noise, options.removal_draws, seed)
    changes = _changes(judged, squares, options.removal, filling)

    def score(i: int) -> None:
        change, drops = changes(i)
        for name, maps in judged.maps.items():
            variant = judged.variants.get(name)
            sensitivity = variant is not None and variant.method.sensitivity
            weights: NDArray[Any] = squares
            if sensitivity:
                weights = judged.network.of_players(change / judged.network.unit)
            predicted = np.tensordot(weights, maps[i].astype(np.float64), 2)  # (k,)
            length = predicted @ predicted
            beta = max(predicted @ drops, 0) / length if length > 0 else 0
            scores[name]["infidelity"][i] = np.mean((beta * predicted - drops) ** 2)

    concurrently(score, range(len(judged.images)))
    return scores


def random_squares(shape: Shape, count: int, max_side: float, seed: int) -> Masks:
    """Masks bool (count, h, w), each a square with a side of 1 pixel up to this part of the image's
    shorter side; of an image of one row, a stretch of it."""
    rng = np.random.default_rng(seed)
    side = min((side for side in shape if side > 1), default=1)
    sides = rng.integers(1, max(1, round(max_side * side)), size=count, endpoint=True)
    tops, lefts = (rng.integers(np.maximum(length - sides, 0), endpoint=True) for length in shape)
    rows, columns = (
        (start[:, np.newaxis] <= np.arange(length))
        & (np.arange(length) < (start + sides)[:, np.newaxis])
        for start, length in zip((tops, lefts), shape, strict=True)
    )
    return rows[:, :, np.newaxis] & columns[:, np.newaxis]
