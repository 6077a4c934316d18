"""How similar attributions are, and of which images they are least similar."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from glassnets.errors import GlassnetsError
from glassnets.evaluation import bootstrap
from glassnets.report import agreement


def similarity(a, b, name):
    return agreement.product(agreement.vectors(a, name), agreement.vectors(b, name))


rank_correlation = partial(similarity, name="rank_correlation")
top_overlap = partial(similarity, name="top_overlap")


def as_map(*values):
    return np.array(values, np.float32).reshape(1, -1)


def test_rank_correlation_is_spearmans_ties_and_all():
    maps = np.random.default_rng(0).integers(0, 4, (2, 7, 5, 6)).astype(np.float32)
    ours = rank_correlation(*maps)
    for a, b, correlation in zip(*maps, ours, strict=True):
        assert correlation == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_rank_correlation_depends_on_order_alone():
    a = as_map(1, 2, 3, 4)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)


def test_the_top_are_the_highest_tenth_rounded_up():
    a, b = (np.zeros((3, 5), np.float32) for _ in range(2))  # of 15 pixels, 2
    a.flat[[0, 1]] = b.flat[[1, 2]] = [3, 4]
    assert top_overlap(a, b) == pytest.approx(0.5)
    assert top_overlap(a, a) == pytest.approx(1)
    assert top_overlap(a, -a) == 0


def test_what_speaks_against_is_not_in_the_top():
    a = as_map(-9, 0.1, *[0] * 8)
    b = as_map(9, 0, *[0] * 8)
    assert top_overlap(a, b) == 0


def test_ties_overlap_as_expected_by_lot_wherever_they_lie():
    # Of 20 pixels the top are 2: of one map pixel 0 and one of four that tie.
    a = as_map(9, 5, 5, 5, 5, *[0] * 15)
    assert top_overlap(a, as_map(9, 8, *[0] * 18)) == pytest.approx((1 + 1 / 4) / 2)
    assert top_overlap(a, as_map(9, 0, 0, 0, 8, *[0] * 15)) == pytest.approx(1.25 / 2)
    assert top_overlap(a, a) == pytest.approx((1 + 4 / 16) / 2)
    draws = np.random.default_rng(0)
    order = draws.permutation(20)
    b = draws.integers(0, 3, (1, 20)).astype(np.float32)
    moved = top_overlap(a[:, order], b[:, order])
    assert moved == pytest.approx(top_overlap(a, b))


def test_maps_of_noise_overlap_by_chance():
    a, b = np.random.default_rng(0).normal(size=(2, 500, 10, 10))
    assert top_overlap(a, b).mean() == pytest.approx(0.1, abs=0.01)
    assert rank_correlation(a, b).mean() == pytest.approx(0, abs=0.02)


def test_a_constant_map_ranks_nothing():
    flat, other = np.full((2, 3, 4), 7.0), np.random.default_rng(0).normal(size=(2, 3, 4))
    other[1] = 0
    for similarity in (rank_correlation, top_overlap):
        assert np.isnan(similarity(flat, other)).all()
        assert np.isnan(similarity(other, other)).tolist() == [False, True]


@pytest.fixture
def families(attributions):
    """Families of which b's maps are a's, but for a little noise, and c's are others."""
    made = {family: attributions(seed, "rise") for seed, family in enumerate("abc")}
    noise = np.random.default_rng(9).normal(scale=0.1, size=made["a"]["rise"].shape)
    made["b"]["rise"] = made["a"]["rise"] + noise
    made["a"]["only_a"] = made["a"]["rise"]
    return made


def test_a_row_for_each_pair_and_for_the_seeds_of_each_family(families, evaluation):
    table = agreement.table(families, ["rise", "only_a"], evaluation)
    rows = list(zip(table["method"], table["family_a"], table["family_b"], strict=True))
    pairs = ["aa", "ab", "ac", "bb", "bc", "cc"]
    assert rows == [*(("rise", *pair) for pair in pairs), ("only_a", "a", "a")]
    for name in ("rank_correlation", "top_overlap"):
        means = dict(zip(pairs, table[name], strict=False))
        assert means["ab"] > 0.9 > 0.5 > max(means[pair] for pair in pairs if pair != "ab")
        assert (table[f"{name}_ci_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_ci_high"]).all()


