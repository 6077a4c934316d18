"""report.html: one page that holds all it displays, opens from disk, and requests nothing."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.config.schema import Kind
from glassnets.report import baselines, charts, comparison, leaderboards, vega, verdicts
from glassnets.report.explorer import KINDS, explorer
from glassnets.report.rendering import render
from glassnets.report.results import Results, Setting

_TRAINING_LOSS: Mapping[Kind, str] = {
    "image": "loss on (augmented) training images",
    "table": "loss on training rows",
    "series": "loss on training series",
}


def page(
    setting: Setting,
    results: Mapping[str, Results],
    table: pd.DataFrame,
    tests: pd.DataFrame,
    beside: baselines.Beside,
    run: Mapping[str, str],
    params: str,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    *,
    studied: bool = False,
) -> str:
    """The report as HTML. Same input, same bytes.

    results: by family. table: `comparison.table`'s. tests: `paired_tests.pairwise`'s. beside:
    `baselines.beside`'s. run: how the results were made, text by heading. params: the parameters
    that all depends on, as YAML.
    columns: of a table, by family the picture of its columns: ``uri``, ``variant``, ``verdict``.
    studied: whether other stages write pages on the dataset's networks beside the report.
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
        baselines=baselines.readable(beside, setting),
        trained_on=beside.table["images"][0],
        worth=baselines.conclusions(table, beside, setting),
        best=beside.best,
        versus=comparison.readable_tests(beside.tests, setting),
        verdicts=verdicts.conclusions(results),
        decisions=verdicts.decisions(results, setting.inputs.words),
        shares=verdicts.shares(results),
        leaderboards={f: leaderboards.readable(board) for f, board in boards.items()},
        reasons={f: leaderboards.marked_reasons(board) for f, board in boards.items()},
        scores=SCORES,
        localized=any("average_precision" in board for board in boards.values()),
        kinds=KINDS,
        said=setting.inputs.words.of,
        columns=columns,
        studied=studied,
        run=run,
        params=params,
        charts=_script(_charts(setting, results, table)),
        explorer=_script(explorer(results, setting.inputs)),
        vega=Markup(vega.script(vega.ALTAIR)),
    )


def _charts(
    setting: Setting, results: Mapping[str, Results], table: pd.DataFrame
) -> dict[str, charts.Spec]:
    words = setting.inputs.words
    histories = {family: each.history for family, each in results.items()}
    by_seed = {family: each.metrics["accuracy"]["by_seed"] for family, each in results.items()}
    specs = {
        "accuracy": charts.accuracies(table, by_seed, setting),
        "train-loss": charts.curves(histories, "loss", _TRAINING_LOSS[setting.inputs.kind]),
        "validation-loss": charts.curves(histories, "val_loss", f"loss on validation {words.many}"),
        "reliability": charts.reliability({f: each.reliability for f, each in results.items()}),
    }
    for family, each in results.items():
        specs[f"confusions-{family}"] = charts.confusions(each.confusion_matrix, setting.inputs)
        for score in (HEADLINE, "average_precision"):
            if score in each.leaderboard:
                specs[f"{score}-{family}"] = charts.leaderboard(each.leaderboard, score)
    return specs


def _script(content: Any) -> Markup:
    """JSON that may stand inside a <script>."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
