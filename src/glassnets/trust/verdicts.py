"""What the trust figures say together: intervals, a leaderboard with its gates, how firm it is.

Everything here takes the scores of all networks of a cell: method → figure → float64 (seeds, n),
a score of each seed's network and image, NaN where it is not defined. Curves (seeds, n, points)
may stand among them and are passed over.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from glassnets.params import Evaluation
from glassnets.trust.metric import Values

Scores = Mapping[str, Mapping[str, Values]]
Summary = dict[str, Any]  # of a figure: see `summaries`
Summaries = dict[str, dict[str, Summary]]  # method → figure → its summary

HEADLINE = "insertion_minus_deletion"  # ranks the methods; higher is better
RELEVANCE_MASS = "relevance_mass"
FIGURES = (
    HEADLINE,
    "faithfulness_correlation",
    "infidelity",
    "max_sensitivity",
    "parameter_randomization_signed",
    "parameter_randomization_unsigned",
    "label_randomization_signed",
    "label_randomization_unsigned",
)
LOCALIZATION_FIGURES = (RELEVANCE_MASS, "relevance_rank", "pointing_game")

# What speaks for a method, and in which direction, where the metrics' rankings are compared.
MERITS = {HEADLINE: 1, "faithfulness_correlation": 1, "infidelity": -1, RELEVANCE_MASS: 1}

SHAPE_SURVIVES = "shape survives randomization"  # warns, and fails nothing


# Intervals


def summaries(scores: Scores, evaluation: Evaluation) -> Summaries:
    """Each figure's ``mean``, and ``ci_low`` and ``ci_high`` by the percentile bootstrap (Efron &
    Tibshirani 1993, ch. 13), images and seeds drawn with replacement, the same draws for every
    method and figure; and the mean ``by_seed``.

    The mean is over all defined scores of all seeds. A figure that is defined for no image is
    left out; a resample without a defined score does not count; a seed without one has None.
    """
    return {
        method: {
            figure: _summary(values, evaluation)
            for figure, values in figures.items()
            if values.ndim == 2 and not np.isnan(values).all()
        }
        for method, figures in scores.items()
    }


def beats(
    scores: Scores, figure: str, method: str, control: str, evaluation: Evaluation
) -> bool | None:
    """Whether the interval of the mean paired difference, method − control, lies above 0: image by
    image and seed by seed, for a figure of which higher is better.

    None where there is nothing to compare.
    """
    if figure not in scores.get(method, {}) or figure not in scores.get(control, {}):
        return None
    difference = scores[method][figure] - scores[control][figure]
    if np.isnan(difference).all():
        return None
    return bool(_summary(difference, evaluation)["ci_low"] > 0)


def _summary(values: Values, evaluation: Evaluation) -> Summary:
    """Of values (seeds, n), not all of them NaN."""
    of_seed, of_image = _draws(
        *values.shape, evaluation.bootstrap_resamples, evaluation.random_state
    )
    defined = ~np.isnan(values)
    total, count = (
        (of_image @ entries.T * of_seed).sum(axis=1)
        for entries in (np.where(defined, values, 0), defined.astype(np.float64))
    )
    drawn = count > 0
    tail = (1 - evaluation.confidence_level) / 2
    low, high = np.quantile(total[drawn] / count[drawn], [tail, 1 - tail])
    by_seed = [None if np.isnan(mean := _mean(row)) else mean for row in values]
    return {
        "mean": _mean(values),
        "ci_low": float(low),
        "ci_high": float(high),
        "by_seed": by_seed,
    }


@lru_cache(maxsize=4)
def _draws(seeds: int, images: int, resamples: int, random_state: int) -> tuple[Values, Values]:
    """How often each resample draws each seed (r, seeds) and each image (r, n)."""
    rng = np.random.default_rng(random_state)
    of_seed, of_image = (
        rng.multinomial(total, np.full(total, 1 / total), resamples).astype(np.float64)
        for total in (seeds, images)
    )
    return of_seed, of_image


def _mean(values: Values) -> float:
    """The mean of what is defined, NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


# The leaderboard


def leaderboard(
    scores: Scores, controls: Collection[str], max_correlation: float, evaluation: Evaluation
) -> pd.DataFrame:
    """A row a method, best first and the controls last: ``method``, ``control``, ``passes``,
    ``marks`` ("; " between them), ``rank`` (by the mean insertion_minus_deletion, from 1; none
    for a control), and each headline figure f as f, f_ci_low, f_ci_high.

    controls are the methods that know nothing of the network. A method passes that has no mark
    but `SHAPE_SURVIVES`; for what earns a mark see `marks`. The localisation figures have columns
    only where some method has them.
    """
    table = summaries(scores, evaluation)
    localized = any(RELEVANCE_MASS in figures for figures in table.values())
    rows = []
    for method, summary in table.items():
        control = method in controls
        found = [] if control else marks(scores, method, controls, max_correlation, evaluation)
        row = {
            "method": method,
            "control": control,
            "passes": not control and set(found) <= {SHAPE_SURVIVES},
            "marks": "; ".join(found),
        }
        for figure in FIGURES + LOCALIZATION_FIGURES * localized:
            values = summary.get(figure, {})
            row[figure] = values.get("mean", np.nan)
            row |= {f"{figure}_{end}": values.get(end, np.nan) for end in ("ci_low", "ci_high")}
        rows.append(row)
    board = pd.DataFrame(rows)
    ranks = board[HEADLINE].mask(board["control"]).rank(ascending=False, method="min")
    board.insert(4, "rank", ranks.astype("Int64"))
    order = board.assign(unranked=ranks.isna()).sort_values(
        ["control", "unranked", "rank"], kind="stable"
    )
    return board.loc[order.index].reset_index(drop=True)


