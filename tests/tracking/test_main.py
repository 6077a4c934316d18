"""``glassnets track``: what it prints, and what it refuses to log."""

import pytest
from dvc.repo import Repo

from glassnets import config
from glassnets.pipeline import artefacts
from glassnets.tracking import __main__ as main
from glassnets.tracking import register

pytestmark = pytest.mark.exhaustive
PIPELINE = """
stages:
  train:
    matrix: &cells {dataset: [digits], family: [cnn, feedforward]}
    cmd: train
    deps: ["manifests/${item.dataset}/${item.family}/train.json"]
    outs: ["models/${item.dataset}/${item.family}"]
  evaluate:
    matrix: *cells
    cmd: evaluate
    deps: ["models/${item.dataset}/${item.family}"]
    outs: ["results/${item.dataset}/cells/${item.family}/metrics.json"]
  verdict:
    matrix: *cells
    cmd: verdict
    outs: ["results/${item.dataset}/cells/${item.family}/leaderboard.csv"]
"""


@pytest.fixture
def track(capsys):
    """``track(*datasets)``: exit code, standard output and standard error."""

    def track(*datasets):
        try:
            main.command(list(datasets) or None)
        except SystemExit as left:
            return left.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return track


@pytest.fixture
def locked(logged):
    """The store of a project whose files are those of dvc.lock; its feedforward is not logged."""
    (logged.folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    repo = Repo.init(no_scm=True)
    repo.commit(force=True)
    repo.close()
    return logged


def test_what_mlflow_lacks_is_logged_once(locked, track):
    said = "digits: 4 runs below 2 parent runs in MLflow, {} of them written now\n"
    assert track() == (0, said.format(3), "")
    assert track("digits") == (0, said.format("none"), "")
    assert len(locked.runs()) == 6


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("manifests/digits/cnn/train.json", "train@digits-cnn"),
        ("models/digits/cnn/seed-0.weights.h5", "evaluate@digits-cnn, train@digits-cnn"),
        ("results/digits/cells/cnn/metrics.json", "evaluate@digits-cnn"),
        ("results/digits/cells/feedforward/leaderboard.csv", "verdict@digits-feedforward"),
    ],
)
def test_what_is_not_as_dvcs_lock_has_it_is_not_logged(locked, track, path, stages):
    changed = locked.folder / path
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes() + b" ")
    code, out, err = track()
    assert (code, out) == (1, "")
    assert err.startswith("error: digits: expected networks and results as dvc.lock has them, ")
    assert f"got others in {stages}: `dvc repro compare@digits`" in err
    assert len(locked.runs()) == 3


def test_a_recipe_that_was_not_trained_is_not_logged(locked, track):
    params = artefacts.params_file()
    content = params.read_text(encoding="utf-8")
    edited = content.replace("weight_decay: 0.01", "weight_decay: 0.02")
    assert edited != content
    params.write_text(edited, encoding="utf-8")
    code, out, err = track()
    assert (code, out) == (1, "")
    assert "got others in train@digits-cnn, train@digits-feedforward: " in err


REGISTERED = """
  compare:
    matrix: {dataset: [digits]}
    cmd: compare
    deps:
      - results/${item.dataset}/cells/cnn/metrics.json
      - results/${item.dataset}/cells/cnn/leaderboard.csv
    outs: ["results/${item.dataset}/families/cnn/model-card.md"]
"""


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("models/digits/cnn/seed-0.weights.h5", "evaluate@digits-cnn: changed deps"),
        ("results/digits/cells/cnn/metrics.json", "evaluate@digits-cnn: changed outs"),
        ("results/digits/families/cnn/model-card.md", "compare@digits: changed outs"),
    ],
)
def test_what_is_not_as_dvcs_lock_has_it_is_not_registered(logged, capsys, path, stage):
    card = logged.folder / "results" / "digits" / "families" / "cnn" / "model-card.md"
    card.parent.mkdir(parents=True)
    card.write_text("# cnn")
    (logged.folder / "dvc.yaml").write_text(PIPELINE + REGISTERED, encoding="utf-8")
    repo = Repo.init(no_scm=True)
    repo.commit(force=True)
    repo.close()
    params = config.load(artefacts.params_file())
    register.check_fresh(params, "digits")
    with (logged.folder / path).open("ab") as file:
        file.write(b" ")
    with pytest.raises(SystemExit, match="1"):
        register.command("digits")
    line = capsys.readouterr().err
    assert line.startswith("error: digits: expected networks and results as dvc.lock has them, ")
    assert f"got {stage}" in line
    assert line.count("\n") == 1


def test_an_unknown_dataset_is_refused(store, track):
    code, _, err = track("tea")
    assert (code, err) == (
        2,
        "error: datasets: expected one of digits, planted, mnist, got 'tea'\n",
    )


def test_a_project_without_networks_is_told_how_to_get_some(store, track):
    code, _, err = track()
    assert (code, err.count("\n")) == (1, 1)
    assert "expected networks in models/, got none" in err


def test_a_project_that_dvc_does_not_know_is_refused(store, track):
    code, _, err = track("digits")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: expected DVC to say what is fresh, got: ")
    assert not artefacts.root().joinpath("mlruns").exists()
