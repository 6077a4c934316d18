"""comparison.csv, and the text of comparison.md."""

from dataclasses import replace

import pandas as pd
import pytest

from glassnets.report import comparison, rendering
from glassnets.report.baselines import Beside
from glassnets.report.results import Setting

SETTING = Setting(
    dataset="digits",
    split="Random split (test_size 0.2, random_state 42)",
    images={"train": 1149, "validation": 288, "test": 360},
    duplicates=0,
    sample=24,
    seeds=(0, 1),
    confidence_level=0.95,
    max_correlation=0.5,
    max_class_correlation=0.9,
)


def summary(mean, sd=0.001):
    return {"mean": mean, "sd": sd, "ci_low": mean - 0.01, "ci_high": mean + 0.01}


def metrics(accuracy):
    return {
        "accuracy": summary(accuracy, sd=0.00234),
        "log_loss": summary(0.12345),
        "macro_f1": summary(0.9),
        "expected_calibration_error": summary(0.0123),
        "brier_score": summary(0.0456),
        "train_accuracy": summary(accuracy + 0.02),
        "overfitting_gap": summary(0.02),
        "parameters": summary(12345.0, sd=0.0),
    }


@pytest.fixture
def table():
    return comparison.table({"a": metrics(0.96), "b": metrics(0.98765), "c": metrics(0.96)})


def paired(*rows):
    """A table of paired tests of rows (family_a, family_b, ahead, p_holm)."""
    made = pd.DataFrame(rows, columns=["family_a", "family_b", "ahead", "p_holm"])
    counts = {f"only_{side}_{seed}": 10 + seed for seed in SETTING.seeds for side in "ab"}
    return made.assign(p=made["p_holm"] / 2, **counts)


CLEAR = paired(("b", "a", "b", 0.001), ("b", "c", "b", 1e-9), ("a", "c", "neither", 1.0))
BASELINES = pd.DataFrame(
    {
        "baseline": ["gradient boosting", "most frequent class"],
        "accuracy": [0.9, 0.1],
        "ci_low": [0.88, 0.08],
        "ci_high": [0.92, 0.12],
        "balanced_accuracy": [0.89, 0.1],
        "log_loss": [0.3, 30.0],
        "images": 1000,
    }
)
BESIDE = Beside(BASELINES, paired(("b", "gradient boosting", "b", 0.01)))

UNDECIDED = paired(("b", "a", "b", 0.0512), ("b", "c", "b", 0.01), ("a", "c", "neither", 1.0))


def test_the_most_accurate_comes_first_and_ties_go_by_name(table):
    assert table["family"].tolist() == ["b", "a", "c"]


def test_numbers_are_kept_in_full_for_machines(table):
    row = table.iloc[0]
    assert row["accuracy"] == 0.98765
    assert row["accuracy_sd"] == 0.00234
    assert row["accuracy_ci_low"] == pytest.approx(0.97765)
    assert row["log_loss_sd"] == 0.001
    assert table["parameters"].tolist() == [12345] * 3
    assert "parameters_sd" not in table


def test_numbers_are_rounded_for_people(table):
    row = comparison.readable(table, SETTING).iloc[0]
    assert row.tolist() == [
        *("b", "98.77 ± 0.23", "97.77–99.77", "0.1235"),
        *("90.00", "1.23", "0.0456", "2.00", "12,345"),
    ]


def test_the_table_fits_a_wide_terminal():
    table = comparison.table({"feedforward": metrics(0.99), "attention": metrics(0.9)})
    table["parameters"] = 1_234_567
    lines = rendering.laid_out(comparison.readable(table, SETTING)).splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) == 4


def test_a_difference_is_stated_where_the_tests_show_one(table):
    assert comparison.conclusions(table, CLEAR, SETTING) == [
        "b is more accurate than a in every seed (Holm-adjusted p = 0.001).",
        "b is more accurate than c in every seed (Holm-adjusted p < 0.0001).",
        "No difference was shown between a and c (neither is ahead in every seed).",
        "So b is the most accurate of these 3 families.",
    ]


def test_no_difference_is_stated_where_the_tests_show_none(table):
    sentences = comparison.conclusions(table, UNDECIDED, SETTING)
    assert sentences[0] == "No difference was shown between b and a (Holm-adjusted p = 0.051)."
    assert sentences[-1] == (
        "So b has the highest mean accuracy, but cannot be called the most accurate: "
        "it was not shown to be ahead of a."
    )


def test_the_level_follows_the_confidence_level(table):
    loose = replace(SETTING, confidence_level=0.9)
    assert loose.significance_level == 0.1
    assert comparison.conclusions(table, UNDECIDED, loose)[0].startswith(
        "b is more accurate than a"
    )


def test_a_family_that_is_behind_in_the_pair_is_named_so(table):
    reversed_pair = paired(("a", "b", "b", 0.01))
    assert comparison.conclusions(table, reversed_pair, SETTING)[0].startswith(
        "b is more accurate than a"
    )


def test_the_page_has_its_setting_its_tables_and_its_conclusions(table):
    page = comparison.page(table, CLEAR, BESIDE, SETTING, "comparison.png")
    for text in (
        "# digits: 3 families compared",
        "Random split (test_size 0.2, random_state 42)",
        "1,149 images to train on, 288 to choose the epoch by, 360 to test on",
        "2 training runs of each family (seeds 0, 1)",
        "](comparison.png)",
        "95 % CI",
        " 10 : 10 |",
        "So b is the most accurate of these 3 families.",
        "at most 0.05",
        "What cannot be concluded",
    ):
        assert text in page
    assert "another part" not in page
    # Every heading of the table is explained.
    for heading in comparison.readable(table, SETTING).columns[1:]:
        assert f"- **{heading}**:" in page


def test_the_page_counts_duplicates(table):
    setting = replace(SETTING, duplicates=3)
    assert "lying in another part too: 3" in comparison.page(table, CLEAR, BESIDE, setting, "p.png")


def test_a_single_family_is_not_compared():
    table = comparison.table({"a": metrics(0.9)})
    assert comparison.conclusions(table, paired(), SETTING) == []
    page = comparison.page(table, paired(), BESIDE, SETTING, "p.png")
    assert "1 family" in page
    assert "McNemar" not in page


def test_a_single_run_and_a_single_pair_are_no_plurals(table):
    setting = replace(SETTING, seeds=(7,))
    tests = paired(("b", "a", "b", 0.01)).assign(only_a_7=1, only_b_7=2)
    beside = replace(BESIDE, tests=tests)
    page = comparison.page(table[:2], tests, beside, setting, "p.png")
    assert "1 training run of each family (seed 7)." in page
    assert "testing\n1 pair;" in page


def test_balanced_accuracy_is_shown_where_it_was_computed():
    whole = metrics(0.9) | {"balanced_accuracy": summary(0.7)}
    table = comparison.table({"a": whole})
    assert comparison.readable(table, SETTING)["balanced %"].tolist() == ["70.00"]
    page = comparison.page(table, paired(), BESIDE, SETTING, "p.png")
    assert "- **balanced %**: balanced accuracy" in page
    without = comparison.page(
        comparison.table({"a": metrics(0.9)}), paired(), BESIDE, SETTING, "p.png"
    )
    assert "- **balanced %**" not in without
