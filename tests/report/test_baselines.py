"""Families beside baselines: which is the best of these, and what is concluded."""

import numpy as np
import pandas as pd
import pytest

from glassnets.report import baselines
from glassnets.report.results import Setting

SETTING = Setting("digits", "Random split", {"train": 100}, 0, 2, (0, 1), 0.95, 0.5, 0.9)
LABELS = np.arange(100) % 2
TABLE = pd.DataFrame(
    {
        "baseline": ["most frequent class", "logistic regression", "gradient boosting"],
        "accuracy": [0.5, 0.8, 0.8],
        "ci_low": [0.4, 0.7, 0.7],
        "ci_high": [0.6, 0.9, 0.9],
        "balanced_accuracy": [0.5, 0.81, 0.79],
        "log_loss": [18.0, 0.3, 0.31],
        "images": 1000,
    }
)


def predictions(wrong, **columns):
    """Of 100 images, of which these are predicted wrongly."""
    prediction = LABELS.copy()
    prediction[wrong] = 1 - prediction[wrong]
    own = {"index": np.arange(100), "label": LABELS, "prediction": prediction}
    return pd.DataFrame({**columns, **own})


def of_family(*wrong):
    return pd.concat(predictions(each, seed=seed) for seed, each in enumerate(wrong))


@pytest.fixture
def beside():
    own = [predictions(range(20), baseline=name) for name in TABLE["baseline"]]
    families = {
        "good": of_family(range(3), range(4)),
        "alike": of_family(range(20), range(1, 21)),
        "bad": of_family(range(50), range(60)),
    }
    return baselines.beside(TABLE, pd.concat(own), families)


def families(**low):
    return pd.DataFrame({"family": list(low), "accuracy_ci_low": list(low.values())})


def test_the_most_accurate_comes_first_and_ties_go_by_name(beside):
    assert beside.best == "gradient boosting"
    assert beside.table["baseline"].tolist() == [*TABLE["baseline"][[2, 1, 0]]]


def test_each_family_is_tested_against_the_best_alone(beside):
    tests = beside.tests
    assert tests["family_a"].tolist() == ["good", "alike", "bad"]
    assert (tests["family_b"] == "gradient boosting").all()
    assert tests[["only_a_0", "only_b_0"]].to_numpy().tolist() == [[17, 0], [0, 0], [0, 30]]
    assert tests["ahead"].tolist() == ["good", "neither", "gradient boosting"]
    assert tests["p"][0] == pytest.approx(2 * 0.5**16)  # of the seed with four wrong


def test_families_above_the_best_baseline_are_named(beside):
    table = families(good=0.91, alike=0.9, bad=0.2)
    assert baselines.conclusions(table, beside, SETTING) == [
        "The whole 95 % interval of good lies above that of gradient boosting, the most accurate "
        "baseline (80.00 %); that of alike, bad does not.",
        "Image by image, good is more accurate and bad is less accurate than gradient boosting in "
        "every seed (Holm-adjusted p at most 0.05).",
    ]


def test_no_network_may_have_been_worth_it(beside):
    none = baselines.Beside(beside.table, beside.tests[1:2])
    assert baselines.conclusions(families(alike=0.7), none, SETTING) == [
        "No family has a 95 % interval wholly above that of gradient boosting, the most accurate "
        "baseline (80.00 %).",
        "Image by image, no difference was shown between any family and gradient boosting (the "
        "smallest Holm-adjusted p = 1).",
    ]


def test_all_may_be_above(beside):
    first, _ = baselines.conclusions(families(good=0.95, alike=0.95), beside, SETTING)
    assert first.endswith(
        "of good, alike lies above that of gradient boosting, the most accurate baseline (80.00 %)."
    )


def test_numbers_are_rounded_for_people(beside):
    text = baselines.readable(beside, SETTING)
    assert text.columns.tolist() == [
        *("baseline", "accuracy %", "95 % CI", "balanced %", "log loss", "trained on")
    ]
    assert text.iloc[0].tolist() == [
        *("gradient boosting", "80.00", "70.00–90.00", "79.00", "0.3100", "1,000")
    ]
