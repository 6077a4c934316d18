"""``glassnets fetch-networks FROM``: puts the networks of an archive that `release` wrote where the
pipeline would have put them. What is not as dvc.lock has it is refused, and then nothing is put
anywhere."""

import json
import re
import tarfile
import tempfile
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any

import typer
from dvc.repo import Repo
from tqdm import tqdm

from glassnets.apps.release import FOLDER, OBJECTS, OUTPUTS, README, listed, md5
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import repository

_MEMBER = re.compile(rf"{OBJECTS}/([0-9a-f]{{2}})/([0-9a-f]{{30}}(?:{re.escape(FOLDER)})?)")
_MAX_LIST = 2**20  # bytes of a list of files
_SLACK = 2**20  # bytes that an archive may be larger than what is in it
_TIMEOUT = 60  # seconds without a byte


def fetch(repo: Repo, source: str) -> list[str]:
    """Takes in an archive, a path or a URL; the paths of the outputs that were in it.

    Raises GlassnetsError where the archive is broken or of another version of the project, and
    where an output is here with other content. Then DVC's cache and the outputs are as they were.
    """
    locked = {out.def_path: out for out in repo.index.outs if out.use_cache and out.hash_info}
    Path(repo.tmp_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="networks-", dir=repo.tmp_dir) as name:
        folder = Path(name)
        limit = sum(out.meta.size or 0 for out in locked.values())
        archive = _here(source, folder / "archive", limit + _SLACK)
        hashes = {path: out.hash_info.value for path, out in locked.items()}
        objects = folder / "objects"
        objects.mkdir()
        paths = unpack(archive, hashes, objects, limit)
        for path in paths:
            out = locked[path]
            if out.exists and out.workspace_status():
                raise GlassnetsError(
                    f"expected {path} not to be here, or as dvc.lock has it, got other content: "
                    "move it away first"
                )
        # The list of a folder goes last: DVC takes it for a sign that what it lists is there.
        oids = sorted((each.name for each in objects.iterdir()), key=lambda o: o.endswith(FOLDER))
        places = [str(objects / oid) for oid in oids]
        repo.cache.local.add(places, repo.fs, oids, hardlink=True, verify=True)
    repo.checkout(targets=[locked[path].fs_path for path in paths])
    return paths


def unpack(archive: Path, hashes: Mapping[str, str], folder: Path, limit: int) -> list[str]:
    """Writes the archive's objects into the folder, each by its hash; the paths of its outputs.

    hashes: those of dvc.lock, by path. limit: bytes that its files may have together.

    Raises GlassnetsError unless the archive has all that it lists, of these hashes, and no more.
    """
    paths: list[str] = []
    wanted: set[str] = set()
    here: set[str] = set()
    size = 0
    try:
        with tarfile.open(archive, "r|xz") as tar:
            for member in tqdm(tar, desc="reading", unit="object", disable=None, leave=False):
                own = _MEMBER.fullmatch(member.name)
                oid = own[1] + own[2] if own else ""
                known = member.isfile() and (member.name in (README, OUTPUTS) or oid in wanted)
                is_list = not oid or oid.endswith(FOLDER)
                size += 0 if is_list else member.size
                if not known or size > limit or (is_list and member.size > _MAX_LIST):
                    raise _refused(f"{member.name!r}, which dvc.lock does not have")
                file: Any = tar.extractfile(member)
                content = file.read()
                if member.name == OUTPUTS:
                    outputs = _outputs(content, hashes)
                    paths, wanted = [*outputs], set(outputs.values())
                elif oid:
                    if md5(content) != oid.removesuffix(FOLDER):
                        raise _refused(f"other content under the hash {oid}")
                    (folder / oid).write_bytes(content)
                    here.add(oid)
                    wanted |= listed(content) if oid.endswith(FOLDER) else set()
    except (tarfile.TarError, EOFError) as error:
        raise _refused(f"a broken or truncated file ({error})") from error
    if not paths or wanted != here:
        raise _refused(f"a truncated file ({len(wanted - here)} objects are missing)")
    return paths


def _outputs(content: bytes, hashes: Mapping[str, str]) -> dict[str, str]:
    """The outputs that an archive lists. Raises GlassnetsError unless dvc.lock has the same."""
    try:
        outputs = dict(json.loads(content))
    except (ValueError, TypeError) as error:
        raise _refused(f"a broken {OUTPUTS} ({error})") from error
    for path, oid in outputs.items():
        if hashes.get(path) != oid:
            raise _refused(
                f"one of another version: {path!r} is {oid!r} there and "
                f"{hashes.get(path, 'none')} in dvc.lock",
            )
    return outputs


def _refused(got: str) -> GlassnetsError:
    return GlassnetsError(
        "expected an archive that `make release` wrote in this version of the project, got "
        f"{got}; nothing was changed"
    )


def _here(source: str, place: Path, limit: int) -> Path:
    """The archive's path; of a URL, the place that it was written to. Raises GlassnetsError where
    there is none, or one of more bytes than the limit."""
    if not re.match("https?://", source):
        path = Path(source)
        if not path.is_file():
            raise ParameterError(f"FROM: expected a file, or a URL (https://…), got {source}")
        return path
    try:
        with (
            urllib.request.urlopen(source, timeout=_TIMEOUT) as reply,
            place.open("wb") as file,
            tqdm(desc="fetching", unit="B", unit_scale=True, disable=None, leave=False) as bar,
        ):
            size = 0
            while block := reply.read(2**20):
                bar.update(len(block))
                size += len(block)
                if size > limit:
                    raise GlassnetsError(
                        f"expected an archive of at most {limit / 1e6:.0f} MB at {source}, got more"
                    )
                file.write(block)
    except (OSError, HTTPException, ValueError) as error:
        raise GlassnetsError(f"expected an archive at {source}, got: {error}") from error
    return place


@in_one_line("other programs closed")
def command(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="An archive's path, or its URL (https://…).")
    ],
) -> None:
    """Puts trained networks of an archive, and what looking at them takes, in their places."""
    with repository.opened("take the archive in") as repo:
        paths = fetch(repo, source)
    print(f"{len(paths)} outputs are here as dvc.lock has them")
    print(*(f"the report: {path}" for path in paths if path.endswith("report.html")), sep="\n")
    print("next: make demo; glassnets explain --help; glassnets register DATASET, then make serve")
