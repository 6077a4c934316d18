"""``glassnets verify``: every check, a table, and an exit code. 0: all pass; 1:
one does not; 2: usage error."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from platform import python_version
from typing import Annotated

import typer
from tabulate import tabulate

from glassnets import config
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify import Outcome, readme
from glassnets.pipeline.verify.environment import environment
from glassnets.pipeline.verify.freshness import freshness, manifests
from glassnets.pipeline.verify.processor import processor
from glassnets.pipeline.verify.rebuild import rebuild
from glassnets.pipeline.verify.runs import runs
from glassnets.tracking import TENSORFLOW

EMBEDDED = ["digits", "planted"]  # what needs no network
# By name, the quick ones first. Each docstring begins with the question that the check asks.
CHECKS: dict[str, Callable[..., Outcome]] = {
    check.__name__: check
    for check in (environment, manifests, freshness, readme.readme, runs, rebuild)
}


def verify(checks: list[str], datasets: list[str] | None, record: bool) -> bool:
    """Prints what each check gives. Whether all pass.

    checks: of `CHECKS`. datasets: whose runs are looked at, and what is rebuilt; None: the runs of
    all, and what is EMBEDDED.
    """
    every = config.load(artefacts.params_file()).datasets
    arguments = {"runs": (datasets or every,), "rebuild": (datasets or EMBEDDED,)}
    rows, faults = [], []
    for name in checks:
        check = CHECKS[name]
        try:
            outcome = check(*arguments.get(name, ()))
        except GlassnetsError as error:  # the others can still run
            outcome = Outcome((str(error),), "could not be looked at")
        for fault in outcome.faults:
            print(f"{name}: {fault}", file=sys.stderr, flush=True)
        faults += [f"- {name}: {fault}" for fault in outcome.faults]
        answer = f"NO ({len(outcome.faults)})" if outcome.faults else "yes"
        rows.append((name, f"{check.__doc__}".splitlines()[0], answer, outcome.message))
    table = tabulate(rows, ("check", "question", "answer", "looked at"), tablefmt="github")
    print(table)
    if record:
        _write_record(table, faults)
    return not faults


def _write_record(table: str, faults: list[str]) -> None:
    packages = (TENSORFLOW, "keras", "numpy", "scikit-learn", "dvc", "mlflow")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    text = f"""# What was verified

Written by `glassnets verify --record`, by a person; nothing refreshes it.

- When: {datetime.now(UTC):%Y-%m-%d}
- Processor: {processor()}
- Python {python_version()}, {versions}

{table}

What differed:

{chr(10).join(faults) or "- nothing"}
"""
    with artefacts.replacing(artefacts.results("reproduction.md")) as (partial,):
        partial.write_text(text, encoding="utf-8")


def command(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(CHECKS)}. Again for another.")
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Whose runs, and what to rebuild. Again for another.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write results/reproduction.md.")
    ] = False,
    write_readme: Annotated[
        bool,
        typer.Option(
            "--write-readme", help="Make tables of README and docs/ say what results/ say."
        ),
    ] = False,
) -> None:
    """Says whether what is checked out is fresh, complete and reproducible."""
    with in_one_line("other programs closed"):
        config.check_known("--only", only or [], CHECKS)
        config.check_known(
            "--dataset", dataset or [], config.load(artefacts.params_file()).datasets
        )
        if write_readme:
            readme.write()
        passed = verify(only or [*CHECKS], dataset, record)
    raise SystemExit(0 if passed else 1)


if __name__ == "__main__":
    typer.run(command)
