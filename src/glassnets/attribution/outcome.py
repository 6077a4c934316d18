"""What the scores of a cell, or of one network, come to: the tables and the summary of pages."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from glassnets.attribution import factors, verdicts
from glassnets.attribution.verdicts import Judgement, Scores
from glassnets.config.schema import Evaluation, Reference


def summary(
    scores: Scores,
    controls: list[str],
    made: Judgement,
    evaluation: Evaluation,
    support: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """How many ``methods`` (variants) were judged, of how many the verdict ``holds``, is
    ``undecided``, ``fails``; and ``first_by_removal``, ``believe_first``, ``detectable`` and
    ``kendall_tau`` as `verdicts` has them.

    support: a board whose verdicts say which variants may be believed first; None is made.board.
    """
    verdict = made.board.loc[~made.board["control"], "verdict"]
    board = made.board if support is None else support
    first = verdicts.first_by_removal(scores, board, evaluation)
    return {
        "methods": len(verdict),
        **{value: int((verdict == value).sum()) for value in verdicts.VALUES},
        "first_by_removal": first,
        "believe_first": verdicts.believe_first(first),
        "detectable": verdicts.detectable(made.comparisons, evaluation),
        "kendall_tau": verdicts.stability(scores, controls),
    }


def tables(
    scores: Scores,
    controls: list[str],
    made: Judgement,
    references: tuple[Reference, ...],
    evaluation: Evaluation,
) -> Mapping[str, pd.DataFrame]:
    """``leaderboard``, ``tests``, ``comparisons``, ``choices``, ``by_removal``, ``shares``,
    ``effects``, ``curves``: see `verdicts` and `factors`."""
    shares, effects = factors.spread(scores, controls, references, evaluation)
    return {
        "leaderboard": made.board,
        "tests": made.tests,
        "comparisons": made.comparisons,
        "choices": made.choices,
        "by_removal": factors.by_removal(scores, controls, evaluation),
        "shares": shares,
        "effects": effects,
        "curves": verdicts.curves(scores),
    }
