"""Baselines: as scikit-learn called plainly, and the same bytes whatever the threads."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss

from glassnets.config.schema import Baselines, Evaluation
from glassnets.evaluation import baselines, metrics

EVALUATION = Evaluation(
    bootstrap_resamples=500, confidence_level=0.95, calibration_bins=10, random_state=0
)
ALL = Baselines(images=1000, random_state=0)


def arrays(images, labels):
    return {"images": images, "labels": labels.astype(np.uint8)}


@pytest.fixture(scope="module")
def wine():
    """Wines as the rows of a table: (n, 1, 13, 1)."""
    values, labels = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images = values[order].astype(np.float32)[:, np.newaxis, :, np.newaxis]
    labels = labels[order]
    return arrays(images[:120], labels[:120]), arrays(images[120:], labels[120:])


@pytest.fixture(scope="module")
def predicted(wine):
    return baselines.predict(*wine, classes=3, settings=ALL)


def test_they_are_scikit_learns(wine, predicted):
    train, _ = wine
    values, others = (part["images"].reshape(-1, 13).astype(float) for part in wine)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    regression = LogisticRegression(max_iter=1000)
    regression.fit((values - mean) / deviation, train["labels"])
    boosting = HistGradientBoostingClassifier(random_state=0).fit(values, train["labels"])
    expected = {
        "most frequent class": np.eye(3)[[np.bincount(train["labels"]).argmax()] * len(others)],
        "logistic regression": regression.predict_proba((others - mean) / deviation),
        "gradient boosting": boosting.predict_proba(others),
    }
    assert list(predicted) == list(expected)
    for name, probabilities in expected.items():
        np.testing.assert_allclose(predicted[name].probabilities, probabilities, atol=1e-9)
        assert predicted[name].images == 120


def test_the_table_has_scikit_learns_metrics_and_the_families_interval(wine, predicted):
    labels = wine[1]["labels"].astype(np.int64)
    table = baselines.table(labels, predicted, 3, EVALUATION).set_index("baseline")
    assert table.columns.tolist() == [
        *("accuracy", "ci_low", "ci_high", "balanced_accuracy", "log_loss", "images")
    ]
    for name, (p, _) in predicted.items():
        row = table.loc[name]
        assert row["accuracy"] == (p.argmax(axis=1) == labels).mean()
        assert row["balanced_accuracy"] == balanced_accuracy_score(labels, p.argmax(axis=1))
        assert row["log_loss"] == pytest.approx(log_loss(labels, p))
        # A family of which every seed predicts the same has the same interval.
        family = metrics.summaries(labels, np.stack([p] * 3), [1.0] * 3, EVALUATION)["accuracy"]
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(
            (family["ci_low"], family["ci_high"])
        )


def test_they_learn_from_so_many_images_at_most(wine):
    train, test = wine
    few = baselines.predict(train, test, 3, Baselines(images=50, random_state=0))
    assert {each.images for each in few.values()} == {50}
    rows = np.random.default_rng(0).choice(120, 50, replace=False)
    drawn = {key: array[np.sort(rows)] for key, array in train.items()}
    alone = baselines.predict(drawn, test, 3, ALL)
    other = baselines.predict(train, test, 3, Baselines(images=50, random_state=1))
    for name, (probabilities, _) in few.items():
        np.testing.assert_array_equal(probabilities, alone[name].probabilities)
    name = "logistic regression"
    assert not np.array_equal(few[name].probabilities, other[name].probabilities)


def test_a_class_that_was_not_drawn_has_probability_zero(wine):
    train, test = wine
    without = {key: array[train["labels"] != 1] for key, array in train.items()}
    for probabilities, _ in baselines.predict(without, test, 3, ALL).values():
        assert probabilities.shape == (len(test["labels"]), 3)
        assert (probabilities[:, 1] == 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_pixels_and_their_channels_count_each():
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.uint8)[:300]
    labels = labels[:300]
    # Of two channels the second is the image, the first is constant.
    twice = np.stack([np.zeros_like(images), images], axis=-1)
    grey, two = (
        baselines.predict(arrays(x[:200], labels[:200]), arrays(x[200:], labels[200:]), 10, ALL)
        for x in (images, twice)
    )
    for name in grey:
        np.testing.assert_allclose(grey[name].probabilities, two[name].probabilities, atol=1e-6)


CODE = """
import hashlib
import numpy as np
from sklearn.datasets import load_digits
from glassnets.config.schema import Baselines
from glassnets.evaluation import baselines
images, labels = load_digits(return_X_y=True)
part = {"images": images, "labels": labels.astype(np.uint8)}
predicted = baselines.predict(part, part, 10, Baselines(images=700, random_state=0))
for each in predicted.values():
    print(hashlib.sha256(each.probabilities.tobytes()).hexdigest())
"""


@pytest.mark.exhaustive
def test_bytes_do_not_depend_on_the_number_of_threads():
    outputs = []
    for threads in ("1", "2"):
        environment = os.environ | {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS")}
        command = [sys.executable, "-c", CODE]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""
        outputs.append(ran.stdout.split())
    assert len(outputs[0][0]) == len(hashlib.sha256().hexdigest())
    assert outputs[0] == outputs[1]
