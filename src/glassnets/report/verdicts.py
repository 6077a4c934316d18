"""verdicts.md: which methods pass for which family, and how far families agree."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.attribution.verdicts import best, passing
from glassnets.report import leaderboards
from glassnets.report.agreement import Agreement
from glassnets.report.formats import interval, interval_of, listed, number, plural
from glassnets.report.rendering import render
from glassnets.report.results import Interval, Intervention, Results, Setting

_FIRM = 0.5  # Kendall's τ from which an order of methods is called firm


def conclusions(results: Mapping[str, Results]) -> list[str]:
    """The best method of each family, a sentence a family."""
    return [conclusion(family, each.leaderboard) for family, each in results.items()]


def conclusion(family: str, board: pd.DataFrame) -> str:
    """The best method of a family, in a sentence."""
    method, count = best(board), int((~board["control"]).sum())
    tried = f"{count} {plural('method', count)}"
    if (why := leaderboards.reasons(board).get(method)) is not None:
        return (
            f"{family}: none of {tried} passes; {method} ranks first{f' ({why})' if why else ''}."
        )
    row = board[board["method"] == method].iloc[0]
    score = f"{SCORES[HEADLINE].heading} {interval_of(row, HEADLINE)}"
    if (passes := len(passing(board))) == 1:
        return f"{family}: 1 of {tried} passes, {method}: {score}."
    rivals = leaderboards.rivals(board)
    if not rivals:
        overlap = "no other passing method's interval overlaps it"
    elif len(rivals) == 1:
        overlap = f"the interval of {rivals[0]} overlaps it"
    else:
        overlap = f"the intervals of {listed(rivals)} overlap it"
    return f"{family}: {passes} of {tried} pass, {method} is the best: {score}; {overlap}."


def page(
    results: Mapping[str, Results], agreement: Agreement, setting: Setting, picture: str
) -> str:
    """The page. picture is the address of `attributions.families`' figure, as seen from it."""
    boards = {family: each.leaderboard for family, each in results.items()}
    measured = {name for board in boards.values() for name in leaderboards.measured(board)}
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
    board, summary = results.leaderboard, results.verdicts
    passes = dict(zip(board["method"], board["passes"], strict=True))
    taus = summary["kendall_tau"]
    return {
        "name": name,
        "leaderboard": leaderboards.readable(board),
        "marks": [
            f"{'✓' if passes[method] else '✗'} {method}: {marks}"
            for method, marks in leaderboards.marks(board).items()
            if marks
        ],
        "taus": {
            among: "undefined" if tau is None else number(tau, 2) for among, tau in taus.items()
        },
        "loose": [among for among, tau in taus.items() if tau is not None and tau < _FIRM],
        "intervention": _intervention(summary.get("intervention"), board),
    }


def _intervention(tests: Intervention | None, board: pd.DataFrame) -> dict[str, Any] | None:
    """Whether the networks depend on the planted cue, None where none was planted."""
    if tests is None:
        return None
    localized = "relevance_mass" in leaderboards.measured(board)
    return {
        "cue_changed": _percents(tests["cue_changed"]),
        "rest_changed": _percents(tests["rest_changed"]),
        "withheld_seeds": tests["withheld_seeds"],
        "localized": localized,
        "above": leaderboards.above_controls(board, "relevance_mass") if localized else [],
    }


def _percents(share: Interval) -> str:
    mean, low, high = (100 * share[end] for end in ("mean", "ci_low", "ci_high"))
    return f"{interval(mean, low, high, decimals=1)} %"


def _agreement(agreement: Agreement) -> dict[str, Any] | None:
    """The page's section on how far families agree, None where they share no method."""
    if agreement.shared is None:
        return None
    method, passes = agreement.shared
    rows = agreement.table[agreement.table["method"] == method]
    within, between = _means(rows, "rank_correlation")
    return {
        "method": method,
        "passes": passes,
        "matrix": _matrix(rows),
        "within": None if pd.isna(within) else within,
        "between": None if pd.isna(between) else between,
        "by_method": _by_method(agreement.table),
        "disagreements": _disagreements(agreement.disagreements),
    }


def _matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """A row and a column a family, their rank correlation with its interval."""
    texts = {
        (row["family_a"], row["family_b"]): interval_of(row, "rank_correlation")
        for row in rows.to_dict("records")
    }
    families = sorted({family for pair in texts for family in pair})
    matrix = pd.DataFrame({"": families})
    for b in families:
        matrix[b] = [texts.get((a, b), texts.get((b, a), "–")) for a in families]
    return matrix


def _means(rows: pd.DataFrame, similarity: str) -> tuple[float, float]:
    """Means over families between seeds, and over pairs of families."""
    one = rows["family_a"] == rows["family_b"]
    return float(rows.loc[one, similarity].mean()), float(rows.loc[~one, similarity].mean())


def _by_method(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for method, of_method in table.groupby("method", sort=False):
        row = {"method": method}
        for similarity, heading in (("rank_correlation", "ρ"), ("top_overlap", "top 10 %")):
            for mean, of in zip(_means(of_method, similarity), ("seeds", "families"), strict=True):
                row[f"{heading} between {of}"] = "–" if pd.isna(mean) else number(mean, 2)
        rows.append(row)
    return pd.DataFrame(rows)


def _disagreements(rows: pd.DataFrame) -> pd.DataFrame | None:
    if rows.empty:
        return None
    text = rows[["index", "label", "prediction"]].astype(str)
    text["in seeds"] = rows["seeds"].astype(str)
    text["mean ρ"] = [number(value, 2) for value in rows["rank_correlation"]]
    text["least similar"] = rows["family_a"] + " and " + rows["family_b"]
    text["their ρ"] = [number(value, 2) for value in rows["pair_rank_correlation"]]
    return text
