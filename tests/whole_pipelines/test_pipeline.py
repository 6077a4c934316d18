"""One pipeline in a temporary clone: what it writes, what it runs again and what not, its bytes."""

import json
import sqlite3
import time

import numpy as np
import pytest

from glassnets.pipeline.manifests import OF_CELL

pytestmark = pytest.mark.exhaustive
COMPARE = ("dvc", "repro", "compare@digits")
BACK = ("bash", "-c", "git checkout --quiet . && dvc repro compare@digits")


def cell(family, *stages):
    return {f"{stage}@digits-{family}" for stage in stages}


def test_it_writes_what_it_promises(clone):
    results = clone.folder / "results" / "digits"
    tables = ("comparison", "metrics", "history", "leaderboards", "reliability", "classes")
    tables += ("scores_by_removal", "shares", "effects", "between_families")
    for name in (*(f"{table}.csv" for table in tables), "verdicts.md", "comparison.md"):
        assert (results / name).stat().st_size > 0
    accuracy = json.loads((results / "accuracy.json").read_text())
    assert set(accuracy) == set(clone.families)
    assert all(0 <= value <= 1 for value in accuracy.values())
    weights = ["seed-0.weights.h5", "seed-1.weights.h5"]
    for family in clone.families:
        models = clone.folder / "models" / "digits" / family
        assert sorted(path.name for path in models.iterdir()) == weights
        with np.load(results / "cells" / family / "attributions.npz") as arrays:
            for reference in ("mean", "draws"):  # the small pipeline's
                assert arrays[f"integrated_gradients:{reference}"].shape == (2, 6, 8, 8)
        with np.load(results / "cells" / family / "scores.npz") as scores:
            assert scores["kernel_shap:draws/insertion_minus_deletion"].shape == (2, 6)
        card = (results / "families" / family / "model-card.md").read_text()
        assert f"# {family} on digits" in card
    assert clone.partials() == []


def test_every_stage_runs_once_after_what_it_needs(clone):
    run = clone.stages_run(clone.first_output)
    of_cells = {f"{stage}@digits-{family}" for stage in OF_CELL for family in clone.families}
    of_dataset = {f"{stage}@digits" for stage in ("fetch", "preprocess", "sample", "baseline")}
    of_dataset |= {"additive@digits", "compare@digits"}
    assert len(run) == len(set(run))
    assert set(run) == {"manifest"} | of_dataset | of_cells
    assert (run[0], run[-1]) == ("manifest", "compare@digits")


def test_the_terminal_shows_no_noise(clone):
    for noise in ("Traceback", "absl", "oneDNN", "WARNING", "Warning", "alembic", "View run"):
        assert noise not in clone.first_output, clone.first_output


def test_a_second_repro_runs_nothing(clone):
    before = clone.lock()
    output = clone.run(*COMPARE)
    assert clone.stages_run(output) == []
    assert "up to date" in output
    assert clone.lock() == before


@pytest.mark.release
def test_a_family_that_is_forced_repeats_every_byte(clone):
    before = clone.lock()
    for stage in OF_CELL:
        output = clone.run("dvc", "repro", "--force", "--single-item", f"{stage}@digits-cnn")
        assert clone.stages_run(output) == [f"{stage}@digits-cnn"]
    assert clone.lock() == before
    assert clone.run("git", "status", "--porcelain") == ""


@pytest.mark.release
def test_another_recipe_moves_no_other_family_and_the_way_back_trains_nothing(clone):
    """Three epochs, two, three again by `dvc exp run`, and back to the last commit."""
    first = clone.hashes("models", "results")
    others = [path for path in first if "feedforward" not in path and "/digits/" in path]
    of_cells = [path for path in others if "/cells/" in path or path.startswith("models")]
    shorter = ("dvc", "exp", "run", "--set-param", "digits.feedforward.training.epochs=2")
    output = clone.run(*shorter, "compare@digits")
    moved = cell("feedforward", *OF_CELL) - cell("feedforward", "memorise")
    assert set(clone.stages_run(output)) == {"manifest", "compare@digits"} | moved
    second = clone.hashes("models", "results")
    assert {path: second[path] for path in of_cells} == {path: first[path] for path in of_cells}
    sample = "results/digits/sample.csv"
    assert second[sample] == first[sample]
    assert second["models/digits/feedforward/seed-0.weights.h5"] not in first.values()
    diff = clone.run("git", "diff", "--numstat", "params.yaml").split()
    assert diff == ["1", "1", "params.yaml"]
    assert "digits.feedforward.training.epochs" in clone.run("dvc", "params", "diff")

    longer = ("dvc", "exp", "run", "--set-param", "digits.feedforward.training.epochs=3")
    output = clone.run(*longer, "compare@digits")
    assert not set(clone.stages_run(output)) & cell("feedforward", "train", "attribute", "judge")
    assert "Stage 'train@digits-feedforward' is cached" in output
    assert clone.hashes("models", "results") == first

    clone.run(*shorter, "compare@digits")
    output = clone.run(*BACK)
    assert not set(clone.stages_run(output)) & cell("feedforward", "train", "attribute", "judge")
    assert clone.hashes("models", "results") == first
    assert clone.run("git", "status", "--porcelain") == ""


def test_bad_parameters_stop_the_pipeline_and_lose_nothing(clone):
    before = clone.lock(), clone.hashes("manifests", "models", "results")

    def edit(content):
        content["digits"]["cnn"]["training"]["epochs"] = -1

    clone.edit_params(edit)
    output = clone.run(*COMPARE, check=False)
    assert "error: params.yaml: digits.cnn.training.epochs: expected" in output
    assert "exited with 2" in output
    assert (clone.lock(), clone.hashes("manifests", "models", "results")) == before
    clone.run("git", "checkout", "--quiet", "params.yaml")


def test_a_kill_leaves_no_trace(clone):
    stage, seconds = "train@digits-cnn", 7
    before = clone.lock()
    process = clone.start("dvc", "repro", "--force", "--single-item", stage)
    time.sleep(seconds)
    clone.kill(process)
    clone.run("git", "checkout", "--quiet", "dvc.lock")  # which DVC may just have been writing
    output = clone.run(*COMPARE)
    assert "Traceback" not in output
    assert clone.lock() == before
    clone.run("dvc", "repro", "--force", "--single-item", stage)  # clears what the kill left
    assert clone.lock() == before
    assert clone.partials() == []
    assert clone.run("git", "status", "--porcelain") == ""


def finished_runs(clone):
    """Names of the finished runs of the current inputs that have no runs below them."""
    with sqlite3.connect(clone.folder / "mlflow.db") as database:
        names = database.execute(
            "select r.name from runs r join experiments e using (experiment_id) "
            "join tags t using (run_uuid) where e.name = 'glassnets-digits' "
            "and r.lifecycle_stage = 'active' and r.status = 'FINISHED' "
            "and t.key = 'glassnets.inputs' and t.value = 'current' order by r.name"
        ).fetchall()
    return [name for (name,) in names if "seed" in name]


def test_mlflow_holds_one_finished_run_a_seed(clone):
    clone.run("python", "-m", "glassnets.tracking", "digits")  # marks those of other recipes
    assert finished_runs(clone) == [
        f"{family}-seed-{seed}" for family in clone.families for seed in (0, 1)
    ]
