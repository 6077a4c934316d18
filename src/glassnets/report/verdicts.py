"""verdicts.md: which methods pass for which family, and how far families agree."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.attribution.verdicts import best, passing
from glassnets.report import leaderboards
from glassnets.report.agreement import Agreement
from glassnets.report.formats import interval_of, listed, number, plural
from glassnets.report.rendering import render
from glassnets.report.results import Results, Setting

_FIRM = 0.5  # Kendall's τ from which an order of methods is called firm


def conclusions(results: Mapping[str, Results]) -> list[str]:
    """The best method of each family, a sentence a family."""
    return [conclusion(family, each.leaderboard) for family, each in results.items()]


def conclusion(family: str, board: pd.DataFrame) -> str:
    """The best method of a family, in a sentence."""
    count = int((~board["control"]).sum())
    tried = f"{count} {plural('method', count)}"
    passed = passing(board).to_dict("records")
    if not passed:
        method = best(board)
        why = leaderboards.reasons(board)[method]
        return (
            f"{family}: none of {tried} passes; {method} ranks first{f' ({why})' if why else ''}."
        )
    top, *others = passed
    score = f"{SCORES[HEADLINE].heading} {interval_of(top, HEADLINE)}"
    if not others:
        return f"{family}: 1 of {tried} passes, {top['method']}: {score}."
    low, high = f"{HEADLINE}_ci_low", f"{HEADLINE}_ci_high"
    rivals = [other["method"] for other in others if other[high] >= top[low]]
    overlap = "no other passing method's interval overlaps it"
    if rivals:
        overlaps = "overlaps" if len(rivals) == 1 else "overlap"
        overlap = f"the {plural('interval', len(rivals))} of {listed(rivals)} {overlaps} it"
    return (
        f"{family}: {len(passed)} of {tried} pass, {top['method']} is the best: {score}; {overlap}."
    )


def page(
    results: Mapping[str, Results], agreement: Agreement, setting: Setting, picture: str
) -> str:
    """The page. picture is the address of `attributions.families`' figure, as seen from it."""
    measured = {
        name for each in results.values() for name in leaderboards.measured(each.leaderboard)
    }
    return render(
        "verdicts.md",
        setting=setting,
        picture=picture,
        conclusions=conclusions(results),
        families=[_family(family, each) for family, each in results.items()],
        agreement=_agreement(agreement),
        scores=[score for name, score in SCORES.items() if name in measured],
        headline=SCORES[HEADLINE].heading,
    )


def _family(name: str, results: Results) -> dict[str, Any]:
    """A family's section of the page."""
    board, taus = results.leaderboard, results.verdicts["kendall_tau"]
    return {
        "name": name,
        "leaderboard": leaderboards.readable(board),
        "marks": [
            f"{'✓' if row['passes'] else '✗'} {row['method']}: {row['marks']}"
            for row in board[board["marks"].fillna("") != ""].to_dict("records")
        ],
        "taus": taus,
        "loose": [among for among, tau in taus.items() if tau is not None and tau < _FIRM],
        "intervention": results.verdicts.get("intervention"),
        "above": _above_controls(board),
    }


def _above_controls(board: pd.DataFrame) -> list[str] | None:
    """The methods whose relevance mass lies above every control's, the intervals apart. None where
    it was not measured."""
    if "relevance_mass" not in leaderboards.measured(board):
        return None
    low, high = board["relevance_mass_ci_low"], board["relevance_mass_ci_high"]
    above: list[str] = board.loc[low > high[board["control"]].max(), "method"].tolist()
    return above


def _agreement(agreement: Agreement) -> dict[str, Any] | None:
    """The page's section on how far families agree, None where they share no method."""
    if agreement.shared is None:
        return None
    method, passes = agreement.shared
    means = _means(agreement.table)
    within, between = means.loc[method, ["ρ between seeds", "ρ between families"]]
    headings = {
        "seeds": "in seeds",
        "rank_correlation": "mean ρ",
        "pair": "least similar",
        "pair_rank_correlation": "their ρ",
    }
    return {
        "method": method,
        "passes": passes,
        "matrix": _matrix(agreement.table.query("method == @method")),
        "within": within,
        "between": between,
        "by_method": means.map(_two_decimals).reset_index(),
        "disagreements": agreement.disagreements.rename(columns=headings).map(_two_decimals),
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
