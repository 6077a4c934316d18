"""The paired tests, against cases solved by hand and against SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from glassnets.errors import GlassnetsError
from glassnets.evaluation import paired_tests


def pair(*seeds):
    """Families a and b on 100 images; seeds[k] = how many only a, only b got right in seed k."""
    counts = [(x, y, 100 - x - y) for x, y in seeds]
    return {
        "a": np.stack([np.repeat([True, False, True], count) for count in counts]),
        "b": np.stack([np.repeat([False, True, True], count) for count in counts]),
    }


def test_mcnemar_solved_by_hand():
    table = paired_tests.pairwise(pair((1, 9)), [0])
    # 2 · (C(10,0) + C(10,1)) / 2¹⁰
    assert table["p"].item() == pytest.approx(22 / 1024)
    assert table.loc[0, ["family_a", "family_b", "ahead"]].tolist() == ["a", "b", "b"]
    assert table.loc[0, ["only_a_0", "only_b_0"]].tolist() == [1, 9]


@pytest.mark.parametrize(("x", "y"), [(0, 1), (3, 17), (30, 12), (25, 26)])
def test_mcnemar_is_the_binomial_test_of_discordant_images(x, y):
    table = paired_tests.pairwise(pair((x, y)), [0])
    assert table["p"].item() == pytest.approx(binomtest(x, x + y, 0.5).pvalue)


def test_the_weakest_seed_decides():
    table = paired_tests.pairwise(pair((20, 2), (9, 1), (30, 3)), [5, 6, 7])
    assert table["p"].item() == pytest.approx(22 / 1024)
    assert table["ahead"].item() == "a"
    assert table.loc[0, ["only_a_6", "only_b_6"]].tolist() == [9, 1]


@pytest.mark.parametrize("seeds", [[(40, 2), (2, 40)], [(40, 2), (5, 5)], [(0, 0), (0, 0)]])
def test_seeds_that_disagree_show_nothing(seeds):
    table = paired_tests.pairwise(pair(*seeds), [0, 1])
    assert table["ahead"].item() == "neither"
    assert table["p"].item() == 1
    assert table["p_holm"].item() == 1


def test_holm_is_monotone_and_multiplies_by_what_is_left():
    rng = np.random.default_rng(0)
    right = {f"{rate}": rng.random((2, 400)) < rate for rate in (0.95, 0.9, 0.6)}
    table = paired_tests.pairwise(right, [0, 1]).sort_values("p")
    assert len(table) == 3
    by_hand = np.minimum(np.maximum.accumulate(table["p"].to_numpy() * [3, 2, 1]), 1)
    assert table["p_holm"].to_numpy() == pytest.approx(by_hand)
    assert table["p"].iloc[0] < table["p_holm"].iloc[0] < 1


def test_swapping_two_families_swaps_nothing_but_names():
    right = pair((20, 5), (15, 5))
    one = paired_tests.pairwise(right, [0, 1])
    other = paired_tests.pairwise({"b": right["b"], "a": right["a"]}, [0, 1])
    assert one["p"].item() == other["p"].item()
    assert one["ahead"].item() == other["ahead"].item() == "a"
    assert one["only_a_1"].item() == other["only_b_1"].item() == 15


def test_a_true_null_is_seldom_rejected():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(60):
        right = {name: rng.random((1, 300)) < 0.9 for name in "abcd"}
        rejected += (paired_tests.pairwise(right, [0])["p_holm"] <= 0.05).any()
    assert rejected <= 60 * 0.05 + 5  # 3 sd above the level


def test_one_family_has_no_pairs():
    table = paired_tests.pairwise({"a": np.ones((2, 5), bool)}, [0, 1])
    assert len(table) == 0
    assert list(table.columns[-3:]) == ["ahead", "p", "p_holm"]


def predictions(seeds=(0, 1), index=(7, 3, 9), label=(0, 1, 2), prediction=(0, 1, 1)):
    run = {"index": index, "label": label, "prediction": prediction}
    return pd.concat([pd.DataFrame({"seed": seed, **run}) for seed in seeds], ignore_index=True)


def test_correctness_is_by_seed_and_image():
    seeds, right = paired_tests.correctness(
        {"a": predictions(), "b": predictions(prediction=(0, 0, 2))}
    )
    assert seeds == [0, 1]
    assert right["a"].tolist() == [[True, True, False]] * 2
    assert right["b"].tolist() == [[True, False, True]] * 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (predictions(index=(3, 7, 9)), "same test images in the same order"),
        (predictions(label=(0, 1, 1)), "same test images in the same order"),
        (predictions().iloc[:-1], "b with seed 1"),
        (predictions(seeds=(0, 2)), r"seeds \[0, 1\] of a, got \[0, 2\]"),
    ],
)
def test_families_that_predicted_other_images_are_no_pairs(other, message):
    with pytest.raises(GlassnetsError, match=message) as error:
        paired_tests.correctness({"a": predictions(), "b": other})
    assert "\n" not in str(error.value)
    assert "make run DATASET=" in str(error.value)


def test_one_against_all_is_corrected_for_its_own_pairs():
    rng = np.random.default_rng(0)
    right = {f"{rate}": rng.random((2, 400)) < rate for rate in (0.95, 0.9, 0.6)}
    table = paired_tests.against(right, "0.9", [0, 1])
    assert table["family_a"].tolist() == ["0.95", "0.6"]
    assert table["family_b"].unique().tolist() == ["0.9"]
    every = paired_tests.pairwise(right, [0, 1])
    assert set(table["p"]) <= set(every["p"])
    small, large = sorted(table["p"])
    assert sorted(table["p_holm"]) == pytest.approx([2 * small, max(2 * small, large)])
