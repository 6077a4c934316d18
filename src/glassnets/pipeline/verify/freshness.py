"""Is every stage fresh: do manifests, inputs and outputs agree with dvc.lock?

`dvc repro --dry` ends with 0 even where stages are stale.
"""

from contextlib import closing
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.manifests import all_manifests
from glassnets.pipeline.verify.outcome import Outcome


def manifests() -> Outcome:
    """Names every manifest that differs from what params.yaml, src/ and requirements.txt give."""
    root = artefacts.root()
    expected = all_manifests(
        config.load(artefacts.params_file()),
        root / "src",
        (root / "requirements.txt").read_text(encoding="utf-8"),
    )
    folder = root / "manifests"
    present = {path.relative_to(folder) for path in folder.rglob("*.json")}
    faults = [f"manifests/{path}: no stage has it" for path in sorted(present - expected.keys())]
    for path, content in expected.items():
        if path not in present:
            faults.append(f"manifests/{path}: absent; `dvc repro manifest` writes it")
        elif artefacts.load_json(folder / path) != content:
            faults.append(f"manifests/{path}: differs; `dvc repro manifest` writes it anew")
    return Outcome(tuple(faults), f"{len(expected)} manifests")


def freshness() -> Outcome:
    """Names every stage that differs from dvc.lock, and in what.

    What DVC keeps in its cache need not be in the workspace (a fresh clone has none of it), but
    must be what the lock says where it is; and what one stage makes must be what the next one
    has read.
    """
    try:
        with closing(Repo(str(artefacts.root()))) as repo:
            stages = repo.index.stages
            status: dict[str, list[Any]] = repo.status()
            made = {out.fs_path: out for stage in stages for out in stage.outs}
            cached = {out.def_path for out in made.values() if out.use_cache}
            faults = [
                f"{name}: {fault}"
                for name, changes in status.items()
                for fault in _faults(changes, cached)
            ]
            # Of what is not in DVC's cache, DVC says that alone, even where it is not the lock's.
            faults += [
                f"{stage.addressing}: changed outs: {out.def_path} (modified)"
                for stage in stages
                for out in stage.outs
                if out.use_cache and out.exists and out.changed_checksum()
            ]
            faults += [
                f"{stage.addressing}: dvc.lock says it read {dep.def_path} as "
                f"{dep.hash_info.value}, but its maker left {made[dep.fs_path].hash_info.value}"
                for stage in stages
                for dep in stage.deps
                if dep.fs_path in made and dep.hash_info != made[dep.fs_path].hash_info
            ]
            absent = sum(not out.exists for out in made.values())
    except DvcException as error:
        said = str(error).splitlines()[0]
        raise GlassnetsError(f"expected DVC to say what is fresh, got: {said}") from error
    elsewhere = f", {absent} of their outputs not here" if absent else ""
    return Outcome(tuple(dict.fromkeys(faults)), f"{len(stages)} stages{elsewhere}")


def _faults(changes: list[Any], cached: set[str]) -> list[str]:
    """What DVC says of a stage, a line each, without what is merely not here."""
    found = []
    for change in changes:
        if isinstance(change, str):  # "changed command", "always changed"
            found.append(change)
            continue
        for kind, paths in change.items():
            for path, how in paths.items():
                if isinstance(how, dict):  # parameters by name
                    names = (f"{name} ({what})" for name, what in how.items())
                    found.append(f"{kind}: {path}: {', '.join(names)}")
                elif how not in ("deleted", "not in cache") or not _is_cached(path, cached):
                    found.append(f"{kind}: {path} ({how})")
    return found


def _is_cached(path: str, cached: set[str]) -> bool:
    """Whether the path is one of these, lies in one, or is a folder above one."""
    return any(
        f"{a}/".startswith(f"{b}/") for each in cached for a, b in ((path, each), (each, path))
    )
