"""Whether the maps of two networks tell which of them has taken a shortcut."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from glassnets.attribution import shortcuts
from glassnets.evaluation import bootstrap


@pytest.fixture(scope="module")
def evaluation(parameters):
    return parameters.evaluation.model_copy(update={"bootstrap_resamples": 300})


@pytest.fixture
def drawn():
    """Scores float64 (3, 20) of two kinds that overlap, with ties."""
    rng = np.random.default_rng(0)
    return [np.round(rng.normal(shift, 1, (3, 20)), 1) for shift in (1, 0)]


def test_scores_say_how_far_a_map_points_to_the_tag():
    tag = np.zeros((4, 2, 3), bool)
    tag[:, 0, :2] = True
    maps = np.zeros((4, 2, 3), np.float32)
    maps[0, 0, :2] = 1  # the tag and nothing else
    maps[1] = np.where(tag[1], -1, 1)  # all but the tag
    maps[2, 0, 0], maps[2, 1, 2] = 3, 1  # three quarters
    scores = shortcuts.scores(maps, tag)
    assert scores["mass"].tolist() == [1, 0, 0.75, 0]
    assert scores["precision"].tolist()[::3] == [1, 1 / 3]  # of a constant map, the tag's share
    assert scores["precision"][1] <= 1 / 3 < scores["precision"][2] < 1


def test_the_area_is_that_of_all_images_and_seeds(drawn, evaluation):
    area = shortcuts.area(*drawn, evaluation)
    expected = roc_auc_score(np.repeat([1, 0], 60), np.ravel(drawn))
    assert area["auc"] == expected
    assert area["ci_low"] < expected < area["ci_high"]


def test_the_interval_is_of_seeds_and_images_drawn_with_replacement(drawn, evaluation):
    """The same as scikit-learn's area with each score as often as its seed and image are drawn."""
    of_seed, of_image = bootstrap.draws(3, 20, evaluation)
    areas = [
        roc_auc_score(
            np.repeat([1, 0], 60), np.ravel(drawn), sample_weight=np.tile(np.outer(s, i).ravel(), 2)
        )
        for s, i in zip(of_seed, of_image, strict=True)
    ]
    low, high = bootstrap.interval(np.array(areas), evaluation.confidence_level)
    area = shortcuts.area(*drawn, evaluation)
    assert (area["ci_low"], area["ci_high"]) == pytest.approx((low, high), abs=1e-12)


def test_the_same_scores_tell_nothing(drawn, evaluation):
    area = shortcuts.area(drawn[0], drawn[0], evaluation)
    assert area["auc"] == 0.5
    assert (area["ci_low"], area["ci_high"]) == pytest.approx((0.5, 0.5), abs=1e-12)


def test_scores_apart_tell_all(drawn, evaluation):
    area = shortcuts.area(drawn[0] + 10, drawn[1], evaluation)
    assert area["auc"] == 1
    assert (area["ci_low"], area["ci_high"]) == pytest.approx((1, 1))
    assert shortcuts.area(drawn[0] - 10, drawn[1], evaluation)["auc"] == 0


def test_an_image_that_does_not_count_is_left_out(drawn, evaluation):
    counts = np.arange(20) % 2 == 0
    with_nan = [shortcuts.only({"m": {"mass": each}}, counts)["m"]["mass"] for each in drawn]
    area = shortcuts.area(*with_nan, evaluation)
    expected = roc_auc_score(np.repeat([1, 0], 30), np.ravel([each[:, ::2] for each in drawn]))
    assert area["auc"] == expected
    none = np.full((3, 20), np.nan)
    assert np.isnan([*shortcuts.area(none, none, evaluation).values()]).all()


def test_a_row_a_variant(evaluation):
    rng = np.random.default_rng(0)
    tagged, clean = (
        [
            {
                "one:black": {score: rng.random(9) + shift for score in ("mass", "precision")},
                "edges": {score: np.arange(9.0) for score in ("mass", "precision")},
            }
            for _ in range(2)
        ]
        for shift in (2, 0)
    )
    table = shortcuts.table(tagged, clean, ["edges"], 0.95, evaluation)
    assert table["method"].tolist() == ["one", "edges"]
    assert table["reference"].fillna("none").tolist() == ["black", "none"]
    assert table["control"].tolist() == [False, True]
    assert table["auc"].tolist() == table["precision_auc"].tolist() == [1, 0.5]
    assert table["usable"].tolist() == [True, False]
    assert table["mass_tagged"][0] > 2 > 1 > table["mass_clean"][0]
