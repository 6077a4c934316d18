"""Networks that agree on *what*: do they agree on *why*? Their maps of the same images compared.

Everything here takes ``cells``, a family's explanations.npz each: ``index``, ``labels`` (n,),
``seeds`` (s,), ``predictions`` (s, n), and a method's maps under its name, (s, n, h, w). Networks
are compared on the images that both answer alike, for a map explains the network's own answer.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from glassnets.artefacts import Arrays
from glassnets.errors import GlassnetsError
from glassnets.params import Evaluation

Values = NDArray[np.float64]
Cells = Mapping[str, Arrays]
TOP = 0.1  # share of an image's pixels that count as its top


def _ranks(maps: Values) -> Values:
    ranks = rankdata(maps, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    standard: Values = ranks / np.linalg.norm(ranks, axis=-1, keepdims=True)
    return standard


def _top(maps: Values) -> Values:
    size = math.ceil(TOP * maps.shape[-1])
    least = np.sort(maps, axis=-1)[..., -size, np.newaxis]
    above, tied = maps > least, maps == least
    left = size - above.sum(axis=-1, keepdims=True)
    chance: Values = above + tied * left / tied.sum(axis=-1, keepdims=True)
    return chance / math.sqrt(size)


# Each makes a vector of a map, (…, pixels) → (…, pixels); how alike two maps are is the inner
# product of their vectors.
FIGURES: dict[str, Callable[[Values], Values]] = {"rank_correlation": _ranks, "top_overlap": _top}


def rank_correlation(a: NDArray[Any], b: NDArray[Any]) -> Values:
    """Spearman's rank correlation of maps (…, h, w), −1 to 1: (…).

    Ties have their mean rank. NaN where a map is constant: it ranks nothing.
    """
    return _alike(_vectors(a, _ranks), _vectors(b, _ranks))


def top_overlap(a: NDArray[Any], b: NDArray[Any]) -> Values:
    """Share of the top 10 % of pixels that maps (…, h, w) have in common, 0 to 1: (…).

    The top are the ⌈0.1·h·w⌉ pixels of highest value, those that spoke most *for* the class. Where
    several tie for its last places, the share is the one expected if they are drawn by lot, for
    each map by itself: so it never depends on the order of pixels, two maps that rank nothing
    overlap by chance alone (0.1), and a map overlaps itself wholly only if its top is clear. NaN
    where a map is constant.
    """
    return _alike(_vectors(a, _top), _vectors(b, _top))


def _vectors(maps: NDArray[Any], figure: Callable[[Values], Values]) -> Values:
    flat = maps.reshape(*maps.shape[:-2], -1).astype(np.float64)
    constant = np.ptp(flat, axis=-1) == 0
    vectors = np.full(flat.shape, np.nan)
    vectors[~constant] = figure(flat[~constant])
    return vectors


def _alike(a: Values, b: Values) -> Values:
    alike: Values = np.einsum("...p,...p->...", a, b)
    return alike


def check(cells: Cells, panel: pd.DataFrame) -> None:
    """Raises GlassnetsError unless every cell explains the panel's images, with the same seeds."""
    first = next(iter(cells.values()))
    for family, cell in cells.items():
        if not np.array_equal(cell["index"], panel["index"]):
            raise GlassnetsError(
                f"expected the explanations of {family} to be of the {len(panel)} images of "
                f"panel.csv in their order, got {len(cell['index'])} images, some of them others; "
                "`dvc repro` explains them anew"
            )
        if not np.array_equal(cell["seeds"], first["seeds"]):
            raise GlassnetsError(
                f"expected the explanations of {family} to have the seeds "
                f"{first['seeds'].tolist()}, got {cell['seeds'].tolist()}; "
                "`dvc repro` explains them anew"
            )


def table(cells: Cells, methods: Iterable[str], evaluation: Evaluation) -> pd.DataFrame:
    """How far the maps of two networks agree, a row for each method and pair of families.

    Columns: method, family_a, family_b; images, on how many of them a pair of networks was
    compared; rank_correlation and top_overlap (see the functions), means over networks and images,
    each with _ci_low and _ci_high. Of different families the networks of the same seed are paired.
    Where family_a is family_b, every two seeds are: how far networks agree that differ in nothing
    but the draw, which is the level to hold the other rows against. A method that only one of two
    families has, has no row for the pair.

    The interval is the percentile bootstrap over images and seeds, as in `evaluation.metrics`, the
    same draws for every row. A seed drawn twice is no pair of seeds.
    """
    seeds, images = next(iter(cells.values()))["predictions"].shape
    rng = np.random.default_rng(evaluation.random_state)
    drawn_seeds, drawn_images = (
        rng.multinomial(n, np.full(n, 1 / n), evaluation.bootstrap_resamples).astype(np.float64)
        for n in (seeds, images)
    )
    rows = []
    for method in methods:
        having = [family for family in cells if method in cells[family]]
        vectors = {
            (family, figure): _vectors(cells[family][method], vector)
            for family in having
            for figure, vector in FIGURES.items()
        }
        for a, b in combinations_with_replacement(having, 2):
            i, j = _paired(seeds, a == b)
            if not len(i):
                continue
            same = cells[a]["predictions"][i] == cells[b]["predictions"][j]
            weights = drawn_seeds[:, i] * (drawn_seeds[:, j] if a == b else 1)
            row = {"method": method, "family_a": a, "family_b": b, "images": same.any(0).sum()}
            for figure in FIGURES:
                scores = _alike(vectors[a, figure][i], vectors[b, figure][j])
                scores[~same] = np.nan
                row |= _summary(figure, scores, weights, drawn_images, evaluation.confidence_level)
            rows.append(row)
    ends = [f"{figure}{end}" for figure in FIGURES for end in ("", "_ci_low", "_ci_high")]
    return pd.DataFrame(rows, columns=["method", "family_a", "family_b", "images", *ends])


