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

COMMAND = "dvc repro verdict@digits-cnn"
BOARD = pd.read_csv(
    io.StringIO(
        """method,control,passes,marks,rank,insertion_minus_deletion,insertion_minus_deletion_ci_low,\
insertion_minus_deletion_ci_high,infidelity,infidelity_ci_low,infidelity_ci_high
gradient,False,True,,1,0.5,0.4,0.6,0.034567,0.01,0.05
occlusion,False,False,fails label randomization; not above edges,2,0.3,0.2,0.4,2,1,3
rise,False,False,,3,0.2,0.1,0.3,,,
edges,True,False,,,-0.25,-0.5,0,1,1,1
"""
    )
)


def verdict(method, control=False, board=BOARD):
    return leaderboards.verdict(board, method, control, COMMAND)


# What it lets one conclude


def test_reasons_are_of_methods_that_do_not_pass_and_of_no_control(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4, gradient=0.5)
    assert leaderboards.reasons(board) == {"rise": "not above edges"}


def test_a_warning_is_no_failure(leaderboard):
    board = leaderboard(rise=(0.9, "shape survives randomization"))
    assert leaderboards.reasons(board) == {}


def test_the_shared_method_passes_in_most_families(leaderboard):
    failed = "not above edges"
    boards = {
        "a": leaderboard(rise=0.9, occlusion=0.5, gradient=0.4, rollout=0.99),
        "b": leaderboard(rise=(0.9, failed), occlusion=0.5, gradient=0.6),
    }
    shared = Shared("gradient", ["a", "b"])  # both have the mean rank 3: the first by name
    assert leaderboards.best_shared(boards) == shared
    boards["a"] = leaderboard(rise=0.9, occlusion=0.7, gradient=(0.4, failed))
    assert leaderboards.best_shared(boards) == Shared("occlusion", ["a", "b"])
    boards = {"a": leaderboard(rise=(0.9, failed)), "b": leaderboard(rise=(0.9, failed))}
    assert leaderboards.best_shared(boards) == Shared("rise", [])
    assert leaderboards.best_shared({"a": leaderboard(x=1), "b": leaderboard(y=1)}) is None


def test_methods_of_all_families_come_by_mean_rank_controls_last(leaderboard):
    boards = {"a": leaderboard(rise=0.9, occlusion=0.5), "b": leaderboard(occlusion=0.9, x=0.1)}
    assert leaderboards.by_rank(boards) == ["rise", "occlusion", "x", "edges", "random_map"]


# Verdicts in words


def test_a_method_that_passes_has_its_rank_and_scores():
    assert verdict("gradient") == Verdict(
        "passes, rank 1 of 3",
        doubtful=False,
        scores=(
            ("insertion − deletion ↑", "0.50 (0.40 to 0.60)"),
            ("infidelity ↓", "0.03 (0.01 to 0.05)"),
        ),
    )


def test_a_method_that_does_not_pass_has_the_reasons():
    assert verdict("occlusion").text == (
        "does not pass: fails label randomization; not above edges"
    )
    assert verdict("occlusion").doubtful
    assert verdict("rise").text == "does not pass"
    assert verdict("rise").doubtful


def test_a_warning_stands_in_the_verdict_and_fails_nothing():
    warned = verdict("gradient", board=BOARD.assign(marks="shape survives randomization"))
    assert warned.text == "passes, rank 1 of 3; but shape survives randomization"
    assert not warned.doubtful


def test_scores_that_a_method_has_not_are_left_out():
    assert [name for name, _ in verdict("rise").scores] == ["insertion − deletion ↑"]


def test_a_control_is_named_one_with_and_without_a_leaderboard():
    for board in (BOARD, BOARD[:3], None):
        of_control = verdict("edges", control=True, board=board)
        assert of_control.text == "a control: it does not depend on the network"
        assert of_control.doubtful
    assert len(verdict("edges", control=True).scores) == 2


def test_without_a_verdict_the_command_that_gives_one_is_named():
    missing = Verdict(f"no verdict yet: `{COMMAND}` gives it", doubtful=False)
    assert verdict("gradient", board=None) == missing
    assert verdict("smoothgrad") == missing


@pytest.mark.parametrize("lacking", ["method", "rank", "passes", "marks"])
def test_another_table_is_refused(lacking):
    with pytest.raises(GlassnetsError, match=f"{lacking}.*{COMMAND}` writes it"):
        verdict("gradient", board=BOARD.drop(columns=lacking))
    with pytest.raises(GlassnetsError, match="got another table"):
        verdict("gradient", board=BOARD.assign(infidelity="high"))


