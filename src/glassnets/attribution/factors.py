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
from glassnets.attribution.verdicts import STATISTIC, Scores, method_of, reference_of
from glassnets.config.schema import Evaluation, Reference
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values

_ENDS = ("ci_low", "ci_high")
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
    draws: Any = bootstrap.means(np.stack([*values.values()]), evaluation) if values else []
    level = evaluation.confidence_level
    rows = [
        (
            *(variant, method_of(variant), reference_of(variant) or "", removal),
            *(variant in controls, removal == reference_of(variant)),
            *(values[variant, removal].mean(), *bootstrap.interval(own, level)),
        )
        for (variant, removal), own in zip(values, draws, strict=True)
    ]
    columns = ["variant", "method", "reference", "removal", "control", "matched", "mean", *_ENDS]
    return pd.DataFrame(rows, columns=columns)


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
    names = dict.fromkeys(method_of(variant) for variant in scores if variant not in controls)
    methods = [m for m in names if all(f"{m}:{reference}" in scores for reference in references)]
    removals = [r for r in REMOVALS if all(f"{STATISTIC}_{r}" in own for own in scores.values())]
    shares, effects = [], []
    if len(methods) > 1 and len(references) > 1 and removals:
        level = evaluation.confidence_level
        table, draws = _table(scores, methods, references, removals, evaluation)
        parts: dict[str, Any] = {"all": slice(None)} | {r: [i] for i, r in enumerate(removals)}
        for removal, part in parts.items():
            of_draws = _shares(draws[..., part])
            for factor, (share,) in _shares(table[..., part]).items():
                ends = bootstrap.interval(of_draws[factor], level)
                shares.append((removal, factor, share, *ends))
        for factor, levels in (("method", methods), ("reference", references)):
            (means,), of_levels = (
                _effects(each, factor, references, removals) for each in (table, draws)
            )
            for name, effect, own in zip(levels, means, of_levels.T, strict=True):
                effects.append((factor, name, effect, *bootstrap.interval(own, level)))
    return (
        pd.DataFrame(shares, columns=["removal", "factor", "share", *_ENDS]),
        pd.DataFrame(effects, columns=["factor", "level", "effect", *_ENDS]),
    )


def _table(
    scores: Scores,
    methods: Sequence[str],
    references: Sequence[str],
    removals: Sequence[str],
    evaluation: Evaluation,
) -> tuple[Values, Values]:
    """Mean scores (1, methods, references, removals), and their resamples (r, …)."""
    values = np.stack(
        [
            scores[f"{method}:{reference}"][f"{STATISTIC}_{removal}"]
            for method in methods
            for reference in references
            for removal in removals
        ]
    )
    shape = len(methods), len(references), len(removals)
    draws = bootstrap.means(values, evaluation).T
    return values.mean(axis=(1, 2)).reshape(1, *shape), draws.reshape(-1, *shape)


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
