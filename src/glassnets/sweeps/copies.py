"""A clean copy of a commit, in which stages are built under overrides, apart from the checkout that
asked and from what else runs on the machine."""

import logging
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError
from dvc_objects.fs.errors import AuthError, ConfigError, RemoteMissingDepsError
from ruamel.yaml import YAML

from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError
from glassnets.pipeline import manifests
from glassnets.pipeline.stages import manifest
from glassnets.sweeps import plan
from glassnets.sweeps.tasks import KilledError

SHARED = ("fetch@", "preprocess@")  # stages that tasks need and that none of them is
_REMOTE = "sweeps"
_SIGNAL = re.compile(r"exited with (-\d+|1(2[89]|[3-9]\d))$")  # of a process, or of its shell
_LOCK = Path(".dvc", "tmp", "dvc.lock")  # of the commit, what it has of SHARED

# It would print every stage that it looks at.
logging.getLogger("dvc").setLevel(logging.WARNING)


class MissingRunError(GlassnetsError):
    """The cache of runs lacks what a worker said that it had built."""


def clone(repository: str, commit: str, folder: Path, remote: str) -> None:
    """Makes a copy: a clone of the repository, a path or a URL, at a commit, its DVC remote the
    path or URL. Raises GlassnetsError where the repository does not have the commit."""
    _git(None, "clone", "--quiet", "--no-checkout", repository, str(folder))
    _git(folder, "checkout", "--quiet", "--detach", commit)
    set_remote(folder, remote)
    # DVC reads and writes all of dvc.lock for every stage that it builds: seconds, for the whole.
    if not (folder / "dvc.lock").is_file():
        raise GlassnetsError(f"expected dvc.lock in the commit {commit[:12]}, got none: make run")
    yaml = YAML(typ="safe")
    lock = yaml.load(folder / "dvc.lock")
    shared = {k: v for k, v in lock["stages"].items() if k.startswith(SHARED)}
    yaml.dump({**lock, "stages": shared}, folder / _LOCK)


def set_remote(folder: Path, remote: str) -> None:
    """Makes a path or URL the DVC remote of a copy."""
    with _dvc(folder, "to have a remote") as repo, repo.config.edit("local") as local:
        local["remote"][_REMOTE] = {"url": remote}
        local["core"]["remote"] = _REMOTE


def link_data(source: Path, folder: Path) -> None:
    """Has a copy find the files that a person has put into data/external of a checkout."""
    target = folder / "data" / "external"
    target.mkdir(parents=True, exist_ok=True)
    for path in (source / "data" / "external").glob("*"):
        link = target / path.name
        if link.is_symlink():  # to where it may have been before
            link.unlink()
        if not link.exists():
            link.symlink_to(path.resolve())


def mend(folder: Path) -> None:
    """Takes away what git and DVC leave where they are killed, and would stumble over."""
    for path in (folder / ".git" / "index.lock", folder / ".dvc" / "tmp" / "rwlock"):
        path.unlink(missing_ok=True)


def change(folder: Path, overrides: Sequence[str]) -> Params:
    """Puts everything that git keeps back as it is in the commit, but for what dvc.lock has of
    other stages than `SHARED`; then the overrides into params.yaml and what they change into
    manifests/. The parameters."""
    _git(folder, "reset", "--quiet", "--hard")
    shutil.copy(folder / _LOCK, folder / "dvc.lock")
    source = folder / "params.yaml"
    params = plan.changed(source, source, tuple(overrides))
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8")
    contents = manifests.all_manifests(params, folder / "src", requirements)
    manifest.write(contents, folder / "manifests")
    return params


def chain(target: str) -> list[str]:
    """The stages that a stage of a cell needs, in order, itself the last: of the target
    ``evaluate@digits-cnn`` fetch@digits, preprocess@digits, train@digits-cnn and itself. Raises
    GlassnetsError where tasks run no such stage."""
    stage, _, cell = target.partition("@")
    dataset = cell.partition("-")[0]
    whole = [f"{name}{dataset}" for name in SHARED] + [f"{name}@{cell}" for name in plan.STAGES]
    if target not in whole:
        raise GlassnetsError(f"expected a stage of {', '.join(plan.STAGES)}, got {stage}")
    return whole[: whole.index(target) + 1]


def stages(folder: Path, target: str) -> tuple[list[str], list[str]]:
    """What it takes to build a target under the overrides of a copy: names of the stages that have
    to be built, in order; and of that before them, of `SHARED`, which comes out as in the commit.
    """
    status = _git(folder, "status", "--porcelain", "--untracked-files=all", "--", "manifests")
    changed = {line[3:] for line in status.splitlines()}
    own = chain(target)
    for place, name in enumerate(own):
        stage, _, cell = name.partition("@")
        if not name.startswith(SHARED) or f"manifests/{cell}/{stage}.json" in changed:
            return own[place:], own[max(place - 1, 0) : place]
    raise AssertionError("a target is none of SHARED")


def build(folder: Path, target: str) -> tuple[list[str], dict[str, str]]:
    """Builds a target and what of it the overrides change, from DVC's cache where that has it; what
    they do not change is taken from the remote. Names of the stages that were built, and the hash
    of every output of these, by its path.

    Raises GlassnetsError where a stage fails or what it needs is not in the remote.
    """
    with _dvc(folder, "built") as repo:
        own, others = stages(folder, target)
        _take(repo, others)
        return own, _reproduce(repo, own)


