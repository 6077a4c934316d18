"""Do the README's tables say what results/ say? ``--write`` makes them say it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy.stats import gmean

from glassnets import artefacts
from glassnets.errors import GlassnetsError
from glassnets.report.leaderboards import interval
from glassnets.report.tables import Metrics
from glassnets.verify.outcome import Outcome

_FAMILIES = ("feedforward", "lstm", "cnn", "attention")


def readme() -> Outcome:
    """Names the first row of each table that differs, and what it should be."""
    path = artefacts.root() / "README.md"
    lines = path.read_text(encoding="utf-8").splitlines()
    faults = []
    tables = expected()
    for heading, rows in tables.items():
        place = _place(lines, heading)
        found = lines[place : place + len(rows)]
        differing = [i for i, row in enumerate(rows) if found[i : i + 1] != [row]]
        if differing:
            i = differing[0]
            faults.append(f"README.md, line {place + i + 1}: expected {rows[i]}")
    return Outcome(tuple(faults), f"{sum(map(len, tables.values()))} rows of {len(tables)} tables")


def write() -> None:
    """Puts the rows that results/ give in the place of those that the README has."""
    path = artefacts.root() / "README.md"
    lines = path.read_text(encoding="utf-8").splitlines()
    for heading, rows in expected().items():
        place = _place(lines, heading)
        lines[place : place + len(rows)] = rows
    with artefacts.replacing(path) as (partial,):
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _place(lines: list[str], heading: str) -> int:
    """Where the rows of the table begin whose heading begins like this."""
    for i, line in enumerate(lines):
        if line.startswith(heading):
            return i + 2
    raise GlassnetsError(f"README.md: expected a table that begins {heading!r}, got none")


def expected() -> dict[str, list[str]]:
    """The rows of each table, by how its heading begins."""
    return {
        "| family | MNIST, accuracy": _accuracies(),
        "| family | official split": _against_the_article(),
        "| family | MNIST: believe first": _beliefs(),
    }


def _accuracies() -> list[str]:
    metrics = {(d, f): _metrics(d, f) for d in ("mnist", "digits") for f in _FAMILIES}
    best = sorted(_FAMILIES, key=lambda f: -metrics["mnist", f]["accuracy"]["mean"])
    rows = []
    for family in best:
        mnist, digits = (metrics[d, family]["accuracy"] for d in ("mnist", "digits"))
        value = f"**{_mean(mnist)}**" if family == best[0] else _mean(mnist)
        parameters = f"{metrics['mnist', family]['parameters']['mean']:,.0f}"
        cells = (family, value, _percent(mnist), _mean(digits), _percent(digits), parameters)
        rows.append(_row(cells))
    return rows


def _metrics(dataset: str, family: str) -> Metrics:
    metrics: Metrics = artefacts.load_json(artefacts.results(dataset, family) / "metrics.json")
    return metrics


def _mean(figure: Mapping[str, Any]) -> str:
    return f"{100 * figure['mean']:.2f} ± {100 * figure['sd']:.2f}"


def _percent(figure: Mapping[str, Any]) -> str:
    return f"{100 * figure['ci_low']:.2f}–{100 * figure['ci_high']:.2f}"


def _against_the_article() -> list[str]:
    measured = artefacts.load_table(artefacts.root() / "benchmarks" / "recipes.csv")
    rows = []
    for family in _FAMILIES:
        ours, theirs = (
            _trained(measured, recipe, family, "official")["test_accuracy"].agg(["mean", "std"])
            for recipe in ("default", "snippet")
        )
        race, snippet = (
            _trained(measured, recipe, family, "random")["cpu_seconds_to_goal"]
            for recipe in ("race", "snippet")
        )
        ratios = (race / snippet).dropna()
        accuracies = (_mean({"mean": a["mean"], "sd": a["std"]}) for a in (ours, theirs))
        rows.append(_row((family, *accuracies, f"{gmean(ratios):.2f} ({len(ratios)} seeds)")))
    return rows


def _trained(measured: pd.DataFrame, recipe: str, family: str, split: str) -> pd.DataFrame:
    """These networks of the benchmark, by seed."""
    of = {"recipe": recipe, "family": family, "split": split}
    found = measured[(measured[list(of)] == pd.Series(of)).all(axis=1)]
    if found.empty:
        command = "official" if split == "official" else "races"
        raise GlassnetsError(
            f"benchmarks/recipes.csv: expected a row of {recipe}, {family}, {split}, got none: "
            f"run python benchmarks/recipes.py {command}"
        )
    return found.set_index("seed")


def _beliefs() -> list[str]:
    rows = []
    for family in _FAMILIES:
        mnist, planted = (_leaderboard(d, family) for d in ("mnist", "planted"))
        methods = mnist[~mnist["control"]].sort_values("rank")
        passing, failing = methods[methods["passes"]], methods[~methods["passes"]]
        first = passing.iloc[0]
        believed = f"{first['method']}, {_interval(first, 'insertion_minus_deletion')}"
        on_cue = planted[planted["passes"] & ~planted["control"]].sort_values("relevance_mass")
        control = planted.loc[planted["control"], "relevance_mass"].max()
        most = on_cue.iloc[-1]
        found = f"{most['method']}, {_interval(most, 'relevance_mass')}; {control:.2f}"
        others = (", ".join(passing["method"][1:]), ", ".join(failing["method"]))
        rows.append(_row((family, believed, *others, found)))
    return rows


def _leaderboard(dataset: str, family: str) -> pd.DataFrame:
    return artefacts.load_table(artefacts.results(dataset, family) / "leaderboard.csv")


def _interval(row: pd.Series, name: str) -> str:
    return interval(*(row[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high")))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
