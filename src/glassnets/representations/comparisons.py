"""Which representations are compared, what with, and the intervals of what they have in common.

Intervals are by the jackknife, over blocks of images and over seeds, whose variances are added: a
bootstrap would draw an image twice, and two copies of an image are alike in every representation.
Efron & Tibshirani (1993), "An introduction to the bootstrap", ch. 11.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement, product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from glassnets.config.schema import Similarity
from glassnets.representations.similarity import (
    COSINES,
    Floats,
    directions,
    gram,
    procrustes,
    root,
    table,
)

TRAINED, UNTRAINED = "trained", "untrained"
BESIDE = ("pixels", "classes")  # the images themselves, and nothing but their labels
LEVELS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)  # of noise, in parts of the representation's own size
_WIDTH = 512  # of representations of noise alone
_DRAWS = 5

Places = dict[tuple[int, int], tuple[int, int]]  # by the seeds of a pair of networks
Values = dict[tuple[int, int], float]


class Layer(NamedTuple):
    """A layer of a family's networks: trained or untrained; or of no family `BESIDE`."""

    state: str
    family: str
    name: str


class Compared(NamedTuple):
    """All representations (m, n, n), where each layer's are by seed, and of which images."""

    grams: NDArray[np.float32]
    places: dict[Layer, dict[int, int]]  # by seed

    @property
    def families(self) -> list[str]:
        return list(dict.fromkeys(layer.family for layer in self.places if layer.family))

    def layers(self, family: str, state: str = TRAINED) -> list[Layer]:
        """First layer first, the logits last."""
        return [each for each in self.places if (each.state, each.family) == (state, family)]

    def pairs(self, one: Layer, other: Layer) -> Places:
        """The places of two layers' representations to compare, by their seeds: of one family each
        two different seeds, else all; what has no seed has the other's."""
        places = self.places[one], self.places[other]
        alone = BESIDE if other.name in BESIDE else ()
        return {
            (s, s if alone else t): (i, j)
            for (s, i), (t, j) in product(places[0].items(), places[1].items())
            if one.family != other.family or (s < t if one == other else s != t)
        }


