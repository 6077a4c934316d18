"""report.html: one page that holds all it displays, opens from disk, and requests nothing."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.report import charts, comparison, leaderboards, vega, verdicts
from glassnets.report.explorer import KINDS, explorer
from glassnets.report.rendering import render
from glassnets.report.results import Results, Setting


def page(
    setting: Setting,
    results: Mapping[str, Results],
    table: pd.DataFrame,
    tests: pd.DataFrame,
    run: Mapping[str, str],
    params: str,
) -> str:
    """The report as HTML. Same input, same bytes.

    results: by family. table: `comparison.table`'s. tests: `paired_tests.pairwise`'s. run: how the
    results were made, text by heading. params: the parameters that all depends on, as YAML.
    """
    boards = {family: each.leaderboard for family, each in results.items()}
    conclusions = comparison.conclusions(table, tests, setting)
    families = table["family"].tolist()
    return render(
        "page.html",
        setting=setting,
        families=families,
        answer=conclusions[-1] if conclusions else f"{families[0]} is the only family.",
        conclusions=conclusions,
        table=comparison.readable(table, setting),
        tests=comparison.readable_tests(tests, setting),
        verdicts=verdicts.conclusions(results),
        decisions=verdicts.decisions(results),
        shares=verdicts.shares(results),
        leaderboards={f: leaderboards.readable(board) for f, board in boards.items()},
        reasons={f: leaderboards.marked_reasons(board) for f, board in boards.items()},
        scores=SCORES,
        localized=any("average_precision" in board for board in boards.values()),
        kinds=KINDS,
        run=run,
        params=params,
        charts=_script(_charts(setting, results, table)),
        explorer=_script(explorer(results)),
        vega=Markup(vega.script(vega.ALTAIR)),
    )


def _charts(
    setting: Setting, results: Mapping[str, Results], table: pd.DataFrame
) -> dict[str, charts.Spec]:
    histories = {family: each.history for family, each in results.items()}
    by_seed = {family: each.metrics["accuracy"]["by_seed"] for family, each in results.items()}
    specs = {
        "accuracy": charts.accuracies(table, by_seed, setting),
        "train-loss": charts.curves(histories, "loss", "loss on (augmented) training images"),
        "validation-loss": charts.curves(histories, "val_loss", "loss on validation images"),
        "reliability": charts.reliability({f: each.reliability for f, each in results.items()}),
    }
    for family, each in results.items():
        specs[f"confusions-{family}"] = charts.confusions(each.confusion_matrix)
        for score in (HEADLINE, "average_precision"):
            if score in each.leaderboard:
                specs[f"{score}-{family}"] = charts.leaderboard(each.leaderboard, score)
    return specs


def _script(content: Any) -> Markup:
    """JSON that may stand inside a <script>."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
