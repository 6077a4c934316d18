"""glassnets add: what it says, what it writes, and what it leaves alone."""

import difflib
import hashlib
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from glassnets import config
from glassnets.apps.command import build
from glassnets.data import own, splits

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, and the working directory in it."""
    folder = tmp_path / "project"
    (folder / "data" / "external").mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def add(project):
    """``add(*arguments)``: the result of the command; one that fails has changed nothing."""
    params = project / "params.yaml"

    def run(*arguments):
        before = params.read_bytes()
        listed = sorted(project.iterdir())
        result = CliRunner().invoke(build("add"), ["add", *map(str, arguments)])
        assert sorted(project.iterdir()) == listed
        if result.exit_code:
            assert params.read_bytes() == before
            assert isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def wine(project):
    path = project / "data" / "external" / "wine.csv"
    rows = [f"{RNG.normal() + i % 3:.2f},{RNG.normal():.2f},{'uvw'[i % 3]}" for i in range(90)]
    path.write_text("\n".join(["alcohol,hue,class", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def pictures(project):
    for i in range(40):
        path = project / "data" / "external" / "pets" / ("cats", "très grands chiens")[i % 2]
        path.mkdir(parents=True, exist_ok=True)
        values = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(values).save(path / f"{i}.png")
    return path.parent


def error(result, code):
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_table(add, project, wine):
    before = (project / "params.yaml").read_text(encoding="utf-8")
    original = config.load(project / "params.yaml")
    result = add("wine", "data/external/wine.csv")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "wine: a table from data/external/wine.csv"
    assert lines[1] == "  file        90 rows, 3 columns; UTF-8, commas"
    assert "  label       class: 3 classes" in lines
    assert "              u  30   33.3%" in lines
    assert lines[-1] == "next: make run DATASET=wine"
    after = (project / "params.yaml").read_text(encoding="utf-8")
    assert not [
        line for line in difflib.ndiff(before.split("\n"), after.split("\n")) if line[0] == "-"
    ]
    params = config.load(project / "params.yaml")
    assert params.datasets[-1] == "wine"
    cells = {f"wine-{f}": {"dataset": "wine", "family": f} for f in params.dataset("wine").families}
    assert len(cells) == 4
    assert params.cells == original.cells | cells
    assert params.studied_cells == original.studied_cells
    assert params.sources["wine"] == "data/external/wine.csv"
    data = params.dataset("wine")
    assert data.class_names == ("u", "v", "w")
    assert data.input_shape == (1, 2, 1)
    arrays = own.read(data.source, project / data.source.path)
    for name in ("images", "labels"):
        assert getattr(data.sha256, name) == hashlib.sha256(arrays[name].tobytes()).hexdigest()
    parts = splits.split(arrays, data)
    assert data.sample.images == len(parts["test"]["labels"]) == 18
    assert data.memorise.images == len(parts["train"]["labels"])


def test_pictures(add, project, pictures):
    result = add("pets", pictures)
    assert "pictures    40, RGB, 16×16 (height×width)" in result.stdout
    data = config.load(project / "params.yaml").dataset("pets")
    assert data.source.path == "data/external/pets"
    assert data.input_shape == (16, 16, 3)
    assert data.class_names == ("cats", "très grands chiens")


def test_series_from_outside_the_project(add, project, tmp_path):
    path = tmp_path / "walks é.npz"
    np.savez(path, series=RNG.normal(size=(60, 40, 2)), labels=np.arange(60) % 2)
    result = add("walks", "../walks é.npz", "--kind", "series")
    assert result.stderr == ""
    params = config.load(project / "params.yaml")
    assert params.sources["walks"] == params.dataset("walks").source.path == path.as_posix()
    assert params.dataset("walks").class_names == ("0", "1")


def test_of_a_table_of_pictures_dvc_watches_the_folder(add, project, pictures):
    table = pictures / "labels.csv"
    files = sorted(pictures.rglob("*.png"))
    rows = [f"{file.relative_to(pictures)},{'xy'[i % 2]}" for i, file in enumerate(files)]
    table.write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    assert add("pets", table).exit_code == 0
    params = config.load(project / "params.yaml")
    assert params.sources["pets"] == "data/external/pets"
    assert params.dataset("pets").source.path == "data/external/pets/labels.csv"


@pytest.mark.parametrize(
    ("option", "column", "split"), [("--group", "who", "grouped"), ("--time", "when", "by_time")]
)
def test_groups_and_times_decide_the_split(add, project, option, column, split):
    rows = [f"{RNG.normal():.2f},{RNG.normal():.2f},p{i % 9},{i},{'xy'[i % 2]}" for i in range(200)]
    path = project / "t.csv"
    path.write_text("\n".join(["a,b,who,when,label", *rows]), encoding="utf-8")
    assert add("t", path, option, column).exit_code == 0
    data = config.load(project / "params.yaml").dataset("t")
    assert data.split == split
    parts = splits.split(own.read(data.source, path), data)
    assert data.sample.images == len(parts["test"]["labels"])


def test_windows_line_ends_are_left_as_they_are(add, project, wine):
    params = project / "params.yaml"
    params.write_bytes(params.read_bytes().replace(b"\n", b"\r\n"))
    before = params.read_bytes()
    assert add("wine", wine).exit_code == 0
    after = params.read_bytes()
    assert not [each for each in before.split(b"\n") if each not in after.split(b"\n")]
    assert config.load(params).datasets[-1] == "wine"


def test_what_is_no_utf_8_is_said_in_a_line(add, project, wine):
    params = project / "params.yaml"
    params.write_bytes(b"# caf\xe9\n" + params.read_bytes())
    assert "params.yaml" in error(add("wine", wine), 2)


def test_what_was_changed_meanwhile_is_not_lost(project, wine, monkeypatch):
    params = project / "params.yaml"
    edited = params.read_bytes() + b"# edited\n"
    look = own.look

    def edit(*arguments):
        params.write_bytes(edited)
        return look(*arguments)

    monkeypatch.setattr(own, "look", edit)
    result = CliRunner().invoke(build("add"), ["add", "wine", str(wine)])
    assert error(result, 1).endswith("got one that was changed meanwhile: run it again\n")
    assert params.read_bytes() == edited


def test_a_dry_run_prints_the_group_alone(add, project, wine):
    before = (project / "params.yaml").read_bytes()
    result = add("wine", wine, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("wine:\n  source:\n    kind: table\n")
    assert result.stderr.startswith("wine: a table from")
    assert (project / "params.yaml").read_bytes() == before
    add("wine", wine)
    assert (project / "params.yaml").read_text(encoding="utf-8").endswith(result.stdout)


def test_adding_twice_is_refused_and_two_are_not(add, project, wine):
    assert add("wine", wine).exit_code == 0
    assert "NAME: expected a new one, got wine" in error(add("wine", wine), 2)
    assert add("wine_2", wine).exit_code == 0
    assert config.load(project / "params.yaml").datasets[-2:] == ("wine", "wine_2")


@pytest.mark.parametrize(
    "name", ["Wine", "1wine", "wine-2", "wine 2", "вино", "", "w" * 65, "../x"]
)
def test_names_that_are_none(add, wine, name):
    assert "NAME: expected a small letter" in error(add("--", name, wine), 2)


@pytest.mark.parametrize(
    "name",
    [
        *("defaults", "kinds", "runtime", "evaluation", "datasets", "cells", "sources", "cnn"),
        *(
            "memorised",
            "additive",
            "shortcut",
            "shortcut_cells",
            "studied_datasets",
            "studied_cells",
            "copy",
            "json",
            "dataset",
        ),
    ],
)
def test_names_that_mean_something_else(add, wine, name):
    assert "NAME: expected a name that means nothing else here" in error(add(name, wine), 2)


@pytest.mark.parametrize("name", ["digits", "planted", "mnist"])
def test_names_of_the_projects_own_datasets(add, wine, name):
    assert "NAME: expected a new one" in error(add(name, wine), 2)


def test_a_path_that_is_none(add):
    assert "PATH: expected a file or a folder, got none at" in error(add("x", "none.csv"), 2)


def test_the_projects_own_folder(add, project, wine):
    assert "one that holds the project" in error(add("x", "."), 2)
    assert "one that holds the project" in error(add("x", project.parent), 2)
    Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)).save(project / "1.png")
    (project / "t.csv").write_text("file,label\n" + "1.png,x\n")
    assert error(add("x", "t.csv"), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "none"), "--label (wine.csv): expected one of 'alcohol', 'hue', 'class'"),
        (("--kind", "audio"), "--kind: expected one of image, table, series, got 'audio'"),
        (("--size", "big"), "--size: expected HEIGHTxWIDTH as 32x32"),
        (("--size", "8x8"), "--size: expected with other data, got a table (wine.csv)"),
        (("--drop", "class"), "--drop: expected a column of the input, got 'class'"),
        (("--time", "hue", "--group", "alcohol"), "--time: expected no --group beside it"),
    ],
)
def test_wrong_options(add, wine, arguments, message):
    assert message in error(add("wine", wine, *arguments), 2)


def test_a_size_that_no_patches_tile(add, pictures):
    assert "patches tile, as multiples of 8, got 100x75" in error(
        add("pets", pictures, "--size", "100x75"), 2
    )


def test_too_few_for_a_split(add, project):
    path = project / "t.csv"
    rows = [f"{i % 7},{i % 5},{'xyz'[i % 3]}" for i in range(12)]
    path.write_text("\n".join(["a,b,label", *rows]), encoding="utf-8")
    assert "expected 24 rows or more for 3 classes" in error(add("t", path), 1)
    rows = [f"{i % 7},{i % 5},{'x' if i < 3 else 'y'}" for i in range(300)]
    path.write_text("\n".join(["a,b,label", *rows]), encoding="utf-8")
    message = error(add("t", path), 1)
    assert "got 3 of 'x' among 300: add some, or take the class out" in message


def test_imbalance_and_duplicates_are_pointed_at(add, project):
    path = project / "t.csv"
    rows = [f"{i % 7},{i % 5},{'x' if i % 10 else 'y'}" for i in range(300)]
    path.write_text("\n".join(["a,b,label", *rows]), encoding="utf-8")
    out = add("t", path).stdout
    assert "! imbalance: 'x' is 9 times as frequent as 'y'" in out
    assert "! duplicates: " in out
    assert "equal to an earlier one of another class" in out


def steps_of(labels, restarts=True):
    """Rows of 20 patients, six steps each."""
    return [
        f"p{case},{step if restarts else 6 * case + step},{RNG.normal():.3f},{labels(case, step)}"
        for case in range(20)
        for step in range(6)
    ]


def test_a_table_of_steps_is_pointed_at_with_the_command(add, project):
    path = project / "data" / "external" / "my walks.csv"
    content = ["patient no,minute,value,label", *steps_of(lambda case, step: "uv"[case % 2])]
    path.write_text("\n".join(content), encoding="utf-8")
    out = add("walks", path, "--kind", "table", "--dry-run").stderr
    [hint] = [line for line in out.splitlines() if "! series?" in line]
    command = shlex.split(hint.partition("as series: ")[2])
    assert command[:2] == ["glassnets", "add"]
    assert "! series?" in add("walks", path).stdout
    assert add(*command[2:]).exit_code == 0
    assert config.load(project / "params.yaml").dataset("walks_series").input_shape == (1, 6, 1)


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (steps_of(lambda case, step: "uv"[step % 2]), []),  # no label of the whole series
        (steps_of(lambda case, step: "uv"[case % 2], restarts=False), []),  # counts all rows
        (steps_of(lambda case, step: "uv"[case % 2])[::-1], []),
        (sorted(steps_of(lambda case, step: "uv"[case % 2]), key=lambda row: row[-5:]), []),
        (steps_of(lambda case, step: "uv"[case % 2]), ["--group", "patient"]),  # known
    ],
)
def test_other_tables_are_none_of_steps(add, project, rows, options):
    path = project / "t.csv"
    path.write_text("\n".join(["patient,minute,value,label", *rows]), encoding="utf-8")
    result = add("t", path, *options, "--dry-run")
    assert result.exit_code == 0
    assert "series?" not in result.stderr


def test_a_wrong_params_file_is_refused_first(add, project, wine):
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "\nmore: 1\n", encoding="utf-8")
    assert "params.yaml: more: expected one of" in error(add("wine", wine), 2)
