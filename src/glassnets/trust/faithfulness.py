"""Does a map name the pixels that the answer hangs on? Take them away and see.

What is done to an image does not depend on the map, or only on its ranks, so the network sees
each changed image once for all the methods that ask for it.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from glassnets.explanations.method import Options
from glassnets.explanations.network import Floats
from glassnets.params import Positive, ProperFraction, Shape
from glassnets.trust.metric import Judged, Scores, Values, metric
from glassnets.trust.removal import BASELINES, Baseline, Masks, without

# Methods whose maps are in logits a grey level, to be multiplied by the change of the pixels; the
# maps of all others are in logits, and add up to the change of the logit.
SENSITIVITIES = ("gradient", "smoothgrad")


class DeletionInsertion(Options):
    steps: Annotated[int, Field(ge=2, le=10_000)] = 32
    baselines: Annotated[tuple[Baseline, ...], Field(min_length=1)] = tuple(BASELINES)


@metric(DeletionInsertion)
def deletion_insertion(judged: Judged, options: DeletionInsertion, seed: int) -> Scores:
    """Areas under the probability and the logit of the class while pixels are removed from the
    image (deletion: low is good) or put back (insertion: high is good), the highest of the signed
    map first, of equals the upper and then the left one first. For each baseline b and q in
    probability, logit: ``deletion_<q>_<b>``, ``insertion_<q>_<b>``, and what insertion has more,
    ``insertion_minus_deletion_<q>_<b>``, higher is better; ``insertion_minus_deletion`` is its
    mean over the baselines, of the probability, without black if there are others. Curves of the
    probability: ``deletion_curve_<b>``, ``insertion_curve_<b>`` (n, steps + 1).

    Petsiuk, Das & Saenko (2018), "RISE". The area is over the fraction of pixels, 0…1, by
    the trapezoid rule, so the area of a probability lies in 0…1, that of a logit is in logits.
    """
    pixels = judged.images[0].size
    counts = np.round(np.linspace(0, pixels, options.steps + 1)).astype(int)
    ranks = np.stack([_ranks(maps) for maps in judged.maps.values()], axis=1)  # (n, methods, h, w)
    scores: Scores = {name: {} for name in judged.maps}
    scored = list(dict.fromkeys(options.baselines))
    for baseline in scored:
        curves = _curves(judged, ranks, counts, baseline, seed)
        areas = np.trapezoid(curves, counts / pixels)  # (q, n, methods, 2)
        for place, figures in enumerate(scores.values()):
            for way, name in enumerate(("deletion", "insertion")):
                figures[f"{name}_curve_{baseline}"] = curves[0, :, place, way]
            for quantity, area in zip(("probability", "logit"), areas, strict=True):
                deletion, insertion = area[:, place].T
                figures[f"deletion_{quantity}_{baseline}"] = deletion
                figures[f"insertion_{quantity}_{baseline}"] = insertion
                figures[f"insertion_minus_deletion_{quantity}_{baseline}"] = insertion - deletion
    leading = [b for b in scored if b != "black"] or scored
    for figures in scores.values():
        of_each = [figures[f"insertion_minus_deletion_probability_{b}"] for b in leading]
        figures["insertion_minus_deletion"] = np.mean(of_each, axis=0)
    return scores


def _ranks(maps: Floats) -> NDArray[np.int64]:
    """Each pixel's place, 0 the highest, of equals the first: int64 (n, h, w)."""
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    return np.argsort(order, axis=1).reshape(maps.shape)


def _curves(
    judged: Judged,
    ranks: NDArray[np.int64],
    counts: NDArray[np.int64],
    baseline: Baseline,
    seed: int,
) -> Values:
    """The class's probability and logit with so many pixels removed, or put back: float64
    (2, n, methods, 2, len(counts)), deletion before insertion."""
    shape, inner = judged.network.image_shape, counts[1:-1, np.newaxis, np.newaxis]
    curves = np.empty((2, *ranks.shape[:2], 2, len(counts)))
    # All and none removed are the same for every method, and run once.
    ends = np.stack([np.ones(shape, bool), np.zeros(shape, bool)])
    for i, image in enumerate(judged.images):
        deleted = ranks[i, :, np.newaxis] < inner  # (methods, steps − 1, h, w)
        between = np.stack([deleted, ~deleted], axis=1)
        removed = np.concatenate([ends, between.reshape(-1, *shape)])
        changed = without(image, removed, baseline, judged.mean_image, seed)
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
    baseline: Baseline = "mean"


