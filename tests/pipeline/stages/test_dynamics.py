"""dynamics@D and learning@D on a few digits, in a project of its own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from glassnets import config
from glassnets.pipeline import artefacts

pytestmark = pytest.mark.exhaustive
ROOT = Path(__file__).parents[3]
TABLES = [
    "augmented",
    "batch_races",
    "batch_rates",
    "descent",
    "double_descent",
    "finite_differences",
    "gradient_factors",
    "gradient_layers",
    "gradient_noise",
    "gradient_steps",
    "learning_curve",
    "noise_slopes",
    "sharpness",
    "shuffled_labels",
    "thresholds",
]
PICTURES = ("backpropagation", "batch_size", "gradient_flow", "learning_rate", "overfitting")


def smaller(group, **changes):
    """A group of options with some changed, in groups within too."""
    own = {
        name: smaller(getattr(group, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return group.model_copy(update=own)


@pytest.fixture(scope="module")
def made(tmp_path_factory, learning_rules):
    """The project's results, what both stages wrote in two runs, and what they printed."""
    from glassnets.pipeline.stages.dynamics import dynamics
    from glassnets.pipeline.stages.learning import learning

    project = tmp_path_factory.mktemp("project")
    (project / "dvc.yaml").touch()
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    told = []
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr("glassnets.tracking.studies.log", lambda params, *named: told.append(named))
        artefacts.processed("digits").mkdir(parents=True)
        ends = {"train": (0, 300), "validation": (300, 400), "test": (400, 600)}
        for name, (begin, end) in ends.items():
            rows = order[begin:end]
            images = (digits.images[rows] * 15).astype(np.uint8)
            labels = digits.target[rows].astype(np.uint8)
            arrays = {"images": images, "labels": labels, "index": rows}
            artefacts.save_arrays(artefacts.part("digits", name), arrays)
        artefacts.results("digits").mkdir(parents=True)
        counts = {name: end - begin for name, (begin, end) in ends.items()}
        artefacts.save_json(artefacts.results("digits") / "split.json", {"images": counts})
        of_rules = artefacts.results("digits") / "learning_rules"
        of_rules.mkdir()
        for name, table in learning_rules.items():
            artefacts.save_table(of_rules / f"{name}.csv", table)

        params = config.load(artefacts.params_file())
        data = smaller(
            params.dataset("digits"),
            dynamics={
                "seeds": (0, 1),
                "gradient_flow": {
                    "depth": 4,
                    "width": 60,
                    "images": 20,
                    "training": {"steps": 2, "rates": (0.01, 0.1)},
                    "cells": {"units": 20, "steps": 8},
                },
                "batch_size": {
                    "units": 8,
                    "sizes": (4, 32),
                    "rates": {"lowest": 0.25, "highest": 2.0},
                    "loss": 1.0,
                    "noise": {"images": 32, "draws": 60},
                },
                "learning_rate": {
                    "images": 60,
                    "steps": 100,
                    "network": {"units": (8,), "rates": (0.02, 0.8)},
                    "network_steps": 200,
                    "every": 50,
                },
                "overfitting": {
                    "images": 200,
                    "units": 16,
                    "training": {"updates": 60},
                    "augmented": {"epochs": 5},
                    "shuffled": {"images": 40, "epochs": 80},
                    "regression": {"images": 40},
                },
                "backpropagation": {"images": 4, "units": (4,), "parameters": 9},
            },
        )
        params = params.model_copy(update={"digits": data})
        written = []
        for _ in range(2):
            dynamics(params, "digits")
            learning(params, "digits")
            files = sorted(p for p in artefacts.results("digits").rglob("*") if p.is_file())
            files = [path for path in files if path.parent != of_rules]
            written.append({str(p.relative_to(project)): p.read_bytes() for p in files})
        results = artefacts.results("digits")
    assert written[0] == written[1]
    assert told == [("digits", "learning", "learning_rules")] * 2
    return results, written[0]


def test_the_same_inputs_give_the_same_files(made):
    _, written = made
    folder = "results/digits/learning"
    assert set(written) == {
        "results/digits/split.json",
        "results/digits/learning.md",
        *(f"results/digits/learning_rules{end}" for end in (".md", ".png")),
        f"{folder}/summary.json",
        *(f"{folder}/tables/{name}.csv" for name in TABLES),
        *(f"{folder}/{name}.png" for name in PICTURES),
    }


def test_dvc_knows_every_file(made):
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    _, written = made
    for name in written:
        assert name.replace("/digits/", "/${item.dataset}/") in text, name


def test_its_numbers_agree_with_theory(made):
    results, _ = made
    found = artefacts.load_json(results / "learning" / "summary.json")
    assert found["gradient_flow_deviation"] < 0.2  # four layers of 60 units
    assert found["noise_slope_start"] == pytest.approx(-1, abs=0.1)
    assert found["threshold_deviation"] < 0.01
    assert found["double_descent_peak"] == pytest.approx(1, abs=0.1)
    assert found["shuffled_labels_test"] < 0.3 < found["shuffled_labels_train"]
    assert found["finite_difference_error"] < 1e-7


def test_no_table_has_a_time_and_every_interval_holds_its_mean(made):
    results, _ = made
    for name in TABLES:
        table = artefacts.load_table(results / "learning" / "tables" / f"{name}.csv")
        assert not [column for column in table if "second" in column]
        for column in table:
            if f"{column}_low" in table:
                own = table[[f"{column}_low", column, f"{column}_high"]].dropna()
                assert (own.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None), (name, column)


def test_the_page_shows_every_picture_and_states_its_limits(made):
    results, _ = made
    page = (results / "learning.md").read_text(encoding="utf-8")
    for name in PICTURES:
        assert f"](learning/{name}.png)" in page
        with Image.open(results / "learning" / f"{name}.png") as picture:
            assert min(picture.size) > 400
    assert page.count("**What cannot be concluded.**") == len(PICTURES)
    assert "86.1 ± 8.1" in page
    assert "nan" not in page.lower()
    assert "−0.0891" in page  # δ₁ of the three units
    page = (results / "learning_rules.md").read_text(encoding="utf-8")
    assert "learnt from 300 images of digits" in page


def test_tables_of_the_page_are_whole(made):
    results, _ = made
    lines = (results / "learning.md").read_text(encoding="utf-8").splitlines()
    table = None
    for line in lines:
        if line.startswith("|"):
            assert table in (None, line.count("|")), line
            table = line.count("|")
        else:
            table = None
