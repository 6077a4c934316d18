"""How alike maps are, and of which images networks agree on what but not on why."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from glassnets.errors import GlassnetsError
from glassnets.report import agreement

EVALUATION = SimpleNamespace(bootstrap_resamples=500, confidence_level=0.95, random_state=0)


def as_map(*values):
    return np.array(values, np.float32).reshape(1, -1)


def test_rank_correlation_is_spearmans_ties_and_all():
    maps = np.random.default_rng(0).integers(0, 4, (2, 7, 5, 6)).astype(np.float32)
    ours = agreement.rank_correlation(*maps)
    for a, b, found in zip(*maps, ours, strict=True):
        assert found == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_rank_correlation_sees_order_alone():
    a = as_map(1, 2, 3, 4)
    assert agreement.rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert agreement.rank_correlation(a, -a) == pytest.approx(-1)


def test_the_top_are_the_highest_tenth_rounded_up():
    a, b = (np.zeros((3, 5), np.float32) for _ in range(2))  # of 15 pixels, 2
    a.flat[[0, 1]] = b.flat[[1, 2]] = [3, 4]
    assert agreement.top_overlap(a, b) == pytest.approx(0.5)
    assert agreement.top_overlap(a, a) == pytest.approx(1)
    assert agreement.top_overlap(a, -a) == 0


def test_what_speaks_against_is_no_top():
    a = as_map(-9, 0.1, *[0] * 8)
    b = as_map(9, 0, *[0] * 8)
    assert agreement.top_overlap(a, b) == 0


def test_ties_overlap_as_expected_by_lot_wherever_they_lie():
    # Of 20 pixels the top are 2: of one map pixel 0 and one of four that tie.
    a = as_map(9, 5, 5, 5, 5, *[0] * 15)
    assert agreement.top_overlap(a, as_map(9, 8, *[0] * 18)) == pytest.approx((1 + 1 / 4) / 2)
    assert agreement.top_overlap(a, as_map(9, 0, 0, 0, 8, *[0] * 15)) == pytest.approx(1.25 / 2)
    assert agreement.top_overlap(a, a) == pytest.approx((1 + 4 / 16) / 2)
    draws = np.random.default_rng(0)
    order = draws.permutation(20)
    b = draws.integers(0, 3, (1, 20)).astype(np.float32)
    moved = agreement.top_overlap(a[:, order], b[:, order])
    assert moved == pytest.approx(agreement.top_overlap(a, b))


def test_maps_of_noise_overlap_by_chance():
    a, b = np.random.default_rng(0).normal(size=(2, 500, 10, 10))
    assert agreement.top_overlap(a, b).mean() == pytest.approx(0.1, abs=0.01)
    assert agreement.rank_correlation(a, b).mean() == pytest.approx(0, abs=0.02)


def test_a_constant_map_ranks_nothing():
    flat, other = np.full((2, 3, 4), 7.0), np.random.default_rng(0).normal(size=(2, 3, 4))
    other[1] = 0
    for figure in (agreement.rank_correlation, agreement.top_overlap):
        assert np.isnan(figure(flat, other)).all()
        assert np.isnan(figure(other, other)).tolist() == [False, True]


@pytest.fixture
def cells(cell):
    """Families of which b's maps are a's, but for a little noise, and c's are others."""
    made = {family: cell(seed, "rise") for seed, family in enumerate("abc")}
    noise = np.random.default_rng(9).normal(scale=0.1, size=made["a"]["rise"].shape)
    made["b"]["rise"] = made["a"]["rise"] + noise
    made["a"]["only_a"] = made["a"]["rise"]
    return made


def test_a_row_for_each_pair_and_for_the_seeds_of_each_family(cells):
    table = agreement.table(cells, ["rise", "only_a"], EVALUATION)
    rows = list(zip(table["method"], table["family_a"], table["family_b"], strict=True))
    pairs = ["aa", "ab", "ac", "bb", "bc", "cc"]
    assert rows == [*(("rise", *pair) for pair in pairs), ("only_a", "a", "a")]
    for figure in ("rank_correlation", "top_overlap"):
        means = dict(zip(pairs, table[figure], strict=False))
        assert means["ab"] > 0.9 > 0.5 > max(means[pair] for pair in pairs if pair != "ab")
        assert (table[f"{figure}_ci_low"] <= table[figure]).all()
        assert (table[figure] <= table[f"{figure}_ci_high"]).all()


