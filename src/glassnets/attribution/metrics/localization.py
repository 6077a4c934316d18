"""Does a map mark the evidence, where it is known? And does the network use the evidence?

A faithful map marks other pixels where the network uses others: scores of localization are valid
only for a network whose predictions depend on the evidence, which `intervention` measures.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import Judged, Scores, Values, metric


@metric()
def localization(judged: Judged, options: Options, seed: int) -> Scores:
    """``average_precision``, ``relevance_mass``, ``relevance_rank`` and ``pointing_game``, each
    0…1, higher is better; NaN for an image without evidence, no scores without ``judged.evidence``.
    They are valid for a network that uses the evidence: see `intervention` and `verdicts.withheld`.
    Average precision decides, since adding a constant to a map does not move it; relevance mass,
    which that does move, only describes. ``mass_on_suppressor``: the share of the map's absolute
    value on pixels that help the decision and are no evidence, where these are known.

    Equal pixels count as if in random order: a constant positive map scores the evidence's share
    of the area in all four.
    """
    if judged.evidence is None:
        return {name: {} for name in judged.maps}
    evidence = judged.evidence.reshape(len(judged.images), -1)
    known = evidence.any(axis=1)
    scores: Scores = {}
    for name, maps in judged.maps.items():
        rows = maps.reshape(len(maps), -1).astype(np.float64)
        scores[name] = {
            score.__name__: np.where(known, score(rows, evidence), np.nan)
            for score in (average_precision, relevance_mass, relevance_rank, pointing_game)
        }
        if judged.suppressor is not None:
            helps = judged.suppressor.reshape(len(judged.images), -1)
            mass = relevance_mass(np.abs(rows), helps)
            scores[name]["mass_on_suppressor"] = np.where(known, mass, np.nan)
    return scores


def average_precision(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Average precision of the map as a ranking of the pixels, those of the evidence being right:
    (n,); 0 without evidence. Equal pixels come in together.

    maps and evidence (n, pixels). Manning, Raghavan & Schütze (2008), "Introduction to information
    retrieval", ch. 8.4, as scikit-learn computes it.
    """
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(own, row) if own.any() else 0.0
            for row, own in zip(maps, evidence, strict=True)
        ]
    )


def relevance_mass(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Share of a map's positive part that is in the evidence, 0 for a map that has none: (n,).

    maps and evidence (n, pixels). Arras, Osman & Samek (2022), "CLEVR-XAI: a benchmark dataset
    for the ground truth evaluation of neural network explanations".
    """
    positive = np.maximum(maps, 0)
    total = positive.sum(axis=1)
    inside = (positive * evidence).sum(axis=1)
    mass: Values = np.divide(inside, total, out=np.zeros(len(maps)), where=total > 0)
    return mass


def relevance_rank(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Share of a map's k highest pixels that is in the evidence, which has k pixels: (n,).

    maps and evidence (n, pixels). Arras, Osman & Samek (2022). Of the pixels equal to the
    lowest of the highest, the share that is in the evidence counts.
    """
    return _share_of_highest(maps, evidence, evidence.sum(axis=1))


def pointing_game(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Whether a map's highest pixel is in the evidence, or the share of several equal ones: (n,).

    maps and evidence (n, pixels). Zhang, Bargal, Lin, Brandt, Shen & Sclaroff (2018), "Top-down
    neural attention by excitation backprop", without its margin of pixels.
    """
    return _share_of_highest(maps, evidence, np.ones(len(maps), np.int64))


def _share_of_highest(
    maps: Values, evidence: NDArray[np.bool_], count: NDArray[np.int64]
) -> Values:
    """Expected share of a map's count (n,) highest pixels that is in the evidence, equal pixels in
    random order."""
    count = np.maximum(count, 1)
    place = (maps.shape[1] - count)[:, np.newaxis]
    lowest = np.take_along_axis(np.sort(maps, axis=1), place, axis=1)
    above, equal = maps > lowest, maps == lowest
    to_fill = count - above.sum(axis=1)
    inside = (above & evidence).sum(axis=1)
    share = (equal & evidence).sum(axis=1) / equal.sum(axis=1)
    expected: Values = (inside + to_fill * share) / count
    return expected


def intervention(
    predict: Callable[[NDArray[np.uint8]], NDArray[np.int64]],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    cue_changed: NDArray[np.uint8],
    cue_changed_labels: NDArray[np.uint8],
    rest_changed: NDArray[np.uint8],
) -> dict[str, Values]:
    """Whether a network's predictions depend on the cue: ``cue_changed``, 1 where a prediction
    follows the cue to the new label; ``rest_changed``, 1 where it stays when all else is changed;
    else 0. float64 (n,), NaN where the network is wrong on the unchanged image.

    predict: images (m, h, w) → classes (m,).
    images, labels: (n, h, w), (n,).
    cue_changed, cue_changed_labels: the images with another cue, and its labels.
    rest_changed: the images with the same cue and all else changed.
    """
    right = predict(images) == labels
    follows = predict(cue_changed) == cue_changed_labels
    stays = predict(rest_changed) == labels
    return {
        "cue_changed": np.where(right, follows, np.nan),
        "rest_changed": np.where(right, stays, np.nan),
    }