def test_means_are_over_networks_of_one_seed_or_all_pairs_of_seeds(families, evaluation):
    table = agreement.table(families, ["rise"], evaluation).set_index(["family_a", "family_b"])
    a, c = families["a"]["rise"], families["c"]["rise"]
    between = rank_correlation(a, c)
    assert table.loc[("a", "c"), "rank_correlation"] == pytest.approx(between.mean())
    within = [rank_correlation(a[i], a[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert table.loc[("a", "a"), "rank_correlation"] == pytest.approx(np.mean(within))


def test_images_that_are_predicted_differently_do_not_count(families, evaluation):
    families["c"]["predictions"][:, :5] = 9
    families["c"]["predictions"][0, 4] = 4
    table = agreement.table(families, ["rise"], evaluation).set_index(["family_a", "family_b"])
    alike = rank_correlation(families["a"]["rise"], families["c"]["rise"])
    counted = [alike[0, 4], *alike[:, 5]]
    assert table.loc[("a", "c"), "rank_correlation"] == pytest.approx(np.mean(counted))
    assert table["images"].to_dict()["a", "c"] == 2
    assert table["images"].to_dict()["a", "b"] == 6


def test_no_image_in_common_gives_no_similarity(families, evaluation):
    families["c"]["predictions"][:] = 9
    row = agreement.table(families, ["rise"], evaluation).iloc[2]
    assert (row["family_b"], row["images"]) == ("c", 0)
    assert row.drop(["method", "family_a", "family_b", "images"]).isna().all()


def test_a_single_seed_is_compared_with_other_families_alone(families, evaluation):
    for arrays in families.values():
        for name in ("seeds", "predictions", "rise"):
            arrays[name] = arrays[name][:1]
    table = agreement.table(families, ["rise"], evaluation)
    assert (table["family_a"] != table["family_b"]).all()
    assert len(table) == 3


def test_the_interval_is_the_bootstrap_of_images_where_seeds_are_alike(families, evaluation):
    """Of seeds that are all the same, only the images are left to draw."""
    for arrays in families.values():
        arrays["rise"][:] = arrays["rise"][:1]
    settings = {"bootstrap_resamples": 20_000, "confidence_level": 0.9, "random_state": 1}
    row = agreement.table(families, ["rise"], evaluation.model_copy(update=settings)).iloc[2]
    scores = rank_correlation(families["a"]["rise"][0], families["c"]["rise"][0])
    drawn = np.random.default_rng(5).choice(scores, (20_000, 6)).mean(axis=1)
    ends = row[["rank_correlation_ci_low", "rank_correlation_ci_high"]].to_list()
    assert ends == pytest.approx(np.quantile(drawn, [0.05, 0.95]).tolist(), abs=0.01)


def test_a_pair_of_seeds_is_drawn_as_often_as_both_are(families, evaluation):
    row = agreement.table(families, ["rise"], evaluation).iloc[0]
    assert (row["family_a"], row["family_b"]) == ("a", "a")
    maps = families["a"]["rise"]
    pairs = {(i, j): rank_correlation(maps[i], maps[j]) for i, j in ((0, 1), (0, 2), (1, 2))}
    means = []
    for seeds, images in zip(*bootstrap.draws(3, 6, evaluation), strict=True):
        times = {(i, j): seeds[i] * seeds[j] for i, j in pairs}
        if any(times.values()):
            values = [np.average(values, weights=images) for values in pairs.values()]
            means.append(np.average(values, weights=list(times.values())))
    assert len(means) < evaluation.bootstrap_resamples  # some drew one seed three times
    ends = row[["rank_correlation_ci_low", "rank_correlation_ci_high"]].tolist()
    assert ends == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())


def test_maps_that_agree_wholly_have_no_width(families, evaluation):
    for arrays in families.values():
        arrays["rise"][:] = families["a"]["rise"][:1, :1]
    table = agreement.table(families, ["rise"], evaluation)
    for column in table.columns[4:]:
        assert table[column].to_numpy() == pytest.approx(1)


def test_the_least_similar_attributions_come_first(families):
    for arrays in families.values():
        arrays["rise"][:] = families["a"]["rise"]
    families["c"]["rise"][:, 2] *= -1  # the maps of all but the third image are the same
    least = agreement.disagreements(families, "rise", 2)
    first = least.iloc[0]
    assert first[["index", "label", "prediction", "seeds"]].tolist() == [40, 2, 2, 3]
    assert first["rank_correlation"] == pytest.approx((1 - 1 - 1) / 3)
    assert first["pair"] == "a and c"
    assert first["pair_rank_correlation"] == pytest.approx(-1)
    assert least["index"].tolist() == [40, 0]  # of those that tie, the first in raw


def test_only_seeds_that_predict_the_same_class_count(families):
    families["b"]["predictions"][:] = 9
    families["b"]["predictions"][1, 3] = 3
    least = agreement.disagreements(families, "rise", 5)
    assert least[["index", "seeds"]].to_numpy().tolist() == [[20, 1]]
    pairs = [
        rank_correlation(families[a]["rise"][1, 3], families[b]["rise"][1, 3])
        for a, b in ("ab", "ac", "bc")
    ]
    assert least["rank_correlation"][0] == pytest.approx(np.mean(pairs))
    assert least["pair_rank_correlation"][0] == pytest.approx(min(pairs))


def test_there_are_none_where_no_prediction_is_the_same(families):
    families["b"]["predictions"][:] = 9
    assert len(agreement.disagreements(families, "rise", 5)) == 0
    assert len(agreement.disagreements({"a": families["a"]}, "rise", 5)) == 0


def places(examples):
    kinds = dict.fromkeys(example.kind for example in examples)
    return {kind: [e.position for e in examples if e.kind == kind] for kind in kinds}


def test_examples_of_each_kind(families):
    for arrays in families.values():
        arrays["rise"][:] = families["a"]["rise"]
        arrays["predictions"][0, 0] = 7  # the same, and wrong: no example of the first kind
    families["c"]["rise"][0, 2] *= -1
    families["c"]["predictions"][0, 4] = 9
    families["c"]["predictions"][1:] = 9  # of other seeds
    examples = agreement.examples(families, dict.fromkeys(families, "rise"), each=1)
    assert places(examples) == {
        "same prediction, most similar maps": [1],
        "same prediction, least similar maps": [2],
        "different predictions": [4],
    }
    assert [example.similarity for example in examples] == [
        pytest.approx(1),
        pytest.approx((1 - 1 - 1) / 3),
        None,
    ]


def test_examples_are_chosen_as_the_eye_sees_maps(families):
    """By strong pixels, not by the order of faint ones."""
    for arrays in families.values():
        arrays["rise"] *= 0.01
        arrays["rise"][:, :, 0, 0] = 1
    families["c"]["rise"][:, 3] = 0.01
    families["c"]["rise"][:, 3, 4, 3] = 1  # another strong pixel
    examples = agreement.examples(families, dict.fromkeys(families, "rise"), each=1)
    most, least = examples
    assert most.similarity > 0.9
    assert (least.position, least.similarity) == (3, pytest.approx(1 / 3, abs=0.05))


def test_a_constant_map_is_similar_to_none(families):
    families["a"]["rise"][0, 1] = 0
    examples = agreement.examples(
        {"a": families["a"], "b": families["b"]}, {"a": "rise", "b": "rise"}, each=1
    )
    assert (examples[1].position, examples[1].similarity) == (1, 0)


def test_examples_never_name_an_image_twice(families):
    examples = agreement.examples(families, dict.fromkeys(families, "rise"), each=5)
    assert sorted(example.position for example in examples) == list(range(6))
    alone = agreement.examples({"a": families["a"]}, {"a": "rise"}, each=2)
    assert [len(each) for each in places(alone).values()] == [2, 2]


def test_other_images_or_seeds_are_refused(families):
    sample = pd.DataFrame({"index": families["a"]["index"]})
    agreement.check(families, sample)
    with pytest.raises(
        GlassnetsError, match=r"attributions of a to be of the 6.*make run DATASET="
    ):
        agreement.check(families, sample[::-1])
    families["c"]["seeds"] = np.array([0, 1, 3])
    with pytest.raises(GlassnetsError, match=r"attributions of c .*\[0, 1, 2\], got \[0, 1, 3\]"):
        agreement.check(families, sample)


def test_families_are_compared_by_the_best_shared_method(
    attributions, leaderboard, results, evaluation
):
    failed = "not above edges"
    boards = {
        "a": leaderboard(rise=0.52, occlusion=0.5, rollout=(0.6, failed)),
        "b": leaderboard(rise=0.8, occlusion=(0.5, failed)),
    }
    cells = {
        family: results(
            attributions=attributions(seed, *board.loc[~board["control"], "method"]),
            leaderboard=board,
        )
        for seed, (family, board) in enumerate(boards.items())
    }
    agreed = agreement.agreement(cells, evaluation)
    assert agreed.shared == ("rise", ["a", "b"])
    assert set(agreed.table["method"]) == {"rise", "occlusion", "rollout"}  # no controls
    expected = rank_correlation(*(each.attributions["rise"] for each in cells.values()))
    assert agreed.disagreements["rank_correlation"][0] == pytest.approx(expected.mean(0).min())
    boards["b"] = leaderboard(other=0.5)
    apart = {
        f: results(attributions=c.attributions, leaderboard=boards[f]) for f, c in cells.items()
    }
    apart["b"].attributions["other"] = apart["b"].attributions["rise"]
    assert agreement.agreement(apart, evaluation).shared is None
