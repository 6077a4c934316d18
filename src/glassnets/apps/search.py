"""``glassnets search CELL KEY=…``: the recipe of a cell that is best on validation images."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import optuna
import pandas as pd
import typer

from glassnets import config
from glassnets.apps import outputs, sweep
from glassnets.apps.run import most_jobs
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.report import drawing
from glassnets.sweeps import plan, search, session, space
from glassnets.sweeps.search import Search
from glassnets.sweeps.session import Workers

BEST = 10  # trials on the page


def run(asked: Search, workers: Workers, storage: str | None, out: Path) -> pd.DataFrame:
    """Runs a search, writes its folder, keeps its study, tells MLflow; its table of trials."""
    # Here, so that a wrong word is refused without the seconds that importing MLflow takes.
    from glassnets.tracking import sweeps as tracked

    if storage:
        search.check_storage(storage)
    with session.begin(asked.plan({}), workers) as (driver, _):
        study = search.run(asked, driver)
        table = search.table(asked, study)
        drawn = search.pictures(asked, study)
        with artefacts.replacing(out) as (folder,):
            folder.mkdir(parents=True)
            artefacts.save_table(folder / "trials.csv", table)
            for name, figure in drawn.items():
                (folder / f"{name}.png").write_bytes(drawing.png(figure))
            (folder / "search.md").write_text(page(asked, table, [*drawn]), encoding="utf-8")
            search.keep(study, out.name, f"sqlite:///{folder}/study.db")
        if storage:
            search.keep(study, out.name, storage)
    histories = [
        {asked.objective: [*trial.intermediate_values.values()]}
        for trial in study.get_trials(deepcopy=False)
    ]
    networks = [
        tracked.Network(
            f"trial-{row['trial']:03d}",
            {key.lstrip("+"): str(row[key]) for key in asked.space} | {"state": row["state"]},
            {} if pd.isna(row[asked.objective]) else {asked.objective: row[asked.objective]},
            history,
        )
        for row, history in zip(table.to_dict("records"), histories, strict=True)
    ]
    complete = table[asked.objective].dropna()
    tracked.log(
        out.name,
        hashlib.sha256((out / "trials.csv").read_bytes() + digest(asked).encode()).hexdigest(),
        {
            "commit": asked.commit,
            "cell": asked.cell.name,
            "seeds": ", ".join(map(str, asked.seeds)),
            "fixed": " ".join(asked.fixed),
            "random_state": str(asked.random_state),
        },
        {"trials": float(len(table))}
        | ({} if complete.empty else {f"best/{asked.objective}": study.best_value}),
        networks,
        out,
    )
    return table


def digest(asked: Search) -> str:
    """Of all that decides the trials: the same search has the same."""
    chosen = {key: optuna.distributions.distribution_to_json(d) for key, d in asked.space.items()}
    content = json.dumps({**asked._asdict(), "space": chosen})
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def page(asked: Search, table: pd.DataFrame, drawn: list[str]) -> str:
    """A search as Markdown: the best trial, the next ones, and the pictures."""
    sign = search.OBJECTIVES[asked.objective]
    states = table["state"].value_counts()
    counts = ", ".join(f"{states.get(s, 0)} {s}" for s in ("complete", "pruned", "fail"))
    order = (sign * table[asked.objective]).sort_values(kind="stable", na_position="last").index
    best = table.loc[order].dropna(subset=[asked.objective]).head(BEST)
    lines = [
        f"# Search for a recipe of {asked.cell.name}",
        "",
        f"{len(table)} settings tried ({counts}); {asked.objective} of the validation part, means "
        f"over seeds {', '.join(map(str, asked.seeds))}; sd is over seeds. No test image was read. "
        "The first row is the best of all that were tried on the same images: on others it is "
        "worth less than it seems.",
        "",
    ]
    if best.empty:
        return "\n".join([*lines, "No trial was complete.", ""])
    shown = best.drop(columns=["state", "stopped_after", "error"])
    lines += [
        shown.to_markdown(index=False, floatfmt=".5g"),
        "",
        "To run the pipeline with it:",
        "",
    ]
    values = {key: best.iloc[0][key] for key in asked.space}
    chosen = " ".join(f"-S {each!r}" for each in (*asked.fixed, *space.overrides(values)))
    lines += [f"    dvc exp run {chosen} compare@{asked.cell.dataset}", ""]
    lines += [f"![{name}]({name}.png)\n" for name in drawn]
    return "\n".join(lines)


def command(
    cell: Annotated[str, typer.Argument(metavar="CELL", help="Such as digits-cnn.")],
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=…",
            help="first,second or range(1,5) or interval(0,0.5) or tag(log,interval(0.001,0.1)); "
            "a single value is every trial's.",
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="How many settings.")] = 20,
    batch: Annotated[
        int, typer.Option(min=1, help="Asked for together: part of what decides the trials.")
    ] = 4,
    objective: Annotated[str, typer.Option(help="val_loss, or val_accuracy.")] = "val_loss",
    startup: Annotated[
        int, typer.Option(min=1, help="Trials before any is stopped or modelled.")
    ] = 8,
    prune: Annotated[
        bool, typer.Option(help="Stop trainings that are worse than the median.")
    ] = True,
    random_state: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a database for the study too.")
    ] = None,
    seeds: sweep.Seeds = None,
    workers: sweep.Count = None,
    scheduler: sweep.Scheduler = None,
    repository: sweep.Repository = None,
    remote: sweep.Remote = None,
    out: sweep.Out = None,
) -> None:
    """Searches for the recipe of a cell that is best on validation images, by Optuna.

    The same trials and the same best one with any number of workers. Stopped, the same command goes
    on from there.
    """
    with in_one_line("fewer tasks at a time: --workers 1"):
        config.check_known("--objective", [objective], search.OBJECTIVES)
        root = artefacts.root()
        commit = plan.commit(root)
        params = config.load(artefacts.params_file())
        chosen, fixed = space.parse(given)
        [named] = plan.cells([cell], (), params)
        own = sweep.seeds_of(seeds, params, (named,))
        asked = Search(
            commit,
            named,
            own,
            chosen,
            fixed,
            objective,
            trials,
            batch,
            startup,
            prune,
            random_state,
        )
        settings = tuple(asked.setting(values) for values in space.corners(chosen))
        plan.check(asked.plan({})._replace(settings=settings), root)
        folder = outputs.folder(out or root / "sweeps" / digest(asked), "trials.csv")
        where = Workers(workers or most_jobs(), scheduler, repository, remote)
        table = run(asked, where, storage, folder)
        print((folder / "search.md").read_text(encoding="utf-8"))
        print(f"all trials and pictures: {folder}; the runs in MLflow: make ui")
        if table[objective].isna().all():
            raise GlassnetsError(f"expected a complete trial, got none: {table['error'].iloc[0]}")
