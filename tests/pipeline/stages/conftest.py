"""A project of made-up results, as the stages before compare write them."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from glassnets.attribution.metrics.metric import NETWORK
from glassnets.pipeline import artefacts

REPOSITORY = Path(__file__).parents[3]
FAMILIES = {"attention": 0.90, "cnn": 0.99, "feedforward": 0.91, "lstm": 0.93, "spiking": 0.92}
# Variants with their insertion − deletion, and the verdicts on them.
METHODS = {"occlusion:mean": 0.4, "occlusion:blur": 0.35, "rise:mean": 0.3, "edges": 0.1}
VERDICTS = ["holds", "undecided", "fails", ""]
REASONS = ["", "undecided whether above edges (some 300 images would tell)", "not above edges", ""]
REMOVALS = ("black", "mean", "noisy_linear")
SAMPLE = [7, 3, 5, 1, 8, 2]  # rows in raw
TEST_IMAGES = 600


def write_evaluation(folder, accuracy, seeds=(0, 1, 2)):
    """The files of train@D-F and evaluate@D-F, of a family of about this accuracy."""
    rng = np.random.default_rng(round(1000 * accuracy))
    labels = np.arange(TEST_IMAGES) % 10
    runs, by_seed = [], []
    for seed in seeds:
        right = rng.random(TEST_IMAGES) < accuracy
        prediction = np.where(right, labels, (labels + 1) % 10)
        index = np.arange(TEST_IMAGES)[::-1]
        columns = {"index": index, "label": labels, "prediction": prediction}
        columns |= {f"probability_{k}": np.where(prediction == k, 0.91, 0.01) for k in range(10)}
        runs.append(pd.DataFrame({"seed": seed, **columns}))
        by_seed.append(float(right.mean()))
    artefacts.save_table(folder / "predictions.csv", pd.concat(runs))
    history = pd.DataFrame(
        [(seed, e, 0.4**e, 0.5**e, 1 - 0.5**e) for seed in seeds for e in (1, 2, 3)],
        columns=["seed", "epoch", "loss", "val_loss", "val_accuracy"],
    )
    artefacts.save_table(folder / "history.csv", history)
    bins = {"bin": [0.95], "confidence": [0.95], "accuracy": [accuracy], "count": [TEST_IMAGES]}
    artefacts.save_table(folder / "reliability.csv", pd.DataFrame(bins))
    counts = pd.concat(runs).groupby(["label", "prediction"]).size().rename("count")
    artefacts.save_table(folder / "confusion_matrix.csv", counts.reset_index())
    classes = {"class": range(10), "support": TEST_IMAGES // 10, "precision": accuracy}
    classes |= {"recall": accuracy, "f1": accuracy}
    artefacts.save_table(folder / "classes.csv", pd.DataFrame(classes))
    mean = float(np.mean(by_seed))
    summary = {"mean": mean, "sd": float(np.std(by_seed)), "ci_low": mean - 0.01, "ci_high": mean}
    summary["by_seed"] = by_seed
    names = ("accuracy", "log_loss", "macro_f1", "expected_calibration_error", "brier_score")
    metrics = dict.fromkeys((*names, "train_accuracy", "overfitting_gap"), summary)
    metrics["parameters"] = {**summary, "mean": 1234.0}
    artefacts.save_json(folder / "metrics.json", metrics)


def write_verdicts(folder, rng, evidence):
    """The files of attribute@D-F, judge@D-F and verdict@D-F that compare reads: one
    variant's verdict holds, one's is undecided, one's fails."""
    arrays = {
        "index": np.array(SAMPLE),
        "labels": np.arange(6, dtype=np.uint8),
        "images": rng.integers(0, 256, (6, 8, 8), np.uint8),
        "seeds": np.array([0, 1, 2]),
        "predictions": np.tile(np.arange(6), (3, 1)),
        **{name: rng.normal(size=(3, 6, 8, 8)).astype(np.float32) for name in METHODS},
    }
    if evidence:
        arrays["predictions"][:, 4] += folder.name == "cnn"  # here the families disagree
        arrays["evidence"] = np.zeros((6, 8, 8), bool)
        arrays["evidence"][:, 2:6, :4] = True
    artefacts.save_arrays(folder / "attributions.npz", arrays)
    write_scores(folder / "scores.npz", rng)
    leaderboard = pd.DataFrame(
        {
            "method": list(METHODS),
            "control": [False, False, False, True],
            "verdict": VERDICTS,
            "share": [0.8, 0.2, 0, np.nan],
            "unstable": [False, True, False, False],
            "reasons": REASONS,
            "rank": pd.array([1, 2, 3, None], "Int64"),
        }
    )
    for end, width in (("", 0), ("_ci_low", -0.05), ("_ci_high", 0.05)):
        leaderboard[f"insertion_minus_deletion{end}"] = np.add(list(METHODS.values()), width)
    if evidence:
        for end in ("", "_ci_low", "_ci_high"):
            leaderboard[f"average_precision{end}"] = leaderboard[f"insertion_minus_deletion{end}"]
    artefacts.save_table(folder / "leaderboard.csv", leaderboard)
    alone = ["undecided", "holds", "fails"]
    choices = pd.DataFrame({"method": list(METHODS)[:3], "verdict": alone})
    artefacts.save_table(folder / "choices.csv", choices.assign(choice="removal black alone"))
    write_factors(folder)
    first = {removal: ["occlusion:mean"] for removal in REMOVALS if removal != "mean"} | {
        "mean": []
    }
    summary = {
        "methods": 3,
        "holds": 1,
        "undecided": 1,
        "fails": 1,
        "first_by_removal": first,
        "believe_first": ["occlusion:mean"],
        "detectable": {"above controls": 0.05},
        "kendall_tau": {"removals": 0.8, "seeds": 0.9, "metrics": None},
        "memorised": {"seed_0": 1.0},
    }
    artefacts.save_json(folder / "verdicts.json", summary)


