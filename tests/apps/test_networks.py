"""An archive of networks: what is in it, that it is taken in whole, and what is refused."""

import functools
import hashlib
import http.server
import io
import json
import lzma
import re
import shutil
import tarfile
import threading
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from glassnets.apps import release
from glassnets.apps.command import build
from glassnets.apps.release import OUTPUTS, README, TERMS

ROOT = Path(__file__).parents[2]
# Of a project that has the paths of this one and needs no network: what it keeps, by path.
NEEDED = {
    "data/processed/digits/train.npz": "images",
    "models/digits/cnn/seed-0.weights.h5": "weights",
    "models/digits/cnn/seed-1.weights.h5": "other weights",
    "results/digits/cells/cnn/leaderboard.csv": "method",
    "results/digits/report.html": "<html>",
    "results/digits/units/cnn/units.csv": "unit",
}
LEFT_OUT = {
    "models/memorised/digits/cnn/seed-0.weights.h5": "memorised",
    "results/digits/cells/cnn/scores.npz": "scores",
    "models/mine/cnn/seed-0.weights.h5": "weights of a person's data",
}
FOLDERS = ("data/processed/digits", "models/digits/cnn", "models/memorised/digits/cnn")
FOLDERS += ("models/mine/cnn",)


def outputs(files):
    folders = {path: folder for folder in FOLDERS for path in files if path.startswith(folder)}
    return sorted({folders.get(path, path) for path in files})


