"""Localization by hand, and the intervention on networks that use the evidence or do not."""

import numpy as np
import pytest

from glassnets.attribution.metrics.localization import (
    average_precision,
    intervention,
    localization,
    pointing_game,
    relevance_rank,
)

EVIDENCE = np.array([[True, True, False], [False, False, False]])
SCORES = ("relevance_mass", "relevance_rank", "pointing_game")
ALL = {*SCORES, "average_precision"}


@pytest.fixture
def scores(linear, judge):
    """``scores(values)``: mass, rank and pointing of one map, of EVIDENCE or another."""
    network, _ = linear((2, 3))

    def of(values, evidence=EVIDENCE):
        image = np.ones((1, 2, 3), np.float32)
        maps = {"m": np.array([values], np.float32)}
        result = localization(judge(network, image, [0], maps, evidence=evidence[np.newaxis]))["m"]
        assert result.keys() == ALL
        assert all(result[name].dtype == np.float64 for name in SCORES)
        return [result[name].item() for name in SCORES]

    return of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[5, 1, 0], [0, 0, 0]], [1, 1, 1]),
        ([[0, 0, 0], [5, 1, 0]], [0, 0, 0]),
        ([[3, 1, 2], [0, 0, 2]], [4 / 8, 1 / 2 + 0, 1]),
        ([[3, -9, 1], [-5, -5, -5]], [3 / 4, 1 / 2, 1]),  # negative values count as 0
        ([[-1, -2, -3], [-3, -3, -3]], [0, 1, 1]),  # no positive part, but the order is right
    ],
)
def test_solved_by_hand(scores, values, expected):
    assert scores(values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # The highest of four equals, of which one is evidence.
        ([[2, 0, 2], [2, 2, 0]], [1 / 4, (2 / 4) / 2, 1 / 4]),
        # One above, and one place for two equals, of which one is evidence.
        ([[1, 0, 3], [1, 0, 0]], [1 / 5, (0 + 1 / 2) / 2, 0]),
        ([[3, 1, 1], [1, 0, 0]], [4 / 6, (1 + 1 / 3) / 2, 1]),
    ],
)
def test_of_equal_pixels_the_expected_share_counts(scores, values, expected):
    assert scores(values) == pytest.approx(expected)


def test_a_constant_map_scores_the_share_of_the_area_a_zero_map_has_no_mass(scores):
    assert scores(np.full((2, 3), 7)) == pytest.approx([1 / 3] * 3)
    assert scores(np.zeros((2, 3))) == pytest.approx([0, 1 / 3, 1 / 3])


def test_the_evidence_itself_scores_1_and_its_inverse_0(scores):
    for evidence in (EVIDENCE, ~EVIDENCE, np.ones((2, 3), bool)):
        assert scores(evidence * 2.0, evidence) == [1, 1, 1]
        if not evidence.all():
            assert scores(1.0 - evidence, evidence)[::2] == [0, 0]
            assert scores(1.0 - EVIDENCE, EVIDENCE)[1] == 0


def test_equal_pixels_favour_no_place():
    """A map of few levels scores what the average order of its equals scores."""
    rng = np.random.default_rng(0)
    levels, evidence = rng.integers(0, 3, (1, 16)).astype(float), rng.random((1, 16)) < 0.4

    def score(maps):
        known = np.repeat(evidence, len(maps), axis=0)
        return [f(maps, known).mean() for f in (relevance_rank, pointing_game)]

    broken = levels + rng.uniform(0, 1e-3, (20000, 16))
    assert score(levels) == pytest.approx(score(broken), abs=0.02)


def test_images_without_evidence_have_no_score_and_change_no_other(linear, judge, draw_images):
    network, _ = linear((4, 4))
    maps = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    evidence = maps > 0.5
    evidence[1] = False
    x, y = draw_images(3, (4, 4)), [0, 1, 2]
    result = localization(judge(network, x, y, {"m": maps}, evidence=evidence))["m"]
    order = [2, 0]
    few = judge(network, x[order], [2, 0], {"m": maps[order]}, evidence=evidence[order])
    for name, values in localization(few)["m"].items():
        np.testing.assert_array_equal(np.isnan(result[name]), [False, True, False])
        np.testing.assert_array_equal(values, result[name][order])


