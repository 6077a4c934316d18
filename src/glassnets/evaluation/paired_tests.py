"""Which differences between families are more than chance: paired tests on the same images."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar

from glassnets.errors import GlassnetsError
from glassnets.evaluation.multiplicity import holm

Correctness = dict[str, NDArray[np.bool_]]


def correctness(predictions: dict[str, pd.DataFrame]) -> tuple[list[int], Correctness]:
    """The seeds, and for each family which test images each seed got right: bool (seeds, n).

    predictions holds a table a family with the columns seed, index (the image's row in raw),
    label and prediction. Raises GlassnetsError unless every family predicted the same images, in
    the same order, with the same seeds: only then are rows of different families pairs.
    """
    first, reference = next(iter(predictions.items()))
    seeds = [int(seed) for seed in reference["seed"].unique()]
    images = reference.loc[reference["seed"] == seeds[0], ["index", "label"]].to_numpy()
    right: Correctness = {}
    for family, table in predictions.items():
        if (came := [int(seed) for seed in table["seed"].unique()]) != seeds:
            raise GlassnetsError(
                f"expected {family} to have the seeds {seeds} of {first}, got {came}; "
                "`make run DATASET=…` evaluates both anew"
            )
        runs = [table[table["seed"] == seed] for seed in seeds]
        for seed, run in zip(seeds, runs, strict=True):
            if not np.array_equal(run[["index", "label"]].to_numpy(), images):
                raise GlassnetsError(
                    f"expected {family} with seed {seed} to have predicted the same test images "
                    f"in the same order as {first} with seed {seeds[0]}, got other images; "
                    "`make run DATASET=…` evaluates both anew"
                )
        right[family] = np.stack([(run["prediction"] == run["label"]).to_numpy() for run in runs])
    return seeds, right


def pairwise(right: Correctness, seeds: list[int]) -> pd.DataFrame:
    """Is one family more accurate than another? A row for every pair, in the order of ``right``.

    Columns: family_a, family_b; for every seed only_a_<seed> and only_b_<seed>, the number of test
    images that only the one or only the other got right; ahead, the family that is the more
    accurate one in every seed, or "neither"; p; p_holm.

    One seed's networks are compared by McNemar's test (1947), which Dietterich (1998) recommends
    for two classifiers on one test part: images that both or neither got right say nothing, and
    where the two are equally accurate, each of the others is a fair coin. It is computed exactly,
    by the binomial distribution, two-sided.

    The claim that counts is that one family is more accurate *in every seed*. Its null hypothesis
    is a union (in some seed it is not), so the largest of the seeds' p-values is a valid p-value,
    however the seeds depend on each other: the intersection–union test (Berger 1982). Seeds that
    disagree about which family is ahead support neither claim: p = 1. Which seed of one family
    meets which seed of the other is arbitrary; they are paired in order.

    p_holm is corrected for testing all pairs by Holm's step-down procedure (1979): the chance of
    even one false claim in the table stays below the level at which p_holm is read.

    Sources: McNemar, Psychometrika 12 (1947); Holm, Scand. J. Statist. 6 (1979); Berger,
    Technometrics 24 (1982); Dietterich, Neural Computation 10 (1998).
    """
    return _tested(combinations(right, 2), right, seeds)


def against(right: Correctness, other: str, seeds: list[int]) -> pd.DataFrame:
    """`pairwise` of each one with ``other``, its family_b, alone; corrected for these pairs."""
    return _tested(((name, other) for name in right if name != other), right, seeds)


def _tested(pairs: Iterable[tuple[str, str]], right: Correctness, seeds: list[int]) -> pd.DataFrame:
    rows = []
    for a, b in pairs:
        only_a = (right[a] & ~right[b]).sum(axis=1)  # (seeds,)
        only_b = (right[b] & ~right[a]).sum(axis=1)
        by_seed = [
            mcnemar([[0, x], [y, 0]], exact=True).pvalue
            for x, y in zip(only_a, only_b, strict=True)
        ]
        ahead = a if (only_a > only_b).all() else b if (only_b > only_a).all() else "neither"
        row: dict[str, object] = {"family_a": a, "family_b": b}
        for seed, x, y in zip(seeds, only_a, only_b, strict=True):
            row |= {f"only_a_{seed}": x, f"only_b_{seed}": y}
        rows.append(row | {"ahead": ahead, "p": 1.0 if ahead == "neither" else max(by_seed)})
    columns = [f"only_{side}_{seed}" for seed in seeds for side in "ab"]
    table = pd.DataFrame(rows, columns=["family_a", "family_b", *columns, "ahead", "p"])
    table["p_holm"] = holm(table["p"])
    return table
