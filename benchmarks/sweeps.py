"""What a sweep costs beside the trainings themselves, and what limits it with many workers.

    python benchmarks/sweeps.py            # a quarter of an hour, on an idle machine
    python benchmarks/sweeps.py nothing    # one part of it; or overhead, throughput

Trains feedforward networks on digits in a clone of the last commit, with 1, 2 and 4 workers, and
has Dask run 1,000 and 10,000 tasks that do nothing. Writes sweeps.csv and sweeps.md beside this
file.
"""

import os
import shutil
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.processor import processor
from glassnets.sweeps import copies, executors, session, tables, tasks
from glassnets.sweeps.driver import Driver
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Cell, Plan
from glassnets.sweeps.session import Workers
from glassnets.sweeps.tasks import Outcome, Places, Task

HERE = Path(__file__).parent
TASKS = 5  # whose overhead is measured, after one that imports what the others need
NETWORKS = 8  # trained with each number of workers
NOTHING = (1_000, 10_000)  # tasks that do nothing
WORKERS = (10, 100, 1_000)  # of the model
TRAINING = 60.0  # seconds of a training, in the model
BANDWIDTH = 125e6  # bytes a second between a worker and the remote, in the model: 1 Gbit/s

Row = dict[str, Any]


def asked(commit: str, networks: int) -> Plan:
    rates = (
        f"digits.feedforward.training.learning_rate={0.001 * (i + 1):g}" for i in range(networks)
    )
    short = "digits.feedforward.training.epochs=3"
    settings = tuple((short, rate) for rate in rates)
    return Plan(commit, "train", (Cell("digits", "feedforward"),), settings, (0,))


@contextmanager
def clone() -> Iterator[str]:
    """Works in a clone of the last commit; the commit."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", artefacts.root(), folder], check=True)
        os.chdir(folder)
        try:
            ran = ["git", "rev-parse", "HEAD"]
            yield subprocess.run(ran, capture_output=True, text=True).stdout.strip()
        finally:
            os.chdir(before)


@contextmanager
def timed(module: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Adds up the seconds of a function."""
    own: Callable[..., Any] = getattr(module, name)

    def call(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return own(*arguments, **options)
        finally:
            spent.append(time.perf_counter() - begun)

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, own)


def overhead(commit: str) -> list[Row]:
    """Of a task: seconds of its process and what is beside it, by what they go to; and of restoring
    a variant afterwards."""
    import dvc.stage.run

    plan = asked(commit, TASKS + 1)
    rows: list[Row] = []
    with session.begin(plan, Workers(1)) as (driver, copy):
        for number, task in enumerate(plan.tasks()):
            spent: dict[str, list[float]] = {"stage": [], "copy": [], "push": []}
            begun = time.perf_counter()
            with (
                timed(dvc.stage.run, "_run", spent["stage"]),
                timed(copies, "change", spent["copy"]),
                timed(copies, "push", spent["push"]),
            ):
                driver.outcomes.put(task, None, tasks.run(task, driver.places))
            whole = time.perf_counter() - begun
            if number:
                own = {name: sum(seconds) for name, seconds in spent.items()}
                rows.append({"part": "task", **own, "beside": whole - own["stage"]})
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tables.write(plan, driver.outcomes, copy, {}, Path(folder) / "out")
        seconds = (time.perf_counter() - begun) / (TASKS + 1)
        rows.append({"part": "restore", "beside": seconds})
        data = (path.stat().st_size for path in (copy / "data" / "processed").rglob("*.npz"))
        rows.append({"part": "data", "bytes": sum(data)})
        weights = (path.stat().st_size for path in (copy / "models").rglob("*.h5"))
        rows.append({"part": "result", "bytes": sum(weights)})
    return rows


def throughput(commit: str) -> list[Row]:
    """Seconds of a sweep of `NETWORKS`, without restoring, with 1, 2 and 4 workers."""
    rows: list[Row] = []
    plan = asked(commit, NETWORKS)
    for workers in (1, 2, 4):
        shutil.rmtree(Path(".dvc", "tmp", "sweeps"), ignore_errors=True)
        with session.begin(plan, Workers(workers)) as (driver, _):
            begun = time.perf_counter()
            driver.finish(dict.fromkeys(plan.tasks()))
            rows.append(
                {"part": "sweep", "workers": workers, "beside": time.perf_counter() - begun}
            )
    return rows


def nothing(task: Task, places: Places, limits: object = None) -> Outcome:
    return Outcome({"models": task.digest}, {"val_loss": [0.0], "val_accuracy": [1.0]})


def nothing_at_all(_: str) -> list[Row]:
    """Seconds of tasks that do nothing, on a Dask scheduler and two workers of this machine."""
    from distributed import LocalCluster

    rows: list[Row] = []
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(host="127.0.0.1", **options) as cluster:  # type: ignore[no-untyped-call]
        for count in NOTHING:
            limits = {Task("c0ffee", (f"a={i}",), "train@digits-cnn"): None for i in range(count)}
            with tempfile.TemporaryDirectory() as folder:
                driver = Driver(
                    lambda: executors.dask(cluster.scheduler_address),
                    Places("", ""),
                    Outcomes(Path(folder)),
                    nothing,
                )
                begun = time.perf_counter()
                driver.finish(dict.fromkeys(limits))
                seconds = time.perf_counter() - begun
            rows.append({"part": "nothing", "tasks": count, "beside": seconds})
    return rows


