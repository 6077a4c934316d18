"""sample@D on a made-up test part in a project of its own."""

from pathlib import Path

import numpy as np
import pytest

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.sample import sample

ROOT = Path(__file__).parents[3]
WRITTEN = Path("results", "digits", "sample.csv")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a test part of 100 images, and nothing else."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    part = artefacts.part("digits", "test")
    part.parent.mkdir(parents=True)
    index = np.arange(100)[::-1] * 3
    labels = (index % 10).astype(np.uint8)
    images = np.zeros((100, 8, 8), np.uint8)
    artefacts.save_arrays(part, {"images": images, "labels": labels, "index": index})
    return tmp_path


def run(**changed):
    params = config.load(artefacts.params_file())
    digits = params.dataset("digits")
    digits = digits.model_copy(update={"sample": digits.sample.model_copy(update=changed)})
    sample(params.model_copy(update={"digits": digits}), "digits")


def test_it_writes_the_images_and_prints_how_many(project, capsys):
    run(images=20)
    table = artefacts.load_table(project / WRITTEN)
    assert table.columns.tolist() == ["index", "label"]
    assert len(table) == table["index"].nunique() == 20
    assert (table["label"] == table["index"] % 10).all()
    assert capsys.readouterr().out == "digits: 20 of 100 test images drawn\n"


def test_it_needs_no_prediction_and_again_gives_the_same_bytes(project):
    run()
    first = (project / WRITTEN).read_bytes()
    run()
    assert (project / WRITTEN).read_bytes() == first
    run(random_state=1)
    assert (project / WRITTEN).read_bytes() != first


def test_a_missing_test_part_is_named_with_the_way_forward(project):
    artefacts.part("digits", "test").unlink()
    with pytest.raises(GlassnetsError, match=r"digits/test\.npz.*make run DATASET="):
        run()
    assert not (project / WRITTEN).exists()
