"""Intervals, gates and the ranking's firmness, on scores small enough to solve by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glassnets.params import Evaluation
from glassnets.trust.verdicts import (
    FIGURES,
    LOCALIZATION_FIGURES,
    beats,
    leaderboard,
    marks,
    stability,
    summaries,
)

NAN = np.nan
CONTROLS = ("random_map", "edges")
MAX_CORRELATION = 0.5


def evaluation(resamples=2000, level=0.95, state=0):
    return Evaluation(
        bootstrap_resamples=resamples,
        confidence_level=level,
        calibration_bins=15,
        random_state=state,
    )


def everywhere(value, seeds=2, images=10):
    return np.full((seeds, images), float(value))


def method(merit, mass=None, **others):
    """Scores of a method that passes the randomisation gates, the same for every image."""
    figures = {
        "insertion_minus_deletion": merit,
        "faithfulness_correlation": merit,
        "infidelity": -merit,
        "max_sensitivity": 0.1,
        "parameter_randomization_signed": 0.1,
        "parameter_randomization_unsigned": 0.2,
        "label_randomization_signed": 0.1,
        "label_randomization_unsigned": 0.2,
    }
    if mass is not None:
        figures["relevance_mass"] = mass
    return {name: everywhere(value) for name, value in (figures | others).items()}


def cell(**methods):
    """Two controls and these methods."""
    return {"random_map": method(0.0), **methods, "edges": method(0.1)}


def marked(scores, name="good"):
    return marks(scores, name, CONTROLS, MAX_CORRELATION, evaluation())


def board(scores):
    return leaderboard(scores, CONTROLS, MAX_CORRELATION, evaluation())


# Intervals


def test_the_mean_is_of_what_is_defined_in_all_seeds():
    scores = {"m": {"f": np.array([[1.0, 2, NAN], [6, NAN, NAN]])}}
    assert summaries(scores, evaluation())["m"]["f"]["mean"] == 3


def test_a_constant_has_no_width_and_unequal_numbers_of_nan_give_it_none():
    values = np.array([[4.0, NAN, 4, NAN], [NAN, NAN, 4, 4]])
    found = summaries({"m": {"f": values}}, evaluation())["m"]["f"]
    assert found == {"mean": 4, "ci_low": 4, "ci_high": 4, "by_seed": [4, 4]}


def test_the_interval_of_two_images_is_their_extremes():
    # Both draws are the lower with probability ¼, far above the tail, and the higher likewise.
    found = summaries({"m": {"f": np.array([[0.0, 1]])}}, evaluation())["m"]["f"]
    assert found == {"mean": 0.5, "ci_low": 0, "ci_high": 1, "by_seed": [0.5]}


def test_seeds_are_resampled_too():
    found = summaries({"m": {"f": np.repeat([[0.0], [1]], 50, axis=1)}}, evaluation())["m"]["f"]
    assert found == {"mean": 0.5, "ci_low": 0, "ci_high": 1, "by_seed": [0, 1]}


def test_the_interval_narrows_as_theory_says():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 400))
    found = summaries({"m": {"f": values}}, evaluation(level=0.9))["m"]["f"]
    width = 2 * 1.645 * values.std() / np.sqrt(400)
    assert found["ci_high"] - found["ci_low"] == pytest.approx(width, rel=0.1)


def test_a_resample_without_a_defined_score_does_not_count():
    # Of resamples of three images, (⅔)³ miss the only one that is defined.
    found = summaries({"m": {"f": np.array([[7.0, NAN, NAN]])}}, evaluation())["m"]["f"]
    assert found == {"mean": 7, "ci_low": 7, "ci_high": 7, "by_seed": [7]}


def test_a_seed_without_a_defined_score_has_none():
    found = summaries({"m": {"f": np.array([[1.0, NAN, 2], [NAN] * 3, [4, 4, 4]])}}, evaluation())
    assert found["m"]["f"]["by_seed"] == [1.5, None, 4]
    assert found["m"]["f"]["mean"] == 3


def test_curves_and_figures_of_no_image_are_left_out():
    scores = {"m": {"f": everywhere(1), "curve": np.zeros((2, 10, 5)), "none": everywhere(NAN)}}
    assert set(summaries(scores, evaluation())["m"]) == {"f"}


def test_all_methods_and_figures_share_their_draws():
    values = np.random.default_rng(1).normal(size=(3, 20))
    one = summaries({"m": {"f": values}}, evaluation())["m"]["f"]
    both = summaries({"x": {"g": values + 1, "f": values}, "m": {"f": values}}, evaluation())
    assert both["m"]["f"] == both["x"]["f"] == one
    for end in ("mean", "ci_low", "ci_high"):
        assert both["x"]["g"][end] == pytest.approx(one[end] + 1)


def test_another_random_state_gives_another_interval():
    scores = {"m": {"f": np.random.default_rng(1).normal(size=(3, 20))}}
    assert summaries(scores, evaluation()) == summaries(scores, evaluation())
    assert summaries(scores, evaluation()) != summaries(scores, evaluation(state=1))


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 3), st.integers(1, 6)),
        elements=st.one_of(st.just(NAN), st.floats(-1e3, 1e3)),
    )
)
def test_an_interval_lies_within_the_scores(values):
    found = summaries({"m": {"f": values}}, evaluation(resamples=100))["m"]
    if np.isnan(values).all():
        assert found == {}
    else:
        slack = 1e-9
        low, high = np.nanmin(values) - slack, np.nanmax(values) + slack
        f = found["f"]
        assert low <= f["ci_low"] <= f["ci_high"] <= high
        assert low <= f["mean"] <= high


# Paired differences


def test_a_method_beats_a_control_by_little_on_every_image_though_the_intervals_overlap():
    hard = np.random.default_rng(0).normal(size=(2, 10))
    scores = {"m": {"f": hard + 0.01}, "c": {"f": hard}}
    found = summaries(scores, evaluation())
    assert found["m"]["f"]["ci_low"] < found["c"]["f"]["ci_high"]
    assert beats(scores, "f", "m", "c", evaluation()) is True
    assert beats(scores, "f", "c", "m", evaluation()) is False


def test_a_method_does_not_beat_its_equal_nor_by_luck_on_one_image():
    lucky = everywhere(0)
    lucky[:, 0] = 5
    scores = {"m": {"f": everywhere(0)}, "lucky": {"f": lucky}, "c": {"f": everywhere(0)}}
    assert beats(scores, "f", "m", "c", evaluation()) is False
    assert beats(scores, "f", "lucky", "c", evaluation()) is False


def test_only_images_that_both_are_defined_for_are_compared():
    one, other = np.array([[1.0, 2, NAN, 9]]), np.array([[0.0, 1, 50, NAN]])
    assert beats({"m": {"f": one}, "c": {"f": other}}, "f", "m", "c", evaluation()) is True


@pytest.mark.parametrize(
    "scores",
    [
        {"m": {"f": everywhere(1)}},
        {"m": {"f": everywhere(1)}, "c": {}},
        {"m": {}, "c": {"f": everywhere(1)}},
        {"m": {"f": np.array([[1.0, NAN]])}, "c": {"f": np.array([[NAN, 0.0]])}},
    ],
)
def test_nothing_to_compare(scores):
    assert beats(scores, "f", "m", "c", evaluation()) is None


# The gates


def test_a_method_that_passes_every_gate_has_no_mark():
    assert marked(cell(good=method(0.5))) == []
    scores = {
        name: f | {"relevance_mass": f["insertion_minus_deletion"]}
        for name, f in cell(good=method(0.5)).items()
    }
    assert marked(scores) == []


@pytest.mark.parametrize(
    ("figures", "mark"),
    [
        ({"parameter_randomization_signed": 0.5}, "fails parameter randomization"),
        ({"label_randomization_signed": 0.9}, "fails label randomization"),
        ({"insertion_minus_deletion": 0.1}, "not above edges"),
        ({"parameter_randomization_unsigned": 0.5}, "shape survives randomization"),
        ({"parameter_randomization_signed": NAN}, "not tested: parameter randomization"),
        ({"label_randomization_signed": NAN}, "not tested: label randomization"),
    ],
)
def test_each_gate_says_no(figures, mark):
    scores = cell(good=method(0.5, **figures))
    assert marked(scores) == [mark]
    (row,) = board(scores).query("method == 'good'").to_dict("records")
    assert row["marks"] == mark
    assert row["passes"] == (mark == "shape survives randomization")


def test_the_upper_end_of_the_interval_decides_not_the_mean():
    half = np.tile([0.0, 0.9], 5)[np.newaxis].repeat(2, axis=0)
    scores = cell(good=method(0.5) | {"parameter_randomization_signed": half})
    assert half.mean() < MAX_CORRELATION
    assert marked(scores) == ["fails parameter randomization"]


def test_relevance_mass_is_held_against_each_control_where_evidence_is_known():
    scores = {
        "random_map": method(0.0, mass=0.3),
        "edges": method(0.1, mass=0.1),
        "good": method(0.5, mass=0.2),
    }
    assert marked(scores) == ["relevance mass not above random_map"]


def test_a_gate_that_was_not_tried_is_a_mark():
    scores = cell(good={"insertion_minus_deletion": everywhere(0.5)})
    untested = ["not tested: parameter randomization", "not tested: label randomization"]
    assert marked(scores) == untested
    del scores["edges"]
    assert marked(scores) == [*untested, "not tested: above edges"]
    scores["random_map"] = method(0.0, mass=0.1)
    assert marked(scores)[2:] == [
        "not tested: above edges",
        "not tested: relevance mass above random_map",
        "not tested: relevance mass above edges",
    ]


# The leaderboard


def test_a_method_ranked_first_that_fails_a_gate_is_marked_there():
    scores = cell(
        modest=method(0.3),
        fine=method(0.4),
        pretty=method(0.9, parameter_randomization_signed=1, parameter_randomization_unsigned=1),
    )
    table = board(scores)
    assert table["method"].tolist() == ["pretty", "fine", "modest", "random_map", "edges"]
    assert table["rank"].tolist()[:3] == [1, 2, 3]
    assert table["rank"].isna().tolist() == [False] * 3 + [True] * 2
    assert table["control"].tolist() == [False] * 3 + [True] * 2
    assert table["passes"].tolist() == [False, True, True, False, False]
    assert table["marks"].tolist() == [
        "fails parameter randomization; shape survives randomization",
        *[""] * 4,
    ]


def test_a_control_never_passes_however_good():
    table = board({"random_map": method(2.0), "edges": method(1.0), "good": method(0.5)})
    assert not table["passes"].any()
    assert table.query("method == 'good'")["marks"].item() == (
        "not above random_map; not above edges"
    )


def test_the_columns_of_the_leaderboard():
    def columns(figures):
        return [f + end for f in figures for end in ("", "_ci_low", "_ci_high")]

    first = ["method", "control", "passes", "marks", "rank"]
    table = board(cell(good=method(0.5)))
    assert list(table) == first + columns(FIGURES)
    assert table.loc[0, "infidelity"] == table.loc[0, "infidelity_ci_low"] == -0.5
    scores = {name: method(0.5, mass=0.5) for name in ("good", *CONTROLS)}
    assert list(board(scores)) == first + columns(FIGURES + LOCALIZATION_FIGURES)


def test_a_figure_that_was_not_computed_is_empty_and_ranks_nothing():
    table = board(cell(good=method(0.5), odd={"infidelity": everywhere(1)}))
    assert table["method"].tolist() == ["good", "odd", "random_map", "edges"]
    row = table.iloc[1]
    assert row["infidelity"] == 1
    assert np.isnan(row["insertion_minus_deletion"])
    assert table["rank"].isna().tolist() == [False, True, True, True]
    text = table.to_csv(index=False).splitlines()
    assert text[1].startswith("good,False,True,,1,0.5,0.5,0.5,")
    assert text[2].startswith("odd,False,False,not tested: parameter randomization; ")


def test_equal_methods_share_a_rank():
    table = board(cell(a=method(0.5), b=method(0.5), c=method(0.4)))
    assert table["rank"].tolist()[:3] == [1, 1, 3]


# How firm the ranking is


def test_rankings_that_agree_and_that_are_reversed():
    def figures(black, blur, faithful, infidelity):
        merit = np.array([[black, black], [blur, blur]], float)  # a seed each
        return {
            "insertion_minus_deletion": merit,
            "insertion_minus_deletion_probability_black": merit[:1],
            "insertion_minus_deletion_probability_blur": merit[1:],
            "faithfulness_correlation": everywhere(faithful),
            "infidelity": everywhere(infidelity),
        }

    agree = {"a": figures(1, 10, 4, 3), "b": figures(2, 20, 5, 2), "c": figures(3, 30, 6, 1)}
    assert stability(agree, CONTROLS) == {"baselines": 1, "seeds": 1, "metrics": 1}
    # One seed and baseline reverses, and the mean over seeds, which that one outweighs.
    reverse = {"a": figures(3, 10, 6, 3), "b": figures(2, 20, 5, 2), "c": figures(1, 30, 4, 1)}
    found = stability(reverse, CONTROLS)
    assert found["baselines"] == found["seeds"] == -1
    assert found["metrics"] == pytest.approx((-1 + 1 - 1) / 3)


def test_one_swapped_pair_of_three():
    prefix = "insertion_minus_deletion_probability_"
    scores = {
        name: {prefix + "black": everywhere(black), prefix + "mean": everywhere(mean)}
        for name, black, mean in [("a", 1, 2), ("b", 2, 1), ("c", 3, 3)]
    }
    assert stability(scores, CONTROLS) == {
        "baselines": pytest.approx(1 / 3),  # two pairs agree, one does not
        "seeds": None,
        "metrics": None,
    }


def test_controls_do_not_count_and_one_method_has_no_ranking():
    alone = stability(cell(good=method(0.5)), CONTROLS)
    assert alone == {"baselines": None, "seeds": None, "metrics": None}
    assert stability(cell(a=method(1), b=method(2)), CONTROLS)["seeds"] == 1
    assert stability(cell(a=method(1), b=method(1)), CONTROLS)["seeds"] is None  # tells none apart


def test_relevance_mass_counts_among_the_metrics_and_a_method_without_it_does_not():
    scores = {"a": method(1, mass=0.9), "b": method(2, mass=0.1), "c": method(3)}
    # Three pairs of rankings that agree, and relevance mass against each of them, of a and b.
    assert stability(scores, CONTROLS)["metrics"] == 0
