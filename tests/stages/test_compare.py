"""compare@D on made-up results in a project of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassnets import artefacts, params
from glassnets.errors import GlassnetsError
from glassnets.stages.compare import compare

FAMILIES = {"attention": 0.90, "cnn": 0.99, "feedforward": 0.91, "lstm": 0.93}
OUTPUTS = {"comparison.csv", "comparison.md", "comparison.png", "mcnemar.csv"}
OUTPUTS |= {"agreement.csv", "explanations.md", "explanations.png"}
INPUTS = {"split.json", "panel.csv"}
METHODS = {"occlusion": 0.4, "rise": 0.3, "edges": 0.1}  # with their insertion − deletion
PANEL = [7, 3, 5, 1, 8, 2]  # rows in raw


def write_results(folder, accuracy, seeds=(0, 1, 2), images=600):
    """What train and evaluate leave of a family of about this accuracy."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(round(1000 * accuracy))
    labels = np.arange(images) % 10
    runs, by_seed = [], []
    for seed in seeds:
        right = rng.random(images) < accuracy
        prediction = np.where(right, labels, (labels + 1) % 10)
        index = np.arange(images)[::-1]
        columns = {"index": index, "label": labels, "prediction": prediction}
        runs.append(pd.DataFrame({"seed": seed, **columns}))
        by_seed.append(float(right.mean()))
    artefacts.save_table(folder / "predictions.csv", pd.concat(runs))
    history = pd.DataFrame(
        [(seed, epoch, 1 - 0.5**epoch) for seed in seeds for epoch in (1, 2, 3)],
        columns=["seed", "epoch", "val_accuracy"],
    )
    artefacts.save_table(folder / "history.csv", history)
    reliability = {"bin": [0.95], "confidence": [0.95], "accuracy": [accuracy], "count": [images]}
    artefacts.save_table(folder / "reliability.csv", pd.DataFrame(reliability))
    mean = float(np.mean(by_seed))
    figure = {"mean": mean, "sd": float(np.std(by_seed)), "ci_low": mean - 0.01, "ci_high": mean}
    names = ("accuracy", "log_loss", "macro_f1", "expected_calibration_error", "brier_score")
    metrics = dict.fromkeys((*names, "train_accuracy", "overfitting_gap"), figure)
    metrics["accuracy"] = {**figure, "by_seed": by_seed}
    metrics["parameters"] = {**figure, "mean": 1234.0}
    artefacts.save_json(folder / "metrics.json", metrics)


