"""verdicts.md: which attributions to believe, on what that depends, and how far families agree."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glassnets.attribution.references import REMOVALS
from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED, best, reference_of
from glassnets.data.inputs import WORDS, Inputs, Words
from glassnets.report import leaderboards
from glassnets.report.agreement import Agreement
from glassnets.report.formats import columns_of, interval, interval_of, listed, number, plural
from glassnets.report.rendering import render
from glassnets.report.results import Results, Setting

_FIRM = 0.5  # Kendall's τ from which an order of methods is called firm

# What one asks of an explanation, by the removal that asks it.
QUESTIONS = {
    "black": "what is present, on a black background",
    "mean": "what differs from the mean image",
    "blur": "which detail matters, beyond the coarse shape",
    "draws": "what tells this image from other images of the data",
    "noisy_linear": "what the surrounding pixels do not tell already",
    "all": "whichever of these",
}
# What a reference puts in the place of an absent pixel.
ABSENT = {
    "black": "level 0",
    "mean": "the mean training image",
    "blur": "the image, blurred",
    "draws": "training images",
}
DEPENDS = "depends on the removal"  # which variant to believe first
# Scores of the page's tables; the others are in leaderboards.csv.
_SHOWN = ("own_minus_others", "faithfulness_correlation", "class_correlation", "average_precision")


def conclusions(results: Mapping[str, Results]) -> list[str]:
    """What each family's verdicts come to, a sentence a family."""
    return [conclusion(family, each) for family, each in results.items()]


def conclusion(family: str, results: Results) -> str:
    """What a family's verdicts come to, in a sentence."""
    board, verdicts = results.leaderboard, results.verdicts
    of = f"{verdicts['methods']} {plural('variant', verdicts['methods'])}"
    if not verdicts[HOLDS]:
        why = leaderboards.reasons(board)[best(board)]
        return f"{family}: no verdict of {of} holds; the best supported is {best(board)} ({why})."
    hold, fail = _counted(verdicts[HOLDS], "hold"), _counted(verdicts[FAILS], "fail")
    text = f"{family}: of {of} {hold}, {verdicts[UNDECIDED]} undecided, {fail}; "
    if first := verdicts["believe_first"]:
        return (
            f"{text}believe {listed(first)} first: by no removal, its own reference left out, is "
            "another that holds shown to score above it."
        )
    return (
        f"{text}which to believe first depends on the removal; of those that hold {best(board)} "
        "has the highest score over all removals."
    )


def absent(references: Collection[str], words: Words = WORDS["image"]) -> str:
    """What these references put in the place of an absent player: ``mean (the mean
    training image), draws (training images)``."""
    return words.of(listed(f"{name} ({ABSENT[name]})" for name in ABSENT if name in references))


def _counted(count: int, verb: str) -> str:
    """``1 holds``, ``2 hold``."""
    return f"{count} {verb}{'s' if count == 1 else ''}"


@dataclass(frozen=True, eq=False)
class Trials:
    """What a dataset's families were put to together: `agreement.Agreement`; the tables of
    `specificity.between_families`, of ``additive@D``, and, of all families, of ``shortcut@D-F``."""

    agreement: Agreement
    between: pd.DataFrame
    additive: pd.DataFrame
    shortcuts: pd.DataFrame | None


def page(results: Mapping[str, Results], trials: Trials, setting: Setting, picture: str) -> str:
    """The page. picture is the address of `attributions.families`' figure, as seen from it."""
    boards = {family: each.leaderboard for family, each in results.items()}
    present = {removal for each in results.values() for removal in each.by_removal["removal"]}
    measured = {name for board in boards.values() for name in leaderboards.measured(board)}
    return render(
        "verdicts.md",
        setting=setting,
        removals=[removal for removal in REMOVALS if removal in present],
        references=absent(present, setting.inputs.words),
        controls=leaderboards.controls(boards),
        picture=picture,
        conclusions=conclusions(results),
        decisions=decisions(results, setting.inputs.words),
        shares=shares(results),
        families=[section(family, each) for family, each in results.items()],
        agreement=_agreement(trials.agreement, setting.inputs),
        between=_between(trials.between, leaderboards.controls(boards), setting),
        additive=_additive(trials.additive),
        shortcuts=None if trials.shortcuts is None else _shortcuts(trials.shortcuts),
        scores=[score for name, score in SCORES.items() if name in measured],
        said=setting.inputs.words.of,
        headline=SCORES[HEADLINE].heading,
    )


