"""What a leaderboard lets one conclude, verdicts in words, and its pictures."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from glassnets.attribution.scores import SCORES
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.report import drawing, leaderboards
from glassnets.report.leaderboards import Shared, Verdict

UNDECIDED = "undecided whether above edges (some 300 images would tell)"
COMMAND = "make run DATASET=digits"
BOARD = pd.read_csv(
    io.StringIO(
        """method,control,verdict,share,unstable,reasons,rank,insertion_minus_deletion,\
insertion_minus_deletion_ci_low,insertion_minus_deletion_ci_high,infidelity,infidelity_ci_low,\
infidelity_ci_high
gradient,False,holds,0.8,False,,1,0.5,0.4,0.6,0.034567,0.01,0.05
occlusion:mean,False,fails,0,False,fails label randomization; not above edges,2,0.3,0.2,0.4,2,1,3
rise:blur,False,undecided,0.25,True,undecided whether above edges (some 300 images would tell),\
3,0.2,0.1,0.3,,,
edges,True,,,False,,,-0.25,-0.5,0,1,1,1
"""
    )
)


def verdict(method, control=False, board=BOARD):
    return leaderboards.verdict(board, method, control, COMMAND)


# What it lets one conclude


def test_reasons_are_of_methods_whose_verdict_does_not_hold_and_of_no_control(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4, gradient=(0.5, UNDECIDED))
    assert leaderboards.reasons(board) == {"rise": "not above edges", "gradient": UNDECIDED}
    assert leaderboards.values(board) == {
        "rise": "fails",
        "gradient": "undecided",
        "occlusion": "holds",
        "edges": "control",
        "random_map": "control",
    }


def test_the_verdict_on_the_shared_method_holds_in_most_families(leaderboard):
    failed = "not above edges"
    boards = {
        "a": leaderboard(rise=0.9, occlusion=0.5, gradient=0.4, rollout=0.99),
        "b": leaderboard(rise=(0.9, failed), occlusion=0.5, gradient=0.6),
    }
    shared = Shared("gradient", ["a", "b"])  # both have the mean rank 3: the first by name
    assert leaderboards.best_shared(boards) == shared
    boards["a"] = leaderboard(rise=0.9, occlusion=0.7, gradient=(0.4, failed))
    assert leaderboards.best_shared(boards) == Shared("occlusion", ["a", "b"])
    boards["b"] = leaderboard(rise=(0.9, failed), occlusion=(0.5, UNDECIDED), gradient=0.6)
    assert leaderboards.best_shared(boards).holds in (["a"], ["b"])  # undecided does not hold
    boards = {"a": leaderboard(rise=(0.9, failed)), "b": leaderboard(rise=(0.9, failed))}
    assert leaderboards.best_shared(boards) == Shared("rise", [])
    assert leaderboards.best_shared({"a": leaderboard(x=1), "b": leaderboard(y=1)}) is None


def test_a_method_with_another_reference_is_not_shared(leaderboard):
    boards = {
        "a": leaderboard({"rise:mean": 0.9, "occlusion:blur": 0.2}),
        "b": leaderboard({"rise:blur": 0.9, "occlusion:blur": 0.2}),
    }
    assert leaderboards.best_shared(boards) == Shared("occlusion:blur", ["a", "b"])


def test_methods_of_all_families_come_best_supported_first_then_by_mean_rank(leaderboard):
    doubtful = (1.0, "undecided whether above edges")
    boards = {
        "a": leaderboard(rise=0.9, occlusion=0.5, y=doubtful),
        "b": leaderboard(occlusion=0.9, x=0.1),
    }
    assert leaderboards.by_rank(boards) == ["occlusion", "rise", "x", "y", "edges", "random_map"]


# Verdicts in words


def test_a_verdict_that_holds_has_its_share_its_rank_and_scores():
    assert verdict("gradient") == Verdict(
        "holds, and under 80 % of the choices; rank 1 of 3 by score",
        value="holds",
        scores=(
            ("insertion − deletion ↑", "0.50 (0.40 to 0.60)"),
            ("infidelity ↓", "0.03 (0.01 to 0.05)"),
        ),
    )
    assert not verdict("gradient").doubtful
    unstable = verdict("gradient", board=BOARD.assign(unstable=True)).text
    assert unstable == "holds, and under 80 % of the choices (unstable); rank 1 of 3 by score"


def test_a_verdict_that_does_not_hold_has_the_reasons():
    failed, undecided = verdict("occlusion:mean"), verdict("rise:blur")
    assert failed.text == "fails: fails label randomization; not above edges"
    assert undecided.text == "undecided whether above edges (some 300 images would tell) (unstable)"
    assert [each.value for each in (failed, undecided)] == ["fails", "undecided"]
    assert failed.doubtful
    assert undecided.doubtful


def test_what_was_not_tested_is_said_to_leave_the_verdict_undecided():
    board = BOARD.assign(reasons="not tested: specific to the network, for want of another seed")
    assert verdict("rise:blur", board=board).text == (
        "undecided: not tested: specific to the network, for want of another seed (unstable)"
    )


def test_scores_that_a_method_has_not_are_left_out():
    assert [name for name, _ in verdict("rise:blur").scores] == ["insertion − deletion ↑"]


def test_a_control_is_named_one_with_and_without_a_leaderboard():
    for board in (BOARD, BOARD[:3], None):
        of_control = verdict("edges", control=True, board=board)
        assert of_control.text == "a control: it does not depend on the network"
        assert of_control.value == "control"
        assert of_control.doubtful
    assert len(verdict("edges", control=True).scores) == 2


def test_without_a_verdict_the_command_that_gives_one_is_named():
    missing = Verdict(f"no verdict yet: `{COMMAND}` gives it", value="")
    assert not missing.doubtful
    assert verdict("gradient", board=None) == missing
    assert verdict("smoothgrad") == missing


def test_as_data_it_has_all_that_a_page_shows():
    data = verdict("rise:blur").as_data()
    assert (data["value"], data["doubtful"]) == ("undecided", True)
    assert data["verdict"] == verdict("rise:blur").text
    assert data["scores"] == (("insertion − deletion ↑", "0.20 (0.10 to 0.30)"),)


@pytest.mark.parametrize("lacking", ["method", "rank", "verdict", "share", "unstable", "reasons"])
def test_another_table_is_refused(lacking):
    with pytest.raises(GlassnetsError, match=f"{lacking}.*{COMMAND}` writes it"):
        [verdict(m, board=BOARD.drop(columns=lacking)) for m in ("gradient", "occlusion:mean")]
    with pytest.raises(GlassnetsError, match="got another table"):
        verdict("gradient", board=BOARD.assign(infidelity="high"))


@pytest.mark.parametrize("value", [np.nan, "passes"])
def test_a_verdict_of_another_kind_is_refused(value):
    with pytest.raises(GlassnetsError, match="got another table"):
        verdict("gradient", board=BOARD.assign(verdict=value))


# As text


def test_it_reads_the_same_from_a_file(leaderboard, tmp_path):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4)
    artefacts.save_table(tmp_path / "leaderboard.csv", board)
    again = artefacts.load_table(tmp_path / "leaderboard.csv")
    assert leaderboards.reasons(again) == leaderboards.reasons(board)
    assert leaderboards.values(again) == leaderboards.values(board)
    texts = [leaderboards.readable(each)[["method", "verdict", "share"]] for each in (again, board)]
    pd.testing.assert_frame_equal(*texts)
    assert red(leaderboards.chart(again, "title")) == ["✗ not above edges"]


def test_it_is_readable(leaderboard):
    variants = {"rise:mean": (0.9, "not above edges"), "occlusion": 0.4, "x": (0.3, UNDECIDED)}
    board = leaderboard(variants)
    board.loc[2, "unstable"] = True
    board.loc[0, ["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] = np.nan
    text = leaderboards.readable(board)
    assert text["method"].tolist() == ["rise:mean", "occlusion", "x", "edges", "random_map"]
    assert text["verdict"].tolist() == [
        *("✗ fails", "✓ holds", "? undecided, unstable", "control", "control")
    ]
    assert text["share"].tolist() == ["0 %", "80 %", "20 %", "–", "–"]
    assert text["insertion − deletion ↑"].tolist() == [
        *("0.90 (0.85 to 0.95)", "0.40 (0.35 to 0.45)", "0.30 (0.25 to 0.35)"),
        *("0.10 (0.05 to 0.15)", "−0.05 (−0.10 to 0.00)"),
    ]
    assert text["infidelity ↓"][0] == "–"
    assert "average precision ↑" not in text


def test_every_score_has_a_column_in_its_order(leaderboard):
    board = leaderboard(localized=True, rise=0.9)
    headings = [f"{score.heading} {score.arrow}" for score in SCORES.values()]
    columns = leaderboards.readable(board).columns.tolist()
    shown = headings[: headings.index("average precision ↑") + 1]
    assert columns == ["method", "verdict", "share", *shown]


def test_small_numbers_have_the_decimals_they_need(leaderboard):
    board = leaderboard(rise=0.9)
    board[["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] /= 10
    board.loc[0, ["max_sensitivity", "max_sensitivity_ci_high"]] = [1234.5, 2000]
    text = leaderboards.readable(board).iloc[0]
    assert text["infidelity ↓"] == "0.0225 (0.0175 to 0.0275)"
    assert text["max-sensitivity ↓"] == "1,234.50 (0.13 to 2,000.00)"


# As pictures


def in_colour(figure, colour):
    return [t.get_text() for t in figure.findobj(Text) if t.get_color() == colour]


def red(figure):
    return in_colour(figure, drawing.WARNING)


def points(methods, fractions=5):
    x = np.linspace(0, 1, fractions)
    return pd.concat(
        pd.DataFrame({"method": m, "curve": way, "removal": r, "fraction": x, "probability": p})
        for m in methods
        for r in ("black", "blur")
        for way, p in (("deletion", 1 - x), ("insertion", x))
    )


def test_failing_methods_are_marked_in_red_and_undecided_ones_in_brown(leaderboard):
    board = leaderboard(
        rise=(0.9, "not above edges; fails label randomization"),
        occlusion=0.5,
        gradient=(0.4, UNDECIDED),
    )
    curves = leaderboards.curves(points(board["method"]), "blur", board, "title")
    for figure in (leaderboards.chart(board, "title"), curves):
        assert red(figure) == ["✗ not above edges …"]
        assert in_colour(figure, drawing.CAUTION) == ["? above edges"]


def test_a_variants_name_its_reason_and_its_frame(leaderboard):
    board = leaderboard(
        {
            "integrated_gradients:mean": 0.9,
            "rise:blur": (0.5, "not above edges; fails label randomization"),
            "occlusion": (0.4, UNDECIDED),
        }
    )
    assert leaderboards.names(board) == {
        "integrated_gradients:mean": ("integrated gradients, mean", None, None),
        "rise:blur": ("rise, blur", "✗ not above edges …", drawing.WARNING),
        "occlusion": ("occlusion", "? above edges", drawing.CAUTION),
        "edges": ("edges (control)", None, drawing.WARNING),
        "random_map": ("random map (control)", None, drawing.WARNING),
    }


def test_the_same_leaderboard_gives_the_same_bytes(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges; fails label randomization"), occlusion=0.5)
    table = points(board["method"])
    first = drawing.png(leaderboards.chart(board, "title"))
    drawn = drawing.png(leaderboards.curves(table, "blur", board, "title"))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert drawing.png(leaderboards.chart(board, "title")) == first
        assert drawing.png(leaderboards.curves(table, "blur", board, "title")) == drawn


def test_curves_are_of_the_removal_and_of_the_methods_that_have_some(leaderboard):
    board = leaderboard(rise=0.9, occlusion=0.5)
    table = points(["occlusion", "edges"])
    table.loc[table["removal"] == "black", "probability"] = np.nan
    figure = leaderboards.curves(table, "blur", board, "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["occlusion", "edges (control)"]
    insertion, deletion = figure.axes[0].lines
    assert insertion.get_ydata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert deletion.get_ydata().tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_scores_that_no_method_has_are_no_column(leaderboard):
    board = leaderboard(rise=0.9)
    assert len(leaderboards.chart(board, "title").axes) == 10
    assert len(leaderboards.chart(leaderboard(localized=True, rise=0.9), "title").axes) == 11
    board["label_randomization_signed"] = np.nan
    assert len(leaderboards.chart(board, "title").axes) == 9
