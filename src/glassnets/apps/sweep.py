"""``glassnets sweep OVERRIDE…``: networks under a grid or a list of settings, each its own task."""

import hashlib
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from glassnets import config
from glassnets.apps import outputs
from glassnets.apps.run import most_jobs
from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.sweeps import plan, session, tables
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Plan
from glassnets.sweeps.session import Workers

Cells = Annotated[
    list[str] | None,
    typer.Option("--cell", metavar="CELL", help="Such as digits-cnn; else those that change."),
]
Seeds = Annotated[
    str | None, typer.Option(metavar="SEED,…", help="Such as 0,1,2; else those of params.yaml.")
]
Count = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes; else as many as cores and memory allow."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Of Dask: its workers in the place of processes here."),
]
Repository = Annotated[
    str | None,
    typer.Option(metavar="PATH|URL", help="What workers clone; else this checkout."),
]
Remote = Annotated[
    str | None,
    typer.Option(metavar="PATH|URL", help="DVC remote for results; else one in .dvc/tmp."),
]
Out = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="For the results; else one in sweeps/.")
]


def seeds_of(given: str | None, params: Params, cells: tuple[plan.Cell, ...]) -> tuple[int, ...]:
    """The seeds that were given, as 0,1,2; else those of the cells' datasets, which must agree."""
    if given is not None:
        try:
            seeds = tuple(dict.fromkeys(int(each) for each in given.split(",")))
        except ValueError:
            raise ParameterError(f"--seeds: expected numbers, as 0,1,2, got {given!r}") from None
        return seeds
    each = {params.dataset(cell.dataset).seeds for cell in cells}
    if len(each) != 1:
        raise ParameterError("--seeds: expected, as these datasets have different ones, got none")
    return tuple(each.pop())


def run(asked: Plan, workers: Workers, out: Path) -> pd.DataFrame:
    """Runs a sweep and writes its folder, tells MLflow; its table of networks."""
    with session.begin(asked, workers) as (driver, copy):
        failed = driver.finish(dict.fromkeys(asked.tasks()))
        table = tables.write(asked, driver.outcomes, copy, failed, out)
        track(asked, driver.outcomes, table, out)
    return table


def track(asked: Plan, outcomes: Outcomes, table: pd.DataFrame, out: Path) -> None:
    """Tells MLflow of a sweep, once."""
    # Here, so that a wrong word is refused without the seconds that importing MLflow takes.
    from glassnets.tracking import sweeps as tracked

    columns = [*map(str, table.columns)]
    keys = columns[1 : columns.index("cell")]
    figured = [name for name in columns[columns.index("seed") + 1 :] if name != "error"]
    networks = []
    for row in table.to_dict("records"):
        dataset, _, family = row["cell"].partition("-")
        cell = plan.Cell(dataset, family)
        outcome = outcomes.get(asked.task(row["setting"], row["seed"], cell))
        options = {"cell": row["cell"], "seed": str(row["seed"])}
        options |= {key: str(row[key]) for key in keys if row[key]}
        networks.append(
            tracked.Network(
                f"{row['setting']:03d}-{row['cell']}-seed-{row['seed']}",
                options,
                {name: row[name] for name in figured if not pd.isna(row[name])},
                outcome.history if outcome else {},
            )
        )
    content = (out / "networks.csv").read_bytes() + (out / "outputs.csv").read_bytes()
    tracked.log(
        out.name,
        hashlib.sha256(asked.digest.encode() + content).hexdigest(),
        {
            "commit": asked.commit,
            "stage": asked.stage,
            "cells": ", ".join(cell.name for cell in asked.cells),
            "settings": str(len(asked.settings)),
            "seeds": ", ".join(map(str, asked.seeds)),
        },
        {"networks": float(len(networks))},
        networks,
        out,
    )


def command(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE,…]…", help="A grid: every combination of the values."),
    ] = None,
    cell: Cells = None,
    seeds: Seeds = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="A list: a key a column, a setting a row."),
    ] = None,
    stage: Annotated[str, typer.Option(help="train; or evaluate, on test images too.")] = "train",
    workers: Count = None,
    scheduler: Scheduler = None,
    repository: Repository = None,
    remote: Remote = None,
    out: Out = None,
) -> None:
    """Trains networks under every setting of a grid or a list, over cells and seeds.

    Each is a task of its own: on processes of this machine, or on the workers of a Dask scheduler.
    The results do not depend on how many there are. Stopped, the same command goes on from there.
    """
    with in_one_line("fewer tasks at a time: --workers 1"):
        config.check_known("--stage", [stage], plan.STAGES)
        root = artefacts.root()
        commit = plan.commit(root)
        params = config.load(artefacts.params_file())
        listed = plan.listed(settings) if settings else [()]
        combined = tuple((*own, *each) for own in listed for each in plan.grid(overrides or []))
        if combined == ((),):
            raise ParameterError("KEY=VALUE: expected one at least, or --settings, got none")
        cells = plan.cells(cell or [], combined, params)
        asked = Plan(commit, stage, cells, combined, seeds_of(seeds, params, cells))
        plan.check(asked, root)
        folder = outputs.folder(out or root / "sweeps" / asked.digest, "plan.json")
        where = Workers(workers or most_jobs(), scheduler, repository, remote)
        table = run(asked, where, folder)
        print((folder / "sweep.md").read_text(encoding="utf-8"))
        print(f"every network, output and dvc.lock: {folder}; the runs in MLflow: make ui")
        if failed := table["error"].astype(bool).sum():
            raise GlassnetsError(
                f"expected {len(table)} networks, got {len(table) - failed}: "
                f"{table['error'][table['error'] != ''].iloc[0]}"
            )