def first(results: Mapping[str, Results]) -> pd.DataFrame:
    """The variants to believe first, ", " between them, or why there is none, a row a family and
    removal, and one for "all" removals: family, removal, variants; alone, the verdicts on these by
    that removal alone."""
    rows = []
    for family, each in results.items():
        by_removal = {**each.verdicts["first_by_removal"], "all": each.verdicts["believe_first"]}
        for removal, variants in by_removal.items():
            alone = each.alone(removal)
            verdicts = listed(alone[variant] for variant in variants if alone)
            rows.append((family, removal, listed(variants) or _none(removal, each), verdicts))
    return pd.DataFrame(rows, columns=["family", "removal", "variants", "alone"])


def marked(first: pd.DataFrame) -> list[str]:
    """The variants of `first`'s rows, each with the mark of a verdict that does not hold by that
    removal alone: ``rise:mean, occlusion:blur (?)``."""
    return [
        listed(map(leaderboards.marked, variants.split(", "), alone.split(", ")))
        if alone
        else variants
        for variants, alone in zip(first["variants"], first["alone"].fillna(""), strict=True)
    ]


def _none(removal: str, results: Results) -> str:
    """Why no variant is to be believed first."""
    if not results.verdicts[HOLDS]:
        return "none holds"
    return DEPENDS if removal == "all" else "none with another reference"


def decisions(results: Mapping[str, Results], words: Words = WORDS["image"]) -> pd.DataFrame:
    """`first`, `marked`, by the question that one asks: a row a removal, a column a family."""
    table = first(results)
    wide = table.assign(marked=marked(table)).pivot(
        index="removal", columns="family", values="marked"
    )
    order = [removal for removal in (*REMOVALS, "all") if removal in wide.index]
    table = wide.reindex(order).fillna("–").reset_index()
    table.insert(0, "if you ask", [words.of(QUESTIONS[removal]) for removal in table["removal"]])
    return table.rename_axis(columns=None)


def shares(results: Mapping[str, Results]) -> pd.DataFrame:
    """How much of the spread each factor explains, a row a factor, a column a family."""
    columns = {}
    for family, each in results.items():
        whole = each.shares[each.shares["removal"] == "all"]
        columns[family] = {row["factor"]: _percents(row) for row in whole.to_dict("records")}
    return pd.DataFrame(columns, dtype=object).fillna("–").rename_axis("factor").reset_index()


def _percents(row: Mapping[Any, Any]) -> str:
    text = interval(*(100 * row[end] for end in ("share", "ci_low", "ci_high")), decimals=0)
    return f"{text} %"


def section(name: str, results: Results) -> dict[str, Any]:
    """A family's section of the page."""
    board, taus = results.leaderboard, results.verdicts["kendall_tau"]
    marks = leaderboards.values(board)
    return {
        "name": name,
        "leaderboard": leaderboard(results),
        "reasons": [
            f"{leaderboards.MARKS[marks[method]]} {method}: {why}"
            for method, why in leaderboards.reasons(board).items()
        ],
        "unstable": leaderboards.unstable(board, results.choices),
        "effects": _effects(results.effects),
        "detectable": {t: number(d, 2) for t, d in results.verdicts["detectable"].items()},
        "taus": taus,
        "loose": [among for among, tau in taus.items() if tau is not None and tau < _FIRM],
        "intervention": results.verdicts.get("intervention"),
        "above": _above_controls(board),
    }


def leaderboard(results: Results) -> pd.DataFrame:
    """Method, verdict, share, the mean score by each removal, in brackets by the method's own
    reference, then `_SHOWN`."""
    board, readable = results.leaderboard, leaderboards.readable(results.leaderboard)
    text = readable[["method", "verdict", "share"]].copy()
    means = results.by_removal.pivot(index="variant", columns="removal", values="mean")
    for removal in (r for r in REMOVALS if r in means):
        text[removal] = [
            f"({number(mean, 2)})" if reference_of(str(method)) == removal else number(mean, 2)
            for method, mean in means[removal].reindex(board["method"]).items()
        ]
    headings = [leaderboards.heading(SCORES[name]) for name in _SHOWN]
    shown: pd.DataFrame = text.join(readable[[h for h in headings if h in readable]])
    return shown


def _effects(effects: pd.DataFrame) -> dict[str, str]:
    """Of each factor, its levels with their effects, in a line, the highest first."""
    lines = {}
    for factor, rows in effects.groupby("factor"):
        ordered = rows.sort_values("effect", ascending=False).to_dict("records")
        lines[str(factor)] = listed(
            f"{row['level']} {interval(row['effect'], row['ci_low'], row['ci_high'], decimals=2)}"
            for row in ordered
        )
    return lines