# As text


def test_it_reads_the_same_from_a_file(leaderboard, tmp_path):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4)
    artefacts.save_table(tmp_path / "leaderboard.csv", board)
    again = artefacts.load_table(tmp_path / "leaderboard.csv")
    assert leaderboards.reasons(again) == leaderboards.reasons(board)
    assert leaderboards.marks(again) == leaderboards.marks(board)
    texts = [leaderboards.readable(each)[["method", "verdict"]] for each in (again, board)]
    pd.testing.assert_frame_equal(*texts)
    assert red(leaderboards.chart(again, "title")) == ["✗ not above edges"]


def test_it_is_readable(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4)
    board.loc[0, ["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] = np.nan
    text = leaderboards.readable(board)
    assert text["verdict"].tolist() == ["1 ✗", "2 ✓", "control", "control"]
    assert text["insertion − deletion ↑"].tolist() == [
        *("0.90 (0.85 to 0.95)", "0.40 (0.35 to 0.45)"),
        *("0.10 (0.05 to 0.15)", "−0.05 (−0.10 to 0.00)"),
    ]
    assert text["infidelity ↓"][0] == "–"
    assert "relevance mass ↑" not in text


def test_every_score_has_a_column_in_its_order(leaderboard):
    board = leaderboard(localized=True, rise=0.9)
    headings = [f"{score.heading} {score.arrow}" for score in SCORES.values()]
    columns = leaderboards.readable(board).columns.tolist()
    assert columns == ["method", "verdict", *headings[: headings.index("relevance mass ↑") + 1]]


def test_small_numbers_have_the_decimals_they_need(leaderboard):
    board = leaderboard(rise=0.9)
    board[["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] /= 10
    board.loc[0, ["max_sensitivity", "max_sensitivity_ci_high"]] = [1234.5, 2000]
    text = leaderboards.readable(board).iloc[0]
    assert text["infidelity ↓"] == "0.0300 (0.0250 to 0.0350)"
    assert text["max-sensitivity ↓"] == "1,234.50 (0.17 to 2,000.00)"


# As pictures


def red(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_color() == drawing.WARNING]


def points(methods, fractions=5):
    x = np.linspace(0, 1, fractions)
    return pd.concat(
        pd.DataFrame({"method": m, "curve": way, "reference": r, "fraction": x, "probability": p})
        for m in methods
        for r in ("black", "blur")
        for way, p in (("deletion", 1 - x), ("insertion", x))
    )


def test_failing_methods_are_marked_in_red_and_only_they(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges; fails label randomization"), occlusion=0.5)
    curves = leaderboards.curves(points(board["method"]), "blur", board, "title")
    for figure in (leaderboards.chart(board, "title"), curves):
        assert red(figure) == ["✗ not above edges …"]
    warned = leaderboard(rise=(0.9, "shape survives randomization"))
    assert red(leaderboards.chart(warned, "title")) == []


def test_the_same_leaderboard_gives_the_same_bytes(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges; fails label randomization"), occlusion=0.5)
    table = points(board["method"])
    first = drawing.png(leaderboards.chart(board, "title"))
    drawn = drawing.png(leaderboards.curves(table, "blur", board, "title"))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert drawing.png(leaderboards.chart(board, "title")) == first
        assert drawing.png(leaderboards.curves(table, "blur", board, "title")) == drawn


def test_curves_are_of_the_reference_and_of_the_methods_that_have_some(leaderboard):
    board = leaderboard(rise=0.9, occlusion=0.5)
    table = points(["occlusion", "edges"])
    table.loc[table["reference"] == "black", "probability"] = np.nan
    figure = leaderboards.curves(table, "blur", board, "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["occlusion", "edges (control)"]
    insertion, deletion = figure.axes[0].lines
    assert insertion.get_ydata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert deletion.get_ydata().tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_scores_that_no_method_has_are_no_column(leaderboard):
    board = leaderboard(rise=0.9)
    assert len(leaderboards.chart(board, "title").axes) == 8
    assert len(leaderboards.chart(leaderboard(localized=True, rise=0.9), "title").axes) == 9
    board["label_randomization_signed"] = np.nan
    assert len(leaderboards.chart(board, "title").axes) == 7