@metric(FaithfulnessCorrelation)
def faithfulness_correlation(judged: Judged, options: FaithfulnessCorrelation, seed: int) -> Scores:
    """Pearson's correlation, over random subsets S of the pixels, of Σ_{i∈S} φ_i with
    f(x) − f(x without S), f the class logit; −1…1, higher is better. Where one of the two is the
    same for all subsets, as with a constant map, it is 0.

    Bhatt, Weller & Moura (2020), "Evaluating and aggregating feature-based model explanations",
    faithfulness. The subsets are the same for every image.
    """
    subsets = random_subsets(judged.network.image_shape, options.subsets, options.fraction, seed)
    drops = np.stack([drops for _, drops in _changes(judged, subsets, options.baseline, seed)])
    return {
        name: {"faithfulness_correlation": _correlation(_sums(maps, subsets), drops)}
        for name, maps in judged.maps.items()
    }


def random_subsets(shape: Shape, count: int, fraction: float, seed: int) -> Masks:
    """Masks bool (count, h, w), each of this fraction of the pixels, one at least."""
    pixels = shape[0] * shape[1]
    chosen = np.arange(pixels) < max(1, round(fraction * pixels))
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(chosen, (count, 1)), axis=1).reshape(count, *shape)


def _changes(
    judged: Judged, removed: Masks, baseline: Baseline, seed: int
) -> Iterator[tuple[Values, Values]]:
    """Of each image, what masks (k, h, w) take from the pixels, x − x′, float64 (k, h, w), and
    from the class logit, f(x) − f(x′), float64 (k,)."""
    logits = judged.network.outputs(judged.images)
    for image, target, intact in zip(judged.images, judged.targets, logits, strict=True):
        changed = without(image, removed, baseline, judged.mean_image, seed)
        left = judged.network.outputs(changed)[:, target].astype(np.float64)
        yield image - changed.astype(np.float64), intact[target] - left


def _sums(maps: Floats, subsets: Masks) -> Values:
    """Sums of maps (n, h, w) over subsets (k, h, w): float64 (n, k)."""
    weights = subsets.reshape(len(subsets), -1).astype(np.float64)
    sums: Values = maps.reshape(len(maps), -1) @ weights.T
    return sums


def _correlation(a: Values, b: Values) -> Values:
    """Pearson's correlation of each row of (n, k) arrays: (n,), 0 where one of them does not vary
    by more than float32 can tell."""
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
    baseline: Baseline = "mean"


@metric(Infidelity)
def infidelity(judged: Judged, options: Infidelity, seed: int) -> Scores:
    """E[(β·I·φ − (f(x) − f(x − I)))²] over changes I that take a random square off the image, in
    logits², lower is better. β is the image's own best scale that is not negative,
    E[I·φ d]⁺/E[(I·φ)²] with d = f(x) − f(x − I): no score depends on the length of a map, and one
    that says the contrary, like one that says nothing (β = 0), scores the worst there is, E[d²].

    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), "On the (in)fidelity and sensitivity of
    explanations", definition 2.1, with their square removal and optimal scaling, save that theirs
    may turn a map's sign. Their φ is in logits a grey level; for a map in logits, φ ⊙ (x − b), I·φ
    is its sum over the square (see SENSITIVITIES). A square's side is uniform in 1 … max_side of
    the image, and its place among those within the image; both are drawn once for all images.
    """
    squares = random_squares(judged.network.image_shape, options.draws, options.max_side, seed)
    scores: Scores = {
        name: {"infidelity": np.empty(len(maps))} for name, maps in judged.maps.items()
    }
    for i, (change, drops) in enumerate(_changes(judged, squares, options.baseline, seed)):
        for name, maps in judged.maps.items():
            weights: NDArray[Any] = change if name in SENSITIVITIES else squares
            said = np.tensordot(weights, maps[i].astype(np.float64), 2)  # (k,)
            length = said @ said
            beta = max(said @ drops, 0) / length if length > 0 else 0
            scores[name]["infidelity"][i] = np.mean((beta * said - drops) ** 2)
    return scores


def random_squares(shape: Shape, count: int, max_side: float, seed: int) -> Masks:
    """Masks bool (count, h, w) of a square each, of a side of 1 pixel up to this part of the
    image's shorter side."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(1, max(1, round(max_side * min(shape))), size=count, endpoint=True)
    tops, lefts = (rng.integers(length - sides, endpoint=True) for length in shape)
    rows, columns = (
        (start[:, np.newaxis] <= np.arange(length))
        & (np.arange(length) < (start + sides)[:, np.newaxis])
        for start, length in zip((tops, lefts), shape, strict=True)
    )
    return rows[:, :, np.newaxis] & columns[:, np.newaxis]