def _above_controls(board: pd.DataFrame) -> list[str] | None:
    """The methods whose average precision lies above every control's, the intervals apart. None
    where it was not measured."""
    if "average_precision" not in leaderboards.measured(board):
        return None
    low, high = board["average_precision_ci_low"], board["average_precision_ci_high"]
    above: list[str] = board.loc[low > high[board["control"]].max(), "method"].tolist()
    return above


def _additive(table: pd.DataFrame) -> pd.DataFrame:
    """A row a variant, the most similar to its own reference's truth first: its error, and 1 −
    correlation with the truth under its own reference and under each."""
    order = table.assign(own=table["dissimilarity"].fillna(np.inf)).sort_values(
        ["control", "own", "variant"], kind="stable"
    )
    references = [r for r in REMOVALS if f"dissimilarity_{r}" in table]
    columns = {"error": "error", "dissimilarity": "dissimilarity, own reference"}
    columns |= {f"dissimilarity_{r}": f"by {r}'s truth" for r in references}
    text = pd.DataFrame({"variant": order["variant"]})
    for name, heading in columns.items():
        known = order[columns_of(name)].to_numpy()
        text[heading] = [interval(*each, decimals=3) for each in known]
    return text


def _shortcuts(table: pd.DataFrame) -> pd.DataFrame:
    """A row a variant that is no control, a column a family: the area under the ROC curve, and
    whether that is usable."""
    table = table[~table["control"]]
    text = [
        f"{interval(row['auc'], row['ci_low'], row['ci_high'])}{' usable' if row['usable'] else ''}"
        for row in table.to_dict("records")
    ]
    wide = table.assign(text=text).pivot(index="variant", columns="family", values="text")
    order = wide.reindex(pd.Index(table["variant"].unique(), name="variant")).fillna("–")
    return order.reset_index().rename_axis(columns=None)


def _between(
    table: pd.DataFrame, controls: Collection[str], setting: Setting
) -> pd.DataFrame | None:
    """A row a variant that is no control, a column a family: the smallest difference from another
    family's maps, and for how many of them one was shown. None where nothing was compared."""
    if table.empty:
        return None
    table = table[~table["method"].isin(controls)]
    shown = table.assign(shown=table["p_holm"] < setting.significance_level)
    groups = shown.groupby(["method", "family"], sort=False)
    each = groups.agg(least=("difference", "min"), shown=("shown", "sum"), of=("shown", "size"))
    text = [
        f"{number(row['least'], 2)}, {row['shown']:.0f} of {row['of']:.0f}"
        for row in each.to_dict("records")
    ]
    wide = each.assign(text=text)["text"].unstack().reindex(pd.Index(table["method"].unique()))
    order = sorted(wide.columns)
    return wide[order].fillna("–").rename_axis("method").reset_index()


def _agreement(agreement: Agreement, inputs: Inputs) -> dict[str, Any] | None:
    """The page's section on how far families agree, None where they share no method."""
    if agreement.shared is None:
        return None
    method, holds = agreement.shared
    means = _means(agreement.table)
    within, between = means.loc[method, ["ρ between seeds", "ρ between families"]]
    headings = {
        "seeds": "in seeds",
        "rank_correlation": "mean ρ",
        "pair": "least similar",
        "pair_rank_correlation": "their ρ",
    }
    named = agreement.disagreements.copy()
    for column in {"label", "prediction"} & {*named}:
        named[column] = inputs.class_list(named[column])
    return {
        "method": method,
        "holds": holds,
        "matrix": _matrix(agreement.table.query("method == @method")),
        "within": within,
        "between": between,
        "by_method": means.map(_two_decimals).reset_index(),
        "disagreements": named.rename(columns=headings).map(_two_decimals),
    }


def _two_decimals(value: Any) -> Any:
    """Of a number that is no integer; – for NaN."""
    if not isinstance(value, float):
        return value
    return "–" if math.isnan(value) else number(value, 2)


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Of each method the means over families between seeds, and over pairs of families."""
    one = table["family_a"] == table["family_b"]
    means = {
        f"{heading} between {of}": rows.groupby("method")[similarity].mean()
        for similarity, heading in (("rank_correlation", "ρ"), ("top_overlap", "top 10 %"))
        for of, rows in (("seeds", table[one]), ("families", table[~one]))
    }
    return pd.DataFrame(means).reindex(pd.Index(table["method"].unique(), name="method"))


def _matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """A row and a column a family, their rank correlation with its interval."""
    texts = [interval_of(row, "rank_correlation") for row in rows.to_dict("records")]
    half = rows.assign(text=texts).pivot(index="family_a", columns="family_b", values="text")
    matrix = half.combine_first(half.T).fillna("–")
    return matrix.rename_axis(index="", columns=None).reset_index()
