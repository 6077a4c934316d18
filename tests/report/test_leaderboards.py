"""What a leaderboard lets one say, and its pictures."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.text import Text

from glassnets import artefacts
from glassnets.report import drawing, leaderboards
from glassnets.trust import verdicts


def test_every_figure_of_a_leaderboard_is_explained_in_its_order():
    assert tuple(leaderboards.MERITS) == verdicts.FIGURES + verdicts.LOCALIZATION_FIGURES
    assert leaderboards.HEADLINE == verdicts.HEADLINE


def test_the_best_is_the_first_that_passes(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4, gradient=0.5)
    assert leaderboards.best(board) == "gradient"
    assert leaderboards.passing(board)["method"].tolist() == ["gradient", "occlusion"]
    assert leaderboards.reasons(board) == {"rise": "not above edges"}


def test_where_none_passes_the_best_is_the_best_all_the_same(leaderboard):
    board = leaderboard(rise=(0.02, "not above edges"), occlusion=(0.03, "not above edges"))
    assert leaderboards.best(board) == "occlusion"
    assert leaderboards.passing(board).empty


def test_a_warning_is_no_failure(leaderboard):
    board = leaderboard(rise=(0.9, "shape survives randomization"))
    assert leaderboards.reasons(board) == {}
    assert leaderboards.best(board) == "rise"


def test_rivals_are_those_whose_intervals_overlap(leaderboard):
    board = leaderboard(a=0.5, b=0.41, c=0.39, d=(0.49, "fails label randomization"))
    assert leaderboards.rivals(board) == ["b"]


def test_above_controls_the_intervals_must_part(leaderboard):
    board = leaderboard(localized=True, a=0.3, b=0.19)
    assert leaderboards.above_controls(board, "relevance_mass") == ["a"]


def test_the_shared_method_passes_in_most_families(leaderboard):
    failed = "not above edges"
    boards = {
        "a": leaderboard(rise=0.9, occlusion=0.5, gradient=0.4, rollout=0.99),
        "b": leaderboard(rise=(0.9, failed), occlusion=0.5, gradient=0.6),
    }
    assert leaderboards.best_shared(boards) == ("gradient", ["a", "b"])  # mean rank 2.5, not 2.5
    boards["a"] = leaderboard(rise=0.9, occlusion=0.7, gradient=(0.4, failed))
    assert leaderboards.best_shared(boards) == ("occlusion", ["a", "b"])
    boards = {"a": leaderboard(rise=(0.9, failed)), "b": leaderboard(rise=(0.9, failed))}
    assert leaderboards.best_shared(boards) == ("rise", [])
    assert leaderboards.best_shared({"a": leaderboard(x=1), "b": leaderboard(y=1)}) is None


def test_it_reads_the_same_from_a_file(leaderboard, tmp_path):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4)
    artefacts.save_table(tmp_path / "leaderboard.csv", board)
    again = artefacts.load_table(tmp_path / "leaderboard.csv")
    assert leaderboards.reasons(again) == leaderboards.reasons(board)
    shown = [leaderboards.readable(each)[["method", "verdict"]] for each in (again, board)]
    pd.testing.assert_frame_equal(*shown)
    assert red(leaderboards.chart(again, "title")) == ["✗ not above edges"]


def test_it_is_readable(leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=0.4)
    board.loc[0, ["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] = np.nan
    shown = leaderboards.readable(board)
    assert shown["verdict"].tolist() == ["1 ✗", "2 ✓", "control", "control"]
    assert shown["insertion − deletion ↑"].tolist() == [
        *("0.90 (0.85 to 0.95)", "0.40 (0.35 to 0.45)"),
        *("0.10 (0.05 to 0.15)", "−0.05 (−0.10 to 0.00)"),
    ]
    assert shown["infidelity ↓"][0] == "–"
    assert "relevance mass ↑" not in shown


def test_small_numbers_have_the_decimals_they_need(leaderboard):
    board = leaderboard(rise=0.9)
    board[["infidelity", "infidelity_ci_low", "infidelity_ci_high"]] /= 10
    board.loc[0, ["max_sensitivity", "max_sensitivity_ci_high"]] = [1234.5, 2000]
    shown = leaderboards.readable(board).iloc[0]
    assert shown["infidelity ↓"] == "0.0300 (0.0250 to 0.0350)"
    assert shown["max-sensitivity ↓"] == "1,234.50 (0.17 to 2,000.00)"


def red(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_color() == leaderboards.WARNING]


def points(methods, fractions=5):
    x = np.linspace(0, 1, fractions)
    return pd.concat(
        pd.DataFrame({"method": m, "curve": way, "baseline": b, "fraction": x, "probability": p})
        for m in methods
        for b in ("black", "blur")
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


def test_curves_are_of_the_baseline_and_of_the_methods_that_have_some(leaderboard):
    board = leaderboard(rise=0.9, occlusion=0.5)
    table = points(["occlusion", "edges"])
    table.loc[table["baseline"] == "black", "probability"] = np.nan
    figure = leaderboards.curves(table, "blur", board, "title")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["occlusion", "edges (control)"]
    insertion, deletion = figure.axes[0].lines
    assert insertion.get_ydata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert deletion.get_ydata().tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_figures_that_no_method_has_are_no_column(leaderboard):
    board = leaderboard(rise=0.9)
    assert len(leaderboards.chart(board, "title").axes) == 8
    assert len(leaderboards.chart(leaderboard(localized=True, rise=0.9), "title").axes) == 9
    board["label_randomization_signed"] = np.nan
    assert len(leaderboards.chart(board, "title").axes) == 7
