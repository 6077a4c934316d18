"""What a reader of comparison.md is told."""

import pandas as pd
import pytest

from glassnets.report import tables

SETTING = tables.Setting(
    dataset="digits",
    split="Random split (test_size 0.2, random_state 42)",
    images={"train": 1149, "validation": 288, "test": 360},
    duplicates=0,
    seeds=[0, 1],
    confidence_level=0.95,
)


def figure(mean, sd=0.001):
    return {"mean": mean, "sd": sd, "ci_low": mean - 0.01, "ci_high": mean + 0.01}


def metrics(accuracy):
    return {
        "accuracy": figure(accuracy, sd=0.00234),
        "log_loss": figure(0.12345),
        "macro_f1": figure(0.9),
        "expected_calibration_error": figure(0.0123),
        "brier_score": figure(0.0456),
        "train_accuracy": figure(accuracy + 0.02),
        "overfitting_gap": figure(0.02),
        "parameters": figure(12345.0, sd=0.0),
    }


@pytest.fixture
def table():
    return tables.comparison({"a": metrics(0.96), "b": metrics(0.98765), "c": metrics(0.96)})


def paired(*rows):
    """A table of paired tests of rows (family_a, family_b, ahead, p_holm)."""
    made = pd.DataFrame(rows, columns=["family_a", "family_b", "ahead", "p_holm"])
    counts = {f"only_{side}_{seed}": 10 + seed for seed in SETTING.seeds for side in "ab"}
    return made.assign(p=made["p_holm"] / 2, **counts)


SHOWN = paired(("b", "a", "b", 0.001), ("b", "c", "b", 1e-9), ("a", "c", "neither", 1.0))
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
    row = tables.readable(table, SETTING).iloc[0]
    assert row.tolist() == [
        *("b", "98.77 ± 0.23", "97.77–99.77", "0.1235"),
        *("90.00", "1.23", "0.0456", "2.00", "12,345"),
    ]


def test_the_table_fits_a_wide_terminal():
    table = tables.comparison({"feedforward": metrics(0.99), "attention": metrics(0.9)})
    table["parameters"] = 1_234_567
    lines = tables.laid_out(tables.readable(table, SETTING)).splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) == 4


def test_what_was_shown_is_said(table):
    assert tables.conclusions(table, SHOWN, SETTING) == [
        "b is more accurate than a in every seed (Holm-adjusted p = 0.001).",
        "b is more accurate than c in every seed (Holm-adjusted p < 0.0001).",
        "No difference was shown between a and c (neither is ahead in every seed).",
        "So b is the most accurate of these 3 families.",
    ]


def test_what_was_not_shown_is_not_said(table):
    sentences = tables.conclusions(table, UNDECIDED, SETTING)
    assert sentences[0] == "No difference was shown between b and a (Holm-adjusted p = 0.051)."
    assert sentences[-1] == (
        "So b has the highest mean accuracy, but cannot be called the most accurate: "
        "it was not shown to be ahead of a."
    )


def test_the_level_follows_the_confidence_level(table):
    loose = tables.Setting(**{**vars(SETTING), "confidence_level": 0.9})
    assert loose.significance_level == 0.1
    assert tables.conclusions(table, UNDECIDED, loose)[0].startswith("b is more accurate than a")


def test_a_family_that_is_behind_in_the_pair_is_named_so(table):
    reversed_pair = paired(("a", "b", "b", 0.01))
    assert tables.conclusions(table, reversed_pair, SETTING)[0].startswith(
        "b is more accurate than a"
    )


def test_the_page_says_what_it_was_made_on(table):
    page = tables.markdown(table, SHOWN, SETTING, "comparison.png")
    for said in (
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
        assert said in page
    assert "another part" not in page
    # Every heading of the table is explained.
    for heading in tables.readable(table, SETTING).columns[1:]:
        assert f"- **{heading}**:" in page


def test_the_page_owns_up_to_duplicates(table):
    setting = tables.Setting(**{**vars(SETTING), "duplicates": 3})
    assert "lying in another part too: 3" in tables.markdown(table, SHOWN, setting, "p.png")


def test_a_single_family_is_not_compared():
    table = tables.comparison({"a": metrics(0.9)})
    assert tables.conclusions(table, paired(), SETTING) == []
    page = tables.markdown(table, paired(), SETTING, "p.png")
    assert "1 family" in page
    assert "McNemar" not in page
