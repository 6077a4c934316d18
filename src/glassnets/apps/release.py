"""``glassnets release [DATASET]…``: trained networks, and what looking at them takes, as one file.

The archive is a tar of objects of DVC's cache, each under its hash: a list of the outputs, the
lists of those that are folders, then the files. `fetch_networks` takes it in.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from dvc.repo import Repo
from tqdm import tqdm

from glassnets import config
from glassnets.apps import outputs
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts, repository

OBJECTS = "files/md5"  # the folder of objects, as in DVC's cache and remotes
OUTPUTS = "outputs.json"  # path → hash of each output, as dvc.lock has them
README = "README.md"
FOLDER = ".dir"  # ends the hash of an output that is a folder: the object lists its files

# What the board, explain, register and the report read: networks, data, what is known of both. Not
# the maps and scores of every image, which take ten times as much.
_NEEDED = (
    "models/{0}/[^/]+",
    "data/processed/{0}",
    "results/{0}/(galleries|report\\.html)",
    "results/{0}/cells/[^/]+/(history\\.csv|leaderboard\\.csv|metrics\\.json)",
    "results/{0}/units/[^/]+/units\\.csv",
)
# Of the project's datasets; docs/licences.md says who states it.
TERMS = {
    "digits": "E. Alpaydin and C. Kaynak, 1998: CC BY 4.0, https://doi.org/10.24432/C50P49",
    "planted": "made from digits: as digits",
    "mnist": "copyright Y. LeCun and C. Cortes, 1998: CC BY-SA 3.0, "
    "https://creativecommons.org/licenses/by-sa/3.0/",
}
_TEXT = """# Trained networks of glassnets

Made by `make release`, of: {datasets}. In a checkout of the same version of the project,

    make fetch-networks FROM=<this file>

puts them where the pipeline would: every file must have the hash that `dvc.lock` has for it.
`{outputs}` lists what is in here, `{objects}/` has it, in the form of DVC's cache.

The networks' weights, tables and pages are under the project's own licence, Apache 2.0. Images of a
dataset (in `data/processed/`, `galleries/` and `report.html`) stay under the dataset's licence:

{terms}

`report.html` has Vega, Vega-Lite and Vega-Embed in it (BSD 3-Clause, University of Washington
Interactive Data Lab).
"""


def pack(repo: Repo, datasets: Sequence[str], path: Path) -> int:
    """Writes the archive of these datasets, whose bytes depend on the outputs alone; the number of
    objects in it.

    Raises GlassnetsError for an output that is not in DVC's cache as dvc.lock has it.
    """
    outputs = needed(repo, datasets)
    lists = sorted({oid for oid in outputs.values() if oid.endswith(FOLDER)})
    files = {oid for oid in outputs.values() if not oid.endswith(FOLDER)}
    for oid in lists:
        files |= listed(_object(repo, oid).read_bytes())
    oids = [*lists, *sorted(files)]
    text = _TEXT.format(
        datasets=", ".join(datasets),
        outputs=OUTPUTS,
        objects=OBJECTS,
        terms="\n".join(
            f"- {name}: {TERMS.get(name, 'data of a person: ask whom you have this file from')}"
            for name in datasets
        ),
    )
    with tarfile.open(path, "w:xz", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, README, text.encode())
        _add(tar, OUTPUTS, (json.dumps(outputs, indent=2, sort_keys=True) + "\n").encode())
        for oid in tqdm(oids, desc="packing", unit="object", disable=None, leave=False):
            _add(tar, member_of(oid), _object(repo, oid).read_bytes())
    return len(oids)


def needed(repo: Repo, datasets: Sequence[str]) -> dict[str, str]:
    """The outputs of these datasets that an archive has: their hashes in dvc.lock, by path."""
    patterns = [each.format(re.escape(name)) for name in datasets for each in _NEEDED]
    found: dict[str, str] = {}
    for out in repo.index.outs:
        if re.fullmatch("|".join(patterns), out.def_path):
            if not out.hash_info:
                raise GlassnetsError(
                    f"expected {out.def_path} in dvc.lock, got none: `make run DATASET=…` makes it"
                )
            found[out.def_path] = out.hash_info.value
    return found


def listed(content: bytes) -> set[str]:
    """The hashes of the files that the object of a folder lists."""
    return {entry["md5"] for entry in json.loads(content)}


def member_of(oid: str) -> str:
    return f"{OBJECTS}/{oid[:2]}/{oid[2:]}"


def _object(repo: Repo, oid: str) -> Path:
    """Where DVC's cache has an object. Raises GlassnetsError where it is not there, or broken."""
    path = Path(repo.cache.local.oid_to_path(oid))
    if not path.is_file() or md5(path.read_bytes()) != oid.removesuffix(FOLDER):
        raise GlassnetsError(
            f"expected the object {oid} of dvc.lock in DVC's cache, got none or a broken one: "
            "`make run DATASET=…` makes it, `dvc pull` brings it; or name the datasets that are "
            "here: glassnets release digits"
        )
    return path


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Adds a file that is of no owner and no time."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def names(asked: Sequence[str] | None) -> list[str]:
    """The datasets to pack, in the order of params.yaml: those asked for, else all but a person's
    own data. Raises ParameterError."""
    params = config.load(artefacts.params_file())
    config.check_known("datasets", asked or [], params.datasets)
    of_project: Any = (name for name in params.datasets if params.dataset(name).source is None)
    chosen = set(asked or of_project)
    return [name for name in params.datasets if name in chosen]


@in_one_line("other programs closed")
def command(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET]…",
            help="Whose networks. Default: all of the project; data of your own only by name.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("networks.tar.xz"),
) -> None:
    """Packs trained networks, and what looking at them takes, into one file."""
    chosen, path = names(datasets), outputs.archive(out, README)
    with (
        repository.opened("say what dvc.lock has") as repo,
        artefacts.replacing(path) as (partial,),
    ):
        count = pack(repo, chosen, partial)
        content = partial.read_bytes()
    print(f"{out}: {count} objects of {', '.join(chosen)}, {len(content) / 1e6:.1f} MB")
    print(f"sha256 {hashlib.sha256(content).hexdigest()}")
