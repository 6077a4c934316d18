"""Intervals of what is asked of units, on made-up ones."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr

from glassnets.config.schema import Evaluation
from glassnets.representations import answers

EVALUATION = Evaluation(
    bootstrap_resamples=400, confidence_level=0.95, calibration_bins=5, random_state=0
)


def test_weighted_ranks_are_those_of_the_copies():
    rng = np.random.default_rng(0)
    values, weights = rng.integers(0, 5, 12).astype(float), rng.integers(0, 3, (4, 12))
    ranks = answers.weighted_ranks(values, weights.astype(float))
    for row, own in zip(weights, ranks, strict=True):
        copies = np.repeat(np.arange(12), row)
        expected = rankdata(values[copies])
        np.testing.assert_allclose(own[copies] + 0.5, expected)


def test_the_correlation_is_scipys_of_the_copies():
    rng = np.random.default_rng(1)
    one, other = np.round(rng.normal(size=(2, 30)), 1)
    weights = rng.integers(0, 3, (3, 30))
    ours = answers.spearman(one, other, weights.astype(float))
    for row, rho in zip(weights, ours, strict=True):
        copies = np.repeat(np.arange(30), row)
        assert rho == pytest.approx(spearmanr(one[copies], other[copies]).statistic)
    assert np.isnan(answers.spearman(np.ones(30), other, np.ones((1, 30)))).all()


@pytest.fixture
def cells():
    """Two layers of 40 units in three seeds. A lesion costs a unit's own class what its auc is; of
    the whole, nothing to do with it. A dead unit would spoil both."""
    rng = np.random.default_rng(0)
    rows = [("trained", s, layer, u) for s in (0, 1, 2) for layer in "ab" for u in range(40)]
    units = pd.DataFrame(rows, columns=["network", "seed", "layer", "unit"])
    units["class"] = units["unit"] % 10
    units["auc"] = rng.uniform(0.5, 1, len(units))
    units["selectivity"], units["chance"], units["mean"] = units["auc"] * 2 - 1, 0.0, 1.0
    units["p"] = np.where(units["unit"] < 10, 0.5, 0.01)
    units["lifetime"], units["dead"] = 0.25, units["unit"] == 39
    lesions = pd.concat([units[["network", "seed", "layer", "unit"]].assign(fill="zero")])
    lesions["own"] = np.where(units["dead"], 99, units["auc"] + 1)
    lesions["others"] = 0.5
    lesions["log_loss"] = rng.normal(size=len(lesions))
    lesions["log_loss_even"] = lesions["log_loss_odd"] = lesions["log_loss"]
    layers = pd.DataFrame(
        [("trained", s, layer, 0.4) for s in (0, 1, 2) for layer in "ab"],
        columns=["network", "seed", "layer", "population"],
    )
    cumulative = pd.DataFrame(
        [
            ("trained", s, "test", layer, "zero", order, share, accuracy)
            for s in (0, 1, 2)
            for layer in "ab"
            for order, accuracy in zip(answers.ORDERS, (0.4, 0.7, 0.6), strict=True)
            for share in (0, 1)
        ],
        columns=[
            *("network", "seed", "images", "layer", "fill", "order", "share", "accuracy"),
        ],
    )
    return {"cnn": answers.Cell(units, layers, lesions, cumulative)}


def test_the_answers_are_those_that_were_planted(cells):
    table = answers.table(cells, EVALUATION)
    whole = table[table["layer"] == answers.ALL].set_index("question")
    assert whole["value"]["selective"] == pytest.approx(0.75)
    assert whole["value"]["dead"] == pytest.approx(1 / 40)
    assert whole["value"][["lifetime", "population"]].tolist() == pytest.approx([0.25, 0.4])
    own = whole.loc["auc, log loss of its class"]
    assert own[["value", "ci_low", "ci_high"]].tolist() == pytest.approx([1, 1, 1])
    overall = whole.loc["auc, log loss"]
    assert overall["ci_low"] < 0 < overall["ci_high"]
    assert overall["ci_high"] - overall["ci_low"] < 0.5
    more = whole.loc[answers.OWN_MORE]
    assert 1 < more["ci_low"] < more["value"] < more["ci_high"] < 1.5
    assert whole["value"]["most selective first − random"] == pytest.approx(-0.2)
    assert whole["value"]["least selective first − random"] == pytest.approx(0.1)
    assert answers.MEMORISED_LESS not in whole.index  # none did
    assert set(table["layer"]) == {"all", "a", "b"}


def test_what_is_defined_nowhere_has_no_answer(cells):
    cells["cnn"].units["selectivity"] = np.nan
    table = answers.table(cells, EVALUATION).set_index(["layer", "question"])
    for question in ("selectivity", "selectivity, log loss"):
        assert table.loc[("all", question), ["value", "ci_low", "ci_high"]].isna().all(axis=None)


def test_networks_that_memorised_are_compared_with_trained_ones(cells):
    curves = cells["cnn"].cumulative.assign(images="training")
    lost = 0.3 * (curves["share"] == 1)  # half of the shares
    memorised = curves.assign(network="memorised", accuracy=curves["accuracy"] - 0.1 - lost)
    cells["cnn"] = dataclasses.replace(cells["cnn"], cumulative=pd.concat([curves, memorised]))
    table = answers.table(cells, EVALUATION)
    (row,) = table[table["question"] == answers.MEMORISED_LESS].to_dict("records")
    assert [row[end] for end in ("value", "ci_low", "ci_high")] == pytest.approx([-0.15] * 3)
