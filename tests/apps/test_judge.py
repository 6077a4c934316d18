"""The command that judges a person's own model."""

import importlib.util
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from glassnets.apps.command import build
from glassnets.apps.model_files import placed
from glassnets.errors import GlassnetsError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 6, 6)).astype(np.uint8)
LABELS = (IMAGES[:, :3].mean(axis=(1, 2)) > IMAGES[:, 3:].mean(axis=(1, 2))).astype(int)


@pytest.fixture(scope="module")
def folder(tensorflow, tmp_path_factory):
    """Models and data of a person."""
    import keras
    from keras import layers

    folder = tmp_path_factory.mktemp("own")
    keras.utils.set_random_seed(0)

    def save(name, shape, *between, units=2, end="softmax"):
        last = layers.Dense(units, activation=end)
        model = keras.Sequential([keras.Input(shape), layers.Flatten(), *between, last])
        model.save(folder / name)

    save("grey.keras", (6, 6))
    save("constant.keras", (6, 6), layers.Rescaling(0, 0.1))
    save("rgb.keras", (6, 6, 3))
    save("table.keras", (4,))
    save("multi.keras", (6, 6), units=3, end="sigmoid")
    save("lambda.keras", (6, 6), layers.Lambda(lambda x: x * 2))

    class Own(layers.Layer):
        def call(self, inputs):
            return inputs

    save("own.keras", (6, 6), Own())
    np.savez(folder / "grey.npz", images=IMAGES, labels=LABELS)
    np.savez(folder / "pickled.npz", images=np.array([object()]), labels=LABELS, allow_pickle=True)
    np.savez(folder / "other.npz", pictures=IMAGES)
    np.savez(folder / "one-hot.npz", images=IMAGES, labels=np.eye(2)[LABELS])
    np.savez(folder / "dark.npz", images=IMAGES / 255, labels=1 - LABELS)
    np.savez(folder / "long.npz", series=IMAGES[:, 0], labels=LABELS, lengths=np.full(60, 6))
    shutil.copy(folder / "grey.keras", folder / "copy.keras")
    table = pd.DataFrame(RNG.normal(size=(60, 4)).round(3), columns=list("abcd"))
    table.assign(kind=LABELS).to_csv(folder / "table.csv", index=False)
    table.assign(kind=LABELS, e=np.where(LABELS, "x", "y")).to_csv(
        folder / "categories.csv", index=False
    )
    for i, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        (folder / "pictures" / f"class {label}").mkdir(parents=True, exist_ok=True)
        large = Image.fromarray(image).resize((12, 12))
        large.save(folder / "pictures" / f"class {label}" / f"{i}.png")
    (folder / "text.keras").write_text("no model")
    (folder / "text.onnx").write_text("no model")
    (folder / "a.pkl").write_bytes(b"\x80\x04N.")
    (folder / "taken").mkdir()
    (folder / "taken" / "verdicts.md").write_text("my own notes")
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    def invoke(*arguments):
        monkeypatch.chdir(tmp_path)
        places = [str(folder / each) if (folder / each).exists() else each for each in arguments]
        return CliRunner().invoke(build("judge"), ["judge", *places], prog_name="glassnets")

    return invoke


FEW = ("--method", "occlusion", "--reference", "mean")


def test_what_it_writes_and_says_first(run, tmp_path):
    result = run("grey.keras", "grey.npz", *FEW, "--out", "verdicts", "--scale", "0..1")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "verdicts" / "verdicts.md").read_text(encoding="utf-8")
    assert page.startswith("# grey: verdicts on explanations\n")
    assert "Ends in softmax" in page or "ends in softmax" in page
    assert "**not made**" in page
    assert "levels of black and white: 0 and 1, as given" in result.stdout
    board = pd.read_csv(tmp_path / "verdicts" / "leaderboard.csv")
    assert "occlusion:mean" in set(board["method"])
    with Image.open(tmp_path / "verdicts" / "attributions.png") as picture:
        assert picture.width > 500
    first, second, *_ = result.stdout.splitlines()
    assert first.startswith("No verdict holds, since not all could be tested: ")
    assert any(words in second for words in ("Believe first", "pass all tests", "passes all tests"))
    assert sorted(path.name for path in (tmp_path / "verdicts").iterdir()) == [
        "attributions.png",
        "leaderboard.csv",
        "verdicts.md",
    ]
    assert run("grey.keras", "grey.npz", *FEW, "--out", "verdicts").exit_code == 0


@pytest.mark.exhaustive
def test_a_model_that_is_no_better_than_the_most_frequent_class_is_warned_of(run, tmp_path):
    result = run("constant.keras", "dark.npz", *FEW)
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert "check first that the inputs have the scale of its training" in line
    page = (tmp_path / "constant-verdicts" / "verdicts.md").read_text(encoding="utf-8")
    assert page.split("\n- ")[0].endswith(f"**Warning**: {line.removeprefix('warning: ')}.\n")


@pytest.mark.exhaustive
def test_a_folder_of_pictures_gets_the_size_and_the_channels_of_the_model(run, tmp_path):
    result = run("rgb.keras", "pictures", *FEW)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "rgb-verdicts" / "verdicts.md").is_file()


