"""glassnets explain on a person's own data of each kind."""

import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassnets import config
from glassnets.apps import command, given
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError, ParameterError


@pytest.fixture
def run(own_project, tmp_path, monkeypatch, capsys):
    """``run(*arguments)``: (exit code, standard output, standard error), in a copy."""
    shutil.copytree(own_project, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        arguments = [*arguments, "--family", "feedforward"]
        monkeypatch.setattr(sys, "argv", ["glassnets", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            command.main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


@pytest.fixture
def inside(own_project, monkeypatch):
    """The parameters of a dataset, in the project as the current folder."""
    monkeypatch.chdir(own_project)
    return config.load(Path("params.yaml")).dataset


CSV = "colour;size;age;note\nred;1,5;30;x\n;2;;y\ngreen;3;4;z\n"


def test_a_row_of_a_file_is_explained(run):
    Path("new.csv").write_text(CSV, encoding="utf-16")
    requested = ["--method", "gradient_x_input", "--contrast", "perhaps", "--target", "yes"]
    code, out, err = run("new.csv", "--dataset", "people", "--row", 0, *requested)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "row 0 of new.csv, counted from 0"
    assert lines[1].startswith("feedforward (seed 0) predicts ")
    assert lines[1].endswith("; explained: why yes and not perhaps")
    assert lines[-1] == "wrote new-0-explained.png"
    with Image.open("new-0-explained.png") as figure:
        assert figure.format == "PNG"


@pytest.mark.parametrize("dataset", ["people", "photos", "waves"])
def test_an_example_of_every_kind_is_explained(run, dataset):
    code, out, err = run("--dataset", dataset, "--row", 50)
    assert (code, err) == (0, "")
    first = out.splitlines()[0]
    assert first.endswith(f" 50 of {dataset}, of its test part; its label: perhaps")
    assert Path(f"{dataset}-50-explained.png").is_file()


def test_a_picture_is_read_as_the_datasets_were(run, inside):
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    made = given.as_of_dataset(file.getvalue(), "one.png", inside("photos"))
    assert made.image.shape == (6, 6, 3)
    assert made.steps == ("resized from 12×9 to 6×6 pixels",)


def test_a_row_of_a_file_is_read_as_the_datasets_were(inside, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(CSV, encoding="utf-8")
    data = inside("people")
    train = given.training_images("people")
    inputs = Inputs.of(data)
    assert inputs.values(given.row_of_file(path, 0, data, train).image) == ["30", "1.5", "red"]
    missing = given.row_of_file(path, 1, data, train).image
    assert inputs.values(missing) == ["missing", "2", "(missing)"]
    assert missing[0, 0, 0] == pytest.approx(train[:, 0, 0, 0].mean())
    with pytest.raises(GlassnetsError, match=r"new.csv: column 'colour': expected one of blue"):
        given.row_of_file(path, 2, data, train)
    with pytest.raises(ParameterError, match=r"a row of .*new.csv, 0 to 2, got 3"):
        given.row_of_file(path, 3, data, train)
    path.write_text("age,size,colour\nold,2,red\n3,big,red\n", encoding="utf-8")
    old = given.row_of_file(path, 0, data, train)  # as in training, where an age was missing
    np.testing.assert_array_equal(old.image[0, 0], missing[0, 0])
    assert old.steps[1] == "age: 'old' is no number, and counts as missing"
    with pytest.raises(GlassnetsError, match="column 'size': expected a number, got 'big'"):
        given.row_of_file(path, 1, data, train)
    path.write_text("age,colour\n1,red\n2,red\n", encoding="utf-8")
    with pytest.raises(GlassnetsError, match="expected a column 'size', got none of this name"):
        given.row_of_file(path, 0, data, train)


@pytest.mark.parametrize(
    ("dataset", "path", "row", "message"),
    [
        ("people", None, None, "--row: expected which row of people to explain, got none"),
        ("people", "new.csv", None, "--row: expected which row of new.csv to explain, got none"),
        ("people", None, 60, "--row: expected one of the rows of people, 0 to 59, got 60"),
        ("people", None, -1, "got -1"),
        ("waves", "new.csv", 1, "expected --row N alone, a series of waves, got new.csv"),
        ("photos", "one.png", 1, "--row: expected none beside a picture, got one"),
        ("photos", None, None, "expected a picture, or --row N, an image of photos, got neither"),
        ("photos", "none.png", None, "FILE: expected a picture file none.png, got none"),
    ],
)
def test_what_does_not_go_together(inside, dataset, path, row, message):
    with pytest.raises(ParameterError) as refused:
        given.read(path and Path(path), row, dataset, inside(dataset), None)
    assert message in str(refused.value)


def test_handwriting_alone_is_inverted(inside):
    with pytest.raises(ParameterError, match="--invert: expected handwriting"):
        given.read(Path("one.png"), None, "photos", inside("photos"), invert=True)


def test_classes_are_called_by_name(run):
    code, out, err = run("--dataset", "people", "--row", 1, "--target", "maybe")
    assert (code, out) == (2, "")
    assert err == "error: --target: expected one of no, yes, perhaps, got 'maybe'\n"
