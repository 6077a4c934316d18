"""Metrics on the test part: by hand, by scikit-learn, and their intervals by SciPy's bootstrap."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, log_loss

from glassnets.config.schema import Evaluation
from glassnets.evaluation import metrics

SETTINGS = Evaluation(
    bootstrap_resamples=2000, confidence_level=0.95, calibration_bins=10, random_state=0
)


def predictions(seeds=3, n=400, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(seeds, n, classes)).astype(np.float32)
    logits[:, np.arange(n), labels] += 1.5
    return labels, np.stack([metrics.softmax(each) for each in logits])


def test_softmax_by_hand_and_without_overflow():
    logits = np.array([[0, np.log(3)], [1e5, -1e5]], np.float32)
    np.testing.assert_allclose(metrics.softmax(logits), [[0.25, 0.75], [1, 0]], rtol=1e-6)


def test_calibration_error_by_hand():
    # Two images at confidence 0.9, one right: gap 0.4. Two at 0.6, both right: gap 0.4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    assert metrics.expected_calibration_error(labels, probabilities, 10) == pytest.approx(0.4)
    table = metrics.reliability(labels, probabilities, 10)
    np.testing.assert_allclose(table["bin"], [0.65, 0.95])
    np.testing.assert_allclose(table["accuracy"], [1, 0.5])
    np.testing.assert_allclose(table["confidence"], [0.6, 0.9])
    assert table["count"].tolist() == [2, 2]


ALL = metrics.METRICS | metrics.BALANCED


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), classes=st.integers(2, 6))
def test_a_resample_is_the_metric_of_the_drawn_images(name, seed, n, classes):
    labels, (p,) = predictions(1, n, classes, seed)
    drawn = np.random.default_rng(seed).integers(n, size=n)
    weights = np.bincount(drawn, minlength=n)[np.newaxis].astype(float)
    metric = ALL[name]
    expected = metric.value(labels[drawn], p[drawn], 10)
    assert metric.resampled(weights, labels, p, 10)[0] == pytest.approx(expected, abs=1e-12)


def test_every_metric_has_one_shape_and_its_interval_holds_the_mean():
    labels, p = predictions()
    summaries = metrics.summaries(labels, p, [0.9, 0.95, 0.92], SETTINGS)
    assert list(summaries) == [*metrics.METRICS, "train_accuracy", "overfitting_gap"]
    for name, summary in summaries.items():
        assert list(summary) == ["mean", "sd", "ci_low", "ci_high", "by_seed"], name
        assert summary["ci_low"] <= summary["mean"] <= summary["ci_high"] or "calibration" in name
        assert summary["mean"] == pytest.approx(np.mean(summary["by_seed"]))
        assert summary["sd"] == pytest.approx(np.std(summary["by_seed"], ddof=1))
    accuracy = [(each.argmax(axis=1) == labels).mean() for each in p]
    assert summaries["accuracy"]["by_seed"] == pytest.approx(accuracy)
    assert summaries["log_loss"]["by_seed"] == pytest.approx([log_loss(labels, each) for each in p])
    assert summaries["macro_f1"]["by_seed"] == pytest.approx(
        [f1_score(labels, each.argmax(axis=1), average="macro") for each in p]
    )
    truth = np.eye(4)[labels]
    assert summaries["brier_score"]["by_seed"] == pytest.approx(
        [((each - truth) ** 2).sum(axis=1).mean() for each in p]
    )
    assert summaries["overfitting_gap"]["mean"] == pytest.approx(
        np.mean([0.9, 0.95, 0.92]) - np.mean(accuracy)
    )
    assert metrics.by_seed(labels, p, SETTINGS) == {
        name: summaries[name]["by_seed"] for name in metrics.METRICS
    }


def test_balanced_accuracy_by_hand_and_where_it_is_asked_for():
    labels = np.array([0] * 90 + [1] * 10)
    p = np.tile([0.9, 0.1], (1, 100, 1))  # always the class of nine in ten
    assert "balanced_accuracy" not in metrics.summaries(labels, p, [0.9], SETTINGS)
    summaries = metrics.summaries(labels, p, [0.9], SETTINGS, ALL)
    assert summaries["accuracy"]["mean"] == 0.9
    assert summaries["balanced_accuracy"]["mean"] == 0.5
    assert summaries["balanced_accuracy"]["ci_low"] == 0.5
    without = {name: each for name, each in summaries.items() if name != "balanced_accuracy"}
    assert without == metrics.summaries(labels, p, [0.9], SETTINGS)


def test_one_seed_has_no_spread_and_scipys_interval():
    labels, p = predictions(seeds=1, n=500)
    accuracy = metrics.summaries(labels, p, [1.0], SETTINGS)["accuracy"]
    assert accuracy["sd"] == 0
    correct = (p[0].argmax(axis=1) == labels).astype(float)
    expected = scipy.stats.bootstrap(
        (correct,), np.mean, method="percentile", n_resamples=5000, rng=1
    ).confidence_interval
    assert accuracy["ci_low"] == pytest.approx(expected.low, abs=0.006)
    assert accuracy["ci_high"] == pytest.approx(expected.high, abs=0.006)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    few = SETTINGS.model_copy(update={"bootstrap_resamples": 300})
    covered = 0
    for _ in range(200):
        right = rng.random(300) < 0.8  # the truth
        p = np.where(right[:, np.newaxis], [0.9, 0.1], [0.1, 0.9])
        summary = metrics.summaries(np.zeros(300, int), p[np.newaxis], [1.0], few)["accuracy"]
        covered += summary["ci_low"] <= 0.8 <= summary["ci_high"]
    assert 180 <= covered <= 199


def test_seeds_that_differ_widen_the_interval():
    labels, p = predictions(seeds=2, n=2000)
    p[1] = metrics.softmax(np.log(p[0]) * 1)  # the same predictions twice
    alike = metrics.summaries(labels, p, [1, 1], SETTINGS)["accuracy"]
    p[1] = np.roll(p[1], 1, axis=1)
    differing = metrics.summaries(labels, p, [1, 1], SETTINGS)["accuracy"]
    assert differing["ci_high"] - differing["ci_low"] > 5 * (alike["ci_high"] - alike["ci_low"])


def test_the_same_inputs_give_the_same_summaries():
    labels, p = predictions()
    assert metrics.summaries(labels, p, [1, 1, 1], SETTINGS) == metrics.summaries(
        labels, p, [1, 1, 1], SETTINGS
    )


def test_confusion_and_class_report_by_hand():
    labels = np.array([0, 0, 1, 2])
    predicted = np.array([[0, 1, 1, 2], [0, 0, 1, 1]])
    p = np.eye(3)[predicted]
    table = metrics.confusion(labels, p)
    counts = table.pivot(index="label", columns="prediction", values="count").to_numpy()
    np.testing.assert_array_equal(counts, [[3, 1, 0], [0, 2, 0], [0, 1, 1]])
    np.testing.assert_array_equal(counts, sum(confusion_matrix(labels, each) for each in predicted))
    report = metrics.class_report(labels, p)
    assert report["support"].tolist() == [2, 1, 1]
    np.testing.assert_allclose(report["recall"], [0.75, 1, 0.5])
    np.testing.assert_allclose(report["precision"], [1, 0.5, 0.5])
    np.testing.assert_allclose(report["f1"], [(2 / 3 + 1) / 2, (2 / 3 + 2 / 3) / 2, 0.5])
