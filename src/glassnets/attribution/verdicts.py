"""Verdicts on attribution methods: intervals, a leaderboard, the stability of its ranking.

All functions take the scores of all networks of a cell: method → score → float64 (seeds, n), one
for each seed's network and each image, NaN where it is not defined. Curves (seeds, n, points) may
be among them and are ignored, except by `curves`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.config.schema import Evaluation
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values

Scores = Mapping[str, Mapping[str, Values]]
Summary = dict[str, Any]  # of a score: see `summaries`
Summaries = dict[str, dict[str, Summary]]  # method → score → its summary

RELEVANCE_MASS = "relevance_mass"

SHAPE_SURVIVES = "shape survives randomization"  # a warning: a method passes with it


# Intervals


def summaries(scores: Scores, evaluation: Evaluation) -> Summaries:
    """Each score's ``mean``, and ``ci_low`` and ``ci_high`` by the percentile bootstrap (Efron &
    Tibshirani 1993, ch. 13), images and seeds drawn with replacement, the same draws for every
    method and score; and the mean ``by_seed``.

    The mean is over all defined scores of all seeds. A score that is defined for no image is
    left out; a resample without a defined score does not count; a seed without one has None.
    """
    return {
        method: {
            score: _summary(values, evaluation)
            for score, values in own.items()
            if values.ndim == 2 and not np.isnan(values).all()
        }
        for method, own in scores.items()
    }


def beats(
    scores: Scores, score: str, method: str, control: str, evaluation: Evaluation
) -> bool | None:
    """Whether the interval of the mean paired difference, method − control, is above 0: image by
    image and seed by seed, for a score of which higher is better.

    None where no image has both scores.
    """
    if score not in scores.get(method, {}) or score not in scores.get(control, {}):
        return None
    difference = scores[method][score] - scores[control][score]
    if np.isnan(difference).all():
        return None
    return bool(_summary(difference, evaluation)["ci_low"] > 0)


def _summary(values: Values, evaluation: Evaluation) -> Summary:
    """The summary of values (seeds, n), not all of them NaN."""
    of_seed, of_image = bootstrap.draws(*values.shape, evaluation)
    defined = ~np.isnan(values)
    total, count = (
        (of_image @ entries.T * of_seed).sum(axis=1)
        for entries in (np.where(defined, values, 0), defined.astype(np.float64))
    )
    drawn = count > 0
    low, high = bootstrap.interval(total[drawn] / count[drawn], evaluation.confidence_level)
    by_seed = [None if np.isnan(mean := _mean(row)) else mean for row in values]
    return {"mean": _mean(values), "ci_low": low, "ci_high": high, "by_seed": by_seed}


def _mean(values: Values) -> float:
    """The mean of the values that are not NaN, NaN where all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


# The leaderboard


def leaderboard(
    scores: Scores, controls: Collection[str], max_correlation: float, evaluation: Evaluation
) -> pd.DataFrame:
    """A row a method, best first and the controls last: ``method``, ``control``, ``passes``,
    ``marks`` (its objections, "; " between them), ``rank`` (by the mean insertion_minus_deletion,
    from 1; none for a control), and each score s of SCORES as s, s_ci_low, s_ci_high; the scores
    of localization only where some method has them.

    controls: the methods whose maps do not depend on the network.
    max_correlation: see `objections`. A method passes without any, `SHAPE_SURVIVES` excepted.
    """
    table = summaries(scores, evaluation)
    localized = any(RELEVANCE_MASS in own for own in table.values())
    rows = []
    for method, summary in table.items():
        control = method in controls
        reasons = (
            [] if control else objections(scores, method, controls, max_correlation, evaluation)
        )
        row = {
            "method": method,
            "control": control,
            "passes": not control and set(reasons) <= {SHAPE_SURVIVES},
            "marks": "; ".join(reasons),
        }
        for score in (name for name, s in SCORES.items() if localized or not s.needs_evidence):
            values = summary.get(score, {})
            row[score] = values.get("mean", np.nan)
            row |= {f"{score}_{end}": values.get(end, np.nan) for end in ("ci_low", "ci_high")}
        rows.append(row)
    board = pd.DataFrame(rows)
    ranks = board[HEADLINE].mask(board["control"]).rank(ascending=False, method="min")
    board.insert(4, "rank", ranks.astype("Int64"))
    order = board.assign(unranked=ranks.isna()).sort_values(
        ["control", "unranked", "rank"], kind="stable"
    )
    return board.loc[order.index].reset_index(drop=True)


