"""Do the README's tables say what results/ say? ``--write`` makes them say it."""

import pandas as pd
from scipy.stats import gmean

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.outcome import Outcome
from glassnets.report.formats import ends, interval_of, mean_and_sd

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
    mnist, digits = (_table(dataset, "comparison") for dataset in ("mnist", "digits"))
    rows = []
    for family in mnist.index:  # the most accurate first
        ours, small = (_accuracy(table.loc[family]) for table in (mnist, digits))
        mean = f"**{ours[0]}**" if family == mnist.index[0] else ours[0]
        parameters = f"{mnist.loc[family, 'parameters']:,}"
        rows.append(_row((family, mean, ours[1], *small, parameters)))
    return rows


def _table(dataset: str, name: str) -> pd.DataFrame:
    """A table of results/<dataset>/, a row a family."""
    return artefacts.load_table(artefacts.results(dataset) / f"{name}.csv").set_index("family")


def _accuracy(row: pd.Series) -> tuple[str, str]:
    """Mean ± standard deviation, and the interval, in percent."""
    mean = mean_and_sd({"mean": row["accuracy"], "sd": row["accuracy_sd"]})
    return mean, ends(row["accuracy_ci_low"], row["accuracy_ci_high"])


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
        accuracies = (mean_and_sd({"mean": a["mean"], "sd": a["std"]}) for a in (ours, theirs))
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
        believed = f"{first['method']}, {interval_of(first, 'insertion_minus_deletion')}"
        on_cue = planted[planted["passes"] & ~planted["control"]].sort_values("relevance_mass")
        control = planted.loc[planted["control"], "relevance_mass"].max()
        most = on_cue.iloc[-1]
        found = f"{most['method']}, {interval_of(most, 'relevance_mass')}; {control:.2f}"
        others = (", ".join(passing["method"][1:]), ", ".join(failing["method"]))
        rows.append(_row((family, believed, *others, found)))
    return rows


def _leaderboard(dataset: str, family: str) -> pd.DataFrame:
    boards = artefacts.load_table(artefacts.results(dataset) / "leaderboards.csv")
    return boards[boards["family"] == family]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
