"""The text of verdicts.md."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from glassnets.report import agreement, verdicts
from glassnets.report.results import Setting

SETTING = Setting("digits", "Random split", {}, 0, 6, (0, 1, 2), 0.95)
SUMMARY = {"kendall_tau": {"references": 0.8123, "seeds": 0.7, "metrics": 0.9}}


@pytest.fixture
def cells(attributions, leaderboard, results):
    """Three families: in a two methods pass, in b one, in c none."""
    failed = "not above edges; fails label randomization"
    boards = {
        "a": leaderboard(rise=0.52, occlusion=0.5, rollout=(0.6, failed)),
        "b": leaderboard(rise=0.8, occlusion=(0.5, failed)),
        "c": leaderboard(rise=(0.3, failed), occlusion=(0.5, "not above edges")),
    }
    return {
        family: results(
            attributions=attributions(seed, *board.loc[~board["control"], "method"]),
            leaderboard=board,
            verdicts=SUMMARY,
        )
        for seed, (family, board) in enumerate(boards.items())
    }


@pytest.fixture
def agreed(cells, evaluation):
    return agreement.agreement(cells, evaluation)


def page(cells, agreed):
    return verdicts.page(cells, agreed, SETTING, "attributions.png")


def test_each_family_has_a_conclusion(cells, leaderboard):
    assert verdicts.conclusions(cells) == [
        "a: 2 of 3 methods pass, rise is the best: insertion − deletion 0.52 (0.47 to 0.57); the "
        "interval of occlusion overlaps it.",
        "b: 1 of 2 methods passes, rise: insertion − deletion 0.80 (0.75 to 0.85).",
        "c: none of 2 methods passes; occlusion ranks first (not above edges).",
    ]
    assert verdicts.conclusion("d", leaderboard(rise=0.8, occlusion=0.5)) == (
        "d: 2 of 2 methods pass, rise is the best: insertion − deletion 0.80 (0.75 to 0.85); no "
        "other passing method's interval overlaps it."
    )


def test_the_method_by_which_families_are_compared_is_named(cells, agreed):
    text = page(cells, agreed)
    assert "By rise, which every family has and which passes in a, b:" in text
    assert "whose attributions by rise are\nleast similar" in text


def test_a_shared_method_that_passes_nowhere_is_named_so(cells, agreed):
    nowhere = replace(agreed, shared=agreed.shared._replace(passes=[]))
    text = page(cells, nowhere)
    assert "which passes in no family, but no shared method does better" in text


def test_the_page_has_its_setting_its_figure_and_its_verdicts(cells, agreed):
    text = page(cells, agreed)
    for part in (
        "# digits: verdicts on attribution methods",
        "6 test images drawn at random, the same for every family (seeds 0, 1, 2 of each)",
        "](attributions.png)",
        "Intervals are 95 %",
        "## What cannot be concluded",
        "0.81 between references, 0.70 between seeds, 0.90 between metrics.\n",
        "- ✗ rollout: not above edges; fails label randomization",
    ):
        assert part in text, part
    for conclusion in verdicts.conclusions(cells):
        assert f"- {conclusion}\n" in text


def test_every_heading_of_every_table_is_explained(cells, agreed):
    text, explained = page(cells, agreed).split("## How to read the columns")
    lines = text.splitlines()
    heads = [lines[i - 1] for i, line in enumerate(lines) if line.startswith("|:")]
    headings = {heading.strip() for head in heads for heading in head.strip("|").split("|")}
    families_and_names = {"a", "b", "c", "", "method", "label", "prediction"}
    between = ("ρ ", "top 10 % ")
    for heading in headings - families_and_names:
        for part in between:
            heading = heading.removeprefix(part)
        assert f"**{heading}**" in explained, heading


def test_every_row_of_a_table_has_its_columns(cells, agreed):
    lines = page(cells, agreed).splitlines()
    for i, line in enumerate(lines):
        if line.startswith("|:"):
            columns = line.count("|")
            assert lines[i - 1].count("|") == lines[i + 1].count("|") == columns


def test_blocks_of_the_page_are_parted_by_one_empty_line(cells, agreed):
    cells["b"] = replace(cells["b"], verdicts=intervened([0]))
    text = page(cells, agreed)
    assert "\n\n\n" not in text
    lines = text.splitlines()
    for before, line in pairwise(lines):
        if line.startswith(("#", "![")):
            assert before == "", line
        if before.startswith("|"):
            assert line.startswith("|") or line == ""
    assert text.endswith("\n")


def test_an_order_that_is_not_firm_is_stated_to_be_so(cells, agreed):
    loose = {"kendall_tau": {"references": 0.4, "seeds": None, "metrics": -0.25}}
    cells["a"] = replace(cells["a"], verdicts=loose)
    text = page(cells, agreed)
    assert "0.40 between references, undefined between seeds, −0.25 between metrics" in text
    assert text.count("It changes with the references and the metrics: rely on ✓ and ✗") == 1


def intervened(withheld):
    share = {"mean": 0.987, "ci_low": 0.98, "ci_high": 0.99}
    return SUMMARY | {
        "intervention": {"cue_changed": share, "rest_changed": share, "withheld_seeds": withheld}
    }


def test_of_planted_data_the_intervention_is_reported(cells, agreed, leaderboard):
    board = leaderboard(localized=True, rise=0.8, occlusion=0.16)
    cells["b"] = replace(cells["b"], verdicts=intervened([]), leaderboard=board)
    text = page(cells, agreed)
    assert "the prediction followed\nthe cue in 98.7 (98.0 to 99.0) %" in text
    assert "above every control's, the intervals apart: rise." in text
    assert "Withheld" not in text
    assert "**relevance mass ↑**" in text


def test_withheld_localisation_is_reported_with_its_reason(cells, agreed):
    cells["b"] = replace(cells["b"], verdicts=intervened([0, 2]))
    text = page(cells, agreed)
    assert "**Withheld**: the localisation scores of seeds 0, 2, because that is too" in text
    assert "intervals apart: " not in text


def test_whether_families_differ_more_than_seeds_is_stated(cells, agreed):
    one = agreed.table["family_a"] == agreed.table["family_b"]
    agreed.table.loc[one, "rank_correlation"] = 0.9
    agreed.table.loc[~one, "rank_correlation"] = 0.3
    assert "Networks of one family agree more (0.90) than networks of two (0.30)" in page(
        cells, agreed
    )
    agreed.table.loc[one, "rank_correlation"] = 0.2
    assert "agree no less (0.30) than networks of one (0.20)" in page(cells, agreed)
    agreed.table["rank_correlation"] = np.nan
    assert "Too few networks" in page(cells, agreed)


def test_a_single_family_is_not_compared(cells, evaluation):
    alone = {"b": cells["b"]}
    text = page(alone, agreement.agreement(alone, evaluation))
    assert "Too few networks" in text
    assert "least similar attributions" not in text


def test_families_without_a_shared_method_are_not_compared(cells, agreed):
    assert "similar attributions" not in page(cells, replace(agreed, shared=None))
