"""Whatever happens, what lies at a path is whole; and what was saved is what is loaded."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline import artefacts

ARRAYS = {
    "images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "labels": np.array([3, 1], np.uint8),
    "evidence": np.array([True, False]),
    "index": np.array([7, 5]),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, its path resolved as ``Path.cwd`` gives it; one works inside it."""
    project = tmp_path.resolve() / "project"
    project.mkdir()
    (project / "dvc.yaml").touch()
    monkeypatch.chdir(project)
    return project


def in_a_process(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Where things lie


def test_the_paths_of_a_cell(project, monkeypatch):
    monkeypatch.delenv("GLASSNETS_EXTERNAL", raising=False)
    paths = {
        "params.yaml": artefacts.params_file(),
        "data/external/mnist": artefacts.external("mnist"),
        "data/raw/mnist.npz": artefacts.raw("mnist"),
        "data/processed/mnist": artefacts.processed("mnist"),
        "data/processed/mnist/test.npz": artefacts.part("mnist", "test"),
        "models/mnist/cnn": artefacts.models("mnist", "cnn"),
        "models/mnist/cnn/seed-3.weights.h5": artefacts.weights("mnist", "cnn", 3),
        "results/mnist": artefacts.results("mnist"),
        "results/mnist/cells/cnn": artefacts.results("mnist", "cnn"),
    }
    assert {str(path.relative_to(project)): path for path in paths.values()} == paths


@pytest.mark.parametrize("elsewhere", ["/mnt/files", ""])
def test_third_party_files_may_lie_elsewhere(project, monkeypatch, elsewhere):
    monkeypatch.setenv("GLASSNETS_EXTERNAL", elsewhere)
    expected = Path(elsewhere) if elsewhere else project / "data/external/mnist"
    assert artefacts.external("mnist") == expected


def test_the_root_is_found_from_any_folder_below(project, monkeypatch):
    deep = project / "results" / "mnist"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert artefacts.root() == project
    (project / "results" / "dvc.yaml").mkdir()  # a folder is no pipeline
    assert artefacts.root() == project
    (deep / "dvc.yaml").touch()  # a project within the project
    assert artefacts.root() == deep


def test_outside_of_a_project(project, monkeypatch):
    monkeypatch.chdir(project.parent)
    with pytest.raises(ParameterError) as error:
        artefacts.root()
    assert str(error.value) == (
        f"expected to run inside the project, got {project.parent}: no dvc.yaml here or above"
    )


# Nothing half-written


def test_new_content_takes_the_place_of_the_old(tmp_path):
    file, folder = tmp_path / "results" / "file.txt", tmp_path / "models" / "folder"
    for content in ("old", "new"):
        with artefacts.replacing(file, folder) as (partial, partial_folder):
            partial.write_text(content)
            partial_folder.mkdir()
            (partial_folder / content).touch()
            assert not file.exists() or file.read_text() == "old"
    assert file.read_text() == "new"
    assert names(folder) == ["new"]
    assert names(tmp_path / "results") == ["file.txt"]
    assert names(tmp_path / "models") == ["folder"]


@pytest.mark.parametrize("was_folder", [True, False])
def test_a_folder_takes_the_place_of_a_file_and_a_file_that_of_a_folder(tmp_path, was_folder):
    path = tmp_path / "path"
    for as_folder in (was_folder, not was_folder):
        with artefacts.replacing(path) as (partial,):
            if as_folder:
                partial.mkdir()
                (partial / "content").touch()
            else:
                partial.touch()
        assert path.is_dir() == as_folder
    assert names(tmp_path) == ["path"]


@pytest.fixture
def old(tmp_path):
    """A file and a folder that were written before."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    return tmp_path


def paths_in(folder):
    return folder / "file", folder / "folder", folder / "none"


def write(file, folder, none, text):
    file.write_text(text)
    folder.mkdir()
    (folder / text).touch()
    none.touch()


def assert_old(folder):
    assert (folder / "file").read_text() == "old"
    assert names(folder / "folder") == ["old"]


@pytest.mark.parametrize("failure", [GlassnetsError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_and_nothing_beside_it(old, failure):
    def fail():
        with artefacts.replacing(*paths_in(old)) as beside:
            write(*beside, "new")
            raise failure

    with pytest.raises(failure):
        fail()
    assert_old(old)
    assert names(old) == ["file", "folder"]


KILLED = """
import os
from pathlib import Path
from glassnets.pipeline import artefacts
with artefacts.replacing(Path("file"), Path("folder"), Path("none")) as (file, folder, none):
    file.write_text("half")
    folder.mkdir()
    (folder / "half").touch()
    os._exit(9)
"""


def test_a_kill_leaves_what_was_and_the_next_call_clears_the_rest(old):
    assert in_a_process(KILLED, old).returncode == 9
    assert_old(old)
    assert names(old) != ["file", "folder"]  # what the kill left
    with artefacts.replacing(*paths_in(old)) as beside:
        assert names(old) == ["file", "folder"]
        write(*beside, "new")
    assert (old / "file").read_text() == "new"
    assert names(old / "folder") == ["new"]
    assert names(old) == ["file", "folder", "none"]


# What was saved is what is loaded


def test_arrays_come_back_as_they_went(tmp_path):
    artefacts.save_arrays(tmp_path / "a.npz", ARRAYS)
    loaded = artefacts.load_arrays(tmp_path / "a.npz")
    assert list(loaded) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_the_bytes_of_arrays_depend_on_the_arrays_alone(tmp_path):
    code = (
        "import numpy as np; from pathlib import Path; from glassnets.pipeline import artefacts\n"
        "artefacts.save_arrays(Path('%s'), {'a': np.arange(9.0), 'b': np.zeros((2, 2), bool)})"
    )
    for name in ("there", "elsewhere"):
        (tmp_path / name).mkdir()
        assert in_a_process(code % "x.npz", tmp_path / name).returncode == 0
    artefacts.save_arrays(tmp_path / "y", {"a": np.arange(9.0), "b": np.zeros((2, 2), bool)})
    files = tmp_path / "there/x.npz", tmp_path / "elsewhere/x.npz", tmp_path / "y"
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == 1
    artefacts.save_arrays(tmp_path / "z", {"a": np.arange(9.0), "b": np.ones((2, 2), bool)})
    assert (tmp_path / "z").read_bytes() != (tmp_path / "y").read_bytes()


def test_arrays_of_objects_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="pickle"):
        artefacts.save_arrays(tmp_path / "a.npz", {"a": np.array([{}])})


def test_json_comes_back_as_it_went(tmp_path):
    content = {"größe": [1, 0.1, None, True], "b": {"mean": 1e-300}}
    artefacts.save_json(tmp_path / "a.json", content)
    assert artefacts.load_json(tmp_path / "a.json") == content
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "größe" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_word_for_is_not_saved(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefacts.save_json(tmp_path / "a.json", {"loss": value})


def test_a_table_keeps_every_float32(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    values = bits.view(np.float32)  # of every size, subnormal ones too
    values = values[np.isfinite(values)]
    artefacts.save_table(tmp_path / "t.csv", pd.DataFrame({"x": values}))
    loaded = artefacts.load_table(tmp_path / "t.csv")["x"].to_numpy(np.float32)
    np.testing.assert_array_equal(loaded, values)


def test_a_table_comes_back_as_it_went(tmp_path):
    table = pd.DataFrame({"seed": [0, 2**53], "family": ["cnn", "größe, mit Komma"], "x": [0.5, 2]})
    artefacts.save_table(tmp_path / "t.csv", table)
    pd.testing.assert_frame_equal(artefacts.load_table(tmp_path / "t.csv"), table)
    assert (tmp_path / "t.csv").read_bytes().splitlines(keepends=True)[:2] == [
        b"seed,family,x\n",
        b"0,cnn,0.5\n",
    ]


# What cannot be read

LOADERS = [artefacts.load_arrays, artefacts.load_json, artefacts.load_table]


def assert_refused(load, path, why):
    with pytest.raises(GlassnetsError) as error:
        load(path)
    message = str(error.value)
    assert error.value.exit_code == 1
    assert message.startswith(f"expected to read {path}, got: {why}")
    assert message.endswith("`make run DATASET=…` builds what is needed")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("load", LOADERS)
def test_a_file_that_is_not_there(load, tmp_path):
    assert_refused(load, tmp_path / "absent", "it is not there; ")


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01\n", None])
def test_a_file_that_holds_something_else(load, content, tmp_path):
    path = tmp_path / "broken"
    path.mkdir() if content is None else path.write_bytes(content)
    assert_refused(load, path, "it is broken (")


def test_a_table_whose_rows_differ(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
    assert_refused(artefacts.load_table, tmp_path / "t.csv", "it is broken (Error tokenizing")


def test_half_a_json_file(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": [1, 2]})[:-2])
    assert_refused(artefacts.load_json, tmp_path / "a.json", "it is broken (Expecting")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}]))
    assert_refused(artefacts.load_arrays, tmp_path / "a.npz", "it is broken (Object arrays")


def test_arrays_cut_short_or_damaged_are_refused_or_whole(tmp_path):
    path = tmp_path / "a.npz"
    artefacts.save_arrays(path, {name: ARRAYS[name] for name in ("images", "labels")})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert_refused(artefacts.load_arrays, path, "it is broken (")
    for place in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            try:
                loaded = artefacts.load_arrays(path)
            except GlassnetsError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017 (some damage is harmless)
            else:
                for came, went in zip(loaded.values(), ARRAYS.values(), strict=False):
                    np.testing.assert_array_equal(came, went, strict=True)


class Model:
    """As far as weights go: refuses as Keras does."""

    def __init__(self, refusal):
        self.refusal = refusal

    def load_weights(self, path):
        raise self.refusal


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (FileNotFoundError("none"), "it is not there; "),
        (OSError("truncated\nfile"), "it is broken (truncated file); "),
        (ValueError("other\n  layers"), "it is broken (other layers); "),
    ],
)
def test_weights_that_do_not_fit(tmp_path, refusal, why):
    assert_refused(lambda path: artefacts.load_weights(Model(refusal), path), tmp_path / "w", why)