def model(table: pd.DataFrame, size: float, result: float) -> pd.DataFrame:
    """A sweep of ten trainings a worker, on paper. size: bytes that a worker takes of the data;
    result: bytes that a training puts into the remote.

    Workers train beside each other and each begins by fetching the data; all bytes go through one
    remote of ten times a worker's bandwidth; what the scheduler and the driver do for a task, and
    restoring a variant, they do one after the other.
    """
    own = table[table["part"] == "task"]["beside"].median()
    handing = table[table["part"] == "nothing"].iloc[-1]
    serial = handing["beside"] / handing["tasks"]
    restore = table[table["part"] == "restore"]["beside"].iloc[0]
    rows = []
    for workers in WORKERS:
        count = 10 * workers
        train = 10 * (TRAINING + own)
        fetch = max(size / BANDWIDTH, workers * size / (10 * BANDWIDTH))
        put = count * result / (10 * BANDWIDTH)
        work = max(train + fetch, count * serial, put)
        rows.append(
            {
                "workers": workers,
                "trainings": count,
                "fetching data, s": f"{fetch:.1f}",
                "handing out, s": f"{count * serial:.0f}",
                "training, min": f"{work / 60:.1f}",
                "of the workers' time, training": f"{count * TRAINING / workers / work:.0%}",
                "restoring, min": f"{count * restore / 60:.0f}",
            }
        )
    return pd.DataFrame(rows)


PARTS: dict[str, Callable[[str], list[Row]]] = {
    "overhead": overhead,
    "throughput": throughput,
    "nothing": nothing_at_all,
}


def main(parts: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Measures what is named, or all; its rows take the place of those of before in sweeps.csv."""
    csv = HERE / "sweeps.csv"
    for part in parts or PARTS:
        with clone() as commit:
            new = pd.DataFrame(PARTS[part](commit)).assign(measured=part).round(4)
        old = artefacts.load_table(csv) if csv.exists() else new.iloc[:0]
        artefacts.save_table(csv, pd.concat([old[old["measured"] != part], new]))
    text = page(artefacts.load_table(csv))
    (HERE / "sweeps.md").write_text(text, encoding="utf-8")
    print(text)


def page(table: pd.DataFrame) -> str:
    """The figures as Markdown."""
    own = table[table["part"] == "task"]
    size, result = (table[table["part"] == p]["bytes"].iloc[0] for p in ("data", "result"))
    beside, stage, copy, push = (own[c] for c in ("beside", "stage", "copy", "push"))
    restoring = table[table["part"] == "restore"]["beside"].iloc[0]
    sweeps = table[table["part"] == "sweep"].set_index("workers")["beside"]
    workers = pd.DataFrame(
        {
            "workers": sweeps.index.astype(int),
            "seconds": sweeps.map("{:.1f}".format).to_numpy(),
            "trainings an hour": (NETWORKS / sweeps * 3600).map("{:.0f}".format).to_numpy(),
            "against one worker": (sweeps.loc[1] / sweeps).map("{:.2f}".format).to_numpy(),
        }
    )
    nothing = [
        f"- {int(row['tasks']):,} tasks: {row['beside']:.1f} s, "
        f"{1000 * row['beside'] / row['tasks']:.2f} ms each, their outcomes on disk."
        for row in table[table["part"] == "nothing"].to_dict("records")
    ]
    parts = [
        "# What a sweep costs beside the trainings",
        f"{processor()}, {os.cpu_count()} cores. Written by `benchmarks/sweeps.py` from "
        "`sweeps.csv`; each figure from one run on an idle machine.",
        "## A task",
        f"Beside the process that trains, a task takes {beside.median():.1f} s (median of "
        f"{len(own)}; {beside.min():.1f} to {beside.max():.1f}), once a worker has imported what "
        f"it needs: {copy.median():.1f} s for parameters and manifests of the copy, "
        f"{push.median():.1f} s for the remote, the rest DVC's. The process itself took "
        f"{stage.median():.1f} s, most of it TensorFlow's import. Restoring a variant when all is "
        f"trained takes the driver {restoring:.1f} s.",
        "## Workers on this machine",
        f"{NETWORKS} trainings of three epochs, from nothing, without restoring:",
        workers.to_markdown(index=False, disable_numparse=True),
        "## Tasks that do nothing, on Dask",
        "\n".join(nothing),
        "## Many workers, on paper",
        f"Ten trainings of {TRAINING:.0f} s a worker; {size / 1e6:.1f} MB of data for each worker, "
        f"once; {result / 1e3:.0f} kB of results a training; {BANDWIDTH / 1e6:.0f} MB/s for a "
        "worker and ten times as much for the remote; handing out and restoring as measured above, "
        "one after the other. Failures, a scheduler's memory, and a remote that is slow with many "
        "small files are not in it.",
        model(table, size, result).to_markdown(index=False, disable_numparse=True),
        "What limits a large sweep is restoring: one driver has DVC restore variant after variant. "
        "It comes after the trainings; `params.yaml`, `dvc.lock` and the check of every output "
        "wait for it. A search restores nothing.",
    ]
    return "\n\n".join(p if p[0] in "#|-" else textwrap.fill(p, 100) for p in parts) + "\n"


if __name__ == "__main__":
    with in_one_line("other programs closed"):
        typer.run(main)
