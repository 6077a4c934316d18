"""What a reader of explanations.md is told."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from glassnets.report import explanations, leaderboards

EVALUATION = SimpleNamespace(bootstrap_resamples=200, confidence_level=0.95, random_state=0)
PANEL = pd.DataFrame(
    {
        "index": [50, 10, 40, 20, 0, 30],
        "label": range(6),
        "wrong": [1, 0, 0, 2, 0, 0],
        "networks": 9,
    }
)
SETTING = explanations.Setting("digits", PANEL, [0, 1, 2], 0.95)
SUMMARY = {"kendall_tau": {"baselines": 0.8123, "seeds": 0.7, "metrics": 0.9}}


@pytest.fixture
def found(cell, leaderboard):
    """Three families: in a two methods pass, in b one, in c none."""
    failed = "not above edges; fails label randomization"
    boards = {
        "a": leaderboard(rise=0.52, occlusion=0.5, rollout=(0.6, failed)),
        "b": leaderboard(rise=0.8, occlusion=(0.5, failed)),
        "c": leaderboard(rise=(0.3, failed), occlusion=(0.5, "not above edges")),
    }
    cells = {
        family: cell(seed, *(m for m in ("rise", "occlusion", "rollout") if m in set(b["method"])))
        for seed, (family, b) in enumerate(boards.items())
    }
    return explanations.findings(cells, boards, dict.fromkeys(boards, SUMMARY), EVALUATION)


def page(found, setting=SETTING):
    return explanations.page(found, setting, "explanations.png")


def test_it_says_which_method_to_believe_and_why(found):
    assert explanations.conclusions(found) == [
        "a: believe rise, the first of the 2 of 3 methods that pass: insertion − deletion "
        "0.52 (0.47 to 0.57), not told apart from occlusion.",
        "b: believe rise, the first of the 1 of 2 methods that pass: insertion − deletion "
        "0.80 (0.75 to 0.85), apart from all others.",
        "c: believe none of 2 methods; the best of them, occlusion: not above edges.",
    ]


def test_families_are_held_against_each_other_by_the_best_shared_method(found):
    assert found.shared == ("rise", ["a", "b"])
    text = page(found)
    assert "By rise, which every family has and which passes in a, b:" in text
    assert "that rise explains least alike" in text
    assert set(found.table["method"]) == {"rise", "occlusion", "rollout"}  # no controls


def test_the_fallback_is_said(cell, leaderboard):
    boards = {family: leaderboard(rise=(0.3, "not above edges")) for family in "ab"}
    cells = {family: cell(seed, "rise") for seed, family in enumerate(boards)}
    found = explanations.findings(cells, boards, dict.fromkeys(boards, SUMMARY), EVALUATION)
    assert "which passes in no family, and stands here for want of a better one" in page(found)


def test_the_page_says_what_it_was_made_on(found):
    text = page(found)
    for said in (
        "# digits: which explanation to believe",
        "6 test images, the same for every family, 2 of them answered wrongly by at least one of "
        "the 9 networks (seeds 0, 1, 2 of each family)",
        "](explanations.png)",
        "Intervals are 95 %",
        "## What cannot be concluded",
        "0.81 between baselines, 0.70 between seeds, 0.90 between metrics.\n",
        "- ✗ rollout: not above edges; fails label randomization",
    ):
        assert said in text


def test_every_heading_of_every_table_is_explained(found):
    text, explained = page(found).split("## How to read the columns")
    lines = text.splitlines()
    heads = [lines[i - 1] for i, line in enumerate(lines) if line.startswith("|:")]
    headings = {heading.strip() for head in heads for heading in head.strip("|").split("|")}
    families_and_names = {"a", "b", "c", "", "method", "label", "answer"}
    between = ("ρ ", "top 10 % ")
    for heading in headings - families_and_names:
        for part in between:
            heading = heading.removeprefix(part)
        assert f"**{heading}**" in explained, heading


def test_no_cell_of_a_table_breaks_it(found):
    lines = page(found).splitlines()
    for i, line in enumerate(lines):
        if line.startswith("|:"):
            columns = line.count("|")
            assert lines[i - 1].count("|") == lines[i + 1].count("|") == columns


def test_an_order_that_is_not_firm_is_said_to_be_so(found):
    loose = {"kendall_tau": {"baselines": 0.4, "seeds": None, "metrics": -0.25}}
    found.summaries["a"] = loose
    text = page(found)
    assert "0.40 between baselines, undefined between seeds, −0.25 between metrics" in text
    assert text.count("It changes with the baselines and the metrics: hold to ✓ and ✗") == 1


def intervened(withheld):
    figure = {"mean": 0.987, "ci_low": 0.98, "ci_high": 0.99}
    return SUMMARY | {
        "intervention": {"cue_changed": figure, "rest_changed": figure, "withheld_seeds": withheld}
    }


def test_of_made_data_the_intervention_is_told(found, leaderboard):
    found.summaries["b"] = intervened([])
    found.leaderboards["b"] = leaderboard(localized=True, rise=0.8, occlusion=0.16)
    text = page(found)
    assert "the answer followed the cue in 98.7 % (98.0 to 99.0)" in text
    assert "above every control's, the intervals apart: rise." in text
    assert "Withheld" not in text
    assert "**relevance mass ↑**" in text


def test_withheld_localisation_is_told_with_its_reason(found):
    found.summaries["b"] = intervened([0, 2])
    text = page(found)
    assert "**Withheld**: the localisation figures of seeds 0, 2, because that is too" in text
    assert "intervals apart: " not in text


def test_whether_families_differ_more_than_seeds_is_told(found):
    assert "Networks of two families agree no less" in page(found) or "agree more" in page(found)
    one = found.table["family_a"] == found.table["family_b"]
    found.table.loc[one, "rank_correlation"] = 0.9
    found.table.loc[~one, "rank_correlation"] = 0.3
    assert "Networks of one family agree more (0.90) than networks of two (0.30)" in page(found)
    found.table.loc[one, "rank_correlation"] = 0.2
    assert "agree no less (0.30) than networks of one (0.20)" in page(found)
    found.table["rank_correlation"] = np.nan
    assert "Too few networks" in page(found)


def test_a_single_family_is_not_compared(cell, leaderboard):
    boards = {"a": leaderboard(rise=0.5)}
    found = explanations.findings({"a": cell(0, "rise")}, boards, {"a": SUMMARY}, EVALUATION)
    text = page(found)
    assert "Too few networks" in text
    assert "Agreed on what" not in text


def test_families_without_a_shared_method_are_not_compared(cell, leaderboard):
    boards = {"a": leaderboard(rise=0.5), "b": leaderboard(rollout=0.5)}
    cells = {"a": cell(0, "rise"), "b": cell(1, "rollout")}
    found = explanations.findings(cells, boards, dict.fromkeys(boards, SUMMARY), EVALUATION)
    assert found.shared is None
    assert "agree on why" not in page(found)
    assert leaderboards.best(boards["b"]) == "rollout"
