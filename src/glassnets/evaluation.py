"""Figures of merit on the test part, each with an interval over images and seeds.

scikit-learn computes the figures. The intervals come from one bootstrap for all of them: images
and seeds are drawn with replacement, and as every figure is a function of sums over images, a
resample is a vector of weights (how often each image was drawn) and all resamples are one matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from glassnets.params import Evaluation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def softmax(logits: NDArray[np.float32]) -> Floats:
    """Probabilities float64 (n, classes) of logits (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials: Floats = np.exp(shifted)
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def expected_calibration_error(labels: Ints, probabilities: Floats, bins: int) -> float:
    """Σ_b (n_b/n)·|accuracy_b − confidence_b| over bins of equal width of the confidence.

    labels (n,), probabilities (n, classes). Guo et al. (2017), "On calibration of modern neural
    networks", eq. 3.
    """
    table = reliability(labels, probabilities, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((table["count"] * gaps).sum() / table["count"].sum())


def reliability(labels: Ints, probabilities: Floats, bins: int) -> pd.DataFrame:
    """A row for each bin that holds an image: bin (its centre), confidence and accuracy (their
    means in it), count."""
    table = pd.DataFrame(
        {
            "bin": (_bin(probabilities, bins) + 0.5) / bins,
            "confidence": probabilities.max(axis=1),
            "accuracy": (probabilities.argmax(axis=1) == labels).astype(float),
        }
    )
    groups = table.groupby("bin")
    return groups.mean().assign(count=groups.size()).reset_index()


def _bin(probabilities: Floats, bins: int) -> Ints:
    bin_: Ints = np.minimum((probabilities.max(axis=1) * bins).astype(np.int64), bins - 1)
    return bin_


@dataclass(frozen=True)
class Figure:
    """A figure of merit: its value by scikit-learn (or ours), and the same of many resamples.

    value: labels (n,), probabilities (n, classes), calibration bins → figure. resampled: weights
    (r, n) before them → (r,).
    """

    value: Callable[[Ints, Floats, int], float]
    resampled: Callable[[Floats, Ints, Floats, int], Floats]


def _mean_of(score: Callable[[Ints, Floats], Floats]) -> Callable[..., Floats]:
    """The resamples of a figure that is a mean of a score of each image."""

    def resampled(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
        means: Floats = weights @ score(labels, probabilities) / weights.sum(axis=1)
        return means

    return resampled


def _correct(labels: Ints, probabilities: Floats) -> Floats:
    correct: Floats = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return correct


def _surprise(labels: Ints, probabilities: Floats) -> Floats:
    chosen = probabilities[np.arange(len(labels)), labels]
    surprise: Floats = -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))
    return surprise


def _squared_error(labels: Ints, probabilities: Floats) -> Floats:
    truth = np.eye(probabilities.shape[1])[labels]
    errors: Floats = ((probabilities - truth) ** 2).sum(axis=1)
    return errors


def _macro_f1(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
    """F1 = 2·hits/(of the class + called the class), 0 where neither is; mean over classes."""
    classes = np.eye(probabilities.shape[1])
    truth, called = classes[labels], classes[probabilities.argmax(axis=1)]
    hits, size = weights @ (truth * called), weights @ (truth + called)
    f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
    mean: Floats = f1.mean(axis=1)
    return mean


def _calibration(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
    member = np.eye(bins)[_bin(probabilities, bins)]  # (n, bins)
    excess = _correct(labels, probabilities) - probabilities.max(axis=1)
    gaps: Floats = np.abs(weights @ (member * excess[:, np.newaxis])).sum(axis=1)
    gaps /= weights.sum(axis=1)
    return gaps


FIGURES = {
    "accuracy": Figure(
        lambda labels, p, _: accuracy_score(labels, p.argmax(axis=1)), _mean_of(_correct)
    ),
    "log_loss": Figure(
        lambda labels, p, _: log_loss(labels, p, labels=range(p.shape[1])), _mean_of(_surprise)
    ),
    "macro_f1": Figure(
        lambda labels, p, _: f1_score(
            labels, p.argmax(axis=1), labels=range(p.shape[1]), average="macro", zero_division=0.0
        ),
        _macro_f1,
    ),
    "expected_calibration_error": Figure(expected_calibration_error, _calibration),
    "brier_score": Figure(  # Brier (1950): the sum over classes, between 0 and 2
        lambda labels, p, _: brier_score_loss(
            labels, p, labels=range(p.shape[1]), scale_by_half=False
        ),
        _mean_of(_squared_error),
    ),
}


def by_seed(labels: Ints, probabilities: Floats, evaluation: Evaluation) -> dict[str, list[float]]:
    """Each figure's value for each seed. labels (n,), probabilities (seeds, n, classes)."""
    bins = evaluation.calibration_bins
    return {
        name: [float(figure.value(labels, p, bins)) for p in probabilities]
        for name, figure in FIGURES.items()
    }


def metrics(
    labels: Ints, probabilities: Floats, train_accuracy: list[float], evaluation: Evaluation
) -> dict[str, dict[str, Any]]:
    """Every figure as mean, sd, ci_low, ci_high and by_seed.

    labels (n,), probabilities (seeds, n, classes), train_accuracy a value a seed. sd is over
    seeds (ddof 1; 0 for a single one). The interval is the percentile bootstrap of the mean over
    seeds, images and seeds drawn with replacement (Efron & Tibshirani 1993, ch. 13), the same
    draws for every figure. overfitting_gap is train_accuracy − accuracy; train_accuracy itself is
    not resampled over images.
    """
    seeds, images = probabilities.shape[:2]
    rng = np.random.default_rng(evaluation.random_state)
    resamples = evaluation.bootstrap_resamples
    bins = evaluation.calibration_bins
    drawn_seeds = rng.integers(seeds, size=(resamples, seeds))
    resampled: dict[str, list[Floats]] = {name: [] for name in FIGURES}
    for block in np.array_split(drawn_seeds, max(1, resamples // 200)):  # bounds the memory
        weights = rng.multinomial(images, np.full(images, 1 / images), len(block)).astype(float)
        for name, figure in FIGURES.items():
            each = np.stack([figure.resampled(weights, labels, p, bins) for p in probabilities], 1)
            resampled[name].append(np.take_along_axis(each, block, axis=1).mean(axis=1))
    values = by_seed(labels, probabilities, evaluation)
    draws = {name: np.concatenate(blocks) for name, blocks in resampled.items()}
    values["train_accuracy"] = train_accuracy
    draws["train_accuracy"] = np.array(train_accuracy)[drawn_seeds].mean(axis=1)
    gaps = np.subtract(train_accuracy, values["accuracy"])
    values["overfitting_gap"] = gaps.tolist()
    draws["overfitting_gap"] = draws["train_accuracy"] - draws["accuracy"]
    return {
        name: summary(by, draws[name], evaluation.confidence_level) for name, by in values.items()
    }


def summary(by_seed: list[float], draws: Floats, confidence_level: float) -> dict[str, Any]:
    """The one shape that every figure is reported in."""
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return {
        "mean": float(np.mean(by_seed)),
        "sd": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
        "ci_low": float(low),
        "ci_high": float(high),
        "by_seed": by_seed,
    }


def class_report(labels: Ints, probabilities: Floats) -> pd.DataFrame:
    """A row a class: class, support (images), and precision, recall and F1 as means over seeds.

    labels (n,), probabilities (seeds, n, classes).
    """
    classes = range(probabilities.shape[-1])
    each = [
        precision_recall_fscore_support(labels, p.argmax(axis=1), labels=classes, zero_division=0.0)
        for p in probabilities
    ]
    precision, recall, f1, support = np.mean(each, axis=0)
    return pd.DataFrame(
        {
            "class": classes,
            "support": support.astype(int),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
    )


def confusion(labels: Ints, probabilities: Floats) -> pd.DataFrame:
    """A row for each pair of classes: label, prediction, count (of all seeds together).

    labels (n,), probabilities (seeds, n, classes).
    """
    classes = range(probabilities.shape[-1])
    counts = sum(confusion_matrix(labels, p.argmax(axis=1), labels=classes) for p in probabilities)
    pairs = pd.MultiIndex.from_product([classes, classes], names=["label", "prediction"])
    return pd.Series(np.ravel(counts), pairs, name="count").reset_index()
