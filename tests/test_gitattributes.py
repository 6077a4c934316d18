"""Git leaves every byte of the project's files as it is, whatever a person's own Git is set to."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_clone_has_the_same_bytes(tmp_path, setting):
    """Of one file of each kind, and of a binary one in which a line seems to end."""
    written = tmp_path / "written"
    written.mkdir()
    git(written, "init", "--quiet")
    # What .gitignore leaves: an unpacked archive is in no repository of its own.
    here = ("--git-dir", str(written / ".git"), "--work-tree", str(ROOT))
    listed = git(ROOT, *here, "ls-files", "-z", "--others", "--exclude-standard")
    kinds = {}
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            kinds.setdefault(Path(name).suffix or name, ROOT / name)
    assert {".py", ".yaml", ".csv", ".json", ".png", "Makefile"} <= set(kinds)
    shutil.copy(ROOT / ".gitattributes", written)
    for file in kinds.values():
        shutil.copy(file, written)
    (written / "arrays.npz").write_bytes(b"text at first\r\nthen \n")
    before = {file.name: file.read_bytes() for file in written.iterdir() if file.is_file()}
    git(written, "add", "--force", ".")
    git(written, "commit", "--quiet", "--message", "all")
    git(tmp_path, "clone", "--quiet", "--config", setting, str(written), "clone")
    assert {f.name: f.read_bytes() for f in (tmp_path / "clone").iterdir() if f.is_file()} == before
