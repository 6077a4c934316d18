"""The text of verdicts.md."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from glassnets.attribution.references import REMOVALS
from glassnets.report import agreement, verdicts
from glassnets.report.results import Setting

SETTING = Setting("digits", "Random split", {}, 0, 6, (0, 1, 2), 0.95, 0.5, 0.9)
FAILED = "not above edges; fails label randomization"
UNDECIDED = "undecided whether above edges (some 300 images would tell)"
NOTHING = pd.DataFrame()


def by_removal(board):
    """Of every variant the mean by black, 0.1 more by mean, and 0.2 more by blur."""
    rows = [
        {
            "variant": row["method"],
            "removal": removal,
            "mean": row["insertion_minus_deletion"] + more,
        }
        for row in board.to_dict("records")
        for removal, more in (("black", 0), ("mean", 0.1), ("blur", 0.2))
    ]
    return pd.DataFrame(rows)


def table(columns, *rows):
    return pd.DataFrame(rows, columns=columns.split())


SHARES = table(
    "removal factor share ci_low ci_high",
    ("all", "method", 0.1699, 0.1152, 0.2392),
    ("all", "reference × removal", 0.36, 0.306, 0.397),
    ("black", "method", 0.99, 0.98, 1),
)
EFFECTS = table(
    "factor level effect ci_low ci_high",
    ("method", "rise", -0.0051, -0.0323, 0.0216),
    ("method", "occlusion", 0.0974, 0.0798, 0.1161),
    ("reference", "black", -0.5, -0.6, -0.4),
    ("reference", "mean", 0.5, 0.4, 0.6),
)


@pytest.fixture
def cells(attributions, leaderboard, results, verdicts_of):
    """Three families: in a two verdicts hold, in b one, in c none."""
    boards = {
        "a": leaderboard({"rise:mean": 0.52}, occlusion=0.5, rollout=(0.6, FAILED)),
        "b": leaderboard({"rise:mean": 0.8}, occlusion=(0.5, UNDECIDED)),
        "c": leaderboard({"rise:mean": (0.3, FAILED)}, occlusion=(0.2, UNDECIDED)),
    }
    return {
        family: results(
            attributions=attributions(seed, *board.loc[~board["control"], "method"]),
            leaderboard=board,
            by_removal=by_removal(board),
            shares=SHARES,
            effects=EFFECTS,
            verdicts=verdicts_of(board),
        )
        for seed, (family, board) in enumerate(boards.items())
    }


@pytest.fixture
def agreed(cells, evaluation):
    return agreement.agreement(cells, evaluation)


NAN = np.nan
# Of an additive network, as the stage additive writes it.
ADDITIVE = pd.DataFrame(
    [
        ["edges", True, NAN, NAN, NAN, NAN, NAN, NAN, 0.6, 0.5, 0.7],
        ["occlusion:black", False, 0.4, 0.3, 0.5, 0.2, 0.1, 0.3, 0.2, 0.1, 0.3],
        ["kernel_shap:black", False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ["gradient", False, NAN, NAN, NAN, NAN, NAN, NAN, 0.75, 0.7, 0.8],
    ],
    columns=[
        *("variant", "control", "error", "error_ci_low", "error_ci_high"),
        *("dissimilarity", "dissimilarity_ci_low", "dissimilarity_ci_high"),
        *("dissimilarity_black", "dissimilarity_black_ci_low", "dissimilarity_black_ci_high"),
    ],
)


def page(cells, agreed, between=NOTHING, shortcuts=None):
    trials = verdicts.Trials(agreed, between, ADDITIVE, shortcuts)
    return verdicts.page(cells, trials, SETTING, "attributions.png")


def changed(results, **changes):
    """Results with other entries of verdicts.json."""
    return replace(results, verdicts=results.verdicts | changes)


def rows_of(text, first_heading, after=""):
    """The cells of the first table after this text whose first column has this heading."""
    lines = iter(text[text.index(after) :].splitlines())
    rows = [next(line for line in lines if line.startswith(f"| {first_heading}"))]
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(line)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


# What the page concludes


def test_each_family_has_a_conclusion(cells):
    assert verdicts.conclusions(cells) == [
        "a: of 3 variants 2 hold, 0 undecided, 1 fails; believe rise:mean first: by no removal, "
        "its own reference left out, is another that holds shown to score above it.",
        "b: of 2 variants 1 holds, 1 undecided, 0 fail; believe rise:mean first: by no removal, "
        "its own reference left out, is another that holds shown to score above it.",
        "c: no verdict of 2 variants holds; the best supported is occlusion "
        "(undecided whether above edges (some 300 images would tell)).",
    ]
    depends = changed(cells["a"], believe_first=[])
    assert verdicts.conclusion("d", depends) == (
        "d: of 3 variants 2 hold, 0 undecided, 1 fails; which to believe first depends on the "
        "removal; of those that hold rise:mean has the highest score over all removals."
    )


def test_which_to_believe_stands_by_what_is_asked(cells):
    first = {"black": ["x", "y"], "mean": []}
    cells["a"] = changed(cells["a"], first_by_removal=first, believe_first=["x", "y"])
    cells["b"] = changed(
        cells["b"], first_by_removal={"black": ["z"], "noisy_linear": ["z"]}, believe_first=[]
    )
    decided = verdicts.decisions({family: cells[family] for family in "ab"})
    assert decided.to_numpy().tolist() == [
        ["what is present, on a black background", "black", "x, y", "z"],
        ["what differs from the mean image", "mean", "none with another reference", "–"],
        ["what the surrounding pixels do not tell already", "noisy_linear", "–", "z"],
        ["whichever of these", "all", "x, y", "depends on the removal"],
    ]
    assert decided.columns.tolist() == ["if you ask", "removal", "a", "b"]


def test_a_variant_is_marked_where_by_that_removal_alone_its_verdict_does_not_hold(cells, agreed):
    choices = table(
        "method choice verdict",
        ("x", "as judged", "holds"),
        ("x", "removal black alone", "undecided"),
        ("y", "removal black alone", "holds"),
        ("z", "removal black alone", "fails"),
        ("x", "removal mean alone", "fails"),
    )
    first = {"black": ["x", "y", "z"], "mean": ["x"]}
    a = changed(cells["a"], first_by_removal=first, believe_first=["x"])
    cells = {**cells, "a": replace(a, choices=choices)}
    assert verdicts.first(cells).query("family == 'a'").to_numpy().tolist() == [
        ["a", "black", "x, y, z", "undecided, holds, fails"],
        ["a", "mean", "x", "fails"],
        ["a", "all", "x", ""],
    ]
    assert verdicts.decisions(cells)["a"].tolist() == ["x (?), y, z (✗)", "x (✗)", "–", "x"]
    rows = rows_of(page(cells, agreed), "if you ask")
    assert rows[2][2:4] == ["x (?), y, z (✗)", "rise:mean"]


def test_the_page_says_under_which_choices_an_unstable_verdict_changes(cells, agreed):
    board = cells["b"].leaderboard.assign(unstable=[True, True, False, False])
    choices = table(
        "method choice verdict",
        ("rise:mean", "as judged", "holds"),
        ("rise:mean", "level 0.99", "fails"),
        ("rise:mean", "areas of the logit", "undecided"),
        ("rise:mean", "removal blur alone", "fails"),
        ("occlusion", "as judged", "undecided"),
        ("occlusion", "level 0.99", "holds"),
        ("occlusion", "reference blur", "fails"),
    )
    cells = {"b": replace(cells["b"], leaderboard=board, choices=choices)}
    assert (
        "- ✓ rise:mean fails under level 0.99, removal blur alone\n"
        "- ? occlusion holds under level 0.99, and fails under reference blur\n"
    ) in page(cells, agreed)


def test_the_page_has_the_table_of_decisions(cells, agreed):
    rows = rows_of(page(cells, agreed), "if you ask")
    assert rows[0] == ["if you ask", "removal", "a", "b", "c"]
    assert rows[2] == [
        *("what is present, on a black background", "black"),
        *("rise:mean, occlusion", "rise:mean", "none holds"),
    ]
    assert rows[-1] == ["whichever of these", "all", "rise:mean", "rise:mean", "none holds"]


def test_a_score_by_the_variants_own_reference_stands_in_brackets(cells, agreed):
    rows = rows_of(page(cells, agreed), "method", after="## a\n")
    assert rows[0][:6] == ["method", "verdict", "share", "black", "mean", "blur"]
    by_method = {row[0]: row[1:6] for row in rows[2:]}
    assert by_method == {
        "rollout": ["✗ fails", "0 %", "0.60", "0.70", "0.80"],
        "rise:mean": ["✓ holds", "80 %", "0.52", "(0.62)", "0.72"],
        "occlusion": ["✓ holds", "80 %", "0.50", "0.60", "0.70"],
        "edges": ["control", "–", "0.10", "0.20", "0.30"],
        "random_map": ["control", "–", "−0.05", "0.05", "0.15"],
    }


def test_shares_of_the_whole_table_stand_by_family(cells, agreed):
    cells["b"] = replace(cells["b"], shares=SHARES.assign(share=0.5))
    cells["c"] = replace(cells["c"], shares=SHARES[:0])
    shares = verdicts.shares(cells)
    assert shares.to_numpy().tolist() == [
        ["method", "17 (12 to 24) %", "50 (12 to 24) %", "–"],
        ["reference × removal", "36 (31 to 40) %", "50 (31 to 40) %", "–"],
    ]
    assert rows_of(page(cells, agreed), "factor")[2:] == shares.to_numpy().tolist()


def test_effects_stand_in_a_line_the_highest_first(cells, agreed):
    text = page(cells, agreed)
    assert (
        "Effect of the method, at equal reference: occlusion 0.10 (0.08 to 0.12), "
        "rise −0.01 (−0.03 to 0.02).\n"
    ) in text
    assert (
        "Effect of the reference, at equal method, by removals that are none of the references: "
        "mean 0.50 (0.40 to 0.60), black −0.50 (−0.60 to −0.40).\n"
    ) in text


def test_without_several_references_no_factor_is_reported(cells, agreed):
    bare = {f: replace(each, shares=SHARES[:0], effects=EFFECTS[:0]) for f, each in cells.items()}
    text = page(bare, agreed)
    assert "What the scores depend on" not in text
    assert "Effect of" not in text
    assert "![The best supported" in text


def test_the_least_difference_from_other_families_stands_by_variant(cells, agreed):
    between = table(
        "method family other difference p_holm",
        ("rise:mean", "b", "a", 0.2, 0.01),
        ("rise:mean", "b", "c", -0.1, 0.9),
        ("rise:mean", "a", "b", 0.3, 0.01),
        ("rise:mean", "a", "c", 0.4, 0.049),
        ("occlusion", "a", "b", 0.1, 0.05),
        ("edges", "a", "b", 0, 1),
    )
    text = page(cells, agreed, between)
    head, _, *rows = rows_of(text, "method", after="## About this family's network, or about")
    assert [head, *rows] == [
        ["method", "a", "b"],
        ["rise:mean", "0.30, 2 of 2", "−0.10, 1 of 2"],
        ["occlusion", "0.10, 0 of 1", "–"],
    ]
    assert "About this family" not in page(cells, agreed)


def test_what_could_have_been_seen_is_stated(cells, agreed):
    seen = "a difference of 0.05 (above controls), 0.08 (class sensitivity).\n"
    assert seen in page(cells, agreed)


# The rest of the page


def test_the_method_by_which_families_are_compared_is_named(cells, agreed):
    text = page(cells, agreed)
    assert "By rise:mean, which every family has and whose verdict holds in a, b:" in text
    assert "whose attributions by rise:mean are\nleast similar" in text


def test_a_shared_method_whose_verdict_holds_nowhere_is_named_so(cells, agreed):
    nowhere = replace(agreed, shared=agreed.shared._replace(holds=[]))
    text = page(cells, nowhere)
    assert "whose verdict holds in no family, but no shared one does better" in text


def test_the_page_has_its_setting_its_figure_and_its_verdicts(cells, agreed):
    text = page(cells, agreed)
    for part in (
        "# digits: verdicts on attribution methods",
        "6 test images drawn at random, the same for every family (seeds 0, 1, 2 of each)",
        "](attributions.png)",
        "Intervals are 95 %",
        "## What cannot be concluded",
        "0.81 between removals, 0.70 between seeds, 0.90 between metrics.\n",
        "- ✗ rollout: not above edges; fails label randomization",
        "- ? occlusion: undecided whether above edges (some 300 images would tell)",
    ):
        assert part in text, part
    for conclusion in verdicts.conclusions(cells):
        assert f"- {conclusion}\n" in text


def test_every_heading_of_every_table_is_explained(cells, agreed):
    text, explained = page(cells, agreed).split("## How to read the columns")
    lines = text.splitlines()
    heads = [lines[i - 1] for i, line in enumerate(lines) if line.startswith("|:")]
    headings = {heading.strip() for head in heads for heading in head.strip("|").split("|")}
    names = {"a", "b", "c", "", "method", "label", "prediction", "if you ask", "removal", "factor"}
    on_the_page = {"verdict", "share", "variant", "error", "dissimilarity, own reference"}
    on_the_page |= {f"by {removal}'s truth" for removal in REMOVALS}
    between = ("ρ ", "top 10 % ")
    for heading in headings - names - on_the_page - set(REMOVALS):
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
    cells["b"] = changed(cells["b"], **intervened([0]))
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
    loose = {"removals": 0.4, "seeds": None, "metrics": -0.25}
    cells["a"] = changed(cells["a"], kendall_tau=loose)
    text = page(cells, agreed)
    assert "0.40 between removals, undefined between seeds, −0.25 between metrics" in text
    assert text.count("It changes with the removals and the metrics: rely on ✓ and ✗") == 1


def intervened(withheld):
    share = {"mean": 0.987, "ci_low": 0.98, "ci_high": 0.99}
    shares = {"cue_changed": share, "rest_changed": share}
    return {"intervention": shares | {"withheld_seeds": withheld}}


def test_of_planted_data_the_intervention_is_reported(cells, agreed, leaderboard):
    board = leaderboard({"rise:mean": 0.8, "occlusion": 0.16}, localized=True)
    cells["b"] = replace(changed(cells["b"], **intervened([])), leaderboard=board)
    text = page(cells, agreed)
    assert "the prediction followed\nthe cue in 98.7 (98.0 to 99.0) %" in text
    assert "above every control's, the intervals apart: rise:mean." in text
    assert "Withheld" not in text
    assert "**average precision ↑**" in text


def test_withheld_localisation_is_reported_with_its_reason(cells, agreed):
    cells["b"] = changed(cells["b"], **intervened([0, 2]))
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


def test_known_reasons_stand_by_similarity_the_controls_last(cells, agreed):
    made = page(cells, agreed)
    rows = rows_of(made, "variant", after="Where the reasons are known")[2:]
    assert [row[0] for row in rows] == ["kernel_shap:black", "occlusion:black", "gradient", "edges"]
    assert rows[1] == [
        *("occlusion:black", "0.400 (0.300 to 0.500)"),
        *("0.200 (0.100 to 0.300)", "0.200 (0.100 to 0.300)"),
    ]
    assert rows[2][1:3] == ["–", "–"]


def test_shortcuts_stand_by_family_where_there_are_any(cells, agreed):
    assert "Finding a shortcut" not in page(cells, agreed)  # none where there is no such stage
    table = pd.DataFrame(
        [
            ["a", "rise:mean", False, 0.99, 0.98, 1.0, True],
            ["b", "rise:mean", False, 0.8, 0.7, 0.9, False],
            ["a", "grad_cam", False, 0.6, 0.5, 0.7, False],
            ["a", "edges", True, 0.5, 0.5, 0.5, False],
        ],
        columns=["family", "variant", "control", "auc", "ci_low", "ci_high", "usable"],
    )
    made = page(cells, agreed, shortcuts=table)
    section = made[made.index("Finding a shortcut") :]
    assert rows_of(section, "variant")[2:] == [
        ["rise:mean", "0.99 (0.98 to 1.00) usable", "0.80 (0.70 to 0.90)"],
        ["grad_cam", "0.60 (0.50 to 0.70)", "–"],
    ]
