"""What a sweep came to: a row a network, a row a setting, and the files that say what was built."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.sweeps import copies
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Plan, key
from glassnets.sweeps.tasks import Outcome, Task

FIGURES = ("epochs", "epoch", "val_loss", "val_accuracy")
TEST_FIGURES = ("accuracy", "log_loss")  # of metrics.json, where the sweep evaluates
Figures = Mapping[Task, Mapping[str, float]]


def restore(
    plan: Plan, outcomes: Outcomes, copy: Path, failed: Sequence[Task], out: Path
) -> Figures:
    """Has DVC restore what workers built, variant by variant in the order of the plan, and writes
    each variant's params.yaml and dvc.lock below out. Nothing is trained. copy: a `copies.clone`.
    Figures of the test part, where the sweep evaluates.

    Raises GlassnetsError where what is restored is not what a worker said that it had built; where
    it is not there, the task's outcome is forgotten.
    """
    copies.fetch_runs(copy)
    missing: list[str] = []
    figures: dict[Task, dict[str, float]] = {}
    variants = tqdm(plan.variants(), desc="restoring", unit="variant", disable=None, leave=False)
    for setting, seed in variants:
        whole = [
            task
            for task in (plan.task(setting, seed, cell) for cell in plan.cells)
            if task not in failed
        ]
        if not whole:
            continue
        copies.change(copy, plan.overrides(setting, seed))
        for task in whole:
            try:
                outputs = copies.restore(copy, task.stage)
            except copies.MissingRunError:
                outcomes.drop(task)
                missing.append(f"{task.stage} under {' '.join(task.overrides)}")
                continue
            outcome = outcomes.get(task)
            if outcome is None or outcome.outputs != outputs:
                raise GlassnetsError(
                    f"expected {task.stage} under {' '.join(task.overrides)} in the remote as a "
                    "worker built it, got other outputs"
                )
        if missing:
            continue
        copies.settle(copy, [task.stage for task in whole])
        folder = out / f"{setting:03d}-seed-{seed}"
        folder.mkdir(parents=True)
        for name in ("params.yaml", "dvc.lock"):
            shutil.copy(copy / name, folder)
        for task in whole if plan.stage == "evaluate" else ():
            dataset, family = task.cell
            path = copy / "results" / dataset / "cells" / family / "metrics.json"
            metrics = artefacts.load_json(path)
            figures[task] = {f"test_{name}": metrics[name]["mean"] for name in TEST_FIGURES}
    if missing:
        raise GlassnetsError(
            f"expected all runs in the remote, got {len(missing)} that are not: {missing[0]}; the "
            "same command runs them again"
        )
    return figures


def networks(
    plan: Plan, outcomes: Outcomes, failed: Mapping[Task, str], tested: Figures
) -> pd.DataFrame:
    """A row a network: setting, its values, cell, seed; epochs, the kept epoch, its figures on the
    validation part, and on the test part where the sweep evaluates; error, where its stage failed.
    Figures are NaN there."""
    rows: list[dict[str, Any]] = []
    keys = dict.fromkeys((key(each) for own in plan.settings for each in own), "")
    for setting, seed in plan.variants():
        values = keys | {key(each): each.partition("=")[2] for each in plan.settings[setting - 1]}
        for cell in plan.cells:
            task = plan.task(setting, seed, cell)
            row = {"setting": setting, **values, "cell": cell.name, "seed": seed}
            outcome = outcomes.get(task)
            row |= dict.fromkeys(FIGURES if outcome is None else (), float("nan"))
            row |= {} if outcome is None else of_kept_epoch(outcome)
            if tested:
                row |= tested.get(task, {f"test_{name}": float("nan") for name in TEST_FIGURES})
            rows.append({**row, "error": failed.get(task, "")})
    return pd.DataFrame(rows)


def of_kept_epoch(outcome: Outcome) -> dict[str, float]:
    """Figures of a network: epochs trained, the epoch kept, which is that of lowest validation
    loss, and loss and accuracy on the validation part there."""
    losses = outcome.history["val_loss"]
    kept = min(range(len(losses)), key=losses.__getitem__)
    accuracy = outcome.history["val_accuracy"][kept]
    return {
        "epochs": len(losses),
        "epoch": kept + 1,
        "val_loss": losses[kept],
        "val_accuracy": accuracy,
    }


def outputs(plan: Plan, outcomes: Outcomes) -> pd.DataFrame:
    """A row an output: setting, cell, seed, path, and its hash as DVC has it."""
    return pd.DataFrame(
        [
            {"setting": setting, "cell": cell.name, "seed": seed, "path": path, "md5": md5}
            for setting, seed in plan.variants()
            for cell in plan.cells
            if (outcome := outcomes.get(plan.task(setting, seed, cell)))
            for path, md5 in sorted(outcome.outputs.items())
        ],
        columns=["setting", "cell", "seed", "path", "md5"],
    )


def settings(table: pd.DataFrame) -> pd.DataFrame:
    """A row a cell and setting, best first within a cell: number of seeds, mean and standard
    deviation of the figures, and how much higher its loss is than the best one's, seed by seed.
    Settings of which a network failed come last."""
    keys = [*table.columns[: table.columns.get_loc("cell")]]
    names = [*map(str, table.columns)]
    after = names[names.index("seed") + 1 :]  # before it are keys, as test_set.cnn.training.epochs
    figured = [name for name in after if name.startswith(("val_", "test_"))]
    rows: list[dict[str, Any]] = []
    for cell, own in table.groupby("cell", sort=False):
        losses = own.pivot(index="seed", columns="setting", values="val_loss")
        means = losses.mean(skipna=False)
        order = means.sort_values(kind="stable").index
        for setting in order:
            group = own[own["setting"] == setting]
            figures = group[figured].assign(
                more_loss=(losses[setting] - losses[order[0]]).loc[group["seed"]].to_numpy()
            )
            row = {"cell": cell, **group.iloc[0][keys].to_dict()}
            row["networks"] = int(group["val_loss"].notna().sum())
            for name, values in figures.items():
                row |= {name: values.mean(skipna=False), f"{name}_sd": values.std(ddof=1)}
            rows.append(row)
    return pd.DataFrame(rows)


_COLUMNS = {  # of the page: title, decimals, factor
    "val_loss": ("loss", 4, 1),
    "val_accuracy": ("accuracy %", 2, 100),
    "more_loss": ("more", 4, 1),
    "test_log_loss": ("test loss", 4, 1),
    "test_accuracy": ("test accuracy %", 2, 100),
}


def _with_deviation(mean: float, deviation: float, digits: int) -> str:
    if pd.isna(mean):
        return "failed"
    return f"{mean:.{digits}f}" + ("" if pd.isna(deviation) else f" ± {deviation:.{digits}f}")


def page(plan: Plan, summary: pd.DataFrame) -> str:
    """The settings of each cell, best first, as Markdown."""
    lines = [
        f"# {len(plan.settings)} settings of {', '.join(cell.name for cell in plan.cells)}",
        "",
        f"Stage {plan.stage}, seeds {', '.join(map(str, plan.seeds))}, commit {plan.commit[:12]}. "
        "Figures are of the validation part, means over seeds ± their standard deviation; *more* "
        "is the loss above that of the first row, seed by seed. The first row is the best of "
        f"{len(plan.settings)} tried on the same images: on others it is worth less than it seems.",
    ]
    for cell, own in summary.groupby("cell", sort=False):
        keys = [*own.columns[1 : own.columns.get_loc("networks")]]
        shown = own[keys].copy()
        for name, (title, digits, factor) in _COLUMNS.items():
            if name in own:
                pairs = zip(own[name] * factor, own[f"{name}_sd"] * factor, strict=True)
                shown[title] = [_with_deviation(*pair, digits) for pair in pairs]
        lines += ["", f"## {cell}", "", shown.to_markdown(index=False, disable_numparse=True)]
    return "\n".join(lines) + "\n"


def write(
    plan: Plan, outcomes: Outcomes, copy: Path, failed: Mapping[Task, str], out: Path
) -> pd.DataFrame:
    """Writes a sweep's folder, in the place of one that is there; its table of networks."""
    with artefacts.replacing(out) as (folder,):
        folder.mkdir()
        tested = restore(plan, outcomes, copy, [*failed], folder)
        table = networks(plan, outcomes, failed, tested)
        artefacts.save_json(folder / "plan.json", plan._asdict())
        artefacts.save_table(folder / "networks.csv", table)
        artefacts.save_table(folder / "outputs.csv", outputs(plan, outcomes))
        summary = settings(table)
        artefacts.save_table(folder / "settings.csv", summary)
        (folder / "sweep.md").write_text(page(plan, summary), encoding="utf-8")
    return table
