"""report.html: one page that holds all it displays, opens from disk, and requests nothing."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from glassnets.attribution.scores import HEADLINE, SCORES
from glassnets.config.schema import Kind
from glassnets.data.inputs import Words
from glassnets.report import (
    answers,
    baselines,
    charts,
    comparison,
    languages,
    leaderboards,
    vega,
    verdicts,
)
from glassnets.report.drawing import COLOURS, family_places
from glassnets.report.explorer import KINDS, explorer, in_brackets
from glassnets.report.languages import LANGUAGES, Said, Text, say
from glassnets.report.rendering import render, source
from glassnets.report.results import Results, Setting
from glassnets.report.terms import OF_COLUMNS, TERMS

_TRAINING_LOSS: Mapping[Kind, str] = {
    "image": "loss on (augmented) training images",
    "table": "loss on training images",
    "series": "loss on training images",
}


Heading = tuple[Said, str | None]
Row = tuple[Said, Said | None, list[Said]]


class Grid(NamedTuple):
    """A table of the page: headings with their terms, or None; rows of what stands in them, each
    row's name first, and under it why, if there is a reason."""

    headings: list[Heading]
    rows: list[Row]


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
    columns: of a table, by family the picture of its columns: ``uri``, and ``verdict``.
    studied: whether other stages write pages on the dataset's networks beside the report.
    """
    boards = {family: each.leaderboard for family, each in results.items()}
    words = setting.inputs.words
    t = Text(words)
    explained = explorer(results, setting.inputs)
    places = family_places(results)
    return render(
        "page.html",
        t=t,
        setting=setting,
        families=table["family"].tolist(),
        name=languages.family,
        of_kind=functools.partial(languages.of_kind, words=words),
        colours={family: COLOURS[place] for family, place in places.items()},
        marks=places,
        answers=[
            (say("Is one network better?"), answers.network(table, tests, beside, setting)),
            (say("Which explanation to believe?"), answers.explanation(results)),
            (say("On what does that depend?"), answers.dependence(results)),
        ],
        lines=answers.lines(table, results),
        marks_of=leaderboards.MARKS,
        conclusions=comparison.conclusions(table, tests, setting),
        table=_grid(comparison.readable(table, setting), languages.family),
        tests=_tests(comparison.readable_tests(tests, setting)),
        baselines=_grid(baselines.readable(beside, setting), languages.baseline),
        trained_on=beside.table["images"][0],
        worth=baselines.conclusions(table, beside, setting),
        best=languages.baseline(beside.best),
        versus=_tests(comparison.readable_tests(beside.tests, setting)),
        decisions=_decisions(results, words),
        shares=_shares(verdicts.shares(results)),
        leaderboards={family: _board(board) for family, board in boards.items()},
        measured=leaderboards.measured(pd.concat(boards.values())),
        terms=TERMS,
        localized=any("average_precision" in board for board in boards.values()),
        kinds=KINDS,
        columns=columns,
        studied=studied,
        run={languages.said(name): languages.said(text) for name, text in run.items()},
        params=params,
        most_confused=charts.most_confused(e.confusion_matrix for e in results.values()),
        confusion_colours=charts.CONFUSION_COLOURS,
        charts=_script({each: _charts(setting, results, table, each) for each in LANGUAGES}),
        explorer=_script(explained | {"headings": _headings(t), "dataset": setting.dataset}),
        shown=len(explained["sample"]),
        texts=_script(_texts(words)),
        vega=Markup(vega.script(vega.ALTAIR)),
    )


def _grid(
    table: pd.DataFrame, name: Callable[[str], Said], columns: Callable[[str], Said] | None = None
) -> Grid:
    """A table of text, its first column by name, the headings of the others by columns."""
    first, *others = table.columns
    headings: list[Heading] = [(say(first), None)]
    headings += [((columns or _column)(each), OF_COLUMNS.get(each)) for each in others]
    rows: list[Row] = [
        (name(first), None, [Said(in_brackets(str(cell))) for cell in cells])
        for first, *cells in table.itertuples(index=False, name=None)
    ]
    return Grid(headings, rows)


def _column(heading: str) -> Said:
    percent, _, rest = heading.rpartition(" ")
    return say("{percent} CI", percent=percent) if rest == "CI" else say(heading)


def _tests(table: pd.DataFrame) -> Grid:
    """`comparison.readable_tests`' table."""
    names = table.rename(columns={"p (Holm)": "p, corrected"})
    rows: list[Row] = []
    for first, second, *cells in names.itertuples(index=False, name=None):
        other = _family_or_baseline(second)
        texts = [
            _ahead(cell) if place == len(cells) - 3 else Said(cell)
            for place, cell in enumerate(cells)
        ]
        rows.append((languages.family(first), None, [other, *texts]))
    headings: list[Heading] = []
    for heading in names.columns:
        seed = heading.removeprefix("seed ")
        known = say("seed {seed}", seed=seed) if seed != heading else say(heading)
        term = "holm" if heading == "p, corrected" else "mcnemar" if heading == "p" else None
        headings.append((known, term))
    return Grid(headings, rows)


