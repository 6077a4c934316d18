"""What scores depend on: the method, its reference, the removal that judges it.

An analysis of variance, descriptive, of the table of mean scores by method × reference × removal of
those methods that run with every reference. Fisher (1925), "Statistical methods for research
workers", ch. 7–8; shares are η². Intervals by the bootstrap over images and seeds.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from glassnets.attribution.references import REMOVALS
from glassnets.attribution.verdicts import Scores, method_of, reference_of
from glassnets.config.schema import Evaluation, Reference
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values

STATISTIC = "insertion_minus_deletion_probability"
_AXES = {"method": 1, "reference": 2, "removal": 3}


def by_removal(scores: Scores, controls: list[str], evaluation: Evaluation) -> pd.DataFrame:
    """Every variant's mean score by every removal, a row each: variant, method, reference, removal,
    control; matched, whether the removal is the variant's own reference; mean, ci_low, ci_high."""
    values = {
        (variant, removal): own[f"{STATISTIC}_{removal}"]
        for variant, own in scores.items()
        for removal in REMOVALS
        if f"{STATISTIC}_{removal}" in own
    }
    if not values:
        return pd.DataFrame()
    draws = bootstrap.means(np.stack(list(values.values())), evaluation)
    level = evaluation.confidence_level
    return pd.DataFrame(
        {
            "variant": variant,
            "method": method_of(variant),
            "reference": reference_of(variant) or "",
            "removal": removal,
            "control": variant in controls,
            "matched": removal == reference_of(variant),
            **_summary("mean", values[variant, removal].mean(), own, level),
        }
        for (variant, removal), own in zip(values, draws, strict=True)
    )


def spread(
    scores: Scores,
    controls: list[str],
    references: tuple[Reference, ...],
    evaluation: Evaluation,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables: how much of the spread of scores each factor explains, and the effects.

    Shares, a row each: ``removal``, one of them or "all" for the whole table; ``factor``: method,
    reference, removal, their pairs ("reference × removal": a score depends on whether the two are
    alike) and, of the whole table, what is left; ``share`` of the sum of squares, ci_low, ci_high.

    Effects, a row each: ``factor``; ``level``; ``effect``, the mean score less the mean of all
    levels, at equal levels of the other factor, over the removals that are not the reference;
    ci_low, ci_high. Of a reference, only the removals that are no reference of any of the methods
    count, so that none has its own among them, unless there are no such ones.

    Empty tables where fewer than two methods run with all the references, or there is only one.
    """
    methods = [
        method
        for method in dict.fromkeys(method_of(variant) for variant in scores)
        if all(f"{method}:{r}" in scores and f"{method}:{r}" not in controls for r in references)
    ]
    removals = [r for r in REMOVALS if all(f"{STATISTIC}_{r}" in own for own in scores.values())]
    if len(methods) < 2 or len(references) < 2 or not removals:
        ends = ["ci_low", "ci_high"]
        return (
            pd.DataFrame(columns=["removal", "factor", "share", *ends]),
            pd.DataFrame(columns=["factor", "level", "effect", *ends]),
        )
    values = np.stack(
        [
            scores[f"{method}:{reference}"][f"{STATISTIC}_{removal}"]
            for method in methods
            for reference in references
            for removal in removals
        ]
    )
    shape = len(methods), len(references), len(removals)
    mean = values.mean(axis=(1, 2)).reshape(1, *shape)
    draws = bootstrap.means(values, evaluation).T.reshape(-1, *shape)
    level = evaluation.confidence_level
    parts: dict[str, Any] = {"all": slice(None)} | {r: [i] for i, r in enumerate(removals)}
    shares = [
        {"removal": name, "factor": factor, **_summary("share", share[0], of_draws[factor], level)}
        for name, part in parts.items()
        for of_draws in [_shares(draws[..., part])]
        for factor, share in _shares(mean[..., part]).items()
    ]
    effects = [
        {"factor": factor, "level": name, **_summary("effect", effect[0, i], of_draws[:, i], level)}
        for factor, names in (("method", methods), ("reference", references))
        for effect, of_draws in [
            (
                _effects(mean, factor, references, removals),
                _effects(draws, factor, references, removals),
            )
        ]
        for i, name in enumerate(names)
    ]
    return pd.DataFrame(shares), pd.DataFrame(effects)


def _summary(name: str, value: float, draws: Values, level: float) -> dict[str, float]:
    low, high = bootstrap.interval(draws, level)
    return {name: float(value), "ci_low": low, "ci_high": high}


def _shares(table: Values) -> Mapping[str, Values]:
    """Of tables (r, methods, references, removals), each factor's share of the sum of squares."""
    factors = [name for name, axis in _AXES.items() if table.shape[axis] > 1]
    every = tuple(_AXES.values())
    centred = table - table.mean(axis=every, keepdims=True)
    total = (centred**2).sum(axis=every)

    def margin(*kept: str) -> Values:
        away = tuple(axis for name, axis in _AXES.items() if name not in kept)
        mean: Values = centred.mean(axis=away, keepdims=True)
        return mean

    def squares(part: Values) -> Values:
        sizes = np.prod([table.shape[axis] for axis in every if part.shape[axis] == 1])
        total: Values = (part**2).sum(axis=every) * sizes
        return total

    parts = {name: squares(margin(name)) for name in factors}
    for a, b in combinations(factors, 2):
        parts[f"{a} × {b}"] = squares(margin(a, b) - margin(a) - margin(b))
    if len(factors) > 2:
        parts["the rest"] = total - sum(parts.values())
    safe = np.where(total > 0, total, 1)
    return {name: part / safe for name, part in parts.items()}


def _effects(
    table: Values, factor: str, references: Sequence[str], removals: Sequence[str]
) -> Values:
    """Tables (r, methods, references, removals) → effects of the factor's levels (r, levels)."""
    own = np.array([[removal == reference for removal in removals] for reference in references])
    if factor == "method":
        means = table[:, :, ~own].mean(axis=2)
    else:
        neutral = ~own.any(axis=0)
        kept = neutral if neutral.any() else np.ones(len(removals), bool)
        means = table[..., kept].mean(axis=(1, 3))
    effects: Values = means - means.mean(axis=1, keepdims=True)
    return effects
