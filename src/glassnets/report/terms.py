"""The terms of report.html and what they mean, as it explains them where they stand."""

from collections.abc import Mapping
from typing import NamedTuple

from glassnets.attribution.scores import SCORES


class Term(NamedTuple):
    heading: str
    meaning: str


_BETTER = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "near 0": "Nearer to 0 is better.",
}

# Of scores whose meaning `SCORES` states by that of the score before.
_ALONE = {
    "own_minus_others": "insertion − deletion of this network's maps less that of other networks' "
    "maps for the same answers: what a map says of this network, and not of the data",
    "parameter_randomization_unsigned": "rank correlation of the maps' absolute values with those "
    "of the map after all weights were redrawn; it only warns",
    "label_randomization_unsigned": "rank correlation of the maps' absolute values with those of "
    "the map of a network that memorised shuffled labels; it fails no method",
}


def _meaning(score: str) -> str:
    meaning = _ALONE.get(score, SCORES[score].meaning)
    return meaning[0].upper() + meaning[1:]


TERMS: Mapping[str, Term] = {
    key: Term(*texts)
    for key, texts in {
        "family": (
            "family",
            "A kind of neural network, by how its units are connected. Each family is trained by a "
            "recipe of its own.",
        ),
        "seed": (
            "seed",
            "The number from which random numbers are drawn. Networks of one family with different "
            "seeds start from other weights and see the training images in another order; all else "
            "is the same.",
        ),
        "interval": (
            "interval",
            "A range that would contain the true value in {percent} of repetitions, if images and "
            "seeds were drawn again each time; by the bootstrap.",
        ),
        "attribution": (
            "attribution",
            "A map with a number for each pixel: how much it spoke for the class that is "
            "explained, "
            "or against it. An explanation, in this report, is such a map.",
        ),
        "method": ("method", "A rule by which attributions are computed."),
        "variant": ("variant", "A method with its reference, which stands in brackets."),
        "reference": (
            "reference",
            "What stands in the place of an absent pixel: black; the mean training image (mean); a "
            "blurred copy of the image (blur); or training images drawn at random (draws). Each "
            "has "
            "a bias, so each is tried.",
        ),
        "removal": (
            "removal",
            "How pixels are taken out of an image to test a map: what a reference has is put "
            "there, "
            "or what the pixels that are left suggest (interpolation). A map should show which "
            "pixels change the prediction when they are removed.",
        ),
        "control": (
            "control",
            "A map that does not depend on the network, such as a random one. An explanation that "
            "scores no higher tells nothing about the network.",
        ),
        "verdict": (
            "verdict",
            "What the tests of a variant come to, for the networks of one family: it holds, fails "
            "or is undecided. It is on the method, not on a single map.",
        ),
        "holds": (
            "✓ holds",
            "Every test was shown to be passed. No fault was found; the maps may still be wrong.",
        ),
        "undecided": (
            "? undecided",
            "No test was shown to be failed, but not all were shown to be passed: there were too "
            "few images to tell.",
        ),
        "fails": ("✗ fails", "At least one test was shown to be failed: do not rely on it."),
        "unstable": (
            "unstable",
            "There are choices that could have been made otherwise, such as one removal alone or "
            "half of the images. Under one of them the verdict holds, and under another it fails.",
        ),
        "share": (
            "share of choices",
            "Under how many of some 15 choices that could have been made otherwise (one removal "
            "alone, half of the images, other thresholds, another reference) the verdict holds.",
        ),
        "first": (
            "believe first",
            "Its verdict holds, and no other variant whose verdict holds is shown to score above "
            "it, "
            "by any removal but its own reference.",
        ),
        "best-supported": (
            "best supported",
            "Of the variants whose verdict holds, the one of the highest score; if none holds, of "
            "the undecided; else of all.",
        ),
        "sample": (
            "images that are explained",
            "{sample} test images drawn at random, the same for every family. Those that are "
            "displayed are all of these, or as many as fit into this page.",
        ),
        "test-parameter-randomization": (
            "parameter randomization",
            "The map changes when the network’s weights are drawn anew.",
        ),
        "test-label-randomization": (
            "label randomization",
            "The map differs from that of a network that learnt shuffled labels by heart.",
        ),
        "test-class-sensitivity": (
            "class sensitivity",
            "The maps of the two most probable classes differ.",
        ),
        "test-above-controls": (
            "above controls",
            "The map scores above every control of its own reference, and those without one.",
        ),
        "test-specific-network": (
            "specific to this network",
            "The map scores above those of networks of other seeds that give the same answer. Else "
            "it is about the data, not about this network.",
        ),
        "test-specific-image": (
            "specific to this image",
            "The map tells better what the network does with this image than the map of another "
            "image of the same class does.",
        ),
        "test-localization": (
            "localization",
            "The map finds the pixels that are known to decide the label better than every "
            "control.",
        ),
        "mcnemar": (
            "exact McNemar test",
            "Counts the images that only one of two networks predicted rightly, and asks how "
            "likely "
            "so uneven a count is if both are equally good.",
        ),
        "holm": (
            "Holm’s correction",
            "Where many comparisons are made, some differ by chance. The correction makes each "
            "harder to pass, so that a false one is unlikely among all.",
        ),
        "baseline": (
            "baseline",
            "A classifier that is no neural network, on the same data: what is reached without "
            "one.",
        ),
        "calibration": (
            "calibration",
            "Whether a network is right as often as it says: of the predictions with a probability "
            "of 90 %, nine in ten should be right.",
        ),
        "gap": ("gap", "Training accuracy less test accuracy, in points: how far it overfits."),
        "log-loss": (
            "log loss",
            "The mean negative logarithm of the probability given to the true class. Lower is "
            "better.",
        ),
        "f1": (
            "F1",
            "The mean over classes of the harmonic mean of precision and recall. Higher is better.",
        ),
        "ece": (
            "ECE",
            "Expected calibration error: how far the stated probabilities lie from how often the "
            "network is right. Lower is better.",
        ),
        "brier": (
            "Brier score",
            "The mean squared distance of the probabilities from the truth. Lower is better.",
        ),
        "balanced": (
            "balanced accuracy",
            "The mean over classes of the share of images that are predicted rightly: rare classes "
            "count as much as frequent ones.",
        ),
        "parameters": ("parameters", "How many numbers of the network training sets."),
    }.items()
} | {
    f"score-{name}": Term(score.heading, f"{_meaning(name)}. {_BETTER[score.better]}")
    for name, score in SCORES.items()
}

# The terms that explain the columns of tables.
OF_COLUMNS = {
    "balanced %": "balanced",
    "log loss": "log-loss",
    "F1 %": "f1",
    "ECE %": "ece",
    "Brier": "brier",
    "gap %": "gap",
    "parameters": "parameters",
}
