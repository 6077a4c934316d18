"""What units are like, and whether their selectivity predicts what their lesion does: with
intervals, over units and seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Evaluation
from glassnets.evaluation import bootstrap

Floats = NDArray[np.float64]
Row = dict[str, Any]


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """The ranks of values (n,) among as many copies of each as each row of weights (r, n) says,
    ties at their mean rank: float64 (r, n)."""
    order = np.argsort(values, kind="stable")
    sorted_ = values[order]
    starts = np.flatnonzero(np.r_[True, sorted_[1:] != sorted_[:-1]])
    group = np.zeros(len(values), int)
    group[order] = np.cumsum(np.r_[False, sorted_[1:] != sorted_[:-1]])
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(counts, axis=1) - counts / 2
    ranks: Floats = middle[:, group]
    return ranks


def spearman(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Spearman's correlation of two columns (n,), with each row of weights (r, n): float64 (r,);
    NaN where a column has one value only."""
    columns = []
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    for values in (one, other):
        ranks = weighted_ranks(values, weights)
        columns.append(ranks - (weights * ranks).sum(axis=1, keepdims=True) / total)
    a, b = columns
    lengths = np.sqrt((weights * a**2).sum(axis=1) * (weights * b**2).sum(axis=1))
    products = (weights * a * b).sum(axis=1)
    rho: Floats = np.divide(
        products, lengths, out=np.full_like(products, np.nan), where=lengths > 1e-9
    )
    return rho


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic of the units of a layer in each seed, float64 (seeds,), and its resamples (r,
    seeds), NaN where it is not defined; of_seed (r, seeds) is how often each draws a seed."""

    values: Floats
    means: Floats
    of_seed: Floats


def correlated(one: Floats, other: Floats, evaluation: Evaluation) -> Resampled:
    """Spearman's correlation of two properties of a layer's units, float64 (seeds, units), NaN for
    a unit that does not count."""
    seeds, units = one.shape
    of_seed, of_unit = bootstrap.draws(seeds, units, evaluation)
    values, means = np.full(seeds, np.nan), np.full((len(of_seed), seeds), np.nan)
    for place in range(seeds):
        there = ~(np.isnan(one[place]) | np.isnan(other[place]))
        if there.any():
            a, b = one[place, there], other[place, there]
            values[place] = spearman(a, b, np.ones((1, len(a))))[0]
            means[:, place] = spearman(a, b, of_unit[:, there])
    return Resampled(values, means, of_seed)


def pooled(layers: list[Resampled], evaluation: Evaluation) -> dict[str, float]:
    """The mean over layers and seeds of a statistic, where it is defined: ``value``, ``ci_low``,
    ``ci_high``; NaN where it is nowhere."""
    values = np.concatenate([layer.values for layer in layers])
    if np.isnan(values).all():
        return dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)
    defined = [~np.isnan(layer.means) for layer in layers]
    weights = [layer.of_seed * there for layer, there in zip(layers, defined, strict=True)]
    total = np.sum([weight.sum(axis=1) for weight in weights], axis=0)
    summed = np.sum(
        [
            (np.nan_to_num(layer.means) * weight).sum(axis=1)
            for layer, weight in zip(layers, weights, strict=True)
        ],
        axis=0,
    )
    means = summed[total > 0] / total[total > 0]
    low, high = bootstrap.interval(means, evaluation.confidence_level)
    return {"value": float(np.nanmean(values)), "ci_low": low, "ci_high": high}


def mean(layers: list[Floats], evaluation: Evaluation) -> dict[str, float]:
    """The mean of a property of units over layers, each weighing the same, of resampled units and
    seeds: ``value``, ``ci_low``, ``ci_high``. layers: float64 (seeds, units), NaN for a unit that
    does not count."""
    if all(np.isnan(each).all() for each in layers):
        return dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)
    each = [layer for layer in layers if not np.isnan(layer).all()]
    means = np.mean([bootstrap.means(layer[np.newaxis], evaluation)[0] for layer in each], axis=0)
    low, high = bootstrap.interval(means[~np.isnan(means)], evaluation.confidence_level)
    return {
        "value": float(np.mean([np.nanmean(layer) for layer in each])),
        "ci_low": low,
        "ci_high": high,
    }


ALL = "all"  # layers
SIGNIFICANT = 0.05  # the p at which a unit counts as selective


@dataclass(frozen=True, eq=False)
class Cell:
    """What probe@D-F and lesion@D-F wrote of a family: units.csv, layers.csv, lesions.csv,
    cumulative.csv."""

    units: pd.DataFrame
    layers: pd.DataFrame
    lesions: pd.DataFrame
    cumulative: pd.DataFrame


# What is asked of units, and of which column of units.csv it is the mean.
_MEANS = ("selective", "dead", "auc", "selectivity", "chance", "lifetime")
# What is asked of lesions: two columns of units.csv and lesions.csv joined.
_CORRELATIONS = {
    "auc, log loss": ("auc", "log_loss"),
    "auc, log loss of its class": ("auc", "own"),
    "selectivity, log loss": ("selectivity", "log_loss"),
    "selectivity, log loss of its class": ("selectivity", "own"),
    "response, log loss": ("response", "log_loss"),
    # No property of a unit can be expected to go with the log loss closer than this.
    "log loss on half of the images, on the others": ("log_loss_even", "log_loss_odd"),
}
OWN_MORE = "log loss of its class − of others"
MEMORISED_LESS = "memorised − trained"
ORDERS = ("most selective first", "least selective first", "random")
_UNIT = ["network", "seed", "layer", "unit"]


def table(cells: dict[str, Cell], evaluation: Evaluation) -> pd.DataFrame:
    """A row for each family, network, layer (or `ALL`), question and fill: ``value`` with
    ``ci_low`` and ``ci_high``.

    Questions: the share of units that are ``selective`` or ``dead``; the means of ``auc``,
    ``selectivity``, ``chance``, ``lifetime``, and of ``population``, the sparsity at an image;
    Spearman's correlation of two properties, ``a, b`` (dead units left out); how much more the
    lesion costs its own class than others, `OWN_MORE`; and as means over a cumulative lesion of the
    difference in accuracy, with its ``images``: ``<order> − random``, and `MEMORISED_LESS`, of
    networks that memorised and that learnt, in random order, each from its own accuracy intact.
    """
    rows: list[Row] = []
    for family, cell in cells.items():
        units = cell.units.assign(
            selective=cell.units["p"] <= SIGNIFICANT, response=cell.units["mean"].abs()
        )
        lesions = cell.lesions.merge(units, on=_UNIT, validate="many_to_one")
        costs = ["log_loss", "log_loss_even", "log_loss_odd", "own", "others"]
        lesions[costs] = lesions[costs].mask(lesions["dead"])
        lesions[OWN_MORE] = lesions["own"] - lesions["others"]
        for network in units["network"].unique():
            at: Row = {"family": family, "network": network}
            tables = (table[table["network"] == network] for table in (units, cell.layers, lesions))
            own, population, lesioned = tables
            rows += [at | row for row in _of_units(own, population, evaluation)]
            for fill, filled in lesioned.groupby("fill", sort=False):
                rows += [at | {"fill": fill} | row for row in _of_lesions(filled, evaluation)]
        rows += [{"family": family} | row for row in _of_orders(cell.cumulative, evaluation)]
    columns = ["family", "network", "images", "layer", "question", "fill"]
    return pd.DataFrame(rows)[[*columns, "value", "ci_low", "ci_high"]]


def _of_units(units: pd.DataFrame, layers: pd.DataFrame, evaluation: Evaluation) -> Iterator[Row]:
    for layer, parts in _by_layer(units):
        for name in _MEANS:
            values = [_by_seed(part, name) for part in parts]
            yield {"layer": layer, "question": name} | mean(values, evaluation)
    population = layers.pivot(index="seed", columns="layer", values="population")
    values = [population.to_numpy(np.float64)]
    yield {"layer": ALL, "question": "population"} | mean(values, evaluation)


def _of_lesions(lesions: pd.DataFrame, evaluation: Evaluation) -> Iterator[Row]:
    parts = {str(layer): part for layer, part in lesions.groupby("layer", sort=False)}
    for name, (one, other) in _CORRELATIONS.items():
        each = {
            layer: correlated(_by_seed(part, one), _by_seed(part, other), evaluation)
            for layer, part in parts.items()
        }
        yield {"layer": ALL, "question": name} | pooled([*each.values()], evaluation)
        for layer, resampled in each.items():
            yield {"layer": layer, "question": name} | pooled([resampled], evaluation)
    for layer, of_layer in _by_layer(lesions):
        values = [_by_seed(part, OWN_MORE) for part in of_layer]
        yield {"layer": layer, "question": OWN_MORE} | mean(values, evaluation)


def _of_orders(cumulative: pd.DataFrame, evaluation: Evaluation) -> Iterator[Row]:
    by = ["network", "images", "fill"]
    for keys, curves in cumulative.groupby(by, sort=False):
        accuracy = curves.groupby(["order", "layer", "seed"])["accuracy"].mean()
        for order in ORDERS[:2]:
            differences = (accuracy[order] - accuracy[ORDERS[2]]).unstack("layer")
            values = mean([differences.to_numpy(np.float64)], evaluation)
            own: Row = dict(zip(by, keys, strict=True))
            yield own | {"layer": ALL, "question": f"{order} − {ORDERS[2]}"} | values
    training = cumulative[cumulative["images"] == "training"]
    for fill, curves in training[training["order"] == ORDERS[2]].groupby("fill", sort=False):
        means = curves.groupby(["network", "layer", "seed"])["accuracy"]
        accuracy = means.mean() - means.first()  # at first nothing is lesioned
        if {"trained", "memorised"} <= set(accuracy.index.get_level_values(0)):
            differences = (accuracy["memorised"] - accuracy["trained"]).unstack("layer")
            values = mean([differences.to_numpy(np.float64)], evaluation)
            own = {"network": "memorised", "images": "training", "fill": fill}
            yield own | {"layer": ALL, "question": MEMORISED_LESS} | values


def _by_layer(rows: pd.DataFrame) -> list[tuple[str, list[pd.DataFrame]]]:
    """Each layer's rows alone and, where there are several layers, those of all, layer by layer."""
    layers = [(str(layer), [part]) for layer, part in rows.groupby("layer", sort=False)]
    return [(ALL, [part for _, parts in layers for part in parts]), *layers]


def _by_seed(rows: pd.DataFrame, column: str) -> Floats:
    """A property of a layer's units, float64 (seeds, units)."""
    values: Floats = rows.pivot(index="seed", columns="unit", values=column).to_numpy(np.float64)
    return values
