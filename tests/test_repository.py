"""What people who adopt the project read: licences, versions, and links that lead somewhere."""

import datetime
import hashlib
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = YAML(typ="safe").load(ROOT / "CITATION.cff")
# As https://www.apache.org/licenses/LICENSE-2.0.txt has it.
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
# In paths, pages write these for a dataset and a family.
PLACEHOLDERS = dict.fromkeys(["<dataset>", "NAME", "D"], "digits") | dict.fromkeys(
    ["<family>", "FAMILY", "F"], "cnn"
)
FOLDERS = r"(?:\.devcontainer|\.github|LICENSES|benchmarks|docs|manifests|oracles|src|tests)/"
ENDINGS = r"\.(?:cff|css|js|md|py|toml|yaml)"


def of_git(repository, root=ROOT):
    """Paths of the files that git keeps or would keep, of an unpacked archive too: those that
    .gitignore leaves. repository: where a folder for git may be made."""
    git = ["git", "--git-dir", str(repository), "--work-tree", str(root)]
    subprocess.run([*git, "init", "--quiet"], cwd=root, check=True, capture_output=True)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listed.stdout.split("\0")) - {""}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    found = of_git(tmp_path_factory.mktemp("git") / ".git")
    assert {"README.md", "src/glassnets/__init__.py"} <= found
    return found


@pytest.fixture(scope="module")
def pages(files):
    """Text of each Markdown page for a reader, without its blocks of code, by its path."""
    mine = (name for name in files if name.endswith(".md") and not name.startswith("src/"))
    return {name: without_code((ROOT / name).read_text(encoding="utf-8")) for name in mine}


def without_code(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def places(files):
    """Files and the folders that they are in."""
    return files | {str(folder) for name in files for folder in Path(name).parents}


def anchors(page):
    """Of the headings, as GitHub makes them."""
    found = Counter()
    for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found[re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")] += 1
    again = {f"{anchor}-{k}" for anchor, times in found.items() for k in range(1, times)}
    return found.keys() | again


def broken_links(pages, files):
    """``page: target`` of each relative link that leads to no file of git, or to no heading."""
    there = places(files)
    for name, page in pages.items():
        text = re.sub(r"`[^`\n]*`", "", page)
        targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(
            r'(?:src|href)="([^"]+)"', text
        )
        targets += re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)
        for target in targets:
            if re.match(r"[a-z][a-z+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            folder = (ROOT / name).parent
            found = (folder / path).resolve() if path else ROOT / name
            place = str(found.relative_to(ROOT)) if found.is_relative_to(ROOT) else "outside"
            if place not in there or (anchor and anchor not in anchors(pages.get(place, ""))):
                yield f"{name}: {target}"


def wrong_paths(pages, files):
    """``page: path`` of each path of a file of the project, in `code`, that ends no file's path."""
    ends = {f"/{place}"[at:] for place in places(files) for at in starts(f"/{place}")}
    for name, page in pages.items():
        for code in re.findall(r"`([^`\n]+)`", page):
            path = "/".join(PLACEHOLDERS.get(part, part) for part in code.split("/"))
            if re.fullmatch(rf"{FOLDERS}[\w./-]*|[\w./-]+{ENDINGS}", path) and (
                f"/{path.rstrip('/')}" not in ends
            ):
                yield f"{name}: {code}"


def starts(path):
    return [match.start() for match in re.finditer("/", path)]


def test_one_version_everywhere():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert len(released) == len(re.findall(r"^## (?!\[Unreleased\]$)", changes, re.MULTILINE))
    newest, date = released[0]
    assert newest == PROJECT["version"] == CITATION["version"]
    assert datetime.date.fromisoformat(date) == CITATION["date-released"]
    numbers = [tuple(map(int, version.split("."))) for version, _ in released]
    assert numbers == sorted(numbers, reverse=True)
    assert [date for _, date in released] == sorted((d for _, d in released), reverse=True)


def test_one_licence_everywhere():
    for path in ("LICENSE", "LICENSES/Apache-2.0.txt"):
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == APACHE
    assert PROJECT["license"] == CITATION["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]


def test_every_licence_that_files_have_is_there(files):
    annotations = tomllib.loads((ROOT / "REUSE.toml").read_text(encoding="utf-8"))["annotations"]
    named = {
        licence
        for each in annotations
        for licence in each["SPDX-License-Identifier"].split(" AND ")
    }
    assert named == {Path(f).stem for f in files if f.startswith("LICENSES/")}
    assert annotations[0]["path"] == "**"


def test_the_readme_is_read_in_a_minute():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_link_leads_to_a_file_or_a_heading(pages, files):
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= set(pages)
    assert list(broken_links(pages, files)) == []


def test_every_path_in_a_page_is_one_of_the_project(pages, files):
    written = {n: p for n, p in pages.items() if "/" not in n or n.startswith("docs/")}
    assert list(wrong_paths(written, files)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/none.md)", ["docs/none.md"]),
        ("[a](docs/a.md#no-such-heading)", ["docs/a.md#no-such-heading"]),
        ("![a](docs)", []),
        ("[a](docs/a.md#what-is-it-and-why)", []),
        ("[a](docs/a.md#twice-1) [b](#here)\n## Here", []),
        ("[a](../other/a.md)", ["../other/a.md"]),
        ('<img src="a.png">', ["a.png"]),
        ("[a]: none.md", ["none.md"]),
        ("[a](https://example.org/none) `[a](none.md)`\n```\n[a](none.md)\n```\n", []),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text, expected):
    pages = {
        "README.md": without_code(text),
        "docs/a.md": "# What is it, and [why](a.md)?\n## Twice\n## Twice\n",
    }
    found = list(broken_links(pages, set(pages)))
    assert found == [f"README.md: {target}" for target in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`src/a/none.py`", ["src/a/none.py"]),
        ("`none.py`, `src/none/`", ["none.py", "src/none/"]),
        ("`b.py`, `a/b.py`, `src/a/`, `results/<dataset>/D.md`, `x.csv`, `src/<name>.py`", []),
        ("`ab.py`", ["ab.py"]),
    ],
)
def test_a_path_that_is_none_is_found(text, expected):
    files = {"src/a/b.py", "src/a/bab.py", "results/digits/D.md"}
    found = list(wrong_paths({"README.md": text}, files))
    assert found == [f"README.md: {path}" for path in expected]
