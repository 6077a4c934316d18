"""Metrics on the test part, each with an interval over images and seeds.

scikit-learn computes the metrics. The intervals come from the bootstrap; as every metric is a
function of sums over images, a resample is a vector of weights (how often each image was drawn).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from glassnets.config.schema import Evaluation
from glassnets.evaluation import bootstrap

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
class Metric:
    """Its value by scikit-learn (or ours), and the same of many resamples.

    value: labels (n,), probabilities (n, classes), calibration bins → float. resampled: weights
    (r, n) before them → (r,).
    """

    value: Callable[[Ints, Floats, int], float]
    resampled: Callable[[Floats, Ints, Floats, int], Floats]


def _mean_of(score: Callable[[Ints, Floats], Floats]) -> Callable[..., Floats]:
    """The resamples of a metric that is a mean of a score of each image."""

    def resampled(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
        means: Floats = weights @ score(labels, probabilities) / weights.sum(axis=1)
        return means

    return resampled


def _correct(labels: Ints, probabilities: Floats) -> Floats:
    correct: Floats = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return correct


def _log_loss(labels: Ints, probabilities: Floats) -> Floats:
    chosen = probabilities[np.arange(len(labels)), labels]
    loss: Floats = -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))
    return loss


def _squared_error(labels: Ints, probabilities: Floats) -> Floats:
    truth = np.eye(probabilities.shape[1])[labels]
    errors: Floats = ((probabilities - truth) ** 2).sum(axis=1)
    return errors


def _macro_f1(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
    """F1 = 2·hits/(of the class + predicted), 0 where neither is; mean over classes."""
    classes = np.eye(probabilities.shape[1])
    truth, predicted = classes[labels], classes[probabilities.argmax(axis=1)]
    hits, size = weights @ (truth * predicted), weights @ (truth + predicted)
    f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
    mean: Floats = f1.mean(axis=1)
    return mean


def _balanced_accuracy(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
    """The mean over the classes that were drawn of the share of a class predicted rightly."""
    truth = np.eye(probabilities.shape[1])[labels]
    hits = weights @ (truth * _correct(labels, probabilities)[:, np.newaxis])
    size = weights @ truth  # (r, classes)
    recall = np.divide(hits, size, out=np.zeros_like(hits), where=size > 0)
    mean: Floats = recall.sum(axis=1) / (size > 0).sum(axis=1)
    return mean


def _calibration(weights: Floats, labels: Ints, probabilities: Floats, bins: int) -> Floats:
    member = np.eye(bins)[_bin(probabilities, bins)]  # (n, bins)
    excess = _correct(labels, probabilities) - probabilities.max(axis=1)
    gaps: Floats = np.abs(weights @ (member * excess[:, np.newaxis])).sum(axis=1)
    gaps /= weights.sum(axis=1)
    return gaps


METRICS = {
    "accuracy": Metric(
        lambda labels, p, _: accuracy_score(labels, p.argmax(axis=1)), _mean_of(_correct)
    ),
    "log_loss": Metric(
        lambda labels, p, _: log_loss(labels, p, labels=range(p.shape[1])),
        _mean_of(_log_loss),
    ),
    "macro_f1": Metric(
        lambda labels, p, _: f1_score(
            labels, p.argmax(axis=1), labels=range(p.shape[1]), average="macro", zero_division=0.0
        ),
        _macro_f1,
    ),
    "expected_calibration_error": Metric(expected_calibration_error, _calibration),
    "brier_score": Metric(  # Brier (1950): the sum over classes, between 0 and 2
        lambda labels, p, _: brier_score_loss(
            labels, p, labels=range(p.shape[1]), scale_by_half=False
        ),
        _mean_of(_squared_error),
    ),
}
# Where classes may be of very different sizes: a person's own data.
BALANCED = {
    "balanced_accuracy": Metric(
        lambda labels, p, _: balanced_accuracy_score(labels, p.argmax(axis=1)), _balanced_accuracy
    ),
}


def by_seed(
    labels: Ints,
    probabilities: Floats,
    evaluation: Evaluation,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, list[float]]:
    """Each metric's value for each seed. labels (n,), probabilities (seeds, n, classes)."""
    bins = evaluation.calibration_bins
    return {
        name: [float(metric.value(labels, p, bins)) for p in probabilities]
        for name, metric in metrics.items()
    }


def summaries(
    labels: Ints,
    probabilities: Floats,
    train_accuracy: list[float],
    evaluation: Evaluation,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, dict[str, Any]]:
    """Every metric as `bootstrap.summary` has it, the same draws for each.

    labels (n,), probabilities (seeds, n, classes), train_accuracy a value a seed, which is not
    resampled over images. overfitting_gap is train_accuracy − accuracy.
    """
    seeds, images = probabilities.shape[:2]
    bins = evaluation.calibration_bins
    means: dict[str, list[Floats]] = {name: [] for name in [*metrics, "train_accuracy"]}
    for of_seed, of_image in bootstrap.blocks(seeds, images, evaluation):
        shares = of_seed / seeds
        for name, metric in metrics.items():
            each = [metric.resampled(of_image, labels, p, bins) for p in probabilities]
            means[name].append((np.stack(each, axis=1) * shares).sum(axis=1))
        means["train_accuracy"].append(shares @ np.array(train_accuracy))
    resampled = {name: np.concatenate(blocks) for name, blocks in means.items()}
    resampled["overfitting_gap"] = resampled["train_accuracy"] - resampled["accuracy"]
    values = by_seed(labels, probabilities, evaluation, metrics)
    values["train_accuracy"] = train_accuracy
    values["overfitting_gap"] = np.subtract(train_accuracy, values["accuracy"]).tolist()
    return {
        name: bootstrap.summary(each, resampled[name], evaluation.confidence_level)
        for name, each in values.items()
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
