"""Networks that predict the same class: do their attributions agree? Maps of the same images
compared.

Everything here takes ``attributions``: by family, `Results.attributions`. Networks are compared on
the images of which both predict the same class, for an attribution is of the predicted class.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from glassnets.config.schema import Evaluation
from glassnets.data import Arrays
from glassnets.errors import GlassnetsError
from glassnets.evaluation import bootstrap
from glassnets.report.drawing import coloured
from glassnets.report.formats import columns_of
from glassnets.report.leaderboards import Shared, best_shared
from glassnets.report.results import Results

Values = NDArray[np.float64]
Attributions = Mapping[str, Arrays]
TOP = 0.1  # share of an image's pixels that count as its top
_DISAGREEMENTS = 8  # images


def _ranks(maps: Values) -> Values:
    ranks = rankdata(maps, axis=-1)
    return _unit(ranks - ranks.mean(axis=-1, keepdims=True))


def _top(maps: Values) -> Values:
    size = math.ceil(TOP * maps.shape[-1])
    least = np.sort(maps, axis=-1)[..., -size, np.newaxis]
    above, tied = maps > least, maps == least
    left = size - above.sum(axis=-1, keepdims=True)
    chance: Values = above + tied * left / tied.sum(axis=-1, keepdims=True)
    return chance / math.sqrt(size)


def _unit(vectors: Values) -> Values:
    """Each of length 1, or 0 where it is 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Values = vectors / np.where(lengths > 0, lengths, 1)
    return unit


# Each makes a vector of a map, (…, pixels) → (…, pixels). The inner product of the vectors of two
# maps is how similar they are:
# - rank_correlation: Spearman's, −1 to 1; ties have their mean rank.
# - top_overlap: the share of the top 10 % of pixels that they have in common, 0 to 1. The top are
#   the ⌈0.1·h·w⌉ pixels of highest value, those that spoke most *for* the class. Where several tie
#   for its last places, the share is the one expected if they are drawn by lot, for each map by
#   itself: so it never depends on the order of pixels, two maps that rank nothing overlap by chance
#   alone (0.1), and a map overlaps itself wholly only if its top is clear.
SIMILARITIES: dict[str, Callable[[Values], Values]] = {
    "rank_correlation": _ranks,
    "top_overlap": _top,
}


def vectors(maps: NDArray[Any], similarity: str) -> Values:
    """The vectors of maps (…, h, w) for one of `SIMILARITIES`: float64 (…, h·w). NaN where a map
    is constant: it ranks nothing."""
    flat = maps.reshape(*maps.shape[:-2], -1).astype(np.float64)
    constant = np.ptp(flat, axis=-1) == 0
    made = np.full(flat.shape, np.nan)
    made[~constant] = SIMILARITIES[similarity](flat[~constant])
    return made