def project(folder, files):
    """A project that has made these files."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    stages = {"all": {"cmd": "true", "outs": outputs(files)}}
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with Repo.init(str(folder), no_scm=True) as repo:
        repo.commit(force=True)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return project(tmp_path_factory.mktemp("made"), NEEDED | LEFT_OUT)


@pytest.fixture(scope="module")
def not_made(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("not-made")
    for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
        shutil.copy(made / name, folder)
    Repo.init(str(folder), no_scm=True).close()
    return folder


@pytest.fixture
def fresh(not_made, tmp_path):
    """The same project where nothing was made yet."""
    return shutil.copytree(not_made, tmp_path / "fresh")


def run(folder, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(build(arguments[0]), [str(each) for each in arguments])


@pytest.fixture(scope="module")
def packed(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "networks.tar.xz"
    result = run(made, "release", "digits", "--out", path)
    assert result.exit_code == 0, result.output
    assert hashlib.sha256(path.read_bytes()).hexdigest() in result.output
    return path


@pytest.fixture
def archive(packed, tmp_path):
    return Path(shutil.copy(packed, tmp_path))


def members(path):
    """(name, content) of each, in order."""
    with tarfile.open(path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def rewritten(path, entries, **attributes):
    with tarfile.open(path, "w:xz") as tar:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for attribute, value in attributes.items():
                setattr(member, attribute, value)
            tar.addfile(member, io.BytesIO(content))
    return path


def files(folder):
    """All that is in a project but what DVC keeps for itself, and its cache."""
    own = (p for p in folder.rglob("*") if p.is_file() and ".dvc/tmp" not in str(p))
    return {str(path.relative_to(folder)): path.read_bytes() for path in own}


def test_it_has_what_is_needed_and_no_more(archive):
    content = dict(members(archive))
    listed = json.loads(content[OUTPUTS])
    assert sorted(listed) == outputs(NEEDED)
    packed = {text.decode() for text in content.values()}
    assert set(NEEDED.values()) <= packed
    assert packed & set(LEFT_OUT.values()) == set()


def test_its_readme_says_whose_the_images_are(archive):
    text = dict(members(archive))[README].decode()
    assert "CC BY 4.0" in text
    assert "MNIST" not in text
    licences = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]+\| ([^|]+) \|", licences, re.MULTILINE))
    assert set(rows) == set(TERMS)
    for name, row in rows.items():
        licence = re.match(r"CC BY(-SA)? \d\.\d|as `digits`", row)[0].replace("`", "")
        assert licence in TERMS[name]


def test_the_same_outputs_give_the_same_bytes(made, archive, tmp_path):
    again = tmp_path / "again.tar.xz"
    (made / "models" / "digits" / "cnn" / "seed-0.weights.h5").touch()
    assert run(made, "release", "digits", "--out", again).exit_code == 0
    assert again.read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar} == {(0, 0, 0, "", "")}


def test_a_persons_own_file_or_folder_is_left_as_it_is(made, tmp_path):
    (tmp_path / "thesis.docx").write_text("hours of work")
    for out in (tmp_path, tmp_path / "thesis.docx"):
        result = run(made, "release", "digits", "--out", out)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: --out: expected a new file")
    assert (tmp_path / "thesis.docx").read_text() == "hours of work"


def test_what_is_not_here_is_not_packed(fresh, tmp_path):
    out = tmp_path / "none.tar.xz"
    result = run(fresh, "release", "digits", "--out", out)
    assert result.exit_code == 1
    assert "in DVC's cache, got none" in one_line(result)
    assert not out.exists()


def one_line(result):
    assert result.exit_code in (1, 2), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: expected") or line.startswith("error: FROM")
    return line


def test_it_is_taken_in_and_is_as_the_lock_says(fresh, archive):
    result = run(fresh, "fetch-networks", archive)
    assert result.exit_code == 0, result.output
    assert {path: (fresh / path).read_text() for path in NEEDED} == NEEDED
    assert not any((fresh / path).exists() for path in LEFT_OUT)
    with Repo(str(fresh)) as repo:
        needed = [out for out in repo.index.outs if out.def_path in outputs(NEEDED)]
        assert len(needed) == len(outputs(NEEDED))
        assert [out.status() for out in needed] == [{}] * len(needed)
    again = run(fresh, "fetch-networks", archive)
    assert again.exit_code == 0, again.output


def test_it_is_taken_in_from_a_url(monkeypatch, fresh, archive):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=archive.parent)
    monkeypatch.setattr(handler.func, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        before = files(fresh)
        none = run(fresh, "fetch-networks", f"{url}/none.tar.xz")
        assert "404" in one_line(none)
        assert files(fresh) == before
        result = run(fresh, "fetch-networks", f"{url}/{archive.name}")
        server.shutdown()
    assert result.exit_code == 0, result.output
    assert {path: (fresh / path).read_text() for path in NEEDED} == NEEDED


def changed_byte(path):
    entries = members(path)
    name, content = entries[-1]
    return rewritten(path, [*entries[:-1], (name, b"?" + content[1:])])


def changed_byte_of_the_file(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def changed_list_of_a_folder(path):
    entries = members(path)
    at = next(i for i, (name, _) in enumerate(entries) if name.endswith(".dir"))
    name, content = entries[at]
    entries[at] = (name, content.replace(b"seed-0", b"../../s").replace(b"train", b"../tr"))
    return rewritten(path, entries)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_between_objects(path):
    return rewritten(path, members(path)[:-1])


def leads_out(path):
    return rewritten(path, [("../../outside.txt", b"out"), *members(path)])


def leads_out_in_a_hash(path):
    return rewritten(path, [*members(path), ("files/md5/../../../outside.txt", b"out")])


def absolute(path):
    return rewritten(path, [*members(path), (str(path.parent / "outside.txt"), b"out")])


def link(path):
    entries = [(name, b"") for name, _ in members(path)]
    return rewritten(path, entries, type=tarfile.SYMTYPE, linkname="../../outside.txt")


def an_output_that_leads_out(path):
    entries = dict(members(path))
    listed = json.loads(entries[OUTPUTS])
    listed["../outside.txt"] = next(iter(listed.values()))
    return rewritten(path, (entries | {OUTPUTS: json.dumps(listed).encode()}).items())


def another_version(path):
    entries = dict(members(path))
    listed = json.loads(entries[OUTPUTS])
    listed["models/digits/cnn"] = "0" * 32 + ".dir"
    return rewritten(path, (entries | {OUTPUTS: json.dumps(listed).encode()}).items())


def more_than_it_lists(path):
    content = b"more"
    digest = hashlib.md5(content).hexdigest()
    return rewritten(path, [*members(path), (f"files/md5/{digest[:2]}/{digest[2:]}", content)])


def another_kind_of_file(path):
    path.write_bytes(b"no archive")


def an_empty_one(path):
    return rewritten(path, [])


def a_bomb(path):
    zeros = bytes(2**22)
    entries = members(path)
    return rewritten(path, [*entries[:-1], (entries[-1][0], zeros)])


def a_list_that_is_none(path):
    return rewritten(path, [(OUTPUTS, b"[1, 2]"), *members(path)[2:]])


def something_behind_its_end(path):
    path.write_bytes(path.read_bytes()[:-1] + lzma.compress(b"more") + b"more")


REFUSED = {
    changed_byte: "other content under the hash",
    changed_byte_of_the_file: "broken or truncated|other content",
    changed_list_of_a_folder: "other content under the hash",
    truncated: "broken or truncated|objects are missing",
    truncated_between_objects: "objects are missing",
    leads_out: "'../../outside.txt', which dvc.lock does not have",
    leads_out_in_a_hash: "outside.txt', which dvc.lock does not have",
    absolute: "outside.txt', which dvc.lock does not have",
    link: "which dvc.lock does not have",
    an_output_that_leads_out: "another version: '../outside.txt'",
    another_version: "another version: 'models/digits/cnn'",
    more_than_it_lists: "which dvc.lock does not have",
    another_kind_of_file: "broken or truncated",
    an_empty_one: "objects are missing",
    a_bomb: "which dvc.lock does not have",
    a_list_that_is_none: "a broken outputs.json",
    something_behind_its_end: "broken or truncated",
}


@pytest.mark.parametrize("damage", REFUSED, ids=lambda damage: damage.__name__)
def test_it_is_refused_in_one_line_and_changes_nothing(fresh, archive, damage):
    before = files(fresh)
    damage(archive)
    line = one_line(run(fresh, "fetch-networks", archive))
    assert re.search(REFUSED[damage], line), line
    assert files(fresh) == before
    assert not list((fresh / ".dvc" / "tmp").glob("networks-*"))
    assert not list(fresh.parent.rglob("outside.txt"))


def test_an_archive_that_is_not_there_is_refused(fresh):
    assert "FROM: expected a file" in one_line(run(fresh, "fetch-networks", "none"))


def test_a_file_of_other_content_is_kept(fresh, archive):
    path = fresh / "models" / "digits" / "cnn" / "seed-0.weights.h5"
    path.parent.mkdir(parents=True)
    path.write_text("trained here")
    before = files(fresh)
    line = one_line(run(fresh, "fetch-networks", archive))
    assert "expected models/digits/cnn not to be here" in line
    assert files(fresh) == before


def test_a_person_s_own_data_are_packed_by_name_alone(made, tmp_path):
    params = (made / "params.yaml").read_text(encoding="utf-8")
    rows = "\n".join(f"{i},{i % 7},{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "mine.csv").write_text(f"x,y,label\n{rows}\n")
    try:
        added = run(made, "add", "mine", tmp_path / "mine.csv", "--label", "label")
        assert added.exit_code == 0, added.output
        out = tmp_path / "mine.tar.xz"
        assert run(made, "release", "mine", "--out", out).exit_code == 0
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(made)
            assert release.names(None) == ["digits", "planted", "mnist"]
    finally:
        (made / "params.yaml").write_text(params, encoding="utf-8")
    content = dict(members(out))
    assert [*json.loads(content[OUTPUTS])] == ["models/mine/cnn"]
    assert "- mine: data of a person" in content[README].decode()


def test_an_unknown_dataset_is_refused(made, tmp_path):
    result = run(made, "release", "mnits", "--out", tmp_path / "none.tar.xz")
    assert result.exit_code == 2
    assert "mnits" in result.stderr
