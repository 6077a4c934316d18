"""The champions in MLflow's registry."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.tracking.register import best_seed, description, register

pytestmark = pytest.mark.exhaustive

FAMILIES = ["attention", "cnn", "feedforward", "lstm", "spiking"]
CNN = "glassnets-digits-cnn"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)


@pytest.fixture
def inside(project, tables, tmp_path, monkeypatch):
    """The project as the current folder, and a client of a registry of this test's own."""
    uri = f"sqlite:///{shutil.copy(tables, tmp_path)}"
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return mlflow.MlflowClient(uri)


@pytest.fixture(scope="module")
def champion(project, tables, tmp_path_factory):
    """The champion of cnn, loaded from a registry of its own."""
    uri = f"sqlite:///{shutil.copy(tables, tmp_path_factory.mktemp('champion'))}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        register(config.load(Path("params.yaml")), "digits")
        yield mlflow.pyfunc.load_model(f"models:/{CNN}@champion")


def registered(capsys):
    """The lines that a registration prints."""
    register(config.load(Path("params.yaml")), "digits")
    return capsys.readouterr().out.splitlines()


def test_each_family_has_its_champion(inside, capsys):
    assert registered(capsys) == [
        f"glassnets-digits-{family}: version 1 is the champion now (seed 0)" for family in FAMILIES
    ]
    for family in FAMILIES:
        version = inside.get_model_version_by_alias(f"glassnets-digits-{family}", "champion")
        assert version.description == f"# {family}\n\n\nNot for exams."
        assert version.tags["test.accuracy"] == "0.25"
        assert version.tags["seed"] == "0"
        assert len(version.tags["train.sha256"]) == 64
        assert inside.get_registered_model(version.name).description == version.description


def test_registering_again_adds_nothing_and_other_weights_add_a_version(inside, capsys):
    registered(capsys)
    assert registered(capsys)[1] == f"{CNN}: version 1 is the champion already (seed 0)"
    weights = artefacts.weights("digits", "cnn", 0)
    kept = weights.read_bytes()
    shutil.copy(artefacts.weights("digits", "lstm", 0), weights)
    try:
        assert registered(capsys)[:2] == [
            "glassnets-digits-attention: version 1 is the champion already (seed 0)",
            f"{CNN}: version 2 is the champion now (seed 0)",
        ]
    finally:
        weights.write_bytes(kept)
    assert registered(capsys)[1] == f"{CNN}: version 3 is the champion now (seed 0)"
    versions = inside.search_model_versions(f"name = '{CNN}'")
    assert sorted(int(v.version) for v in versions) == [1, 2, 3]


def test_nothing_is_registered_before_all_is_there(inside, capsys):
    card = artefacts.results("digits") / "families" / "lstm" / "model-card.md"
    kept = card.rename(card.with_suffix(".kept"))
    try:
        with pytest.raises(GlassnetsError, match="`dvc repro compare@digits` writes it"):
            registered(capsys)
    finally:
        kept.rename(card)
    assert inside.search_model_versions() == []


def test_the_champion_is_the_network_with_its_verdicts(inside, capsys, network):
    registered(capsys)
    champion = mlflow.pyfunc.load_model(f"models:/{CNN}@champion")
    expected = network.probabilities(IMAGES)
    for result, own in zip(champion.predict(IMAGES), expected, strict=True):
        assert result["class"] == own.argmax()
        np.testing.assert_allclose(result["probabilities"], own, atol=1e-6)
    results = champion.predict(IMAGES, params={"explain": "gradient"})
    maps = network.attribute("gradient", IMAGES, expected.argmax(axis=1))
    for result, own in zip(results, maps, strict=True):
        np.testing.assert_allclose(result["explanation"]["map"], own, atol=1e-4 * np.abs(own).max())
        assert result["explanation"]["verdict"] == network.verdict("gradient").text
        assert result["explanation"]["doubtful"]
    assert all("warning" not in result for result in results)
    dark = champion_warnings(champion, IMAGES // 100)
    assert all("in training" in warning for warning in dark)
    known = r"params: expected explain, contrast, got 'explian': did you mean explain\?"
    with pytest.raises(MlflowException, match=known):
        champion.predict(IMAGES, params={"explian": "gradient"})


def champion_warnings(champion, images):
    return [each["warning"] for each in champion.predict(images)]


def test_the_champion_explains_why_not_another_class(champion, network):
    predicted = network.probabilities(IMAGES).argmax(axis=1)
    contrast = int(predicted[0])
    params = {"explain": "integrated_gradients", "contrast": contrast}
    explanations = [each["explanation"] for each in champion.predict(IMAGES, params=params)]
    # The best supported variant of the method that was named without a reference.
    assert {each["method"] for each in explanations} == {"integrated_gradients:mean"}
    assert [each["map"] is None for each in explanations] == (predicted == contrast).tolist()
    assert explanations[0]["map"] is None
    other = (contrast + 1) % 10
    params = {"explain": "gradient", "contrast": other}
    results = champion.predict(IMAGES, params=params)
    images = IMAGES[predicted != other]
    targets = predicted[predicted != other]
    maps = network.attribute("gradient", images, targets, np.full(len(images), other))
    given = [each["explanation"]["map"] for each in results if each["class"] != other]
    np.testing.assert_allclose(given, maps, atol=1e-4 * np.abs(maps).max())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"contrast": 3}, "contrast: expected a class, 0 to 9, beside explain, got 3"),
        ({"explain": "gradient", "contrast": 10}, "contrast: expected a class, 0 to 9"),
        ({"explain": "gradient", "contrast": -2}, "contrast: expected a class, 0 to 9"),
        ({"explain": "gradient", "contrast": "three"}, "contrast"),
        ({"explain": "rise:tea"}, "rise: expected a reference among black, mean, blur, draws"),
    ],
)
def test_what_the_champion_cannot_explain_is_refused(champion, params, message):
    with pytest.raises(MlflowException, match=message):
        champion.predict(IMAGES, params=params)


def test_the_best_seed_is_that_of_the_lowest_validation_loss(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()
    folder = artefacts.results("digits", "cnn")
    folder.mkdir(parents=True)
    columns = ["seed", "epoch", "val_loss", "val_accuracy"]
    rows = [(0, 1, 0.3, 0.99), (0, 2, 0.4, 0.9), (1, 1, 0.5, 0.9), (1, 2, 0.2, 0.9), (2, 1, 0.2, 1)]
    artefacts.save_table(folder / "history.csv", pd.DataFrame(rows, columns=columns))
    assert best_seed("digits", "cnn") == 1


def test_a_card_is_cut_to_what_mlflow_has_room_for():
    card = "\n".join(f"line {i} " + "x" * 90 for i in range(80))
    text = description(card)
    assert len(text) <= 5000
    kept, rest = text.split("\n\n… ")
    assert card.startswith(kept + "\n")
    assert "model-card.md" in rest
