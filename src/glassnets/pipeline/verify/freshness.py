"""Manifests, inputs and outputs against dvc.lock: `dvc repro --dry` ends with 0 where stages are
stale."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glassnets.pipeline import artefacts, repository
from glassnets.pipeline.manifests import of_project
from glassnets.pipeline.verify import Outcome


def manifests() -> Outcome:
    """Do manifests/ say what params.yaml, src/ and requirements.txt say?"""
    expected = of_project()
    folder = artefacts.root() / "manifests"
    present = {path.relative_to(folder) for path in folder.rglob("*.json")}
    faults = [f"manifests/{path}: no stage has it" for path in sorted(present - expected.keys())]
    for path, content in expected.items():
        if path not in present:
            faults.append(f"manifests/{path}: absent; `dvc repro manifest` writes it")
        elif artefacts.load_json(folder / path) != content:
            faults.append(f"manifests/{path}: differs; `dvc repro manifest` writes it anew")
    return Outcome(tuple(faults), f"{len(expected)} manifests")


def freshness() -> Outcome:
    """Do code, parameters and outputs agree with dvc.lock?

    What DVC keeps in its cache need not be in the workspace (a fresh clone has none of it), but
    must be what the lock says where it is; and what one stage makes must be what the next one
    has read.
    """
    with repository.opened() as repo:
        stages = repo.index.stages
        made = {out.fs_path: out for stage in stages for out in stage.outs}
        cached = [Path(out.def_path) for out in made.values() if out.use_cache]
        faults = [f"{s.addressing}: {fault}" for s in stages for fault in _faults(s, cached)]
        faults += [
            f"{stage.addressing}: dvc.lock says it read {dep.def_path} as "
            f"{dep.hash_info.value}, but its maker left {made[dep.fs_path].hash_info.value}"
            for stage in stages
            for dep in stage.deps
            if dep.fs_path in made and dep.hash_info != made[dep.fs_path].hash_info
        ]
        absent = sum(not out.exists for out in made.values())
    elsewhere = f", {absent} of their outputs not here" if absent else ""
    return Outcome(tuple(faults), f"{len(stages)} stages{elsewhere}")


def _faults(stage: Any, cached: list[Path]) -> Iterator[str]:
    """What of a stage is not dvc.lock's, without what is only in DVC's cache: these paths."""
    if stage.cmd_changed:
        yield "changed command"
    if stage.always_changed:
        yield "always changed"
    for kind in ("deps", "outs"):
        for entry in getattr(stage, kind):
            path = Path(entry.def_path)
            # One of them, in one, or a folder above one.
            in_cache = any(path.is_relative_to(c) or c.is_relative_to(path) for c in cached)
            for how in entry.workspace_status().values():
                if how != "deleted" or not in_cache:
                    yield f"changed {kind}: {path} ({how})"
