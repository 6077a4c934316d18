"""The whole pipeline in a temporary clone: it runs, runs nothing twice, and repeats its bytes."""

import json
import sqlite3

import numpy as np
import pytest

from glassnets import registry

pytestmark = pytest.mark.slow
FAMILIES = registry.names("families")
EXPECTED_RUNS = [f"{family}-seed-{seed}" for family in FAMILIES for seed in (0, 1)]


def test_it_writes_what_it_promises(clone):
    results = clone.folder / "results" / "digits"
    for name in ("comparison.md", "comparison.csv", "comparison.png", "mcnemar.csv"):
        assert (results / name).stat().st_size > 0
    for family in FAMILIES:
        figures = json.loads((results / family / "metrics.json").read_text())
        assert 0 <= figures["accuracy"]["mean"] <= 1
        assert len(figures["accuracy"]["by_seed"]) == 2
        models = clone.folder / "models" / "digits" / family
        assert sorted(path.name for path in models.iterdir()) == [
            "seed-0.weights.h5",
            "seed-1.weights.h5",
        ]
    assert clone.partials() == []


def test_it_explains_what_it_promises(clone):
    results = clone.folder / "results" / "digits"
    for name in ("explanations.md", "explanations.png", "agreement.csv", "panel.csv"):
        assert (results / name).stat().st_size > 0
    for family, own in (("attention", "attention_rollout"), ("cnn", "grad_cam")):
        trust = json.loads((results / family / "trust.json").read_text())
        assert {own, "integrated_gradients", "kernel_shap", "random_map"} <= set(trust)
        figure = trust[own]["insertion_minus_deletion"]
        assert set(figure) == {"mean", "ci_low", "ci_high", "by_seed"}
        assert len(figure["by_seed"]) == 2
        with np.load(results / family / "explanations.npz") as arrays:
            assert arrays[own].shape == (2, 6, 8, 8)


def test_the_terminal_shows_no_noise(clone):
    for noise in ("Traceback", "absl", "oneDNN", "WARNING", "Warning", "alembic", "View run"):
        assert noise not in clone.first_output, clone.first_output


def test_a_second_repro_runs_nothing(clone):
    before = clone.lock()
    output = clone.run("dvc", "repro", "compare@digits")
    assert "Running stage" not in output
    assert "up to date" in output
    assert clone.lock() == before


def test_forced_it_repeats_every_byte(clone):
    before = clone.lock()
    output = clone.run("dvc", "repro", "--force", "compare@digits")
    assert output.count("Running stage") == 4 + 3 * len(FAMILIES)
    assert clone.lock() == before
    assert clone.run("git", "status", "--porcelain") == ""


def finished_runs(clone):
    with sqlite3.connect(clone.folder / "mlflow.db") as database:
        found = database.execute(
            "select r.name from runs r join experiments e using (experiment_id) "
            "join tags t using (run_uuid) where e.name = 'glassnets-digits' "
            "and r.lifecycle_stage = 'active' and r.status = 'FINISHED' "
            "and t.key = 'glassnets.inputs' and t.value = 'current' order by r.name"
        ).fetchall()
    return [name for (name,) in found]


def test_mlflow_holds_one_finished_run_a_seed(clone):
    clone.run("python", "-m", "glassnets.mirror", "digits")  # marks those of other tests' recipes
    assert finished_runs(clone) == EXPECTED_RUNS


def test_an_edit_reruns_its_own_cell_alone(clone):
    def edit(content):
        content["digits"]["lstm"]["training"]["epochs"] = 2

    clone.edit_params(edit)
    stale = {
        line.rstrip(":")
        for line in clone.run("dvc", "status").splitlines()
        if "@digits" in line and not line[0].isspace()
    }
    clone.run("git", "checkout", "--quiet", "params.yaml")
    # What else comes after them is asked only if their results are other ones; but the report and
    # the model cards tell the parameters themselves.
    cell = {f"{stage}@digits-lstm" for stage in ("train", "evaluate", "explain")}
    assert stale == cell | {"compare@digits"}


def test_offline_a_bare_repro_ends_at_mnist_with_the_others_whole(clone):
    output = clone.run("dvc", "repro", check=False)
    assert "Stage 'compare@digits' didn't change" in output
    assert "Running stage 'compare@planted'" in output
    assert "Running stage 'fetch@mnist'" in output
    assert "data/external/mnist" in output
    assert "compare@digits" in output
    assert "Traceback" not in output
    assert not (clone.folder / "data" / "raw" / "mnist.npz").exists()


def test_bad_parameters_stop_the_pipeline_before_it_writes(clone):
    def edit(content):
        content["digits"]["cnn"]["training"]["epochs"] = -1

    before = clone.lock()
    clone.edit_params(edit)
    output = clone.run("dvc", "repro", "compare@digits", check=False)
    clone.run("git", "checkout", "--quiet", "params.yaml")
    assert "error: params.yaml: digits.cnn.training.epochs: expected" in output
    assert "exited with 2" in output
    assert clone.lock() == before
    clone.run("dvc", "repro", "compare@digits")  # DVC had cleared the networks away
    clone.run("python", "-m", "glassnets.mirror", "digits")
    assert clone.lock() == before


def test_networks_that_ignore_the_cue_get_no_figures_of_localization(clone):
    """An epoch over 216 images teaches none of them to find it."""
    results = clone.folder / "results" / "planted"
    if not results.joinpath("explanations.md").exists():
        clone.run("dvc", "repro", "compare@planted")
    for family in FAMILIES:
        summary = json.loads((results / family / "explanations.json").read_text())
        assert summary["intervention"]["withheld_seeds"] == [0, 1]
        trust = json.loads((results / family / "trust.json").read_text())
        assert "relevance_mass" not in trust["integrated_gradients"]
    assert "**Withheld**" in (results / "explanations.md").read_text()