def test_means_are_over_networks_of_one_seed_or_all_pairs_of_seeds(cells):
    table = agreement.table(cells, ["rise"], EVALUATION).set_index(["family_a", "family_b"])
    a, c = cells["a"]["rise"], cells["c"]["rise"]
    between = agreement.rank_correlation(a, c)
    assert table.loc[("a", "c"), "rank_correlation"] == pytest.approx(between.mean())
    within = [agreement.rank_correlation(a[i], a[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert table.loc[("a", "a"), "rank_correlation"] == pytest.approx(np.mean(within))


def test_images_that_are_answered_differently_do_not_count(cells):
    cells["c"]["predictions"][:, :5] = 9
    cells["c"]["predictions"][0, 4] = 4
    table = agreement.table(cells, ["rise"], EVALUATION).set_index(["family_a", "family_b"])
    alike = agreement.rank_correlation(cells["a"]["rise"], cells["c"]["rise"])
    counted = [alike[0, 4], *alike[:, 5]]
    assert table.loc[("a", "c"), "rank_correlation"] == pytest.approx(np.mean(counted))
    assert table["images"].to_dict()["a", "c"] == 2
    assert table["images"].to_dict()["a", "b"] == 6


def test_no_image_in_common_gives_no_figure(cells):
    cells["c"]["predictions"][:] = 9
    row = agreement.table(cells, ["rise"], EVALUATION).iloc[2]
    assert (row["family_b"], row["images"]) == ("c", 0)
    assert row.drop(["method", "family_a", "family_b", "images"]).isna().all()


def test_a_single_seed_is_compared_with_other_families_alone(cells):
    for made in cells.values():
        for name in ("seeds", "predictions", "rise"):
            made[name] = made[name][:1]
    table = agreement.table(cells, ["rise"], EVALUATION)
    assert (table["family_a"] != table["family_b"]).all()
    assert len(table) == 3


def test_the_interval_is_the_bootstrap_of_images_where_seeds_are_alike(cells):
    """Of seeds that all say the same, only the images are left to draw."""
    for made in cells.values():
        made["rise"][:] = made["rise"][:1]
    evaluation = SimpleNamespace(bootstrap_resamples=20_000, confidence_level=0.9, random_state=1)
    row = agreement.table(cells, ["rise"], evaluation).iloc[2]
    scores = agreement.rank_correlation(cells["a"]["rise"][0], cells["c"]["rise"][0])
    drawn = np.random.default_rng(5).choice(scores, (20_000, 6)).mean(axis=1)
    ends = row[["rank_correlation_ci_low", "rank_correlation_ci_high"]].to_list()
    assert ends == pytest.approx(np.quantile(drawn, [0.05, 0.95]).tolist(), abs=0.01)


def test_maps_that_agree_wholly_have_no_width(cells):
    for made in cells.values():
        made["rise"][:] = cells["a"]["rise"][:1, :1]
    table = agreement.table(cells, ["rise"], EVALUATION)
    for column in table.columns[4:]:
        assert table[column].to_numpy() == pytest.approx(1)


def test_where_they_disagree_most_is_found(cells):
    for made in cells.values():
        made["rise"][:] = cells["a"]["rise"]
    cells["c"]["rise"][:, 2] *= -1  # all but the third image are explained alike
    found = agreement.disagreements(cells, "rise", 2)
    first = found.iloc[0]
    assert first[["index", "label", "answer", "seeds"]].tolist() == [40, 2, 2, 3]
    assert first["rank_correlation"] == pytest.approx((1 - 1 - 1) / 3)
    assert first[["family_a", "family_b"]].tolist() == ["a", "c"]
    assert first["pair_rank_correlation"] == pytest.approx(-1)
    assert found["index"].tolist() == [40, 0]  # of those that tie, the first in raw


def test_only_seeds_that_agree_on_what_count(cells):
    cells["b"]["predictions"][:] = 9
    cells["b"]["predictions"][1, 3] = 3
    found = agreement.disagreements(cells, "rise", 5)
    assert found[["index", "seeds"]].to_numpy().tolist() == [[20, 1]]
    pairs = [
        agreement.rank_correlation(cells[a]["rise"][1, 3], cells[b]["rise"][1, 3])
        for a, b in ("ab", "ac", "bc")
    ]
    assert found["rank_correlation"][0] == pytest.approx(np.mean(pairs))
    assert found["pair_rank_correlation"][0] == pytest.approx(min(pairs))


def test_nothing_is_found_where_nothing_is_answered_alike(cells):
    cells["b"]["predictions"][:] = 9
    assert len(agreement.disagreements(cells, "rise", 5)) == 0
    assert len(agreement.disagreements({"a": cells["a"]}, "rise", 5)) == 0


def test_examples_of_each_kind(cells):
    for made in cells.values():
        made["rise"][:] = cells["a"]["rise"]
        made["predictions"][0, 0] = 7  # alike, and wrong: no example of the first kind
    cells["c"]["rise"][0, 2] *= -1
    cells["c"]["predictions"][0, 4] = 9
    cells["c"]["predictions"][1:] = 9  # of other seeds
    found = agreement.examples(cells, dict.fromkeys(cells, "rise"), each=1)
    assert found == {
        "same answer, maps alike": [5],
        "same answer, maps differ": [2],
        "answers differ": [4],
    }


def test_examples_never_name_an_image_twice(cells):
    found = agreement.examples(cells, dict.fromkeys(cells, "rise"), each=5)
    assert sorted(place for places in found.values() for place in places) == list(range(6))
    alone = agreement.examples({"a": cells["a"]}, {"a": "rise"}, each=2)
    assert [len(places) for places in alone.values()] == [2, 2, 0]


def test_other_images_or_seeds_are_refused(cells):
    panel = pd.DataFrame({"index": cells["a"]["index"]})
    agreement.check(cells, panel)
    with pytest.raises(GlassnetsError, match=r"explanations of a to be of the 6.*dvc repro"):
        agreement.check(cells, panel[::-1])
    cells["c"]["seeds"] = np.array([0, 1, 3])
    with pytest.raises(GlassnetsError, match=r"explanations of c .*\[0, 1, 2\], got \[0, 1, 3\]"):
        agreement.check(cells, panel)