def restore(folder: Path, target: str) -> dict[str, str]:
    """Has DVC check out what `build` built, from its cache of runs; the hash of every output, by
    its path. Raises MissingRunError where the cache has no such run: nothing is built."""
    with _dvc(folder, "restored") as repo:
        own, others = stages(folder, target)
        _take(repo, others)
        for name in own:
            [stage] = repo.stage.collect(name)
            with repo.lock:
                try:
                    repo.stage_cache.restore(stage)
                except RunCacheNotFoundError as error:  # reproduce would run it
                    raise MissingRunError(f"expected a run of {name}, got none") from error
            repo.reproduce(targets=[name], single_item=True)
        return _outputs(repo, own)


def build_shared(folder: Path, targets: Iterable[str]) -> list[str]:
    """Builds what targets need of the stages `SHARED`, as in the commit; their names. Raises
    GlassnetsError where one fails or does not come out as dvc.lock has it: workers take it from
    there."""
    chains = (chain(target) for target in sorted(targets))
    own = [*dict.fromkeys(name for each in chains for name in each if name.startswith(SHARED))]
    with _dvc(folder, "built") as repo:
        locked = _outputs(repo, own)
        if other := [p for p, h in _reproduce(repo, own).items() if locked[p] != h]:
            raise GlassnetsError(
                f"expected dvc.lock of the commit to have {', '.join(other)} as it comes out, got "
                f"other: dvc repro {' '.join(own)}, then git commit dvc.lock"
            )
    return own


def push(folder: Path, targets: Sequence[str]) -> None:
    """Puts outputs of stages into the remote, and then the runs that made them: a run that is there
    has its outputs there. Raises GlassnetsError where the remote cannot be written."""
    with _dvc(folder, "in the remote") as repo:
        repo.push(targets=[*targets])
        odb = repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
        for key, value in repo.stage_cache.push(None, odb):
            if not odb.fs.exists(odb.fs.join(odb.path, "runs", key[:2], key, value)):
                raise GlassnetsError(  # DVC itself says nothing
                    f"expected to write the run {key} into the remote, got nothing written: is "
                    "there room, and may this user write into its folder runs/?"
                )
        # Of runs that are in the remote none is kept, or each push would put all of them there.
        shutil.rmtree(repo.stage_cache.cache_dir, ignore_errors=True)


def fetch_runs(folder: Path) -> None:
    """Takes all runs of the remote, with their outputs, into the cache of a copy, so that what they
    built is not built again. Raises GlassnetsError where two have the same inputs and other
    outputs, and where the remote cannot be read."""
    with _dvc(folder, "read from the remote") as repo:
        used: list[tuple[str, str]] = []
        for key, value in repo.stage_cache.pull(None):
            if value.endswith(".tmp"):  # of a worker that was killed as it wrote
                Path(repo.stage_cache.cache_dir, key[:2], key, value).unlink(missing_ok=True)
            else:
                used.append((key, value))
        for key, count in Counter(key for key, _ in used).items():
            if count > 1:
                raise GlassnetsError(
                    f"expected one result of a stage under the same inputs, got {count} in the "
                    f"remote, under runs/{key[:2]}/{key}: the workers do not compute alike; "
                    "once they do, take that folder away, and the task is run again"
                )
        for objects in repo.stage_cache.get_used_objs(used).values():
            if failed := repo.cloud.pull(objects).failed:
                raise GlassnetsError(
                    f"expected all outputs of runs in the remote, got {len(failed)} that are not"
                )


def settle(folder: Path, targets: Sequence[str]) -> None:
    """Writes the manifests that a copy has into its dvc.lock, and has `dvc repro` say that with
    them all targets are fresh. Raises GlassnetsError where they are not."""
    with _dvc(folder, "fresh") as repo:
        repo.commit("manifest", force=True)
        if ran := repo.reproduce(targets=[*targets]):
            names = ", ".join(stage.name for stage in ran)
            raise GlassnetsError(f"expected every stage to be fresh, got others: {names}")


def _reproduce(repo: Repo, names: Sequence[str]) -> dict[str, str]:
    """Builds these stages alone, in this order; the hashes of their outputs, by path."""
    repo.reproduce(targets=[*names], single_item=True)
    return _outputs(repo, names)


def _outputs(repo: Repo, names: Sequence[str]) -> dict[str, str]:
    """The hash that dvc.lock has of each output of these stages, by path."""
    outs = (out for name in names for stage in repo.stage.collect(name) for out in stage.outs)
    return {out.def_path: out.hash_info.value for out in outs}


def _take(repo: Repo, names: Sequence[str]) -> None:
    """Has outputs of these stages as dvc.lock has them, from the remote where they are not here."""
    outs = (out for name in names for stage in repo.stage.collect(name) for out in stage.outs)
    if any(out.workspace_status() for out in outs):
        repo.pull(targets=[*names], force=True)


@contextmanager
def _dvc(folder: Path, wanted: str) -> Iterator[Repo]:
    """A copy as DVC has it, from within it: DVC's cache of runs takes paths from where it is.
    Raises GlassnetsError, one line, for what DVC raises in the block."""
    try:
        with chdir(folder), Repo(str(folder)) as repo:
            yield repo
    except (DvcException, AuthError, ConfigError, RemoteMissingDepsError, ImportError) as error:
        cause = error.__cause__ if isinstance(error, DvcException) else None
        said = " ".join(str(cause or error).split())
        kind = KilledError if _SIGNAL.search(said) else GlassnetsError
        raise kind(f"expected it {wanted} by DVC, got: {said}") from error


def _git(folder: Path | None, *arguments: str) -> str:
    """What a command of git prints. Raises GlassnetsError where it fails."""
    where = [] if folder is None else ["-C", str(folder)]
    ran = subprocess.run(["git", *where, *arguments], capture_output=True, text=True)
    if ran.returncode:
        said = " ".join(ran.stderr.split())
        raise GlassnetsError(f"expected git {arguments[0]} to work, got: {said}")
    return ran.stdout
