"""The project as DVC's repository."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts


@contextmanager
def opened(asked: str = "say what is fresh", folder: Path | None = None) -> Iterator[Repo]:
    """The repository; raises GlassnetsError where DVC fails within. asked: what DVC is to do;
    folder: of a copy of the project."""
    try:
        with Repo(str(folder or artefacts.root())) as repo:
            yield repo
    except DvcException as error:
        message = " ".join(str(error).split())
        raise GlassnetsError(f"expected DVC to {asked}, got: {message}") from error


def faults(repo: Repo, stages: Iterable[Any]) -> list[str]:
    """Where stages and their outputs are not as dvc.lock has them, a line each.

    What DVC keeps in its cache need not be in the workspace (a fresh clone has none of it), but
    must be what the lock says where it is; and what one stage makes must be what the next one
    has read.
    """
    stages = list(stages)
    made = {out.fs_path: out for stage in repo.index.stages for out in stage.outs}
    cached = [Path(out.def_path) for out in made.values() if out.use_cache]
    found = [f"{s.addressing}: {fault}" for s in stages for fault in _faults(s, cached)]
    return found + [
        f"{stage.addressing}: dvc.lock says it read {dep.def_path} as "
        f"{dep.hash_info.value}, but its maker left {made[dep.fs_path].hash_info.value}"
        for stage in stages
        for dep in stage.deps
        if dep.fs_path in made and dep.hash_info != made[dep.fs_path].hash_info
    ]


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