def compared(families: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> Compared:
    """What probe@D-F wrote of each family, of the same images in the same order."""
    grams: list[NDArray[np.float32]] = []
    places: dict[Layer, dict[int, int]] = {}
    for name in BESIDE:
        places[Layer("", "", name)] = {0: len(grams)}
        grams.append(next(iter(families.values()))[name])
    for family, arrays in families.items():
        for key, matrix in arrays.items():
            if key.count("/") == 2:
                state, seed, layer = key.split("/")
                places.setdefault(Layer(state, family, layer), {})[int(seed)] = len(grams)
                grams.append(matrix)
    return Compared(np.stack(grams), places)


def answers(all_: Compared, options: Similarity, confidence_level: float) -> pd.DataFrame:
    """A row for each measure and comparison: ``measure``, ``comparison``, ``family_a``,
    ``layer_a``, ``family_b``, ``layer_b``, ``value``, ``ci_low``, ``ci_high``.

    comparison: ``trained``, every two layers of trained networks, of one family those of two seeds;
    ``untrained``, the same of untrained networks; ``gained``, the difference, of two families;
    ``pixels`` and ``classes``, each layer with the images themselves and with their labels alone;
    ``shuffled``, the first and the last layers of two families with the images of one shuffled:
    value is the mean, the ends hold the middle of that level. By procrustes, an angle, first and
    last layers only, and networks of the same seed.
    """
    reader = _Reader(all_, options, confidence_level)
    rows = []
    for measure in COSINES:
        rows += [row | {"measure": measure} for row in reader.by(measure)]
    rows += [row | {"measure": "procrustes"} for row in reader.by_angle()]
    columns = ["measure", "comparison", "family_a", "layer_a", "family_b", "layer_b"]
    return pd.DataFrame(rows)[[*columns, "value", "ci_low", "ci_high"]]


def ends(all_: Compared, family: str, state: str = TRAINED) -> list[Layer]:
    """The first layer of a family and the last before the logits."""
    layers = all_.layers(family, state)[:-1]
    return list(dict.fromkeys([layers[0], layers[-1]]))


class _Reader:
    def __init__(self, all_: Compared, options: Similarity, confidence_level: float) -> None:
        self.all, self.options = all_, options
        self.z = float(norm.ppf((1 + confidence_level) / 2))
        self.tail = (1 - confidence_level) / 2
        images = np.arange(all_.grams.shape[1])
        blocks = min(options.blocks, len(images))
        self.kept = [images[images % blocks != block] for block in range(blocks)]

    def by(self, measure: str) -> Iterator[dict[str, Any]]:
        grams = self.all.grams
        whole = table(grams, measure)
        without = [table((g[np.ix_(kept, kept)] for g in grams), measure) for kept in self.kept]

        def row(name: str, a: Layer, b: Layer, *minus: Layer) -> dict[str, Any] | None:
            pairs = [self.all.pairs(a, b), *([self.all.pairs(*minus)] if minus else [])]
            if not all(pairs):
                return None
            return _named(name, a, b) | self._interval(pairs, whole, without)

        trained = [layer for f in self.all.families for layer in self.all.layers(f)]
        rows = []
        for a, b in combinations_with_replacement(trained, 2):
            before = a._replace(state=UNTRAINED), b._replace(state=UNTRAINED)
            rows += [row(TRAINED, a, b), row(UNTRAINED, *before)]
            if a.family != b.family:
                rows.append(row("gained", a, b, *before))
        for a, name in product(trained, BESIDE):
            rows.append(row(name, a, Layer("", "", name)))
        yield from (each for each in rows if each is not None)
        for a, b in self._ends():
            yield _named("shuffled", a, b) | self._shuffled(measure, a, b)

    def _ends(self) -> Iterator[tuple[Layer, Layer]]:
        for one, other in combinations(self.all.families, 2):
            ours, theirs = ends(self.all, one), ends(self.all, other)
            yield from dict.fromkeys([(ours[0], theirs[0]), (ours[-1], theirs[-1])])

    def _shuffled(self, measure: str, a: Layer, b: Layer) -> dict[str, float]:
        places = [next(iter(self.all.places[layer].values())) for layer in (a, b)]
        one, other = directions((self.all.grams[place] for place in places), measure)
        rng = np.random.default_rng(self.options.random_state)
        values = []
        for _ in range(self.options.shuffles):
            order = rng.permutation(len(one))
            values.append(float((one * other[np.ix_(order, order)]).sum()))
        low, high = np.quantile(values, [self.tail, 1 - self.tail])
        return {"value": float(np.mean(values)), "ci_low": float(low), "ci_high": float(high)}

    def by_angle(self) -> Iterator[dict[str, Any]]:
        roots: dict[int, Floats] = {}

        def angles(
            pairs: Places,
        ) -> list[Values]:
            """Of all images, then without each block."""
            for place in {place for pair in pairs.values() for place in pair} - roots.keys():
                roots[place] = root(self.all.grams[place])
            return [
                {
                    seeds: procrustes(roots[i][kept], roots[j][kept])
                    for seeds, (i, j) in pairs.items()
                }
                for kept in (slice(None), *self.kept)
            ]

        within = [(layer, layer) for f in self.all.families for layer in ends(self.all, f)]
        for state in (TRAINED, UNTRAINED):
            for a, b in (*within, *self._ends()):
                own = a._replace(state=state), b._replace(state=state)
                pairs = self.all.pairs(*own)
                if a.family != b.family:
                    pairs = {(s, t): places for (s, t), places in pairs.items() if s == t}
                if pairs:
                    whole, *without = angles(pairs)
                    yield _named(state, *own) | self._ends_of([whole], [[w] for w in without])

    def _interval(
        self,
        pairs: list[Places],
        whole: Floats,
        without: list[Floats],
    ) -> dict[str, float]:
        def of(values: Floats) -> list[Values]:
            return [{seeds: float(values[at]) for seeds, at in each.items()} for each in pairs]

        return self._ends_of(of(whole), [of(values) for values in without])

    def _ends_of(
        self,
        whole: list[Values],
        without: list[list[Values]],
    ) -> dict[str, float]:
        """The mean over pairs of seeds, or the first one's less the second one's, with its
        interval. without: the same without each block of images."""
        value = _difference(whole)
        variance = _jackknife([_difference(each) for each in without])
        seeds = sorted({seed for each in whole for pair in each for seed in pair})
        left = [_difference(whole, seed) for seed in seeds]
        if len(seeds) > 1 and not np.isnan(left).any():
            variance += _jackknife(left)
        error = self.z * float(np.sqrt(variance))
        return {"value": value, "ci_low": value - error, "ci_high": value + error}


def _difference(terms: Sequence[Values], without: int | None = None) -> float:
    """The first term's mean, less the second one's where there is one, without pairs of a seed; NaN
    where that leaves none."""
    means = []
    for term in terms:
        values = [value for seeds, value in term.items() if without not in seeds]
        means.append(float(np.mean(values)) if values else np.nan)
    return means[0] - means[1] if len(means) > 1 else means[0]


def _jackknife(left_out: list[float]) -> float:
    """The variance of a statistic from its values with each part left out."""
    n = len(left_out)
    return float((n - 1) / n * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())


def _named(comparison: str, a: Layer, b: Layer) -> dict[str, Any]:
    return {
        "comparison": comparison,
        "family_a": a.family,
        "layer_a": a.name,
        "family_b": b.family,
        "layer_b": b.name if b.family else "",
    }


def trial(all_: Compared, options: Similarity) -> pd.DataFrame:
    """What the measures themselves are worth: a row for each ``measure`` and ``test``, with its
    ``level`` (of noise, else NaN), ``value``, and the value by ``chance`` (or NaN).

    ``noise``: a family's last layer with the same and normal noise added to it, mean over families,
    so much noise in parts of the representation's size: the similarity must fall from that of the
    same (1, or an angle of 0). ``unrelated``: two representations of noise, 512 wide.
    ``identified``: the share of the layers that are most similar to the same layer of another
    seed's network, among all of that network's layers.
    """
    rng = np.random.default_rng(options.random_state)
    measures = (*COSINES, "procrustes")
    rows = []
    lasts = [next(iter(all_.places[ends(all_, f)[-1]].values())) for f in all_.families]
    for level in LEVELS:
        values: dict[str, list[float]] = {measure: [] for measure in measures}
        for place in lasts:
            own = root(all_.grams[place])
            size = np.sqrt((own**2).sum() / own.size)
            noisy = own + level * size * rng.normal(size=own.shape)
            for measure in measures:
                values[measure].append(_one(measure, own, noisy))
        rows += [_tried(measure, "noise", np.mean(values[measure]), level) for measure in measures]
    n = all_.grams.shape[1]
    for measure in measures:
        pairs = [rng.normal(size=(2, n, _WIDTH)) for _ in range(_DRAWS)]
        rows.append(_tried(measure, "unrelated", np.mean([_one(measure, *p) for p in pairs])))
    for measure in COSINES:
        found, chance = _identified(all_, table(all_.grams, measure))
        rows.append(_tried(measure, "identified", found) | {"chance": chance})
    return pd.DataFrame(rows)


def _one(measure: str, one: Floats, other: Floats) -> float:
    if measure == "procrustes":
        return procrustes(one, other)
    return float(table([gram(one), gram(other)], measure)[0, 1])


def _tried(measure: str, test: str, value: Any, level: float = np.nan) -> dict[str, Any]:
    own = {"measure": measure, "test": test, "level": level, "value": float(value)}
    return own | {"chance": np.nan}


def _identified(all_: Compared, similarities: Floats) -> tuple[float, float]:
    """The share of layers whose most similar layer of another seed's network is the same layer, and
    the share by chance."""
    right, chance = [], []
    for family in all_.families:
        layers = all_.layers(family)
        seeds = all_.places[layers[0]]
        for s, t in product(seeds, seeds):
            if s == t:
                continue
            others = [all_.places[layer][t] for layer in layers]
            for number, layer in enumerate(layers):
                own = similarities[all_.places[layer][s], others]
                right.append(own.argmax() == number)
                chance.append(1 / len(layers))
    return float(np.mean(right)) if right else np.nan, float(np.mean(chance)) if chance else np.nan