def _ahead(name: str) -> Said:
    return say("neither") if name == "neither" else _family_or_baseline(name)


def _family_or_baseline(name: str) -> Said:
    own = languages.family(name)
    return own if own.zh != own.en else Said(own, own.en, languages.baseline(name).zh)


def _decisions(results: Mapping[str, Results], words: Words) -> Grid:
    """Which variant to believe, by the question that one asks."""
    headings: list[Heading] = [
        (say("if you ask"), None),
        (say("removal"), "removal"),
    ]
    headings += [(languages.family(family), None) for family in results]
    rows: list[Row] = []
    for removal, firsts in answers.first_by_removal(results).items():
        named = say("any") if removal == "all" else languages.reference(removal)
        question = languages.of_kind(verdicts.QUESTIONS[removal], words)
        rows.append((question, None, [named, *firsts.values()]))
    return Grid(headings, rows)


def _shares(table: pd.DataFrame) -> Grid:
    return _grid(table.map(lambda cell: cell.removesuffix(" %")), say, languages.family)


def _board(board: pd.DataFrame) -> Grid:
    """Every variant of a family with its verdict and its scores."""
    readable = leaderboards.readable(board)
    why = leaderboards.marked_reasons(board)
    headings: list[Heading] = [
        (say("method (reference)"), "variant"),
        (say("verdict"), "verdict"),
        (say("share of choices"), "share"),
    ]
    for key, score in leaderboards.measured(board).items():
        headings.append((_heading(score.heading, score.arrow), f"score-{key}"))
    rows: list[Row] = []
    for name, verdict, share, *scores in readable.itertuples(index=False, name=None):
        reason = why.get(name)
        marked = None
        if reason:
            mark, _, text = reason.partition(" ")
            whole = languages.reasons(text)
            marked = Said(reason, f"{mark} {whole.en}", f"{mark} {whole.zh}")
        cells = [_verdict(verdict), Said(share), *(Said(in_brackets(text)) for text in scores)]
        rows.append((languages.variant(name), marked, cells))
    return Grid(headings, rows)


def _heading(heading: str, arrow: str) -> Said:
    own = say(heading)
    return Said(f"{own} {arrow}", f"{own.en} {arrow}", f"{own.zh} {arrow}")


def _verdict(text: str) -> Said:
    """``✓ holds, unstable``."""
    if text == leaderboards.CONTROL:
        return say("control")
    mark, _, rest = text.partition(" ")
    value, _, unstable = rest.partition(", ")
    each = languages.joined([say(value), *([say(unstable)] if unstable else [])], ", ", "，")
    return Said(text, f"{mark} {each.en}", f"{mark} {each.zh}")


def _headings(t: Text) -> dict[str, dict[str, str]]:
    """The headings of scores, as the explorer's data has them, by language, and their terms."""
    return {
        leaderboards.heading(score): _heading(score.heading, score.arrow).as_data()
        | {"term": f"score-{key}"}
        for key, score in SCORES.items()
    }


def _charts(
    setting: Setting, results: Mapping[str, Results], table: pd.DataFrame, language: str
) -> dict[str, charts.Spec]:
    words, inputs = setting.inputs.words, setting.inputs
    histories = {family: each.history for family, each in results.items()}
    by_seed = {family: each.metrics["accuracy"]["by_seed"] for family, each in results.items()}
    losses = {
        "train-loss": ("loss", _TRAINING_LOSS[inputs.kind]),
        "validation-loss": ("val_loss", "loss on validation images"),
    }
    specs = {"accuracy": charts.accuracies(table, by_seed, setting, language)}
    for name, (column, title) in losses.items():
        of_kind = languages.of_kind(title, words)
        specs[name] = charts.curves(histories, column, of_kind, language)
    specs["reliability"] = charts.reliability(
        {f: each.reliability for f, each in results.items()}, language
    )
    most = charts.most_confused(each.confusion_matrix for each in results.values())
    for family, each in results.items():
        confusions = charts.confusions(each.confusion_matrix, most, inputs, language)
        specs[f"confusions-{family}"] = confusions
        for score in (HEADLINE, "average_precision"):
            if score in each.leaderboard:
                specs[f"{score}-{family}"] = charts.leaderboard(each.leaderboard, score, language)
    return specs


def _texts(words: Words) -> dict[str, dict[str, str]]:
    """The texts of the page's script, ``say("…")``, by language."""
    texts = spoken(source("report.js"))
    return {text: languages.of_kind(text, words).as_data() for text in texts}


def spoken(script: str) -> Iterable[str]:
    """The texts of a script's ``say("…")``."""
    return sorted({json.loads(text) for text in re.findall(r'\bsay\(("(?:[^"\\]|\\.)*")', script)})


def _script(content: Any) -> Markup:
    """JSON that may stand inside a <script>."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