def write_scores(path, rng):
    """Of judge@D-F's scores, what compare reads: how the logit drops without sets of pixels."""
    drops = rng.normal(size=(3, 6, 200))
    drops -= drops.mean(axis=2, keepdims=True)
    drops /= drops.std(axis=2, keepdims=True)
    scores = {NETWORK: {f"drops_{removal}": drops for removal in REMOVALS}}
    artefacts.save_scores(path, scores, ["edges"])


def write_factors(folder):
    """by_removal.csv, shares.csv and effects.csv of verdict@D-F."""
    rows = []
    for variant, mean in METHODS.items():
        method, _, reference = variant.partition(":")
        for more, removal in enumerate(REMOVALS):
            row = {"variant": variant, "method": method, "reference": reference}
            row |= {"removal": removal, "control": variant == "edges"}
            row |= {"matched": removal == reference, "mean": mean + more / 10}
            rows.append(row | {"ci_low": mean - 0.05, "ci_high": mean + 0.05})
    artefacts.save_table(folder / "by_removal.csv", pd.DataFrame(rows))
    ends = {"ci_low": 0.1, "ci_high": 0.9}
    factors = ("method", "reference", "removal", "reference × removal", "the rest")
    shares = pd.DataFrame({"removal": "all", "factor": factors, "share": 0.2, **ends})
    artefacts.save_table(folder / "shares.csv", shares)
    levels = {"method": ["occlusion", "rise"], "reference": ["mean", "blur"]}
    effects = [
        {"factor": factor, "level": level, "effect": sign * 0.05, **ends}
        for factor, each in levels.items()
        for level, sign in zip(each, (1, -1), strict=True)
    ]
    artefacts.save_table(folder / "effects.csv", pd.DataFrame(effects))


def write_additive(folder):
    """additive.csv of additive@D."""
    table = pd.DataFrame({"variant": list(METHODS), "control": [False, False, False, True]})
    for name in ("error", "dissimilarity", "dissimilarity_mean"):
        for end, value in (("", 0.2), ("_ci_low", 0.1), ("_ci_high", 0.3)):
            table[f"{name}{end}"] = value
    artefacts.save_table(folder / "additive.csv", table)


def write_baselines(folder):
    """The files of baseline@D, of baselines whose accuracies are 0.1 and about 0.95."""
    labels = np.arange(TEST_IMAGES) % 10
    right = np.random.default_rng(3).random(TEST_IMAGES) < 0.95
    predicted = {
        "most frequent class": np.zeros(TEST_IMAGES, int),
        "logistic regression": np.where(right, labels, (labels + 1) % 10),
    }
    columns = {"index": np.arange(TEST_IMAGES)[::-1], "label": labels}
    predictions = pd.concat(
        pd.DataFrame({"baseline": name, **columns, "prediction": each})
        for name, each in predicted.items()
    )
    artefacts.save_table(folder / "baseline_predictions.csv", predictions)
    table = pd.DataFrame({"baseline": list(predicted)})
    table["accuracy"] = [float((each == labels).mean()) for each in predicted.values()]
    table["ci_low"], table["ci_high"] = table["accuracy"] - 0.02, table["accuracy"] + 0.02
    table["balanced_accuracy"], table["log_loss"] = table["accuracy"], 0.3
    artefacts.save_table(folder / "baselines.csv", table.assign(images=900))


@pytest.fixture(scope="session")
def made_up_project():
    """``made_up_project(folder, evidence=False)``: makes it there, with results of its families
    on digits, and returns the folder."""

    def make(folder, evidence=False):
        (folder / "dvc.yaml").touch()
        (folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
        results = folder / "results" / "digits"
        rng = np.random.default_rng(0)
        for family, accuracy in FAMILIES.items():
            cell = results / "cells" / family
            cell.mkdir(parents=True)
            write_evaluation(cell, accuracy)
            write_verdicts(cell, rng, evidence)
        sample = {"index": SAMPLE, "label": range(6)}
        artefacts.save_table(results / "sample.csv", pd.DataFrame(sample))
        split = {
            "images": {"train": 900, "validation": 297, "test": TEST_IMAGES},
            "duplicates_of_earlier_parts": {"train": 0, "validation": 0, "test": 2},
        }
        artefacts.save_json(results / "split.json", split)
        write_additive(results)
        write_baselines(results)
        manifest = folder / "manifests" / "digits" / "compare.json"
        manifest.parent.mkdir(parents=True)
        artefacts.save_json(manifest, {"packages": {"numpy": "2.4.6", "pandas": "3.1.1"}})
        processed = folder / "data" / "processed" / "digits"
        processed.mkdir(parents=True)
        test = {
            "images": rng.integers(0, 256, (TEST_IMAGES, 8, 8), np.uint8),
            "labels": (np.arange(TEST_IMAGES) % 10).astype(np.uint8),
            "index": np.arange(TEST_IMAGES)[::-1],
        }
        artefacts.save_arrays(processed / "test.npz", test)
        return folder

    return make


class Compared(NamedTuple):
    results: Path
    printed: str


@pytest.fixture(scope="session")
def compared(made_up_project, tmp_path_factory):
    """compare@digits of a made-up project, run as DVC runs it, in a Python where importing
    TensorFlow or Keras fails. To be read, not changed."""
    project = made_up_project(tmp_path_factory.mktemp("compared"), evidence=True)
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "
        "sys.argv = ['compare', 'digits']; "
        "runpy.run_module('glassnets.pipeline.stages.compare', run_name='__main__')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return Compared(project / "results" / "digits", ran.stdout)
