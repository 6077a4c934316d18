"""The same network taught by each learning rule, each with a learning rate of its own.

A rule whose feedback matrices are large moves the weights as a higher rate would, so rules compare
only where each has the rate that suits it, chosen by the validation loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Evaluation, LearningRules
from glassnets.data import Arrays
from glassnets.evaluation import bootstrap
from glassnets.learning import feedback
from glassnets.models import training
from glassnets.models.layers import standardize

Build = Callable[[int], Any]  # a new network, of a seed
_BATCH = 500  # images that angles are taken of
_MIN = 1e-15  # probability, so that no log loss is infinite


@dataclass(frozen=True, eq=False)
class Learnt:
    """A trained network; the validation loss of its epoch; and angles, a row an epoch and layer of
    weights: epoch (0 before training), layer (from 1, the one nearest the images), degrees (see
    `feedback.angles`)."""

    network: Any
    val_loss: float
    angles: pd.DataFrame


def learn(
    build: Build,
    rule: str,
    train: Arrays,
    validation: Arrays,
    options: LearningRules,
    factor: float,
    seed: int,
) -> Learnt:
    """Trains a new network.

    build: makes a chain of layers, see `feedback.learner`. rule: one of `feedback.RULES`. train,
    validation: as `training.fit` takes them. factor: of the options' learning rate. seed: of
    weights, feedback and batches. Raises GlassnetsError when the loss is no longer finite.
    """
    network = build(seed)
    learner = feedback.learner(network, rule, seed)
    rate = options.training.learning_rate * factor
    recipe = options.training.model_copy(update={"learning_rate": rate})
    images, labels = train["images"][:_BATCH], train["labels"][:_BATCH]
    rows: list[tuple[int, int, float]] = []

    def measure(epoch: int, *_: Any) -> None:
        angles = feedback.angles(network, learner, images, labels)
        rows.extend((epoch, layer, angle) for layer, angle in enumerate(angles, start=1))

    standardize(learner, train["images"])
    measure(0)
    history = training.fit(learner, train, validation, recipe, seed, lambda _: None, measure)
    angles = pd.DataFrame(rows, columns=["epoch", "layer", "degrees"])
    return Learnt(network, float(history["val_loss"].min()), angles)


def compared(
    probabilities: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.uint8],
    evaluation: Evaluation,
) -> pd.DataFrame:
    """A row a rule and score (accuracy, log_loss): their mean over seeds and images with its
    interval, and the mean less that of backpropagation on the same seeds and images, with its own.

    probabilities: (seeds, n, classes) by rule. labels: (n,).
    """
    scores = {
        (rule, score): values
        for rule, p in probabilities.items()
        for score, values in (
            ("accuracy", (p.argmax(axis=2) == labels).astype(np.float64)),
            ("log_loss", -np.log(np.maximum(p[:, np.arange(len(labels)), labels], _MIN))),
        )
    }
    means = bootstrap.means(np.stack([*scores.values()]), evaluation)
    resampled = dict(zip(scores, means, strict=True))
    rows = []
    for (rule, score), values in scores.items():
        beside = feedback.BACKPROPAGATION, score
        low, high = bootstrap.interval(resampled[rule, score], evaluation.confidence_level)
        difference = resampled[rule, score] - resampled[beside]
        ends = bootstrap.interval(difference, evaluation.confidence_level)
        mean = values.mean()
        rows.append((rule, score, mean, low, high, mean - scores[beside].mean(), *ends))
    names = ["mean", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=["rule", "score", *names, *(f"less_{n}" for n in names)])
