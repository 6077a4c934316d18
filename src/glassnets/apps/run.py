"""``glassnets run [DATASET]``: the pipeline of a dataset, several stages at a time.

A stage computes on one or two threads, and one `dvc repro` runs stage after stage. Here each
family's stages are a `dvc repro` of their own, and so are those that need no family; before and
after these an ordinary `dvc repro` runs what the families share and what compares them.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import Annotated

import psutil
import typer
from tqdm import tqdm

from glassnets import config
from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts, manifests, repository
from glassnets.pipeline.alone import alone

_MEMORY = 3 * 2**30  # bytes that a stage of the largest dataset needs, with TensorFlow
_BUSY = "expected one `glassnets run` of this checkout at a time, got another at work: wait for it"
_STAGE = re.compile(r"(?:Running s|S)tage '(.+?)'")  # runs, is cached, did not change


def chains(params: Params, dataset: str) -> list[list[str]]:
    """Names of stages, in lists that can run beside each other once the dataset is sampled: each
    family's, in the order in which they need each other, and each that needs no family."""
    data, studied = params.dataset(dataset), dataset in params.studied_datasets
    of_cell = manifests.OF_CELL + (manifests.OF_SHORTCUT if data.shortcut else ())
    of_cell += manifests.OF_STUDIED_CELL if studied else ()
    of_dataset = (*(("dynamics", "learning_rules") if studied else ()), "additive", "baseline")
    return [
        *([f"{stage}@{dataset}"] for stage in of_dataset),
        *([f"{stage}@{dataset}-{family}" for stage in of_cell] for family in data.families),
    ]


def run(params: Params, dataset: str, jobs: int) -> None:
    """Builds everything of a dataset, with as many stages beside each other as jobs says. Raises
    GlassnetsError where a stage fails, after what it printed; the others are then interrupted."""
    goals = manifests.goals(params, dataset)
    if jobs > 1:
        _repro(f"sample@{dataset}")
        with repository.opened() as repo:
            stale = repo.status(targets=goals, with_deps=True)
        if fit := [c for c in chains(params, dataset) if not stale.keys().isdisjoint(c)]:
            _beside(fit, jobs)
    _repro(*goals)


def _repro(*targets: str) -> None:
    if subprocess.run(["dvc", "repro", *targets]).returncode:
        raise _failed(targets)


def _failed(targets: Sequence[str]) -> GlassnetsError:
    return GlassnetsError(f"expected {', '.join(targets)} to be built: what failed is said above")


def _beside(chains: Sequence[Sequence[str]], jobs: int) -> None:
    started: list[subprocess.Popen[str]] = []
    over = Event()

    def follow(chain: Sequence[str]) -> None:
        if over.is_set():
            return
        command = ["dvc", "--wait-for-lock", "repro", "--single-item", *chain]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that a stage is interrupted with the DVC that runs it
        )
        started.append(process)
        if over.is_set():  # another failed while this one was being started
            _end([process])
        printed = []
        for line in process.stdout or ():
            printed.append(line)
            if found := _STAGE.match(line):
                bar.write(found[1])
                bar.update()
        if process.wait():
            over.set()
            bar.write("".join(printed), end="")
            raise _failed(chain)

    with (
        tqdm(total=sum(map(len, chains)), unit="stage", desc="begun") as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        following = [pool.submit(follow, chain) for chain in chains]
        try:
            for each in as_completed(following):
                each.result()
        except BaseException:
            over.set()
            _end(started)
            raise


def _end(started: Sequence[subprocess.Popen[str]]) -> None:
    running = [process for process in started if process.poll() is None]
    for process in running:
        os.killpg(process.pid, signal.SIGINT)
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:  # begun where interrupts are ignored, as by nohup
            os.killpg(process.pid, signal.SIGTERM)


def most_jobs() -> int:
    """How many stages fit beside each other on this machine."""
    memory = psutil.virtual_memory().total // _MEMORY
    return max(1, min(os.cpu_count() or 1, memory))


def command(
    dataset: Annotated[str, typer.Argument(metavar="[DATASET]")] = "digits",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Stages at a time; else as many as cores and memory allow."),
    ] = None,
) -> None:
    """Runs the pipeline of a dataset, families beside each other: what is not fresh, and no more.

    `dvc repro` builds the same, a stage at a time."""
    with in_one_line(out_of_memory="fewer stages at a time: --jobs 1"):
        params = config.load(artefacts.params_file())
        params.dataset(dataset)  # named wrongly, it is refused
        # As in the activated environment, wherever it is asked for: DVC, and Python for its stages.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.chdir(artefacts.root())
        with alone(artefacts.root() / ".dvc", _BUSY):
            run(params, dataset, jobs or most_jobs())
