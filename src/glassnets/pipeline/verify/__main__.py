"""``python -m glassnets.verify``: every check, a table, and an exit code. 0: all pass; 1: one does
not; 2: usage error."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import typer
from tabulate import tabulate

from glassnets import registry
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify import readme
from glassnets.pipeline.verify.environment import environment
from glassnets.pipeline.verify.freshness import freshness, manifests
from glassnets.pipeline.verify.outcome import Outcome
from glassnets.pipeline.verify.processor import processor
from glassnets.pipeline.verify.rebuild import rebuild
from glassnets.pipeline.verify.runs import runs

EMBEDDED = ["digits", "planted"]  # what needs no network


class Check(StrEnum):
    """What can be asked, the quick ones first."""

    ENVIRONMENT = "environment"
    MANIFESTS = "manifests"
    FRESHNESS = "freshness"
    README = "readme"
    RUNS = "runs"
    REBUILD = "rebuild"


QUESTIONS = {
    Check.ENVIRONMENT: "are the packages those that requirements*.txt pin?",
    Check.MANIFESTS: "do manifests/ say what params.yaml, src/ and requirements.txt say?",
    Check.FRESHNESS: "do code, parameters and outputs agree with dvc.lock?",
    Check.README: "do the README's tables say what results/ say?",
    Check.RUNS: "does MLflow hold just the runs of these inputs?",
    Check.REBUILD: "does everything rebuild to the same bytes?",
}


def verify(checks: list[Check], datasets: list[str] | None, record: bool) -> bool:
    """Prints what each check found; says whether all pass. datasets: whose runs are looked at, and
    what is rebuilt; None: the runs of all, and what is EMBEDDED."""
    asked: dict[Check, Callable[[], Outcome]] = {
        Check.ENVIRONMENT: environment,
        Check.MANIFESTS: manifests,
        Check.FRESHNESS: freshness,
        Check.README: readme.readme,
        Check.RUNS: lambda: runs(datasets or registry.names("data.sources")),
        Check.REBUILD: lambda: rebuild(datasets or EMBEDDED),
    }
    found = {}
    for check in checks:
        try:
            found[check] = asked[check]()
        except GlassnetsError as error:  # the others can still be asked
            found[check] = Outcome((str(error),), "could not be looked at")
        for fault in found[check].faults:
            print(f"{check}: {fault}", file=sys.stderr, flush=True)
    table = tabulate(
        [
            (check, QUESTIONS[check], _verdict(outcome), outcome.said)
            for check, outcome in found.items()
        ],
        headers=("check", "question", "answer", "looked at"),
        tablefmt="github",
    )
    print(table)
    if record:
        _write_record(table, found)
    return all(outcome.passes for outcome in found.values())


def _verdict(outcome: Outcome) -> str:
    return "yes" if outcome.passes else f"NO ({len(outcome.faults)})"


# The record


def _write_record(table: str, found: dict[Check, Outcome]) -> None:
    packages = ("tensorflow-cpu", "keras", "numpy", "scikit-learn", "dvc", "mlflow")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = ".".join(map(str, sys.version_info[:3]))
    faults = [f"- {check}: {fault}" for check, o in found.items() for fault in o.faults]
    text = f"""# What was verified

Written by `python -m glassnets.verify --record`, by a person; nothing refreshes it by itself.

- When: {datetime.now(UTC):%Y-%m-%d}
- Processor: {processor()}
- Python {python}, {versions}

{table}

What differed:

{chr(10).join(faults) or "- nothing"}
"""
    with artefacts.replacing(artefacts.results("reproduction.md")) as (partial,):
        partial.write_text(text, encoding="utf-8")


# The command line


def command(
    only: Annotated[list[Check] | None, typer.Option(help="Again for another.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Whose runs, and what to rebuild. Again for another.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write results/reproduction.md.")
    ] = False,
    write_readme: Annotated[
        bool, typer.Option("--write-readme", help="Make the README's tables say what results/ say.")
    ] = False,
) -> None:
    """Says whether what is checked out is fresh, complete and reproducible."""
    with in_one_line("other programs closed"):
        for name in dataset or []:
            if name not in registry.names("data.sources"):
                known = ", ".join(registry.names("data.sources"))
                raise ParameterError(f"--dataset: expected one of {known}, got {name!r}")
        if write_readme:
            readme.write()
        passed = verify(only or list(Check), dataset, record)
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
