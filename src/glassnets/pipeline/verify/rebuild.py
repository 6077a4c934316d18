"""All stages run anew, in temporary copies."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import networkx

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, manifests, repository
from glassnets.pipeline.verify import Outcome
from glassnets.pipeline.verify.processor import gives_the_same_bytes, processor

# Where bytes may differ: by how much a mean may lie outside of the interval that is committed for
# it, as a share of the interval's width.
TOLERANCE = 0.5
METRICS = ("accuracy", "log_loss", "expected_calibration_error")
AT_ONCE = 2  # datasets: the pipeline of one keeps a core and a quarter busy


def rebuild(datasets: list[str]) -> Outcome:
    """Does everything rebuild to the same bytes?

    Runs every stage of these datasets, each in a copy of what is checked out. Every output must
    have the hash that dvc.lock has for it. On a processor that is no x86-64 with AVX2 bytes may
    differ: there the metrics must lie in their committed intervals, TOLERANCE wider on each side.
    """
    before = _hashes(artefacts.root())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rebuilt = list(pool.map(_rebuild, datasets))
    after = {name: hashes for stages, _ in rebuilt for name, hashes in stages.items()}
    differing = [
        f"{name}: {path} was {was}, came out as {hash_}"
        for name, hashes in after.items()
        for path, hash_ in hashes.items()
        if (was := before.get(name, {}).get(path)) != hash_
    ]
    message = (
        f"{sum(map(len, after.values()))} outputs of {len(after)} stages of "
        f"{', '.join(datasets)}, {len(differing)} with other bytes"
    )
    if gives_the_same_bytes():
        return Outcome(tuple(differing[:1]), message)
    return Outcome(
        tuple(fault for _, outside in rebuilt for fault in outside),
        f"{message}, as may be on this processor ({processor()}): metrics compared",
    )


def _rebuild(dataset: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Runs all its stages anew in a copy: their `_hashes` there, and the metrics `_outside`.

    What the stages print goes to standard error, as it takes minutes.
    """
    root = artefacts.root()
    goals = manifests.goals(config.load(artefacts.params_file()), dataset)
    with tempfile.TemporaryDirectory(prefix="glassnets-") as name:
        folder = Path(name)
        copy_project(root, folder)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        external = root / "data" / "external"  # what a person put there
        if external.is_dir():
            (folder / "data").mkdir(exist_ok=True)
            (folder / "data" / "external").symlink_to(external.resolve())
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        with subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "--force", *goals],
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
                f"expected the pipeline of {dataset} to run in a copy of the project, got exit "
                f"code {ran.returncode}; what it printed stands above"
            )
        hashes = _hashes(folder).items()
        own = {name: each for name, each in hashes if name.split("@")[-1].split("-")[0] == dataset}
        return own, _outside(folder, dataset)


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


def _hashes(folder: Path) -> dict[str, dict[str, str]]:
    """Of each stage, after those it reads from, its outputs' hashes in dvc.lock by path."""
    with repository.opened("say what dvc.lock has", folder) as repo:
        graph = repo.index.graph.reverse()  # DVC's points from a stage to those it reads from
        return {
            stage.name: {out.def_path: out.hash_info.value for out in stage.outs}
            for stage in networkx.topological_sort(graph)
        }


def _outside(folder: Path, dataset: str) -> list[str]:
    """The metrics that lie too far from their committed intervals."""
    committed, rebuilt = (
        artefacts.load_table(root / "results" / dataset / "metrics.csv")
        for root in (artefacts.root(), folder)
    )
    both = committed.merge(rebuilt, on=["family", "metric"], suffixes=("", "_rebuilt"))
    margin = TOLERANCE * (both["ci_high"] - both["ci_low"])
    both["low"], both["high"] = both["ci_low"] - margin, both["ci_high"] + margin
    both = both[both["metric"].isin(METRICS)]
    outside = ~both["mean_rebuilt"].between(both["low"], both["high"])
    return [
        f"{dataset}, {row['family']}: {row['metric']} came out as {row['mean_rebuilt']:.4g}, "
        f"expected {row['low']:.4g} to {row['high']:.4g}"
        for row in both[outside].to_dict("records")
    ]
