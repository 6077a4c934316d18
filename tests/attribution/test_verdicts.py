"""Intervals, verdicts and the ranking's stability, on scores small enough to solve by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glassnets.attribution.scores import SCORES
from glassnets.attribution.verdicts import (
    beats,
    best,
    curves,
    leaderboard,
    objections,
    passing,
    stability,
    summaries,
    withheld,
    withhold_localization,
)
from glassnets.config.schema import Evaluation

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
    """Scores of a method that passes the randomisation tests, the same for every image."""
    values = {
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
        values["relevance_mass"] = mass
    return {name: everywhere(value) for name, value in (values | others).items()}


def cell(**methods):
    """Two controls and these methods."""
    return {"random_map": method(0.0), **methods, "edges": method(0.1)}


def objected(scores, name="good"):
    return objections(scores, name, CONTROLS, MAX_CORRELATION, evaluation())


def board(scores):
    return leaderboard(scores, CONTROLS, MAX_CORRELATION, evaluation())


# Intervals


def test_the_mean_is_of_what_is_defined_in_all_seeds():
    scores = {"m": {"f": np.array([[1.0, 2, NAN], [6, NAN, NAN]])}}
    assert summaries(scores, evaluation())["m"]["f"]["mean"] == 3


def test_a_constant_has_no_width_and_unequal_numbers_of_nan_give_it_none():
    values = np.array([[4.0, NAN, 4, NAN], [NAN, NAN, 4, 4]])
    result = summaries({"m": {"f": values}}, evaluation())["m"]["f"]
    assert result == {"mean": 4, "ci_low": 4, "ci_high": 4, "by_seed": [4, 4]}


def test_the_interval_of_two_images_is_their_extremes():
    # Both draws are the lower with probability ¼, far above the tail, and the higher likewise.
    result = summaries({"m": {"f": np.array([[0.0, 1]])}}, evaluation())["m"]["f"]
    assert result == {"mean": 0.5, "ci_low": 0, "ci_high": 1, "by_seed": [0.5]}


def test_seeds_are_resampled_too():
    result = summaries({"m": {"f": np.repeat([[0.0], [1]], 50, axis=1)}}, evaluation())["m"]["f"]
    assert result == {"mean": 0.5, "ci_low": 0, "ci_high": 1, "by_seed": [0, 1]}


def test_the_interval_narrows_as_theory_says():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 400))
    result = summaries({"m": {"f": values}}, evaluation(level=0.9))["m"]["f"]
    width = 2 * 1.645 * values.std() / np.sqrt(400)
    assert result["ci_high"] - result["ci_low"] == pytest.approx(width, rel=0.1)


def test_a_resample_without_a_defined_score_does_not_count():
    # Of resamples of three images, (⅔)³ miss the only one that is defined.
    result = summaries({"m": {"f": np.array([[7.0, NAN, NAN]])}}, evaluation())["m"]["f"]
    assert result == {"mean": 7, "ci_low": 7, "ci_high": 7, "by_seed": [7]}


def test_a_seed_without_a_defined_score_has_none():
    result = summaries({"m": {"f": np.array([[1.0, NAN, 2], [NAN] * 3, [4, 4, 4]])}}, evaluation())
    assert result["m"]["f"]["by_seed"] == [1.5, None, 4]
    assert result["m"]["f"]["mean"] == 3


def test_curves_and_scores_of_no_image_are_left_out():
    scores = {"m": {"f": everywhere(1), "curve": np.zeros((2, 10, 5)), "none": everywhere(NAN)}}
    assert set(summaries(scores, evaluation())["m"]) == {"f"}


def test_all_methods_and_scores_share_their_draws():
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
    result = summaries({"m": {"f": values}}, evaluation(resamples=100))["m"]
    if np.isnan(values).all():
        assert result == {}
    else:
        slack = 1e-9
        low, high = np.nanmin(values) - slack, np.nanmax(values) + slack
        f = result["f"]
        assert low <= f["ci_low"] <= f["ci_high"] <= high
        assert low <= f["mean"] <= high


# Paired differences


def test_a_method_beats_a_control_by_little_on_every_image_though_the_intervals_overlap():
    hard = np.random.default_rng(0).normal(size=(2, 10))
    scores = {"m": {"f": hard + 0.01}, "c": {"f": hard}}
    result = summaries(scores, evaluation())
    assert result["m"]["f"]["ci_low"] < result["c"]["f"]["ci_high"]
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


# Objections


def test_a_method_that_passes_every_test_has_no_objection():
    assert objected(cell(good=method(0.5))) == []
    scores = {
        name: f | {"relevance_mass": f["insertion_minus_deletion"]}
        for name, f in cell(good=method(0.5)).items()
    }
    assert objected(scores) == []


@pytest.mark.parametrize(
    ("values", "objection"),
    [
        ({"parameter_randomization_signed": 0.5}, "fails parameter randomization"),
        ({"label_randomization_signed": 0.9}, "fails label randomization"),
        ({"insertion_minus_deletion": 0.1}, "not above edges"),
        ({"parameter_randomization_unsigned": 0.5}, "shape survives randomization"),
        ({"parameter_randomization_signed": NAN}, "not tested: parameter randomization"),
        ({"label_randomization_signed": NAN}, "not tested: label randomization"),
    ],
)
def test_each_test_can_fail(values, objection):
    scores = cell(good=method(0.5, **values))
    assert objected(scores) == [objection]
    (row,) = board(scores).query("method == 'good'").to_dict("records")
    assert row["marks"] == objection
    assert row["passes"] == (objection == "shape survives randomization")


def test_the_upper_end_of_the_interval_decides_not_the_mean():
    half = np.tile([0.0, 0.9], 5)[np.newaxis].repeat(2, axis=0)
    scores = cell(good=method(0.5) | {"parameter_randomization_signed": half})
    assert half.mean() < MAX_CORRELATION
    assert objected(scores) == ["fails parameter randomization"]


def test_relevance_mass_is_compared_with_each_control_where_evidence_is_known():
    scores = {
        "random_map": method(0.0, mass=0.3),
        "edges": method(0.1, mass=0.1),
        "good": method(0.5, mass=0.2),
    }
    assert objected(scores) == ["relevance mass not above random_map"]


def test_a_test_that_was_not_made_is_an_objection():
    scores = cell(good={"insertion_minus_deletion": everywhere(0.5)})
    untested = ["not tested: parameter randomization", "not tested: label randomization"]
    assert objected(scores) == untested
    del scores["edges"]
    assert objected(scores) == [*untested, "not tested: above edges"]
    scores["random_map"] = method(0.0, mass=0.1)
    assert objected(scores)[2:] == [
        "not tested: above edges",
        "not tested: relevance mass above random_map",
        "not tested: relevance mass above edges",
    ]


# The leaderboard


def test_a_method_ranked_first_may_fail_a_test():
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
    def columns(names):
        return [name + end for name in names for end in ("", "_ci_low", "_ci_high")]

    first = ["method", "control", "passes", "marks", "rank"]
    table = board(cell(good=method(0.5)))
    everywhere_defined = [name for name, score in SCORES.items() if not score.needs_evidence]
    assert list(table) == first + columns(everywhere_defined)
    assert table.loc[0, "infidelity"] == table.loc[0, "infidelity_ci_low"] == -0.5
    scores = {name: method(0.5, mass=0.5) for name in ("good", *CONTROLS)}
    assert list(board(scores)) == first + columns(SCORES)


def test_a_score_that_was_not_computed_is_empty_and_ranks_nothing():
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


def test_passing_methods_come_by_rank_and_then_by_name():
    scores = cell(
        b=method(0.4),
        a=method(0.4),
        third=method(0.3),
        failing=method(0.9, label_randomization_signed=1),
    )
    passed = passing(board(scores))
    assert passed["method"].tolist() == ["a", "b", "third"]
    assert passed["rank"].tolist() == [2, 2, 4]
    assert passing(board(cell(failing=method(0.05)))).empty


def test_the_best_method_passes_where_one_does():
    failing = method(0.9, label_randomization_signed=1)
    assert best(board(cell(failing=failing, b=method(0.4), a=method(0.4)))) == "a"
    low, lower = method(0.05), method(0.04)  # neither above edges
    assert best(board(cell(lower=lower, low=low))) == "low"
    assert best(board(cell(failing=failing, unranked={"infidelity": everywhere(0)}))) == "failing"


# Stability of the ranking


def test_rankings_that_agree_and_that_are_reversed():
    def scores(black, blur, faithful, infidelity):
        merit = np.array([[black, black], [blur, blur]], float)  # a seed each
        return {
            "insertion_minus_deletion": merit,
            "insertion_minus_deletion_probability_black": merit[:1],
            "insertion_minus_deletion_probability_blur": merit[1:],
            "faithfulness_correlation": everywhere(faithful),
            "infidelity": everywhere(infidelity),
        }

    agree = {"a": scores(1, 10, 4, 3), "b": scores(2, 20, 5, 2), "c": scores(3, 30, 6, 1)}
    assert stability(agree, CONTROLS) == {"references": 1, "seeds": 1, "metrics": 1}
    # One seed and reference reverses, and the mean over seeds, which that one outweighs.
    reverse = {"a": scores(3, 10, 6, 3), "b": scores(2, 20, 5, 2), "c": scores(1, 30, 4, 1)}
    result = stability(reverse, CONTROLS)
    assert result["references"] == result["seeds"] == -1
    assert result["metrics"] == pytest.approx((-1 + 1 - 1) / 3)


def test_one_swapped_pair_of_three():
    prefix = "insertion_minus_deletion_probability_"
    scores = {
        name: {prefix + "black": everywhere(black), prefix + "mean": everywhere(mean)}
        for name, black, mean in [("a", 1, 2), ("b", 2, 1), ("c", 3, 3)]
    }
    assert stability(scores, CONTROLS) == {
        "references": pytest.approx(1 / 3),  # two pairs agree, one does not
        "seeds": None,
        "metrics": None,
    }


def test_controls_do_not_count_and_one_method_has_no_ranking():
    alone = stability(cell(good=method(0.5)), CONTROLS)
    assert alone == {"references": None, "seeds": None, "metrics": None}
    assert stability(cell(a=method(1), b=method(2)), CONTROLS)["seeds"] == 1
    assert stability(cell(a=method(1), b=method(1)), CONTROLS)["seeds"] is None  # tells none apart


def test_relevance_mass_counts_among_the_metrics_and_a_method_without_it_does_not():
    scores = {"a": method(1, mass=0.9), "b": method(2, mass=0.1), "c": method(3)}
    # Three pairs of rankings that agree, and relevance mass against each of them, of a and b.
    assert stability(scores, CONTROLS)["metrics"] == 0


# Evidence that a network does not use


def followed(*by_seed):
    """Scores (seeds, 4): 1 as often as these means say."""
    return np.array([[1.0] * round(4 * mean) + [0.0] * round(4 * (1 - mean)) for mean in by_seed])


def test_seeds_whose_network_follows_the_cue_too_seldom_in_one_test_are_withheld():
    intervention = {
        "cue_changed": followed(1, 0.5, 1, 0.75),
        "rest_changed": followed(1, 1, 0.25, 0.75),
    }
    assert withheld(intervention, 0.75) == [1, 2]
    assert withheld(intervention, 0.9) == [1, 2, 3]
    assert withheld(intervention, 0.25) == []


def test_images_predicted_wrongly_do_not_count_and_nothing_but_such_withholds_a_seed():
    half_wrong = np.array([[1, 1, NAN, NAN], [NAN] * 4])
    assert withheld({"cue_changed": half_wrong, "rest_changed": half_wrong}, 0.9) == [1]


def test_only_scores_of_localization_are_withheld_and_only_of_these_seeds():
    names = [name for name, score in SCORES.items() if score.needs_evidence]
    assert names == ["relevance_mass", "relevance_rank", "pointing_game"]
    scores = {
        "one": {name: everywhere(0.5, seeds=3) for name in (*names, "infidelity")},
        "other": {"relevance_mass": everywhere(0.5, seeds=3)},
    }
    withhold_localization(scores, [0, 2])
    for own in scores.values():
        for name, values in own.items():
            expected = np.full((3, 10), 0.5)
            if name in names:
                expected[[0, 2]] = NAN
            np.testing.assert_array_equal(values, expected)
    withhold_localization(scores, [])
    assert not np.isnan(scores["one"]["relevance_mass"][1]).any()


def test_a_withheld_seed_counts_in_no_verdict():
    good = method(0.5) | {"relevance_mass": np.repeat([[0.9], [0.0]], 10, axis=1)}
    scores = {name: method(0.0, mass=0.2) for name in CONTROLS} | {"good": good}
    assert "relevance mass not above edges" in objected(scores)
    withhold_localization(scores, [1])
    assert objected(scores) == []


# Curves


def test_curves_are_means_over_seeds_and_images():
    deletion = np.arange(12.0).reshape(2, 2, 3)
    scores = {
        "m": {
            "deletion_curve_blur": deletion,
            "insertion_curve_noisy_linear": deletion + 100,
            "cascading_randomization_curve_signed": deletion,
            "deletion_logit_blur": everywhere(1),
        },
        "n": {"deletion_curve_blur": -deletion},
    }
    table = curves(scores)
    assert list(table) == ["method", "curve", "reference", "fraction", "probability"]
    assert table.to_dict("split")["data"] == [
        ["m", "deletion", "blur", 0.0, 4.5],
        ["m", "deletion", "blur", 0.5, 5.5],
        ["m", "deletion", "blur", 1.0, 6.5],
        ["m", "insertion", "noisy_linear", 0.0, 104.5],
        ["m", "insertion", "noisy_linear", 0.5, 105.5],
        ["m", "insertion", "noisy_linear", 1.0, 106.5],
        ["n", "deletion", "blur", 0.0, -4.5],
        ["n", "deletion", "blur", 0.5, -5.5],
        ["n", "deletion", "blur", 1.0, -6.5],
    ]


def test_without_deletion_and_insertion_there_is_a_table_without_rows():
    table = curves(cell(good=method(0.5)))
    assert list(table) == ["method", "curve", "reference", "fraction", "probability"]
    assert table.empty