@pytest.mark.exhaustive
def test_a_table_with_a_column_of_labels(run, tmp_path):
    result = run("table.keras", "table.csv", "--label", "kind", *FEW)
    assert result.exit_code == 0, result.output
    assert "accuracy on what is explained" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("a.pkl", "grey.npz"), 2, "got a pickle, which could execute any code"),
        (("model.h5", "grey.npz"), 2, "save the model anew as .keras"),
        (("model.txt", "grey.npz"), 2, "expected a .keras or .onnx file"),
        (("none.keras", "grey.npz"), 2, "expected a file, got none"),
        (("text.keras", "grey.npz"), 1, "a broken file, or another kind"),
        (("lambda.keras", "grey.npz"), 1, "a Lambda layer, whose code would be executed"),
        (("own.keras", "grey.npz"), 1, "a class that is not Keras' own"),
        (("multi.keras", "grey.npz"), 1, "classes that exclude each other"),
        (("table.keras", "grey.npz"), 1, "expected inputs (n, 4), which the model takes"),
        (("grey.keras", "none.npz"), 2, "none.npz"),
        (("grey.keras", "pickled.npz"), 1, "Python objects, which are not opened"),
        (("grey.keras", "other.npz"), 1, "an array images, series or table, and labels"),
        (("table.keras", "categories.csv", "--label", "kind"), 1, "got categories ('e')"),
        (("table.keras", "table.csv", "--label", "what"), None, "what"),
        (("grey.keras", "grey.npz", "--label", "kind"), 2, "--label: expected with a CSV"),
        (("grey.keras", "grey.npz", "--kind", "photo"), 2, "--kind: expected one of"),
        (("grey.keras", "grey.npz", "--scale", "1"), 2, "--scale: expected two levels"),
        (("grey.keras", "grey.npz", "--scale", "1..0"), 2, "--scale: expected two levels"),
        (("grey.keras", "grey.npz", "--scale", "0..inf"), 2, "--scale: expected two levels"),
        (("grey.keras", "grey.npz", "--seed", "-1"), 2, "seed: expected a whole number"),
        (("grey.keras", "grey.npz", "--method", "lime"), 2, "--method: expected one of"),
        (("grey.keras", "grey.npz", "--out", "taken"), 2, "with another verdicts.md"),
        (("grey.keras", "grey.npz", "--out", "a.pkl"), 2, "expected a folder, got a file"),
        (("grey.keras", "grey.npz", "--other", "table.keras"), 1, "expected inputs (n, 4)"),
        (("grey.keras", "grey.npz", "--other", "copy.keras"), 2, "got a copy of"),
        (("grey.keras", "grey.npz", "--other", "grey.keras"), 2, "got a copy of"),
        (("grey.npz", "grey.keras"), 2, "expected the model first, got them swapped"),
        (("pictures", "grey.keras"), 2, "MODEL, DATA: expected the model first"),
        (("grey.keras", "one-hot.npz"), 2, "one-hot? Give labels.argmax(axis=1)"),
        (("grey.keras", "long.npz"), 1, "and leave lengths out"),
    ],
)
def test_what_is_refused_in_one_line_with_nothing_written(
    run, folder, tmp_path, arguments, code, message
):
    before = sorted(folder.rglob("*"))
    result = run(*arguments)
    assert result.exit_code == code or (code is None and result.exit_code in (1, 2)), result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in result.output
    assert sorted(folder.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_onnx_without_onnx_runtime(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    result = run("text.onnx", "grey.npz")
    assert result.exit_code == 1
    assert "pip install 'glassnets[onnx]'" in result.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="ONNX Runtime is not installed"
)
def test_a_broken_onnx_model(run):
    result = run("text.onnx", "grey.npz")
    assert result.exit_code == 1
    assert "expected an ONNX model, got one that cannot be opened" in result.stderr


@pytest.mark.parametrize(
    ("own", "shape", "wanted"),
    [
        ((6, 6), (6, 6), (6, 6)),
        ((6, 6), (None, None), (6, 6)),
        ((6, 6), (1, 6, 6), (1, 6, 6)),
        ((6, 6, 3), (3, 6, 6), (3, 6, 6)),
        ((6, 6, 3), (6, 6, 3), (6, 6, 3)),
        ((6, 6), (36,), (36,)),
        ((6, 6), (None,), (36,)),
        ((6, 6), (6, 6, 1), (6, 6, 1)),
    ],
)
def test_inputs_are_brought_to_the_axes_that_an_onnx_model_takes(own, shape, wanted):
    assert placed(np.zeros((2, *own)), shape).shape == (2, *wanted)


def test_inputs_that_do_not_fit():
    with pytest.raises(GlassnetsError, match=r"inputs \(n, 3, any\), .* got \(n, 6, 6\)"):
        placed(np.zeros((2, 6, 6)), (3, None))


def test_nothing_that_a_file_brings_is_executed(run, folder, tmp_path):
    """A configuration that names a function of the system, in the place of a class of Keras."""
    hostile = folder / "hostile.keras"
    with zipfile.ZipFile(folder / "grey.keras") as source:
        parts = {name: source.read(name) for name in source.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1] = {
        "module": "os",
        "class_name": "system",
        "config": {"command": f"touch {tmp_path / 'executed'}"},
        "registered_name": "system",
    }
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(hostile, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    result = run("hostile.keras", "grey.npz")
    hostile.unlink()
    assert result.exit_code == 1
    assert "expected a Keras model of Keras' own layers" in result.stderr
    assert not (tmp_path / "executed").exists()
