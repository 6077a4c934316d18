"""Do the pixels that a map ranks highest decide the prediction? They are removed, to measure it.

Random subsets and squares are the same for all maps, so that the network is evaluated once on each
changed image.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from glassnets.attribution.methods import SENSITIVITIES
from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import Judged, Scores, Values, metric
from glassnets.attribution.metrics.removal import REFERENCES, Filling, Masks, Reference, without
from glassnets.attribution.network import Floats
from glassnets.config.schema import Positive, ProperFraction, Shape


class DeletionInsertion(Options):
    steps: Annotated[int, Field(ge=2, le=10_000)] = 32
    references: Annotated[tuple[Reference, ...], Field(min_length=1)] = tuple(REFERENCES)


@metric(DeletionInsertion)
def deletion_insertion(judged: Judged, options: DeletionInsertion, seed: int) -> Scores:
    """Areas under the probability and the logit of the class while pixels are removed from the
    image (deletion: low is good) or put back (insertion: high is good), the highest of the signed
    map first, of equals the upper and then the left one first. For each reference b and q in
    probability, logit: ``deletion_<q>_<b>``, ``insertion_<q>_<b>`` and their difference
    ``insertion_minus_deletion_<q>_<b>``, higher is better; ``insertion_minus_deletion`` is the mean
    difference of the probability over the references, without black if there are others. Curves
    of the probability: ``deletion_curve_<b>``, ``insertion_curve_<b>`` (n, steps + 1).

    Petsiuk, Das & Saenko (2018), "RISE". The area is over the fraction of pixels, 0…1, by
    the trapezoid rule, so the area of a probability lies in 0…1, that of a logit is in logits.
    """
    pixels = judged.images[0].size
    counts = np.round(np.linspace(0, pixels, options.steps + 1)).astype(int)
    ranks = np.stack([_ranks(maps) for maps in judged.maps.values()], axis=1)  # (n, methods, h, w)
    scores: Scores = {name: {} for name in judged.maps}
    references = list(dict.fromkeys(options.references))
    for reference in references:
        curves = _curves(judged, ranks, counts, reference, seed)
        areas = np.trapezoid(curves, counts / pixels)  # (q, n, methods, 2)
        for place, own in enumerate(scores.values()):
            for way, name in enumerate(("deletion", "insertion")):
                own[f"{name}_curve_{reference}"] = curves[0, :, place, way]
            for quantity, area in zip(("probability", "logit"), areas, strict=True):
                deletion, insertion = area[:, place].T
                own[f"deletion_{quantity}_{reference}"] = deletion
                own[f"insertion_{quantity}_{reference}"] = insertion
                own[f"insertion_minus_deletion_{quantity}_{reference}"] = insertion - deletion
    leading = [b for b in references if b != "black"] or references
    for own in scores.values():
        of_each = [own[f"insertion_minus_deletion_probability_{b}"] for b in leading]
        own["insertion_minus_deletion"] = np.mean(of_each, axis=0)
    return scores


def _ranks(maps: Floats) -> NDArray[np.int64]:
    """Each pixel's rank from 0, the highest; of equals the first ranks higher: int64 (n, h, w)."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    return np.argsort(order, axis=1).reshape(maps.shape)


def _curves(
    judged: Judged,
    ranks: NDArray[np.int64],
    counts: NDArray[np.int64],
    reference: Reference,
    seed: int,
) -> Values:
    """The class's probability and logit after counts (k,) pixels are removed, or put back: float64
    (2, n, methods, 2, k), deletion before insertion. ranks are (n, methods, h, w)."""
    shape, inner = judged.network.image_shape, counts[1:-1, np.newaxis, np.newaxis]
    curves = np.empty((2, *ranks.shape[:2], 2, len(counts)))
    # Images with all or no pixels removed are the same for every method.
    ends = np.stack([np.ones(shape, bool), np.zeros(shape, bool)])
    filling = Filling(judged.mean_image, judged.removal, seed)
    for i, image in enumerate(judged.images):
        deleted = ranks[i, :, np.newaxis] < inner  # (methods, steps − 1, h, w)
        between = np.stack([deleted, ~deleted], axis=1)
        removed = np.concatenate([ends, between.reshape(-1, *shape)])
        changed = without(image, removed, reference, filling)
        values = _values(judged.network.outputs(changed), judged.targets[i])  # (2, points)
        empty, intact = values[:, :2].T
        own = curves[:, i]
        own[..., 1:-1] = values[:, 2:].reshape(own[..., 1:-1].shape)
        own[:, :, 0, 0] = own[:, :, 1, -1] = intact[:, np.newaxis]
        own[:, :, 0, -1] = own[:, :, 1, 0] = empty[:, np.newaxis]
    return curves


