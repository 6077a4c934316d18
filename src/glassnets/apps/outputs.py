"""Where commands write to: nothing of a person's is replaced."""

import lzma
import tarfile
from pathlib import Path

from glassnets.errors import ParameterError


def folder(out: Path, marker: str) -> Path:
    """An absolute folder for results. Raises ParameterError where something else is there: results
    take the place of those of the same kind, which have the marker, and of nothing else."""
    out = out.resolve()
    if out.is_dir() and not any(out.iterdir()):
        return out
    if out.exists() and not (out / marker).is_file():
        raise ParameterError(
            f"--out: expected a new folder, or results of before with {marker}, got {out}"
        )
    return out


def archive(out: Path, first: str) -> Path:
    """An absolute path for a packed tar. Raises ParameterError where something else is there than
    such a file, whose first member has this name."""
    out = out.resolve()
    if out.exists() and not (out.is_file() and _begins_with(out, first)):
        raise ParameterError(
            f"--out: expected a new file, or an archive that this command wrote, got {out}"
        )
    return out


def _begins_with(path: Path, first: str) -> bool:
    try:
        with tarfile.open(path, "r:xz") as tar:
            member = tar.next()
    except (tarfile.TarError, lzma.LZMAError, EOFError):
        return False
    return member is not None and member.name == first