def product(a: Values, b: Values) -> Values:
    """The inner products of vectors (…, p): (…)."""
    products: Values = np.einsum("...p,...p->...", a, b)
    return products


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far the attributions of a dataset's families agree.

    table: `table`'s, of all methods but the controls, which are the same for every network.
    shared: the method by which families are compared, None where they share none. disagreements:
    its `disagreements`.
    """

    table: pd.DataFrame
    shared: Shared | None
    disagreements: pd.DataFrame


def agreement(results: Mapping[str, Results], evaluation: Evaluation) -> Agreement:
    """Compares the families of a dataset, see `Agreement`."""
    attributions = {family: each.attributions for family, each in results.items()}
    boards = {family: each.leaderboard for family, each in results.items()}
    methods = pd.concat([board.loc[~board["control"], "method"] for board in boards.values()])
    shared = best_shared(boards)
    least = disagreements(attributions, shared.method, _DISAGREEMENTS) if shared else pd.DataFrame()
    return Agreement(table(attributions, methods.drop_duplicates(), evaluation), shared, least)


def check(attributions: Attributions, sample: pd.DataFrame) -> None:
    """Raises GlassnetsError unless every family's attributions are of the sample's images, and of
    the same seeds."""
    first = next(iter(attributions.values()))
    for family, arrays in attributions.items():
        if not np.array_equal(arrays["index"], sample["index"]):
            raise GlassnetsError(
                f"expected the attributions of {family} to be of the {len(sample)} images of "
                f"sample.csv in their order, got {len(arrays['index'])} images, some of them "
                "others; `make run DATASET=…` computes them anew"
            )
        if not np.array_equal(arrays["seeds"], first["seeds"]):
            raise GlassnetsError(
                f"expected the attributions of {family} to be of the seeds "
                f"{first['seeds'].tolist()}, got {arrays['seeds'].tolist()}; "
                "`make run DATASET=…` computes them anew"
            )


def table(
    attributions: Attributions, methods: Iterable[str], evaluation: Evaluation
) -> pd.DataFrame:
    """How far the attributions of two networks agree, a row for each method and pair of families
    that both have it.

    Columns: method, family_a, family_b; images, on how many of them a pair of networks was
    compared; rank_correlation and top_overlap (see `SIMILARITIES`), means over networks and images,
    each with _ci_low and _ci_high: the bootstrap over images and seeds, the same draws for every
    row. Of different families the networks of the same seed are paired. Where family_a is family_b,
    every two seeds are: how far networks agree that differ in nothing but the draw, which is the
    level to hold the other rows against. A seed drawn twice is no pair of seeds.
    """
    seeds, images = next(iter(attributions.values()))["predictions"].shape
    of_seed, of_image = bootstrap.draws(seeds, images, evaluation)
    rows = []
    for method in methods:
        having = [family for family in attributions if method in attributions[family]]
        made = {
            (family, name): vectors(attributions[family][method], name)
            for family in having
            for name in SIMILARITIES
        }
        for a, b in combinations_with_replacement(having, 2):
            i, j = np.triu_indices(seeds, 1) if a == b else np.diag_indices(seeds)
            if not len(i):
                continue
            same = attributions[a]["predictions"][i] == attributions[b]["predictions"][j]
            of_pair = of_seed[:, i] * (of_seed[:, j] if a == b else 1)
            row = {"method": method, "family_a": a, "family_b": b, "images": same.any(0).sum()}
            for name in SIMILARITIES:
                values = np.where(same, product(made[a, name][i], made[b, name][j]), np.nan)
                summary = _summary(values, of_pair, of_image, evaluation.confidence_level)
                row |= dict(zip(columns_of(name), summary, strict=True))
            rows.append(row)
    columns = [column for name in SIMILARITIES for column in columns_of(name)]
    return pd.DataFrame(rows, columns=["method", "family_a", "family_b", "images", *columns])


def _summary(
    values: Values, of_pair: Values, of_image: Values, level: float
) -> tuple[float, float, float]:
    """Mean and ends of the interval of values (pairs, n), NaN where there is none, of resamples
    that drew the pairs of_pair (r, pairs) times and the images of_image (r, n) times."""
    defined = ~np.isnan(values)
    parts = (np.where(defined, values, 0), defined)
    sums, counts = (((of_pair @ part) * of_image).sum(axis=1) for part in parts)
    if not counts.any():
        return np.nan, np.nan, np.nan
    means = sums[counts > 0] / counts[counts > 0]  # some draw no pair at all
    return float(values[defined].mean()), *bootstrap.interval(means, level)


def disagreements(attributions: Attributions, method: str, count: int) -> pd.DataFrame:
    """The images of which all families predict the same class but by the least similar
    attributions, the least similar first.

    Columns: index, label, prediction; seeds, in how many of them all families predicted this
    class; rank_correlation, the mean over these seeds and all pairs of families of the method's
    attributions; pair, "a and b", the families that differ most, and pair_rank_correlation, theirs.
    method is one that every family has. At most count rows, none of images of which an attribution
    is constant; an empty table of a single family, or where no image is left.
    """
    first = next(iter(attributions.values()))
    predictions = np.stack([arrays["predictions"] for arrays in attributions.values()])
    seed, row = np.nonzero((predictions == predictions[0]).all(axis=0))
    made = {f: vectors(a[method], "rank_correlation")[seed, row] for f, a in attributions.items()}
    pairs = {f"{a} and {b}": product(made[a], made[b]) for a, b in combinations(attributions, 2)}
    keys = {
        "index": first["index"][row],
        "label": first["labels"][row],
        "prediction": predictions[0][seed, row],
    }
    images = pd.DataFrame(keys | pairs).groupby(list(keys))
    means = images.mean().dropna()
    if means.empty:
        return pd.DataFrame()
    table = pd.DataFrame(
        {
            "seeds": images.size(),
            "rank_correlation": means.mean(axis=1),
            "pair": means.idxmin(axis=1),
            "pair_rank_correlation": means.min(axis=1),
        },
        index=means.index,
    )
    return table.sort_values(["rank_correlation", "index"]).head(count).reset_index()


@dataclass(frozen=True)
class Example:
    """An image of the sample, and what it is an example of.

    similarity: the cosine of the displayed maps, mean over pairs of families; 1 the same, 0
    unrelated, −1 opposite. None where the families predict different classes.
    """

    kind: str
    position: int  # in the sample
    similarity: float | None


def examples(attributions: Attributions, methods: Mapping[str, str], each: int) -> list[Example]:
    """Images of the sample by the attributions of each family's method, of the first seed's
    networks: those that all predict rightly with the most similar maps; those of which all predict
    the same class with the least similar maps; then the first of which they do not.

    Maps are compared as they are displayed, so that those that look alike come first. At most
    ``each`` of a kind, no image twice.
    """
    first = next(iter(attributions.values()))
    predictions = np.stack([arrays["predictions"][0] for arrays in attributions.values()])
    same = (predictions == predictions[0]).all(axis=0)
    right = same & (predictions[0] == first["labels"])
    maps = [coloured(attributions[family][method][0]) for family, method in methods.items()]
    pairs = [
        product(a, b) for a, b in combinations([_unit(m.reshape(len(m), -1)) for m in maps], 2)
    ]
    # Rounded, so that the last bits of a sum decide no order.
    similarity = np.mean(pairs, axis=0).round(6) if pairs else np.ones(len(same))
    order = np.argsort(-similarity, kind="stable").tolist()
    most = [i for i in order if right[i]][:each]
    least = [i for i in reversed(order) if same[i] and i not in most][:each]
    differ = np.flatnonzero(~same)[:each].tolist()
    return [
        *(Example("same prediction, most similar maps", i, float(similarity[i])) for i in most),
        *(Example("same prediction, least similar maps", i, float(similarity[i])) for i in least),
        *(Example("different predictions", i, None) for i in differ),
    ]
