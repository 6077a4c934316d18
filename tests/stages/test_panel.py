"""panel@D on made-up predictions in a project of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassnets import artefacts, params
from glassnets.errors import GlassnetsError
from glassnets.stages.panel import panel


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with predictions of four families on 100 images, 30 answered wrongly by one."""
    repository = Path(__file__).parents[2]
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    index = np.arange(100)
    for family in ("attention", "cnn", "feedforward", "lstm"):
        wrong = index < 30 if family == "cnn" else index < 0
        one = {"index": index, "label": index % 10, "prediction": (index + wrong) % 10}
        folder = tmp_path / "results" / "digits" / family
        folder.mkdir(parents=True)
        table = pd.concat(pd.DataFrame({"seed": seed, **one}) for seed in (0, 1))
        artefacts.save_table(folder / "predictions.csv", table)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(**changed):
    loaded = params.load(artefacts.params_file())
    digits = loaded.dataset("digits")
    chosen = digits.explanations.panel.model_copy(update=changed)
    explanations = digits.explanations.model_copy(update={"panel": chosen})
    digits = digits.model_copy(update={"explanations": explanations})
    panel(loaded.model_copy(update={"digits": digits}), "digits")


def test_it_writes_the_images_and_says_how_many_are_wrong(project, capsys):
    run(images=20, wrong=8)
    written = artefacts.load_table(project / "results/digits/panel.csv")
    assert written.columns.tolist() == ["index", "label", "wrong", "networks"]
    assert len(written) == 20
    assert written["wrong"].isin([0, 2]).all()
    assert written["networks"].eq(8).all()
    said = "20 images; at least one of 8 networks answered 8 of them wrongly\n"
    assert capsys.readouterr().out == said


def test_too_few_wrong_ones_are_owned_up_to(project, capsys):
    run(images=50, wrong=40)
    said = "answered 30 of them wrongly (40 were asked for: too few of one kind)"
    assert said in capsys.readouterr().out


def test_again_gives_the_same_bytes(project):
    run()
    first = (project / "results/digits/panel.csv").read_bytes()
    run()
    assert (project / "results/digits/panel.csv").read_bytes() == first


def test_missing_predictions_are_named_with_the_way_forward(project):
    (project / "results/digits/lstm/predictions.csv").unlink()
    with pytest.raises(GlassnetsError, match=r"lstm/predictions\.csv.*dvc repro"):
        run()
    assert not (project / "results/digits/panel.csv").exists()