def marks(
    scores: Scores,
    method: str,
    controls: Collection[str],
    max_correlation: float,
    evaluation: Evaluation,
) -> list[str]:
    """Why not to believe a method, in a few words each; a gate that was not tried is a mark too.

    - ``fails parameter randomization``, ``fails label randomization``: the upper end of the
      interval of the signed rank correlation reaches max_correlation, so the map is much the same
      when the network knows nothing. A map that is never negative has no sign to lose: for it this
      is the correlation of shapes too, and the gate is the stricter;
    - ``not above <control>``, and where evidence is known ``relevance mass not above <control>``:
      the interval of the paired difference does not lie above 0;
    - ``shape survives randomization``: the same for the absolute values. It warns and fails
      nothing, because this figure does not come near 0 for an honest method: where the image
      equals the baseline, every method that multiplies by the difference (x − b), or hides a
      pixel by setting it to b, says 0 whatever the network is, and on an image of a digit that is
      most pixels, so two maps share the digit's outline and differ in sign. Adebayo et al. (2018)
      saw such visual agreement for input × gradient; Kokhlikyan et al. (2021), "Investigating
      sanity checks for saliency maps with image and text classification", traced it to the
      factor x; and Binder et al. (2023), "Shortcomings of top-down randomization-based sanity
      checks for evaluations of deep neural network explanations", show that the ranking of
      methods by it is none of their merits.
    """
    summary = summaries({method: scores[method]}, evaluation)[method]
    found = []
    for gate in ("parameter randomization", "label randomization"):
        figure = gate.replace(" ", "_") + "_signed"
        if figure not in summary:
            found.append(f"not tested: {gate}")
        elif max(summary[figure]["ci_high"], -summary[figure]["ci_low"]) >= max_correlation:
            found.append(f"fails {gate}")
    compared = {HEADLINE: ""}
    if any(RELEVANCE_MASS in figures for figures in scores.values()):
        compared[RELEVANCE_MASS] = "relevance mass "
    for figure, prefix in compared.items():
        for control in controls:
            above = beats(scores, figure, method, control, evaluation)
            if above is None:
                found.append(f"not tested: {prefix}above {control}")
            elif not above:
                found.append(f"{prefix}not above {control}")
    shape = summary.get("parameter_randomization_unsigned")
    if shape is not None and shape["ci_high"] >= max_correlation:
        found.append(SHAPE_SURVIVES)
    return found


# How firm the ranking is


def stability(scores: Scores, controls: Collection[str]) -> dict[str, float | None]:
    """Kendall's τ-b between rankings of the methods that are no controls, mean over the pairs of

    - ``baselines``: insertion_minus_deletion_probability_<baseline>, each baseline's ranking;
    - ``seeds``: insertion_minus_deletion, each network's ranking;
    - ``metrics``: insertion_minus_deletion, faithfulness_correlation, infidelity (lower is
      better), and relevance_mass where evidence is known.

    1 is the same order, −1 the reverse. A pair of rankings is of the methods that both rank. None
    where there are not two rankings of two methods, or one that tells none of them apart.
    """
    judged = {method: figures for method, figures in scores.items() if method not in controls}
    prefix = f"{HEADLINE}_probability_"
    per_baseline = {f for figures in judged.values() for f in figures if f.startswith(prefix)}
    seeds = max(
        (len(figures[HEADLINE]) for figures in judged.values() if HEADLINE in figures), default=0
    )
    return {
        "baselines": _agreement([_ranking(judged, figure) for figure in sorted(per_baseline)]),
        "seeds": _agreement([_ranking(judged, HEADLINE, seed) for seed in range(seeds)]),
        "metrics": _agreement([_ranking(judged, figure) * sign for figure, sign in MERITS.items()]),
    }


def _ranking(scores: Scores, figure: str, seed: int | None = None) -> pd.Series:
    """The mean of a figure by method, of one seed's network or of all."""
    rows = slice(None) if seed is None else slice(seed, seed + 1)
    means = {m: _mean(figures[figure][rows]) for m, figures in scores.items() if figure in figures}
    return pd.Series(means, dtype=np.float64).dropna()


def _agreement(rankings: Sequence[pd.Series]) -> float | None:
    taus = []
    for one, other in combinations(rankings, 2):
        both = one.index.intersection(other.index)
        if len(both) > 1:
            taus.append(kendalltau(one[both], other[both]).statistic)
    told = [float(tau) for tau in taus if not np.isnan(tau)]
    return float(np.mean(told)) if told else None
