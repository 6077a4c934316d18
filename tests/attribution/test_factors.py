"""Shares and effects of method, reference and removal, on tables solved by hand."""

import numpy as np
import pytest

from glassnets.attribution import factors
from glassnets.attribution.references import REMOVALS
from glassnets.config.schema import Evaluation

METHODS, REFERENCES = ("m", "n", "o"), ("black", "mean")
EVALUATION = Evaluation(
    bootstrap_resamples=200, confidence_level=0.95, calibration_bins=15, random_state=0
)


def scores_of(table, noise=0.0):
    """Scores of three seeds and thirty images whose means are table (methods, references,
    removals), exactly."""
    drawn = np.random.default_rng(0).normal(size=(3, 30)) * noise
    drawn -= drawn.mean()
    return {
        f"{method}:{reference}": {
            f"{factors.STATISTIC}_{removal}": table[i, j, k] + drawn
            for k, removal in enumerate(REMOVALS)
        }
        for i, method in enumerate(METHODS)
        for j, reference in enumerate(REFERENCES)
    }


def spread(table, **others):
    return factors.spread(scores_of(np.asarray(table, float)) | others, [], REFERENCES, EVALUATION)


def shares_of(table, removal="all"):
    shares, _ = spread(table)
    return shares[shares["removal"] == removal].set_index("factor")["share"].to_dict()


A, B = np.array([1.0, 0, -1]), np.array([3.0, -3])
C = np.array([2.0, 1, 0, -1, -2])
ADDITIVE = A[:, None, None] + B[:, None] + C


def test_an_additive_table_has_no_interaction_and_shares_are_of_the_variances():
    shares = shares_of(ADDITIVE)
    total = A.var() + B.var() + C.var()
    assert shares == {
        "method": pytest.approx(A.var() / total),
        "reference": pytest.approx(B.var() / total),
        "removal": pytest.approx(C.var() / total),
        **{
            pair: pytest.approx(0, abs=1e-12)
            for pair in ("method × reference", "method × removal", "reference × removal")
        },
        "the rest": pytest.approx(0, abs=1e-12),
    }
    assert sum(shares.values()) == pytest.approx(1)


def test_of_one_removal_there_are_two_factors_and_their_interaction():
    shares = shares_of(ADDITIVE, "blur")
    total = A.var() + B.var()
    assert shares == {
        "method": pytest.approx(A.var() / total),
        "reference": pytest.approx(B.var() / total),
        "method × reference": pytest.approx(0, abs=1e-12),
    }


def test_interactions_alone():
    """Products of numbers whose means are 0 are an interaction and nothing else."""
    for name, table in (
        ("method × reference", np.repeat((A[:, None] * B)[..., None], 5, axis=2)),
        ("method × removal", np.repeat((A[:, None] * C)[:, None], 2, axis=1)),
        ("reference × removal", np.repeat((B[:, None] * C)[None], 3, axis=0)),
        ("the rest", A[:, None, None] * B[:, None] * C),
    ):
        shares = shares_of(table)
        assert shares.pop(name) == pytest.approx(1)
        np.testing.assert_allclose(list(shares.values()), 0, atol=1e-12)


def test_shares_of_any_table_sum_to_one_and_their_intervals_narrow_with_the_noise():
    table = np.random.default_rng(1).normal(size=(3, 2, 5))
    for removal in ("all", *REMOVALS):
        assert sum(shares_of(table, removal).values()) == pytest.approx(1)
    widths = []
    for noise in (0, 1):
        scores = scores_of(table)
        rng = np.random.default_rng(2)
        for own in scores.values():
            for name in own:
                own[name] = own[name] + noise * rng.normal(size=(3, 30))
        shares, _ = factors.spread(scores, [], REFERENCES, EVALUATION)
        assert (shares["ci_low"] <= shares["ci_high"]).all()
        widths.append((shares["ci_high"] - shares["ci_low"]).max())
    assert widths[0] == pytest.approx(0, abs=1e-9)
    assert widths[1] > 0.01


def test_a_flat_table_explains_nothing():
    assert set(shares_of(np.full((3, 2, 5), 7)).values()) == {0}


def test_effects_by_hand():
    _, effects = spread(ADDITIVE)
    found = effects.set_index(["factor", "level"])["effect"]
    # Over the removals that are not the reference, the same number for every method.
    assert found["method"].to_dict() == {
        "m": pytest.approx(1),
        "n": pytest.approx(0),
        "o": pytest.approx(-1),
    }
    assert found["reference"].to_dict() == {"black": pytest.approx(3), "mean": pytest.approx(-3)}


def test_a_reference_gains_nothing_from_its_own_removal():
    table = np.zeros((3, 2, 5))
    table[:, 0, 0] = table[:, 1, 1] = 9  # black by black, mean by mean
    _, effects = spread(table)
    np.testing.assert_allclose(effects["effect"], 0, atol=1e-12)
    table[0, 1, 2] = 4  # m:mean by blur: one of the four removals left of mean, of eight of m
    _, effects = spread(table)
    found = effects.set_index(["factor", "level"])["effect"]
    assert found["method", "m"] == pytest.approx(4 / 8 - 4 / 8 / 3)
    # Of references the three neutral removals count: 4 of the nine scores of mean.
    assert found["reference", "mean"] == pytest.approx(4 / 9 / 2)


def test_controls_and_methods_that_lack_a_reference_take_no_part():
    extra = {
        name: {f"{factors.STATISTIC}_{r}": np.full((3, 30), 50.0) for r in REMOVALS}
        for name in ("gradient", "p:black", "difference:black", "difference:mean")
    }
    scores = scores_of(ADDITIVE) | extra
    controls = ["difference:black", "difference:mean"]
    _, effects = factors.spread(scores, controls, REFERENCES, EVALUATION)
    assert effects.query("factor == 'method'")["level"].tolist() == [*METHODS]


def test_without_two_methods_or_references_there_is_nothing_to_share():
    one = {name: own for name, own in scores_of(ADDITIVE).items() if name.startswith("m:")}
    for scores, references in ((one, REFERENCES), (scores_of(ADDITIVE), ("black",)), ({}, ())):
        shares, effects = factors.spread(scores, [], references, EVALUATION)
        assert shares.empty
        assert effects.empty


def test_every_variant_by_every_removal():
    scores = scores_of(ADDITIVE, noise=1)
    table = factors.by_removal(scores | {"free": scores["m:black"]}, ["free"], EVALUATION)
    assert len(table) == 7 * 5
    row = table.query("variant == 'n:mean' and removal == 'mean'").iloc[0]
    assert (row["method"], row["reference"], row["matched"]) == ("n", "mean", True)
    assert row["mean"] == pytest.approx(ADDITIVE[1, 1, 1])
    assert row["ci_low"] < row["mean"] < row["ci_high"]
    assert table["matched"].sum() == 6
    free = table[table["variant"] == "free"]
    assert free["control"].all()
    assert not free["matched"].any()