def _values(logits: Floats, target: np.int32) -> Values:
    """The target's probability and logit, float64 (2, m), of logits (m, classes)."""
    from scipy.special import softmax

    logits = logits.astype(np.float64)
    return np.stack([softmax(logits, axis=1)[:, target], logits[:, target]])


class FaithfulnessCorrelation(Options):
    subsets: Annotated[int, Field(ge=3, le=1_000_000)] = 200
    fraction: ProperFraction = 0.15  # of the pixels that are in a subset
    reference: Reference = "mean"


@metric(FaithfulnessCorrelation)
def faithfulness_correlation(judged: Judged, options: FaithfulnessCorrelation, seed: int) -> Scores:
    """Pearson's correlation, over random subsets S of the pixels, of Σ_{i∈S} φ_i with
    f(x) − f(x without S), f the class logit; −1…1, higher is better. Where one of the two is the
    same for all subsets, as with a constant map, it is 0.

    Bhatt, Weller & Moura (2020), "Evaluating and aggregating feature-based model explanations",
    faithfulness. The subsets are the same for every image.
    """
    subsets = random_subsets(judged.network.image_shape, options.subsets, options.fraction, seed)
    drops = np.stack([drops for _, drops in _changes(judged, subsets, options.reference, seed)])
    return {
        name: {"faithfulness_correlation": _correlation(_sums(maps, subsets), drops)}
        for name, maps in judged.maps.items()
    }


def random_subsets(shape: Shape, count: int, fraction: float, seed: int) -> Masks:
    """Masks bool (count, h, w), each of this fraction of the pixels, at least one."""
    pixels = shape[0] * shape[1]
    chosen = np.arange(pixels) < max(1, round(fraction * pixels))
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(chosen, (count, 1)), axis=1).reshape(count, *shape)


def _changes(
    judged: Judged, removed: Masks, reference: Reference, seed: int
) -> Iterator[tuple[Values, Values]]:
    """For each image x, and x′ with the pixels of masks (k, h, w) removed: x − x′, float64
    (k, h, w), and the drop of the class logit, f(x) − f(x′), float64 (k,)."""
    logits = judged.network.outputs(judged.images)
    filling = Filling(judged.mean_image, judged.removal, seed)
    for image, target, intact in zip(judged.images, judged.targets, logits, strict=True):
        changed = without(image, removed, reference, filling)
        remaining = judged.network.outputs(changed)[:, target].astype(np.float64)
        yield image - changed.astype(np.float64), intact[target] - remaining


def _sums(maps: Floats, subsets: Masks) -> Values:
    """Sums of maps (n, h, w) over subsets (k, h, w): float64 (n, k)."""
    weights = subsets.reshape(len(subsets), -1).astype(np.float64)
    sums: Values = maps.reshape(len(maps), -1) @ weights.T
    return sums


def _correlation(a: Values, b: Values) -> Values:
    """Pearson's correlation of each row of (n, k) arrays: (n,), 0 where the variation of one of
    them is within float32's rounding."""
    a, b = _standardised(a), _standardised(b)
    correlation: Values = (a * b).mean(axis=1)
    return correlation


def _standardised(rows: Values) -> Values:
    deviation = rows.std(axis=1, keepdims=True)
    varies = deviation > 1e-6 * np.abs(rows).max(axis=1, keepdims=True)
    standardised: Values = np.where(varies, rows - rows.mean(axis=1, keepdims=True), 0)
    standardised /= np.where(varies, deviation, 1)
    return standardised


class Infidelity(Options):
    draws: Positive = 200
    max_side: ProperFraction = 0.5  # of a square, in parts of the image's shorter side
    reference: Reference = "mean"


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
    for i, (change, drops) in enumerate(_changes(judged, squares, options.reference, seed)):
        for name, maps in judged.maps.items():
            weights: NDArray[Any] = change if name in SENSITIVITIES else squares
            predicted = np.tensordot(weights, maps[i].astype(np.float64), 2)  # (k,)
            length = predicted @ predicted
            beta = max(predicted @ drops, 0) / length if length > 0 else 0
            scores[name]["infidelity"][i] = np.mean((beta * predicted - drops) ** 2)
    return scores


def random_squares(shape: Shape, count: int, max_side: float, seed: int) -> Masks:
    """Masks bool (count, h, w), each a square with a side of 1 pixel up to this part of the image's
    shorter side."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(1, max(1, round(max_side * min(shape))), size=count, endpoint=True)
    tops, lefts = (rng.integers(length - sides, endpoint=True) for length in shape)
    rows, columns = (
        (start[:, np.newaxis] <= np.arange(length))
        & (np.arange(length) < (start + sides)[:, np.newaxis])
        for start, length in zip((tops, lefts), shape, strict=True)
    )
    return rows[:, :, np.newaxis] & columns[:, np.newaxis]
