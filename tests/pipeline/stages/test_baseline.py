"""baseline@D on made-up parts in a project of its own."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.baseline import baseline

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with parts of which the brightest row is the label."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, rows in (("train", 300), ("test", 100)):
        labels = (np.arange(rows) % 10 % 8).astype(np.uint8)
        images = rng.integers(0, 200, (rows, 8, 8), np.uint8)
        images[np.arange(rows), labels] += 50
        path = artefacts.part("digits", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"images": images, "labels": labels, "index": np.arange(rows)[::-1]}
        artefacts.save_arrays(path, arrays)
    return tmp_path


def outputs(project):
    results = project / "results" / "digits"
    return {path.name: path.read_bytes() for path in results.iterdir()}


def test_it_writes_a_table_and_the_predictions_that_it_is_of(project, capsys):
    baseline(config.load(artefacts.params_file()), "digits")
    assert sorted(outputs(project)) == ["baseline_predictions.csv", "baselines.csv"]
    table = artefacts.load_table(artefacts.baselines("digits"))
    names = ["most frequent class", "logistic regression", "gradient boosting"]
    assert table.columns.tolist() == [
        *("baseline", "accuracy", "ci_low", "ci_high", "balanced_accuracy", "log_loss", "images")
    ]
    assert table["baseline"].tolist() == names
    predictions = artefacts.load_table(artefacts.baseline_predictions("digits"))
    test = artefacts.load_arrays(artefacts.part("digits", "test"))
    for name, accuracy in zip(names, table["accuracy"], strict=True):
        own = predictions[predictions["baseline"] == name]
        np.testing.assert_array_equal(own["index"], test["index"])
        np.testing.assert_array_equal(own["label"], test["labels"])
        assert (own["prediction"] == own["label"]).mean() == pytest.approx(accuracy)
    assert (table["accuracy"][1:] > 0.5).all()
    assert re.match(
        r"most frequent class: test accuracy 0\.2000, 95% interval 0\.\d{4} to 0\.\d{4}\n",
        capsys.readouterr().out,
    )


@pytest.mark.exhaustive
def test_the_same_bytes_each_time_and_without_tensorflow(project):
    baseline(config.load(artefacts.params_file()), "digits")
    first = outputs(project)
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "
        "sys.argv = ['baseline', 'digits']; "
        "runpy.run_module('glassnets.pipeline.stages.baseline', run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert outputs(project) == first


def test_a_missing_part_leaves_nothing_half_written(project):
    artefacts.part("digits", "test").unlink()
    with pytest.raises(GlassnetsError, match=r"digits/test\.npz.*make run DATASET="):
        baseline(config.load(artefacts.params_file()), "digits")
    assert not (project / "results").exists()
