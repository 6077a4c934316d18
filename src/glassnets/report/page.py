"""The report: one page that holds all it shows, opens from disk, and asks nothing of a network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
import vl_convert
from markupsafe import Markup

from glassnets.report import charts, explanations, leaderboards, tables
from glassnets.report.agreement import Cells
from glassnets.report.explorer import KINDS, explorer

_VEGA_LITE = "6.4"  # that Altair writes


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a report tells: what compare has read and found of a dataset, by family."""

    setting: tables.Setting
    table: pd.DataFrame  # tables.comparison's
    tests: pd.DataFrame  # statistics.pairwise's
    metrics: Mapping[str, tables.Metrics]
    histories: Mapping[str, pd.DataFrame]
    reliabilities: Mapping[str, pd.DataFrame]
    confusions: Mapping[str, pd.DataFrame]
    cells: Cells
    findings: explanations.Findings
    run: Mapping[str, str]  # what was run: heading and text
    params: str  # the part of params.yaml that all depends on


def page(contents: Contents) -> str:
    """The report as HTML. Same input, same bytes."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("glassnets.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    setting, table = contents.setting, contents.table
    boards = contents.findings.leaderboards
    localized = any("relevance_mass" in board for board in boards.values())
    families = table["family"].tolist()
    conclusions = tables.conclusions(table, contents.tests, setting)
    return environment.get_template("page.html").render(
        setting=setting,
        families=families,
        answer=conclusions[-1] if conclusions else f"{families[0]} has none to be compared with.",
        beliefs=explanations.conclusions(contents.findings),
        table=_cells(tables.readable(table, setting)),
        tests=_cells(tables.readable_tests(contents.tests, setting)),
        conclusions=conclusions,
        boards={f: _cells(leaderboards.readable(board)) for f, board in boards.items()},
        why={f: leaderboards.reasons(board) for f, board in boards.items()},
        merits=leaderboards.MERITS,
        localized=localized,
        kinds=KINDS,
        run=contents.run,
        params=contents.params,
        charts=_script(_charts(contents, localized)),
        explorer=_script(explorer(contents.cells, boards)),
        vega=Markup(_vega()),
    )


def _charts(contents: Contents, localized: bool) -> dict[str, charts.Spec]:
    setting, histories = contents.setting, contents.histories
    by_seed = {f: m["accuracy"]["by_seed"] for f, m in contents.metrics.items()}
    specs = {
        "accuracy": charts.accuracies(contents.table, by_seed, setting),
        "train-loss": charts.curves(histories, "loss", "loss on (augmented) training images"),
        "validation-loss": charts.curves(histories, "val_loss", "loss on validation images"),
        "reliability": charts.reliability(contents.reliabilities),
    }
    for family, matrix in contents.confusions.items():
        specs[f"confusions-{family}"] = charts.confusions(matrix)
    figures = [leaderboards.HEADLINE, *(["relevance_mass"] if localized else [])]
    for family, board in contents.findings.leaderboards.items():
        for figure in figures:
            if figure in board:
                specs[f"{figure}-{family}"] = charts.leaderboard(board, figure)
    return specs


def _cells(shown: pd.DataFrame) -> dict[str, Any]:
    """A table of text as a template takes it."""
    return {"columns": list(shown.columns), "rows": shown.to_numpy().tolist()}


def _script(content: Any) -> Markup:
    """JSON that may stand inside a <script>."""
    said = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(said.replace("<", "\\u003c"))


def _vega() -> str:
    """Vega-Embed, with the Vega and Vega-Lite that it draws with, as one script."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", _VEGA_LITE)
    return bundle.replace("</script", "<\\/script")
