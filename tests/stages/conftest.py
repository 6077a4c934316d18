"""A project of made-up results, as the stages before compare leave them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassnets import artefacts

FAMILIES = {"attention": 0.90, "cnn": 0.99, "feedforward": 0.91, "lstm": 0.93}
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
        [(seed, e, 0.4**e, 0.5**e, 1 - 0.5**e) for seed in seeds for e in (1, 2, 3)],
        columns=["seed", "epoch", "loss", "val_loss", "val_accuracy"],
    )
    artefacts.save_table(folder / "history.csv", history)
    reliability = {"bin": [0.95], "confidence": [0.95], "accuracy": [accuracy], "count": [images]}
    artefacts.save_table(folder / "reliability.csv", pd.DataFrame(reliability))
    answers = pd.concat(runs).groupby(["label", "prediction"]).size().rename("count")
    artefacts.save_table(folder / "confusion_matrix.csv", answers.reset_index())
    classes = {"class": range(10), "support": images // 10, "precision": accuracy}
    classes |= {"recall": accuracy, "f1": accuracy}
    artefacts.save_table(folder / "classes.csv", pd.DataFrame(classes))
    mean = float(np.mean(by_seed))
    figure = {"mean": mean, "sd": float(np.std(by_seed)), "ci_low": mean - 0.01, "ci_high": mean}
    names = ("accuracy", "log_loss", "macro_f1", "expected_calibration_error", "brier_score")
    metrics = dict.fromkeys((*names, "train_accuracy", "overfitting_gap"), figure)
    metrics["accuracy"] = {**figure, "by_seed": by_seed}
    metrics["parameters"] = {**figure, "mean": 1234.0}
    artefacts.save_json(folder / "metrics.json", metrics)


def write_explanations(folder, rng, evidence):
    """What explain leaves of a family: maps, a leaderboard of which the first method passes."""
    arrays = {
        "index": np.array(PANEL),
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
    if evidence:
        for end in ("", "_ci_low", "_ci_high"):
            leaderboard[f"relevance_mass{end}"] = leaderboard[f"insertion_minus_deletion{end}"]
    artefacts.save_table(folder / "leaderboard.csv", leaderboard)
    taus = {"baselines": 0.8, "seeds": 0.9, "metrics": None}
    summary = {"methods": 2, "passing": 1, "kendall_tau": taus}
    artefacts.save_json(folder / "explanations.json", summary)


@pytest.fixture(scope="session")
def made_up_project():
    """``made_up_project(folder, evidence=False)``: makes it there, with results of four families
    on digits, and gives the folder."""

    def make(folder, evidence=False):
        repository = Path(__file__).parents[2]
        (folder / "dvc.yaml").touch()
        (folder / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
        results = folder / "results" / "digits"
        rng = np.random.default_rng(0)
        for family, accuracy in FAMILIES.items():
            write_results(results / family, accuracy)
            write_explanations(results / family, rng, evidence)
        panel = {"index": PANEL, "label": range(6), "wrong": [0, 1, 0, 0, 2, 0], "networks": 12}
        artefacts.save_table(results / "panel.csv", pd.DataFrame(panel))
        split = {
            "images": {"train": 900, "validation": 297, "test": 600},
            "duplicates_of_earlier_parts": {"train": 0, "validation": 0, "test": 2},
        }
        artefacts.save_json(results / "split.json", split)
        return folder

    return make