def test_average_precision_by_hand_and_as_scikit_learn_has_it():
    from sklearn.metrics import average_precision_score

    evidence = np.array([[True, False, True, False]])
    # The highest is right (precision 1 of 1), the third too (2 of 3): each half of the evidence.
    by_hand = average_precision(np.array([[4.0, 3, 2, 1]]), evidence)
    assert by_hand == pytest.approx([(1 + 2 / 3) / 2])
    assert average_precision(np.full((1, 4), 7.0), evidence) == pytest.approx([0.5])  # its share
    rng = np.random.default_rng(0)
    maps, known = rng.normal(size=(20, 36)).round(1), rng.random((20, 36)) < 0.2
    expected = [average_precision_score(row, own) for own, row in zip(maps, known, strict=True)]
    np.testing.assert_allclose(average_precision(maps, known), expected)
    assert average_precision(maps[:1], np.zeros((1, 36), bool)) == [0]


def test_a_constant_and_a_scale_move_average_precision_not_and_relevance_mass_do(
    linear, judge, draw_images
):
    network, _ = linear((4, 4))
    rng = np.random.default_rng(1)
    own, x = rng.normal(size=(3, 4, 4)).astype(np.float32), draw_images(3, (4, 4))
    maps = {"own": own, "shifted": own + 16, "longer": 1000 * own, "turned": -own}
    evidence = rng.random((3, 4, 4)) < 0.3
    result = localization(judge(network, x, [0, 1, 2], maps, evidence=evidence))
    precision = {name: scores["average_precision"] for name, scores in result.items()}
    np.testing.assert_allclose(precision["shifted"], precision["own"])
    np.testing.assert_allclose(precision["longer"], precision["own"])
    assert (precision["turned"] != precision["own"]).all()
    mass = {name: scores["relevance_mass"] for name, scores in result.items()}
    assert (np.abs(mass["shifted"] - mass["own"]) > 0.01).any()


def test_the_mass_on_the_suppressor_counts_both_signs(linear, judge):
    network, _ = linear((2, 3))
    maps = {"m": np.array([[[3, -1, 2], [0, 0, -2]]], np.float32)}
    evidence = np.array([[[True, False, False], [False] * 3]])
    suppressor = np.array([[[False, True, False], [False, False, True]]])
    x = np.ones((1, 2, 3), np.float32)
    given = {"evidence": evidence, "suppressor": suppressor}
    scores = localization(judge(network, x, [0], maps, **given))["m"]
    assert scores["mass_on_suppressor"] == pytest.approx([3 / 8])
    given["evidence"] = np.zeros_like(evidence)
    assert np.isnan(localization(judge(network, x, [0], maps, **given))["m"]["mass_on_suppressor"])


def test_without_known_evidence_there_are_no_scores(linear, judge, draw_images):
    network, _ = linear((4, 4))
    x = draw_images(2, (4, 4))
    assert localization(judge(network, x, [0, 1], {"m": x})) == {"m": {}}


# Images of one row: the cue is the first pixel, which names the class; the rest is the other two.
IMAGES = np.array([[[0, 5, 5]], [[1, 6, 6]], [[2, 7, 7]], [[1, 8, 8]]], np.uint8)
LABELS = IMAGES[:, 0, 0]
CUE_CHANGED, REST_CHANGED = IMAGES.copy(), IMAGES.copy()
CUE_CHANGED[:, 0, 0] = (LABELS + 1) % 3
REST_CHANGED[:, 0, 1:] = 99


def intervened(predict):
    result = intervention(predict, IMAGES, LABELS, CUE_CHANGED, CUE_CHANGED[:, 0, 0], REST_CHANGED)
    assert all(scores.dtype == np.float64 for scores in result.values())
    return {name: scores.tolist() for name, scores in result.items()}


def test_a_network_that_reads_the_cue_follows_it():
    result = intervened(lambda images: images[:, 0, 0].astype(np.int64))
    assert result == {"cue_changed": [1] * 4, "rest_changed": [1] * 4}


def test_a_network_that_reads_the_rest_does_not():
    by_rest = {5: 0, 6: 1, 7: 2, 8: 1, 99: 0}
    result = intervened(lambda images: np.array([by_rest[rest] for rest in images[:, 0, 1]]))
    assert result == {"cue_changed": [0] * 4, "rest_changed": [1, 0, 0, 0]}


def test_images_predicted_wrongly_at_first_do_not_count():
    result = intervened(lambda images: np.ones(len(images), np.int64))  # right for two
    np.testing.assert_array_equal(result["cue_changed"], [np.nan, 0, np.nan, 0])
    np.testing.assert_array_equal(result["rest_changed"], [np.nan, 1, np.nan, 1])