def passing(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the methods that pass, best first."""
    passed = leaderboard["passes"] & ~leaderboard["control"]
    return leaderboard[passed].sort_values(["rank", "method"], ignore_index=True)


def best(leaderboard: pd.DataFrame) -> str:
    """The best method that passes, or where none does, the best that is no control."""
    methods = leaderboard[~leaderboard["control"]]
    methods = methods.sort_values(["passes", "rank", "method"], ascending=[False, True, True])
    first: str = methods["method"].iloc[0]
    return first


def objections(
    scores: Scores,
    method: str,
    controls: Collection[str],
    max_correlation: float,
    evaluation: Evaluation,
) -> list[str]:
    """The tests that a method fails, and those that could not be made, in a few words each:

    - ``fails parameter randomization``, ``fails label randomization``: the interval of the signed
      rank correlation reaches max_correlation, in size: the map depends too little on what the
      network learnt. A map that is never negative has no sign to lose: its signed correlation is
      that of its shape, and the test is the stricter;
    - ``not above <control>``, and where evidence is known ``relevance mass not above <control>``:
      the interval of the paired difference is not above 0;
    - ``shape survives randomization``: the same as the first, of absolute values. A warning, which
      fails no method, because this correlation is not near 0 for a faithful method either: where
      the image equals the reference b, every method that multiplies by x − b, or hides a pixel by
      setting it to b, gives 0 for every network. In an image of a digit that is most pixels, so
      two maps share the digit's outline and differ in sign. Adebayo et al. (2018) saw such visual
      agreement for input × gradient; Kokhlikyan et al. (2021), "Investigating sanity checks for
      saliency maps with image and text classification", traced it to the factor x; and Binder et
      al. (2023), "Shortcomings of top-down randomization-based sanity checks for evaluations of
      deep neural network explanations", show that it should not rank methods.
    """
    summary = summaries({method: scores[method]}, evaluation)[method]
    reasons = []
    for test in ("parameter randomization", "label randomization"):
        score = test.replace(" ", "_") + "_signed"
        if score not in summary:
            reasons.append(f"not tested: {test}")
        elif max(summary[score]["ci_high"], -summary[score]["ci_low"]) >= max_correlation:
            reasons.append(f"fails {test}")
    compared = {HEADLINE: ""}
    if any(RELEVANCE_MASS in own for own in scores.values()):
        compared[RELEVANCE_MASS] = "relevance mass "
    for score, prefix in compared.items():
        for control in controls:
            above = beats(scores, score, method, control, evaluation)
            if above is None:
                reasons.append(f"not tested: {prefix}above {control}")
            elif not above:
                reasons.append(f"{prefix}not above {control}")
    shape = summary.get("parameter_randomization_unsigned")
    if shape is not None and shape["ci_high"] >= max_correlation:
        reasons.append(SHAPE_SURVIVES)
    return reasons


# Stability of the ranking


def stability(scores: Scores, controls: Collection[str]) -> dict[str, float | None]:
    """Kendall's τ-b between rankings of the methods that are no controls, mean over the pairs of

    - ``references``: insertion_minus_deletion_probability_<reference>, each reference's ranking;
    - ``seeds``: insertion_minus_deletion, each network's ranking;
    - ``metrics``: the scores that rank methods, see `scores.Score`.

    1 is the same order, −1 the reverse. A pair of rankings is of the methods that both rank. None
    where no pair has two methods, or all scores of one ranking are equal.
    """
    judged = {method: own for method, own in scores.items() if method not in controls}
    prefix = f"{HEADLINE}_probability_"
    per_reference = {name for own in judged.values() for name in own if name.startswith(prefix)}
    seeds = max((len(own[HEADLINE]) for own in judged.values() if HEADLINE in own), default=0)
    return {
        "references": _agreement([_ranking(judged, score) for score in sorted(per_reference)]),
        "seeds": _agreement([_ranking(judged, HEADLINE, seed) for seed in range(seeds)]),
        "metrics": _agreement(
            [_ranking(judged, name) * score.ranks for name, score in SCORES.items() if score.ranks]
        ),
    }


def _ranking(scores: Scores, score: str, seed: int | None = None) -> pd.Series:
    """The mean of a score by method, of one seed's network or of all."""
    rows = slice(None) if seed is None else slice(seed, seed + 1)
    means = {method: _mean(own[score][rows]) for method, own in scores.items() if score in own}
    return pd.Series(means, dtype=np.float64).dropna()


def _agreement(rankings: Sequence[pd.Series]) -> float | None:
    """Mean τ-b over the pairs of rankings for which it is defined."""
    taus = []
    for one, other in combinations(rankings, 2):
        both = one.index.intersection(other.index)
        if len(both) > 1:
            taus.append(kendalltau(one[both], other[both]).statistic)
    defined = [float(tau) for tau in taus if not np.isnan(tau)]
    return float(np.mean(defined)) if defined else None


# Evidence that a network does not use


def withheld(intervention: Mapping[str, Values], min_followed: float) -> list[int]:
    """Indices of the seeds whose network does not depend on the planted cue: whose mean over images
    is below min_followed in one of the scores (seeds, n) of `localization.intervention`."""
    followed = np.array([[_mean(row) for row in values] for values in intervention.values()])
    enough = (followed >= min_followed).all(axis=0)  # not where a network is wrong on every image
    return [int(place) for place in np.flatnonzero(~enough)]


def withhold_localization(scores: Mapping[str, dict[str, Values]], places: Sequence[int]) -> None:
    """Sets the scores that need evidence to NaN for the seeds of these indices, in place."""
    for own in scores.values():
        for name, score in SCORES.items():
            if score.needs_evidence and name in own:
                own[name][places] = np.nan


# Curves


def curves(scores: Scores) -> pd.DataFrame:
    """Mean curves over images and seeds, a row a point: method, curve, reference, fraction (of the
    pixels removed or put back), probability."""
    rows = [
        (method, *match.groups(), *point)
        for method, own in scores.items()
        for name, values in own.items()
        if (match := re.fullmatch("(deletion|insertion)_curve_(.+)", name))
        for point in zip(np.linspace(0, 1, values.shape[2]), values.mean(axis=(0, 1)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["method", "curve", "reference", "fraction", "probability"])
