"""Does dvc.lock rebuild to the same bytes? All stages run anew, in temporary copies."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import networkx
from dvc.repo import Repo
from ruamel.yaml import YAML

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.outcome import Outcome
from glassnets.pipeline.verify.processor import gives_the_same_bytes, processor

# Where bytes may differ: by how much a mean may lie outside of the interval that is committed for
# it, as a share of the interval's width.
TOLERANCE = 0.5
METRICS = ("accuracy", "log_loss", "expected_calibration_error")
AT_ONCE = 2  # datasets: the pipeline of one keeps a core and a quarter busy


def rebuild(datasets: list[str]) -> Outcome:
    """Runs every stage of these datasets, each in a copy of what is checked out, and compares.

    Every output must have the hash that dvc.lock has for it. On a processor that is no x86-64 with
    AVX2 bytes may differ: there the metrics must lie in their committed intervals, TOLERANCE wider
    on each side.
    """
    root = artefacts.root()
    before = _hashes(root)
    run = [name for name in _in_order(root) if _is_of(name, datasets)]
    with ExitStack() as copies, ThreadPoolExecutor(AT_ONCE) as pool:
        folders = {dataset: copies.enter_context(_copy()) for dataset in datasets}
        list(pool.map(_repro, folders.values(), folders))
        after = {
            name: hashes
            for dataset, folder in folders.items()
            for name, hashes in _hashes(folder).items()
            if _is_of(name, [dataset])
        }
        differing = [
            f"{name}: {path} was {was}, came out as {hash_}"
            for name in run
            for path, hash_ in after[name].items()
            if (was := before.get(name, {}).get(path)) != hash_
        ]
        outputs = sum(len(after[name]) for name in run)
        message = (
            f"{outputs} outputs of {len(run)} stages of {', '.join(folders)}, "
            f"{len(differing)} with other bytes"
        )
        if gives_the_same_bytes():
            return Outcome(tuple(differing[:1]), message)
        faults = [fault for d, folder in folders.items() for fault in _outside(folder, d)]
    return Outcome(
        tuple(faults), f"{message}, as may be on this processor ({processor()}): metrics compared"
    )


def copy_project(root: Path, folder: Path) -> None:
    """Copies all that git knows of root or would add, and nothing that was built, into folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for path in filter(None, listed.split("\0")):
        if (root / path).is_file():  # else it was deleted, but not committed
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, folder / path)


@contextmanager
def _copy() -> Iterator[Path]:
    """A copy of the project in a temporary folder, with what a person put into data/external."""
    root = artefacts.root()
    with tempfile.TemporaryDirectory(prefix="glassnets-") as name:
        folder = Path(name)
        copy_project(root, folder)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        external = root / "data" / "external"
        if external.is_dir():
            (folder / "data").mkdir(exist_ok=True)
            (folder / "data" / "external").symlink_to(external.resolve())
        yield folder


def _repro(folder: Path, dataset: str) -> None:
    """Runs all its stages anew; what they say goes to standard error, for it takes minutes."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = str(folder / "src")
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [sys.executable, "-m", "dvc", "repro", "--force", f"compare@{dataset}"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as ran:
        assert ran.stdout is not None
        for line in ran.stdout:
            print(f"{dataset}: {line}", end="", file=sys.stderr, flush=True)
    if ran.returncode:
        raise GlassnetsError(
            f"expected the pipeline of {dataset} to run in a copy of the project, got exit code "
            f"{ran.returncode}; what it said stands above"
        )


def _hashes(folder: Path) -> dict[str, dict[str, str]]:
    """Of each stage in dvc.lock, its outputs' hashes by path."""
    lock = YAML(typ="safe", pure=True).load((folder / "dvc.lock").read_text(encoding="utf-8"))
    stages: dict[str, Any] = lock["stages"]
    return {
        name: {out["path"]: out["md5"] for out in stage.get("outs", [])}
        for name, stage in stages.items()
    }


def _in_order(folder: Path) -> list[str]:
    """The stages' names, each after those it reads from."""
    with closing(Repo(str(folder))) as repo:
        graph = repo.index.graph.reverse()  # DVC's points from a stage to those it reads from
        return [stage.name for stage in networkx.topological_sort(graph)]


def _is_of(stage: str, datasets: list[str]) -> bool:
    return stage.split("@")[-1].split("-")[0] in datasets


def _outside(folder: Path, dataset: str) -> list[str]:
    """The metrics that lie too far from their committed intervals."""
    committed, rebuilt = (
        artefacts.load_table(root / "results" / dataset / "metrics.csv")
        for root in (artefacts.root(), folder)
    )
    both = committed.merge(rebuilt, on=["family", "metric"], suffixes=("", "_rebuilt"))
    faults = []
    for row in both[both["metric"].isin(METRICS)].to_dict("records"):
        low, high, came = row["ci_low"], row["ci_high"], row["mean_rebuilt"]
        room = TOLERANCE * (high - low)
        if not low - room <= came <= high + room:
            faults.append(
                f"{dataset}, {row['family']}: {row['metric']} came out as {came:.4g}, expected "
                f"{low - room:.4g} to {high + room:.4g}"
            )
    return faults
