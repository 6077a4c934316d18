"""Verdicts on attribution methods: intervals, comparisons like with like, a leaderboard.

All functions take the scores of all networks of a cell: variant → score → float64 (seeds, n), one
for each seed's network and each image, NaN where it is not defined. Curves (seeds, n, points) may
be among them and are ignored, except by `curves`. A variant is a method with a reference, and its
name says both: ``integrated_gradients:mean``.

A verdict *holds*, *fails*, or is *undecided*. It is of several tests, each a set of differences
that must all be above 0 (`comparisons`). That they all are is an intersection–union test, whose
p-value is the largest of theirs (Berger 1982); that some is below 0 is tested by the smallest times
their number (Bonferroni). Both, for every test of every variant of the cell, are corrected together
by Holm's procedure (1979). p-values are of z, the mean difference over its standard error by the
bootstrap over images and seeds.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, norm

from glassnets.attribution.references import OF_OTHERS, REMOVALS
from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.config.schema import Evaluation, Reference
from glassnets.config.schema import Verdict as Thresholds
from glassnets.evaluation import bootstrap
from glassnets.evaluation.bootstrap import Values
from glassnets.evaluation.multiplicity import holm

Scores = Mapping[str, Mapping[str, Values]]
Summary = dict[str, Any]  # of a score: see `summaries`
Summaries = dict[str, dict[str, Summary]]  # variant → score → its summary

STATISTIC = f"{HEADLINE}_probability"
CLASS_SENSITIVITY, ABOVE, LOCALIZATION = "class sensitivity", "above controls", "localization"
SPECIFIC, IMAGE = "specific to the network", "specific to the image"
OF_OTHER_IMAGES = "_of_other_images"  # ends the name of a score of another image's map
_CORRELATIONS = {
    "parameter randomization": "parameter_randomization_signed",
    "label randomization": "label_randomization_signed",
    CLASS_SENSITIVITY: "class_correlation",
}
TESTS = (*_CORRELATIONS, ABOVE, SPECIFIC, IMAGE)  # where evidence is known, LOCALIZATION too
_WORDS = {  # what a test claims, and what it says if it fails
    "parameter randomization": ("it passes {test}", "fails {test}"),
    "label randomization": ("it passes {test}", "fails {test}"),
    CLASS_SENSITIVITY: ("maps of two classes differ", "the same for every class"),
    ABOVE: ("above {against}", "not above {against}"),
    SPECIFIC: ("{test}", "about the data, not about the network"),
    IMAGE: ("{test}", "about the class, not about the image"),
    LOCALIZATION: ("average precision above {against}", "average precision not above {against}"),
}
LACKS = {  # what a test needs, where it may not be there
    SPECIFIC: "another seed",
    "label randomization": "a network that memorised labels",
    "parameter randomization": "weights to draw anew",
}
AVERAGE_PRECISION = "average_precision"
HOLDS, UNDECIDED, FAILS = VALUES = ("holds", "undecided", "fails")
_AT_ONCE = 200  # scores, which bounds the memory
_POWER = 0.8  # of what an undecided verdict says would decide it


# Intervals


def summaries(scores: Scores, evaluation: Evaluation) -> Summaries:
    """Each score's ``mean``, and ``ci_low`` and ``ci_high`` by the percentile bootstrap (Efron &
    Tibshirani 1993, ch. 13), images and seeds drawn with replacement, the same draws for every
    method and score; and the mean ``by_seed``.

    The mean is over all defined scores of all seeds. A score that is defined for no image is
    left out; a resample without a defined score does not count; a seed without one has None.
    """
    values = {
        (variant, score): values
        for variant, own in scores.items()
        for score, values in own.items()
        if values.ndim == 2 and not np.isnan(values).all()
    }
    result: Summaries = {variant: {} for variant in scores}
    for start in range(0, len(values), _AT_ONCE):
        keys = list(values)[start : start + _AT_ONCE]
        draws = bootstrap.means(np.stack([values[key] for key in keys]), evaluation)
        for (variant, score), own in zip(keys, draws, strict=True):
            each = values[variant, score]
            low, high = bootstrap.interval(own[~np.isnan(own)], evaluation.confidence_level)
            by_seed = [None if np.isnan(mean := mean_of(row)) else mean for row in each]
            summary = {"mean": mean_of(each), "ci_low": low, "ci_high": high, "by_seed": by_seed}
            result[variant][score] = summary
    return result


def mean_of(values: Values) -> float:
    """The mean of the values that are not NaN, NaN where all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan


# Comparisons


@dataclass(frozen=True)
class Choice:
    """What a verdict rests on beside the maps; `alternatives` change one of these at a time.

    name: what is chosen, in words.
    statistic: the score of a removal, ``<statistic>_<removal>``, that variants are compared by.
    removals: of these alone, None of all.
    images: of those from the first to before the last of these alone.
    thresholds: of correlations.
    confidence_level: of the tests.
    """

    name: str
    thresholds: Thresholds
    confidence_level: float
    statistic: str = STATISTIC
    removals: tuple[str, ...] | None = None
    images: tuple[int, int | None] = (0, None)


def alternatives(base: Choice, scores: Scores, images: int) -> list[Choice]:
    """The choices that differ from base in one thing: the removal, the statistic, the half of the
    sample, a threshold, the level."""
    removals = _removals(scores, base.statistic)
    level, correlation = base.confidence_level, base.thresholds.max_correlation
    return [
        *(replace(base, name=f"removal {r} alone", removals=(r,)) for r in removals),
        replace(base, name="areas of the logit", statistic="insertion_minus_deletion_logit"),
        replace(base, name="faithfulness correlation", statistic="faithfulness_correlation"),
        replace(base, name="first half of the sample", images=(0, images // 2)),
        replace(base, name="second half of the sample", images=(images // 2, None)),
        *(
            replace(
                base,
                name=f"correlation below {t:g}",
                thresholds=base.thresholds.model_copy(update={"max_correlation": t}),
            )
            for t in (correlation * 0.8, correlation * 1.2)
        ),
        replace(base, name=f"level {1 - (1 - level) / 5:g}", confidence_level=1 - (1 - level) / 5),
    ]


def _removals(scores: Scores, statistic: str) -> list[str]:
    return [r for r in REMOVALS if any(f"{statistic}_{r}" in own for own in scores.values())]


def method_of(variant: str) -> str:
    """The method that a variant's name says."""
    return variant.partition(":")[0]


def reference_of(variant: str) -> str | None:
    """The reference that a variant's name says."""
    return variant.partition(":")[2] or None


def like_controls(variant: str, controls: Collection[str]) -> list[str]:
    """The controls that a variant is compared with: those of its own reference, or the mean image's
    for draws, and those without a reference; all of them for a variant without a reference."""
    own = {"draws": "mean"}.get(reference_of(variant) or "", reference_of(variant))
    return [c for c in controls if own is None or reference_of(c) in (None, own)]


class _Mean(NamedTuple):
    mean: float
    draws: Values  # its resamples (r,)


def _resampled(
    values: Mapping[Any, Values], choice: Choice, evaluation: Evaluation
) -> dict[Any, _Mean]:
    """Means of values (seeds, n) and their resamples, of those that are defined for an image."""
    chosen = {key: each[:, slice(*choice.images)] for key, each in values.items()}
    defined = {key: each for key, each in chosen.items() if not np.isnan(each).all()}
    if not defined:
        return {}
    draws = bootstrap.means(np.stack(list(defined.values())), evaluation)
    return {
        key: _Mean(mean_of(each), own)
        for (key, each), own in zip(defined.items(), draws, strict=True)
    }


def comparisons(
    scores: Scores, controls: Collection[str], choice: Choice, evaluation: Evaluation
) -> pd.DataFrame:
    """The differences that must be above 0, a row each: ``method`` (a variant), ``test``,
    ``against``, ``difference``, ``se``, its standard error, ``ci_low``, ``ci_high`` (the normal
    interval).

    The tests, of every variant that is no control, by the statistic's mean over the removals that
    are not the variant's own reference:

    - ``parameter randomization``, ``label randomization``: the signed rank correlation with the map
      of the same network with weights drawn anew, or of one that memorised shuffled labels, lies
      within ± max_correlation. A map that is never negative has no sign to lose, so the test is the
      stricter for it;
    - ``class sensitivity``: that with the map of another class lies below max_class_correlation;
    - ``above controls``: image by image the statistic is above that of every like control;
    - ``specific to the network``: it is above that of the same variant's maps of other networks
      that give the same answer;
    - ``specific to the image``: by faithfulness correlation, it is above the same variant's map of
      another image of which the network predicts the same class;
    - ``localization``: where evidence is known, average precision is above every like control's.

    The correlation of absolute values with a randomised network's map decides nothing: where the
    image equals the reference, every method that multiplies by x − r, or hides a pixel by setting
    it to r, gives 0 for every network (Kokhlikyan et al. 2021; Binder et al. 2023, who also show
    that randomisation should not rank methods: here it is a veto).
    """
    by_correlation = replace(choice, statistic="faithfulness_correlation")
    own, of_others = (_over_removals(scores, choice, end) for end in ("", OF_OTHERS))
    faithful, of_other_images = (
        _over_removals(scores, by_correlation, end) for end in ("", OF_OTHER_IMAGES)
    )
    tables: dict[str, Mapping[Any, Values]] = {
        ABOVE: own,
        SPECIFIC: {key: own[key] - values for key, values in of_others.items()},
        IMAGE: {key: faithful[key] - values for key, values in of_other_images.items()},
    }
    for test, score in (*_CORRELATIONS.items(), (LOCALIZATION, AVERAGE_PRECISION)):
        tables[test] = {v: each[score] for v, each in scores.items() if score in each}
    means = {test: _resampled(values, choice, evaluation) for test, values in tables.items()}
    rows = [
        (variant, *difference)
        for variant in scores
        if variant not in controls
        for difference in _differences(variant, controls, means, choice.thresholds)
    ]
    table = pd.DataFrame(rows, columns=["method", "test", "against", "difference", "draws"])
    se = np.array([np.nanstd(draws) for draws in table.pop("draws")])
    half = norm.isf((1 - choice.confidence_level) / 2) * se
    return table.assign(
        se=se, ci_low=table["difference"] - half, ci_high=table["difference"] + half
    )


def _differences(
    variant: str,
    controls: Collection[str],
    means: Mapping[str, Mapping[Any, _Mean]],
    thresholds: Thresholds,
) -> Iterator[tuple[str, str, float, Values]]:
    """Of a variant, by `means` of each test: test, against, the difference and its resamples."""
    for test in _CORRELATIONS:
        if (known := means[test].get(variant)) is None:
            continue
        limit = thresholds.max_class_correlation
        if test != CLASS_SENSITIVITY:
            limit = thresholds.max_correlation
            yield test, f"{-limit:g}", limit + known.mean, limit + known.draws
        yield test, f"{limit:g}", limit - known.mean, limit - known.draws
    own = variant, reference_of(variant)
    for control in like_controls(variant, controls):
        for test, keys in (
            (ABOVE, (own, (control, reference_of(variant)))),
            (LOCALIZATION, (variant, control)),
        ):
            one, other = (means[test].get(key) for key in keys)
            if one is not None and other is not None:
                yield test, control, one.mean - other.mean, one.draws - other.draws
    for test, against in ((SPECIFIC, "other networks"), (IMAGE, "another image")):
        if (known := means[test].get(own)) is not None:
            yield test, against, known.mean, known.draws


_Key = tuple[str, str | None]  # a variant, and the removal that a mean leaves out


def _over_removals(scores: Scores, choice: Choice, end: str) -> dict[_Key, Values]:
    """The mean over all removals but one, or none, of the statistic whose names have this end."""
    removals = choice.removals or _removals(scores, choice.statistic)
    means: dict[_Key, Values] = {}
    for left_out in (None, *get_args(Reference)):
        names = [f"{choice.statistic}_{r}{end}" for r in removals if r != left_out]
        for variant, own in scores.items():
            if each := [own[name] for name in names if name in own]:
                means[variant, left_out] = np.mean(each, axis=0)
    return means


def decided(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """The tests of `comparisons`' table, a row each: ``method``, ``test``, ``value``, ``p_above``
    and ``p_below`` after Holm's correction, and the comparison that decides it, or would: the one
    of the smallest z, with its ``against``, ``difference``, ``ci_low``, ``ci_high`` and ``images``,
    how many times the sample's images would decide it with a power of 80 %, if the difference were
    as it is and seeds did not differ; NaN where it is decided.
    """
    if table.empty:
        return table.assign(value="", p_above=np.nan, p_below=np.nan, images=np.nan)
    # A difference without any variation is one of equal maps, or as sure as can be.
    still = np.where(table["difference"] > 0, np.inf, -np.inf)
    spread = table["se"].where(table["se"] > 1e-12)
    z = (table["difference"] / spread).fillna(pd.Series(still, table.index))
    grouped = table.assign(z=z).groupby(["method", "test"], sort=False)
    weakest = table.assign(z=z).loc[grouped["z"].idxmin()].reset_index(drop=True)
    count = grouped.size().to_numpy()
    above = norm.sf(weakest["z"])
    below = np.minimum(1, norm.cdf(weakest["z"]) * count)
    corrected = holm(np.concatenate([above, below]))
    p_above, p_below = np.split(corrected, 2)
    value = np.select([p_above < 1 - level, p_below < 1 - level], [HOLDS, FAILS], UNDECIDED)
    threshold = norm.isf((1 - level) / len(corrected)) + norm.ppf(_POWER)
    more = (threshold / weakest["z"].abs()) ** 2
    images = more.where((value == UNDECIDED) & (weakest["difference"] != 0))
    return weakest.drop(columns=["z", "se"]).assign(
        value=value, p_above=p_above, p_below=p_below, images=images
    )


def overall(tests: pd.DataFrame, variants: Collection[str], localized: bool) -> dict[str, str]:
    """Each variant's verdict: it fails where a test fails, holds where all hold, and is undecided
    otherwise, also where a test was not made."""
    wanted = len(TESTS) + localized
    values = {variant: own["value"] for variant, own in tests.groupby("method")}
    verdicts = {}
    for variant in variants:
        own = values.get(variant, pd.Series(dtype=object))
        held = len(own) == wanted and (own == HOLDS).all()
        verdicts[variant] = FAILS if (own == FAILS).any() else HOLDS if held else UNDECIDED
    return verdicts


def detectable(table: pd.DataFrame, evaluation: Evaluation) -> dict[str, float]:
    """By test, the difference that a single comparison would have shown with a power of 80 %, at
    the confidence level, one-sided, without correction: 2.5 standard errors at 95 %, the median
    over the test's comparisons."""
    factor = norm.isf(1 - evaluation.confidence_level) + norm.ppf(_POWER)
    return {
        str(test): float(factor * se) for test, se in table.groupby("test")["se"].median().items()
    }


# The leaderboard


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdicts of a cell.

    board: see `judgement`. comparisons, tests: `comparisons`' and `decided`'s tables. choices: a
    row a variant and choice (`alternatives`, and the same method with other references), with the
    verdict under it.
    """

    board: pd.DataFrame
    comparisons: pd.DataFrame
    tests: pd.DataFrame
    choices: pd.DataFrame


def judgement(
    scores: Scores, controls: Collection[str], thresholds: Thresholds, evaluation: Evaluation
) -> Judgement:
    """The verdicts of a cell, and what they rest on.

    The board has a row a variant, by rank, the controls last: ``method``, ``control``, ``verdict``,
    ``share`` of the choices under which it holds, ``unstable``, whether it holds under one choice
    and fails under another, ``reasons`` (why it does not hold, "; " between them), ``rank`` (by the
    mean insertion_minus_deletion over all removals, from 1; none for a control), and each score s
    of SCORES that some variant has as s, s_ci_low, s_ci_high.
    """
    variants = [variant for variant in scores if variant not in controls]
    images = max((own[HEADLINE].shape[1] for own in scores.values() if HEADLINE in own), default=0)
    base = Choice("as judged", thresholds, evaluation.confidence_level)
    localized = any(
        not np.isnan(own.get(AVERAGE_PRECISION, np.nan)).all() for own in scores.values()
    )
    compared = comparisons(scores, controls, base, evaluation)
    tests = decided(compared, base.confidence_level)
    under = {base.name: overall(tests, variants, localized)}
    for choice in alternatives(base, scores, images):
        table = comparisons(scores, controls, choice, evaluation)
        under[choice.name] = overall(decided(table, choice.confidence_level), variants, localized)
    choices = _choices(under, variants)
    summary = summaries(_of_board(scores, base), evaluation)
    shown = [name for name in SCORES if any(name in own for own in summary.values())]
    rows = []
    for variant in scores:
        own = choices.loc[choices["method"] == variant, "verdict"]
        reasons = _reasons(tests[tests["method"] == variant], images, localized)
        row: dict[str, Any] = {
            "method": variant,
            "control": variant in controls,
            "verdict": under[base.name].get(variant, ""),
            "share": (own == HOLDS).mean(),
            "unstable": {HOLDS, FAILS} <= {*own},
            "reasons": "" if variant in controls else "; ".join(reasons),
        }
        for score in shown:
            known = summary[variant].get(score, {})
            row[score] = known.get("mean", np.nan)
            row |= {f"{score}_{end}": known.get(end, np.nan) for end in ("ci_low", "ci_high")}
        rows.append(row)
    return Judgement(_ranked(pd.DataFrame(rows)), compared, tests, choices)


def _of_board(scores: Scores, base: Choice) -> Scores:
    """Of every variant those of SCORES that it has, and how far its maps are above others'."""
    of_own, of_others = (_over_removals(scores, base, end) for end in ("", OF_OTHERS))
    differences = {v: of_own[v, None] - each for (v, out), each in of_others.items() if out is None}
    return {
        v: {name: each[name] for name in SCORES if name in each}
        | ({"own_minus_others": differences[v]} if v in differences else {})
        for v, each in scores.items()
    }


def _ranked(board: pd.DataFrame) -> pd.DataFrame:
    """The board with its column ``rank``, and by it."""
    ranks = board[HEADLINE].mask(board["control"]).rank(ascending=False, method="min")
    board.insert(6, "rank", ranks.astype("Int64"))
    return board.sort_values(["control", "rank"], ignore_index=True)  # what has no rank is last


def _choices(under: Mapping[str, Mapping[str, str]], variants: Sequence[str]) -> pd.DataFrame:
    """The verdict on each variant under each choice, and as judged with other references; a removal
    alone that is a variant's own reference is no choice for it."""
    rows = []
    for variant in variants:
        own = reference_of(variant)
        rows += [
            (variant, name, verdicts[variant])
            for name, verdicts in under.items()
            if own is None or name != f"removal {own} alone"
        ]
        rows += [
            (variant, f"reference {reference_of(other)}", next(iter(under.values()))[other])
            for other in variants
            if other != variant and own and method_of(other) == method_of(variant)
        ]
    return pd.DataFrame(rows, columns=["method", "choice", "verdict"])


def _reasons(tests: pd.DataFrame, images: int, localized: bool) -> list[str]:
    """Why a verdict does not hold, in a few words a test, failed ones first."""
    by_test = {row["test"]: row for row in tests.to_dict("records")}
    reasons: dict[str, list[str]] = {FAILS: [], UNDECIDED: []}
    for test in (*TESTS, *([LOCALIZATION] if localized else [])):
        row = by_test.get(test)
        if row is None:
            lack = LACKS.get(test)
            needs = f", for want of {lack}" if lack else ""
            reasons[UNDECIDED].append(f"not tested: {test}{needs}")
        elif row["value"] == FAILS:
            reasons[FAILS].append(_WORDS[test][1].format_map(row))
        elif row["value"] == UNDECIDED:
            more = row["images"] * images
            count = f"some {more:,.0f}" if more < 1e5 else "more than 100,000"
            claim = _WORDS[test][0].format_map(row)
            reasons[UNDECIDED].append(f"undecided whether {claim} ({count} images would tell)")
    return [*reasons[FAILS], *reasons[UNDECIDED]]


def passing(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """The rows of the variants whose verdict holds, best first."""
    return leaderboard[leaderboard["verdict"] == HOLDS].sort_values(
        ["rank", "method"], ignore_index=True
    )


def best(leaderboard: pd.DataFrame) -> str:
    """The best supported variant: the best whose verdict holds; where there is none, the best that
    is undecided; then the best."""
    methods = leaderboard[~leaderboard["control"]]
    support = methods["verdict"].map([HOLDS, UNDECIDED, FAILS].index)
    order = methods.assign(support=support).sort_values(["support", "rank", "method"])
    first: str = order["method"].iloc[0]
    return first


# Which to believe first


def first_by_removal(
    scores: Scores, board: pd.DataFrame, evaluation: Evaluation
) -> dict[str, list[str]]:
    """Of the variants whose verdict holds, by removal those that none of the others is shown to
    score above (paired differences, Holm's correction within the removal), best mean first. A
    variant whose own reference is the removal does not take part in it.
    """
    held = passing(board)["method"].tolist()
    level = evaluation.confidence_level
    result = {}
    for removal in _removals(scores, STATISTIC):
        rivals = [variant for variant in held if reference_of(variant) != removal]
        values = [scores[variant][f"{STATISTIC}_{removal}"] for variant in rivals]
        mean = {v: mean_of(own) for v, own in zip(rivals, values, strict=True)}
        rivals.sort(key=lambda variant: -mean[variant])
        pairs = list(combinations(rivals, 2))
        if pairs:
            draws = dict(zip(mean, bootstrap.means(np.stack(values), evaluation), strict=True))
            se = np.array([np.std(draws[a] - draws[b]) for a, b in pairs])
            difference = np.array([mean[a] - mean[b] for a, b in pairs])
            p = norm.sf(difference / np.maximum(se, 1e-12))
            shown = holm(p) <= 1 - level
            beaten = {b for (_, b), above in zip(pairs, shown, strict=True) if above}
            rivals = [variant for variant in rivals if variant not in beaten]
        result[removal] = rivals
    return result


def believe_first(by_removal: Mapping[str, Sequence[str]]) -> list[str]:
    """The variants that are among the first under every removal that is not their own reference."""
    variants = dict.fromkeys(v for rivals in by_removal.values() for v in rivals)
    return [
        v
        for v in variants
        if all(v in rivals for removal, rivals in by_removal.items() if removal != reference_of(v))
    ]


# Stability of the ranking


def stability(scores: Scores, controls: Collection[str]) -> dict[str, float | None]:
    """Kendall's τ-b between rankings of the variants that are no controls, mean over the pairs of

    - ``removals``: insertion_minus_deletion_probability_<removal>, each removal's ranking;
    - ``seeds``: insertion_minus_deletion, each network's ranking;
    - ``metrics``: the scores that rank methods, see `scores.Score`.

    1 is the same order, −1 the reverse. A pair of rankings is of the variants that both rank. None
    where no pair has two of them, or all scores of one ranking are equal.
    """
    judged = {variant: own for variant, own in scores.items() if variant not in controls}
    of_removals = [f"{STATISTIC}_{removal}" for removal in _removals(judged, STATISTIC)]
    seeds = max((len(own[HEADLINE]) for own in judged.values() if HEADLINE in own), default=0)
    return {
        "removals": _agreement([_ranking(judged, score) for score in of_removals]),
        "seeds": _agreement([_ranking(judged, HEADLINE, seed) for seed in range(seeds)]),
        "metrics": _agreement(
            [_ranking(judged, name) * score.ranks for name, score in SCORES.items() if score.ranks]
        ),
    }


def _ranking(scores: Scores, score: str, seed: int | None = None) -> pd.Series:
    """The mean of a score by method, of one seed's network or of all."""
    rows = slice(None) if seed is None else slice(seed, seed + 1)
    means = {method: mean_of(own[score][rows]) for method, own in scores.items() if score in own}
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
    followed = np.array([[mean_of(row) for row in values] for values in intervention.values()])
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
    """Mean curves over images and seeds, a row a point: method, curve, removal, fraction (of the
    pixels removed or put back), probability."""
    rows = [
        (method, *match.groups(), *point)
        for method, own in scores.items()
        for name, values in own.items()
        if (match := re.fullmatch("(deletion|insertion)_curve_(.+)", name))
        for point in zip(np.linspace(0, 1, values.shape[2]), values.mean(axis=(0, 1)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["method", "curve", "removal", "fraction", "probability"])
