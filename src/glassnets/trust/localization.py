"""Does a map point at the evidence, where it is known? And does the network use it at all?

A map can be faithful and yet point elsewhere, if that is where the network looks: the figures
here mean something only where the intervention shows that the network hangs on the evidence.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glassnets.explanations.method import Options
from glassnets.params import ProperFraction
from glassnets.trust.metric import Judged, Scores, Values, metric


class Localization(Options):
    # Share of the test images whose answer must follow the cue, and of those whose answer must
    # stay without the rest, before a network's figures mean anything: see `intervention`.
    min_followed: ProperFraction = 0.9


@metric(Localization)
def localization(judged: Judged, options: Localization, seed: int) -> Scores:
    """``relevance_mass``, ``relevance_rank`` and ``pointing_game``, each 0…1, higher is better;
    NaN for an image of no evidence, no figures without ``judged.evidence``. That the network
    hangs on the evidence, by options.min_followed, is the caller's to prove.

    Equal pixels count as if their order were drawn: a constant positive map scores the
    evidence's share of the area in all three.
    """
    if judged.evidence is None:
        return {name: {} for name in judged.maps}
    evidence = judged.evidence.reshape(len(judged.images), -1)
    known = evidence.any(axis=1)
    scores: Scores = {}
    for name, maps in judged.maps.items():
        rows = maps.reshape(len(maps), -1).astype(np.float64)
        scores[name] = {
            figure.__name__: np.where(known, figure(rows, evidence), np.nan)
            for figure in (relevance_mass, relevance_rank, pointing_game)
        }
    return scores


def relevance_mass(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Share of a map's positive part that lies in the evidence, 0 for a map that has none: (n,).

    maps and evidence (n, pixels). Arras, Osman & Samek (2022), "CLEVR-XAI: a benchmark dataset
    for the ground truth evaluation of neural network explanations".
    """
    positive = np.maximum(maps, 0)
    total = positive.sum(axis=1)
    inside = (positive * evidence).sum(axis=1)
    mass: Values = np.divide(inside, total, out=np.zeros(len(maps)), where=total > 0)
    return mass


def relevance_rank(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Share of the evidence among as many of a map's highest pixels: (n,).

    maps and evidence (n, pixels). Arras, Osman & Samek (2022). Of the pixels equal to the
    lowest of the highest, the share that lies in the evidence counts.
    """
    return _share_of_highest(maps, evidence, evidence.sum(axis=1))


def pointing_game(maps: Values, evidence: NDArray[np.bool_]) -> Values:
    """Whether a map's highest pixel lies in the evidence, or which share of several equal: (n,).

    maps and evidence (n, pixels). Zhang, Bargal, Lin, Brandt, Shen & Sclaroff (2018), "Top-down
    neural attention by excitation backprop", without its margin of pixels.
    """
    return _share_of_highest(maps, evidence, np.ones(len(maps), np.int64))


def _share_of_highest(
    maps: Values, evidence: NDArray[np.bool_], count: NDArray[np.int64]
) -> Values:
    """Expected share in the evidence of a map's count (n,) highest pixels, equals in any order."""
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
    """Whether a network hangs on the cue: ``cue_changed``, 1 where its answer follows the cue to
    the new label; ``rest_changed``, 1 where it stays when all else is changed; else 0. float64
    (n,), NaN where the network was wrong from the start.

    images and the two changed versions of each (n, h, w), labels and the labels of those whose
    cue is changed (n,); predict gives the classes (m,) of images (m, h, w).
    """
    right = predict(images) == labels
    follows = predict(cue_changed) == cue_changed_labels
    stays = predict(rest_changed) == labels
    return {
        "cue_changed": np.where(right, follows, np.nan),
        "rest_changed": np.where(right, stays, np.nan),
    }
