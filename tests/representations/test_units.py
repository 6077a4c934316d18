"""Units of known tuning, and what chance gives."""

import numpy as np
import pytest

from glassnets.representations import units

CLASSES = 10


@pytest.fixture
def labels():
    return np.arange(400) % CLASSES


def drawn(labels, count=200, seed=1):
    return np.random.default_rng(seed).exponential(size=(len(labels), count)).astype(np.float32)


def test_a_unit_of_one_class_has_selectivity_1(labels):
    responses = drawn(labels, 3)
    responses[:, 0] = labels == 7
    responses[:, 1] = 2
    table = units.describe(responses, labels, CLASSES, permutations=99, random_state=0)
    planted, constant, unrelated = table.to_dict("records")
    assert planted["class"] == 7
    assert (planted["selectivity"], planted["auc"], planted["p"]) == (1, 1, 0.01)
    assert (constant["selectivity"], constant["auc"], constant["p"]) == (0, 0.5, 1)
    assert table["dead"].tolist() == [False, True, False]
    assert abs(unrelated["selectivity"]) < 0.2


def test_of_a_class_that_one_half_alone_has_no_unit_is_selective(labels):
    labels = np.where(labels == 7, 6, labels)
    labels[0] = 7
    responses = drawn(labels, 2)
    responses[:, 0] = 9 * (labels == 7)
    for seed in range(5):
        table = units.describe(responses, labels, CLASSES, permutations=19, random_state=seed)
        assert table["auc"].isna()[0]
        assert table["p"][0] == 1


def test_a_signed_unit_may_tell_a_class_by_falling(labels):
    responses = np.random.default_rng(0).normal(size=(len(labels), 2)).astype(np.float32)
    responses[:, 1] -= 8 * (labels == 3)
    table = units.describe(responses, labels, CLASSES, permutations=19, random_state=0)
    assert table["selectivity"].isna().all()
    assert (table["class"][1], table["p"][1]) == (3, 0.05)
    assert table["auc"][1] > 0.99


@pytest.mark.parametrize("signed", [False, True])
def test_of_units_that_tell_nothing_5_percent_seem_selective(labels, signed):
    responses = drawn(labels, 4000)
    if signed:
        responses -= 1
    table = units.describe(responses, labels, CLASSES, permutations=59, random_state=0)
    assert (table["p"] <= 0.05).mean() == pytest.approx(0.05, abs=0.01)


def test_the_class_is_chosen_on_one_half_and_measured_on_the_other(labels):
    """Else the largest of ten noisy means would be above the others of a unit that tells
    nothing."""
    responses = drawn(labels, 2000)
    table = units.describe(responses, labels, CLASSES, permutations=9, random_state=0)
    assert table["selectivity"].mean() == pytest.approx(0, abs=0.01)
    assert table["chance"].mean() == pytest.approx(0, abs=0.02)
    means = units.tuning(responses, labels, CLASSES)
    assert units.selectivity(means, means.argmax(axis=0)).mean() > 0.1


def test_halves_have_as_many_of_each_class(labels):
    first = units.halves(labels, np.random.default_rng(0))
    assert (np.bincount(labels[first]) == 20).all()
    assert first.sum() == 200


def test_the_area_is_scikit_learns(labels):
    from scipy.stats import rankdata
    from sklearn.metrics import roc_auc_score

    responses = np.round(drawn(labels, 6), 1)  # with ties
    chosen, sign = np.arange(6), np.array([1, -1, 1, -1, 1, -1.0])
    ours = units.area(rankdata(responses, axis=0), labels, CLASSES, chosen, sign)
    theirs = [roc_auc_score(labels == c, s * responses[:, c]) for c, s in enumerate(sign)]
    np.testing.assert_allclose(ours, theirs)


def test_discriminability_of_known_normals():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20_000)
    responses = rng.normal(size=(40_000, 1)).astype(np.float32)
    responses[labels == 1] = 2 * responses[labels == 1] + 3
    d = units.discriminability(responses, labels, 2)
    assert d[1, 0] == pytest.approx(3 / np.sqrt((1 + 4) / 2), abs=0.03)
    np.testing.assert_allclose(d[0], -d[1])


def test_discriminability_of_a_constant_is_0(labels):
    assert (units.discriminability(np.full((400, 1), 0.1, np.float32), labels, CLASSES) == 0).all()


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ([1, 1, 1, 1], 0),
        ([0, 0, 3, 0], 1),
        ([0, 0, -3, 0], 1),
        ([1, 1, 0, 0], (1 - 0.5) / (1 - 1 / 4)),
        ([1, 2, 3, 4], (1 - 6.25 / 7.5) / (1 - 1 / 4)),
        ([0, 0, 0, 0], np.nan),
    ],
)
def test_sparsity_of_known_vectors(responses, expected):
    column = np.array(responses, np.float32)[:, np.newaxis]
    np.testing.assert_allclose(units.sparsity(column, axis=0), [expected])
    np.testing.assert_allclose(units.sparsity(column.T, axis=1), [expected])


def test_preferred_images_are_those_of_the_largest_responses():
    responses = np.array([[0, 5], [3, 1], [2, 5]], np.float32)
    assert units.preferred(responses, 2).tolist() == [[1, 2], [0, 2]]


def test_the_receptive_field_of_a_rectified_linear_unit_is_half_its_weights():
    """E[∇r] = w·P(w·x > 0), a half for noise about 0."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 4))
    noise = rng.normal(scale=2, size=(200_000, 3, 4))
    drive = np.einsum("nhw,hw->n", noise, weights)
    responses = np.maximum(drive, 0)[:, np.newaxis].astype(np.float32)
    (field,) = units.spike_triggered_average(noise, responses, 2)
    np.testing.assert_allclose(field, weights / 2, atol=0.02)
