"""Classifiers that are no networks, beside which one sees whether a network was worth it.

scikit-learn's, with its default settings (but that logistic regression may iterate until it has
converged): none is chosen or tuned by what it scores.

- most frequent class: of the training part; it looks at no image.
- logistic regression: on every value of an image (each channel of each player), standardised by its
  mean and standard deviation in the training images.
- gradient boosting: `HistGradientBoostingClassifier` on the same values, as they are; after
  LightGBM (Ke et al. 2017).
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from glassnets.config.schema import Baselines, Evaluation
from glassnets.data import Arrays
from glassnets.evaluation import bootstrap, metrics

MAX_ITERATIONS = 1000  # of logistic regression, which converges before


class Baseline(NamedTuple):
    """Its probabilities float64 (n, classes) of the test images, and how many training images it
    learnt from."""

    probabilities: NDArray[np.float64]
    images: int


def classifiers(random_state: int) -> dict[str, Any]:
    """scikit-learn's classifiers by name, none of which has learnt yet."""
    return {
        "most frequent class": DummyClassifier(strategy="most_frequent"),
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS)
        ),
        "gradient boosting": HistGradientBoostingClassifier(random_state=random_state),
    }


def predict(train: Arrays, test: Arrays, classes: int, settings: Baselines) -> dict[str, Baseline]:
    """What each baseline predicts of the test images.

    train, test: ``images`` (n, h, w[, channels]), ``labels`` uint8 (n,). Of the training images
    settings.images are drawn without replacement; all, where there are no more. Computed in one
    thread, since scikit-learn's and the linear algebra's sums depend on how many there are.
    """
    rows = np.arange(len(train["labels"]))
    if len(rows) > settings.images:
        rng = np.random.default_rng(settings.random_state)
        rows = np.sort(rng.choice(len(rows), settings.images, replace=False))
    images, labels = _values(train["images"][rows]), train["labels"][rows]
    predicted = {}
    with threadpool_limits(limits=1):
        for name, classifier in classifiers(settings.random_state).items():
            classifier.fit(images, labels)
            probabilities = np.zeros((len(test["labels"]), classes))
            # A class that was not drawn has no column of its own.
            probabilities[:, classifier.classes_] = classifier.predict_proba(
                _values(test["images"])
            )
            predicted[name] = Baseline(probabilities, len(rows))
    return predicted


def _values(images: NDArray[Any]) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64)


def table(
    labels: NDArray[np.int64], predicted: dict[str, Baseline], seeds: int, evaluation: Evaluation
) -> pd.DataFrame:
    """A row a baseline: baseline, accuracy, ci_low, ci_high, balanced_accuracy, log_loss, images.

    The interval is of the accuracy, over test images; they are drawn as they are for families with
    so many seeds, so that the two may be compared. images: of the training part, which it learnt
    from.
    """
    rows = []
    for name, (probabilities, images) in predicted.items():
        right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
        drawn = [
            of_image @ right / of_image.sum(axis=1)
            for _, of_image in bootstrap.blocks(seeds, len(labels), evaluation)
        ]
        low, high = bootstrap.interval(np.concatenate(drawn), evaluation.confidence_level)
        each = metrics.by_seed(
            labels, probabilities[np.newaxis], evaluation, metrics.METRICS | metrics.BALANCED
        )
        ends = {"ci_low": low, "ci_high": high}
        others = {metric: each[metric][0] for metric in ("balanced_accuracy", "log_loss")}
        row = {"baseline": name, "accuracy": each["accuracy"][0], **ends, **others}
        rows.append(row | {"images": images})
    return pd.DataFrame(rows)