def write_explanations(folder, rng):
    """What explain leaves of a family: maps, a leaderboard of which the first method passes."""
    arrays = {
        "index": np.array(PANEL),
        "labels": np.arange(6, dtype=np.uint8),
        "images": rng.integers(0, 256, (6, 8, 8), np.uint8),
        "seeds": np.array([0, 1, 2]),
        "predictions": np.tile(np.arange(6), (3, 1)),
        **{name: rng.normal(size=(3, 6, 8, 8)).astype(np.float32) for name in METHODS},
    }
    artefacts.save_arrays(folder / "explanations.npz", arrays)
    leaderboard = pd.DataFrame(
        {
            "method": list(METHODS),
            "control": [False, False, True],
            "passes": [True, False, False],
            "marks": ["", "not above edges", ""],
            "rank": pd.array([1, 2, None], "Int64"),
        }
    )
    for end, width in (("", 0), ("_ci_low", -0.05), ("_ci_high", 0.05)):
        leaderboard[f"insertion_minus_deletion{end}"] = np.add(list(METHODS.values()), width)
    artefacts.save_table(folder / "leaderboard.csv", leaderboard)
    taus = {"baselines": 0.8, "seeds": 0.9, "metrics": None}
    summary = {"methods": 2, "passing": 1, "kendall_tau": taus}
    artefacts.save_json(folder / "explanations.json", summary)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with results of four families on digits."""
    repository = Path(__file__).parents[2]
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    results = tmp_path / "results" / "digits"
    rng = np.random.default_rng(0)
    for family, accuracy in FAMILIES.items():
        write_results(results / family, accuracy)
        write_explanations(results / family, rng)
    panel = {"index": PANEL, "label": range(6), "wrong": [0, 1, 0, 0, 2, 0], "networks": 12}
    artefacts.save_table(results / "panel.csv", pd.DataFrame(panel))
    split = {
        "images": {"train": 900, "validation": 297, "test": 600},
        "duplicates_of_earlier_parts": {"train": 0, "validation": 0, "test": 2},
    }
    artefacts.save_json(results / "split.json", split)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run():
    compare(params.load(artefacts.params_file()), "digits")


def outputs(project):
    files = [path for path in (project / "results" / "digits").iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in files if path.name not in INPUTS}


def test_it_writes_its_files_and_says_what_follows(project, capsys):
    run()
    printed = capsys.readouterr().out
    written = outputs(project)
    assert set(written) == OUTPUTS
    table = artefacts.load_table(project / "results/digits/comparison.csv")
    assert table["family"].tolist()[0] == "cnn"
    assert table["accuracy"].is_monotonic_decreasing
    pairs = artefacts.load_table(project / "results/digits/mcnemar.csv")
    assert len(pairs) == 6
    page = written["comparison.md"].decode()
    assert "cnn is more accurate than attention in every seed" in page
    assert "So cnn is the most accurate of these 4 families." in page
    assert "600 to test on, the same for every family (lying in another part too: 2)" in page
    assert "Random split (test_size 0.2, random_state 42, stratified)" in page
    assert "So cnn is the most accurate" in printed


def test_it_says_which_explanation_to_believe(project, capsys):
    run()
    believed = "cnn: believe occlusion, the first of the 1 of 2 methods that pass"
    assert believed in capsys.readouterr().out
    page = outputs(project)["explanations.md"].decode()
    assert f"- {believed}" in page
    assert "6 test images, the same for every family, 2 of them answered wrongly" in page
    assert "](explanations.png)" in page
    table = artefacts.load_table(project / "results/digits/agreement.csv")
    assert table.groupby("method").size().to_dict() == {"occlusion": 10, "rise": 10}
    assert table["images"].eq(6).all()


def test_explanations_of_another_panel_are_refused_and_nothing_is_written(project):
    panel = artefacts.load_table(project / "results/digits/panel.csv")
    artefacts.save_table(project / "results/digits/panel.csv", panel[::-1])
    with pytest.raises(GlassnetsError, match=r"explanations of attention .*dvc repro"):
        run()
    assert outputs(project) == {}


def test_the_pairs_are_counted_from_the_predictions(project):
    run()
    results = project / "results" / "digits"
    right = {}
    for family in ("cnn", "lstm"):
        table = artefacts.load_table(results / family / "predictions.csv").query("seed == 1")
        right[family] = (table["label"] == table["prediction"]).to_numpy()
    pairs = artefacts.load_table(results / "mcnemar.csv")
    pair = pairs.query("family_a == 'cnn' and family_b == 'lstm'").iloc[0]
    assert pair["only_a_1"] == (right["cnn"] & ~right["lstm"]).sum()
    assert pair["only_b_1"] == (right["lstm"] & ~right["cnn"]).sum()


def test_again_gives_the_same_bytes(project):
    run()
    first = outputs(project)
    run()
    assert outputs(project) == first


def test_a_family_without_a_group_is_left_out(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    head, tail = text.split("\nmnist:")
    start, stop = head.index("  lstm:"), head.index("  cnn:")
    text = head[:start] + head[stop:] + "\nmnist:" + tail
    (project / "params.yaml").write_text(text, encoding="utf-8")
    run()
    table = artefacts.load_table(project / "results/digits/comparison.csv")
    assert sorted(table["family"]) == ["attention", "cnn", "feedforward"]


def test_the_official_split_is_named_so(project):
    loaded = params.load(artefacts.params_file())
    official = loaded.model_copy(
        update={"digits": loaded.dataset("digits").model_copy(update={"split": "official"})}
    )
    compare(official, "digits")
    assert "Official split: 900 images" in outputs(project)["comparison.md"].decode()


def test_other_images_are_refused_and_nothing_is_written(project):
    path = project / "results/digits/lstm/predictions.csv"
    table = artefacts.load_table(path)
    table.loc[0, "index"] = 599_999
    artefacts.save_table(path, table)
    with pytest.raises(GlassnetsError, match="lstm with seed 0"):
        run()
    assert outputs(project) == {}


def test_missing_results_are_named_with_the_way_forward(project):
    (project / "results/digits/cnn/metrics.json").unlink()
    with pytest.raises(GlassnetsError, match=r"cnn/metrics\.json.*dvc repro"):
        run()
    assert outputs(project) == {}


def test_the_command_works_without_tensorflow(project):
    """Run as DVC runs it, in a Python where importing TensorFlow or Keras fails."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "
        "sys.argv = ['compare', 'digits']; "
        "runpy.run_module('glassnets.stages.compare', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "So cnn is the most accurate" in done.stdout
    assert set(outputs(project)) == OUTPUTS
    assert json.loads((project / "results/digits/split.json").read_text())  # untouched