def _paired(seeds: int, one_family: bool) -> NDArray[np.int64]:
    """Places of the seeds that are compared, (2, pairs)."""
    pairs = list(combinations(range(seeds), 2)) if one_family else [(i, i) for i in range(seeds)]
    return np.array(pairs, np.int64).reshape(-1, 2).T


def _summary(
    figure: str, scores: Values, weights: Values, drawn: Values, level: float
) -> dict[str, float]:
    """Mean and interval of scores (pairs, n), NaN where there is none, of resamples that drew the
    pairs weights (r, pairs) times and the images drawn (r, n) times."""
    defined = ~np.isnan(scores)
    ends = np.full(3, np.nan)
    if defined.any():
        sums = ((weights @ np.where(defined, scores, 0)) * drawn).sum(axis=1)
        counts = ((weights @ defined) * drawn).sum(axis=1)
        means = sums[counts > 0] / counts[counts > 0]  # some draw no pair at all
        tail = (1 - level) / 2
        ends[:] = scores[defined].mean(), *np.quantile(means, [tail, 1 - tail])
    return dict(zip((figure, f"{figure}_ci_low", f"{figure}_ci_high"), ends, strict=True))


def disagreements(cells: Cells, method: str, count: int) -> pd.DataFrame:
    """The images that all families answer alike but explain least alike, the worst first.

    Columns: index, label, answer; seeds, in how many of them all families gave this answer;
    rank_correlation, the mean over these seeds and all pairs of families of the method's maps;
    family_a and family_b, the pair whose maps differ most, and pair_rank_correlation, theirs.
    method is one that every family has. At most count rows, none of images of which a map is
    constant; an empty table of a single family, or where no image is left.
    """
    alike = _answered_alike(cells, dict.fromkeys(cells, method))
    means = alike.groupby(level=["index", "label", "answer"]).mean().dropna()
    if means.empty:
        return pd.DataFrame()
    found = pd.DataFrame(index=means.index)
    found["seeds"] = alike.groupby(level=means.index.names).size()
    found["rank_correlation"] = means.mean(axis=1)
    worst = means.columns[means.to_numpy().argmin(axis=1)]
    found["family_a"], found["family_b"] = [a for a, _ in worst], [b for _, b in worst]
    found["pair_rank_correlation"] = means.min(axis=1)
    order = found.sort_values(["rank_correlation", "index"]).head(count)
    return order.reset_index()


def examples(cells: Cells, methods: Mapping[str, str], each: int) -> dict[str, list[int]]:
    """Places in the panel of telling images, by what they show of the first seed's networks.

    By the rank correlation of the maps, of each family by the method named, mean over pairs: those
    that all answer rightly and whose maps are most alike, and those that all answer alike and
    whose maps differ most; then the first that are answered differently. At most ``each`` of a
    kind, no image twice.
    """
    first = next(iter(cells.values()))
    alike = _answered_alike(cells, methods)
    alike = alike[alike.index.get_level_values("seed") == first["seeds"][0]]
    # A map that ranks nothing is like none.
    means = alike.mean(axis=1, skipna=False).fillna(-1).sort_values(kind="stable")
    label, answer, position = (
        means.index.get_level_values(name) for name in ("label", "answer", "position")
    )
    most = position[label == answer][::-1][:each].tolist()
    least = [place for place in position if place not in most][:each]
    differ = sorted(set(range(len(first["index"]))) - set(position))[:each]
    return {"same answer, maps alike": most, "same answer, maps differ": least} | {
        "answers differ": differ
    }


def _answered_alike(cells: Cells, methods: Mapping[str, str]) -> pd.DataFrame:
    """Rank correlations, a row for each seed and image that all families answer alike, a column a
    pair of families. The rows' index: seed, position (in the panel), index, label, answer."""
    first = next(iter(cells.values()))
    answers = np.stack([cell["predictions"] for cell in cells.values()])  # (families, s, n)
    seed, position = np.nonzero((answers == answers[0]).all(axis=0))
    vectors = {
        f: _vectors(cells[f][method], _ranks)[seed, position] for f, method in methods.items()
    }
    rows = {
        "seed": first["seeds"][seed],
        "position": position,
        "index": first["index"][position],
        "label": first["labels"][position],
        "answer": answers[0][seed, position],
    }
    pairs = list(combinations(cells, 2))
    alike = [_alike(vectors[a], vectors[b]) for a, b in pairs]
    return pd.DataFrame(
        np.reshape(alike, (len(pairs), len(seed))).T,
        index=pd.MultiIndex.from_arrays(list(rows.values()), names=list(rows)),
        columns=pd.Index(pairs, tupleize_cols=False),
    )
