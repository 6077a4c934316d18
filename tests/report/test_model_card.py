import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glassnets import artefacts, params
from glassnets.report import model_card
from glassnets.report.tables import Setting

IMAGES = {"train": 9000, "validation": 300, "test": 6000}
SETTING = Setting("digits", "Random split", IMAGES, 0, [0, 1, 2], 0.95)
CLASSES = pd.DataFrame(
    {
        "class": [0, 1],
        "support": [100, 3],
        "precision": [0.97, 1.0],
        "recall": [0.9, 1.0],
        "f1": [0.93, 1.0],
    }
)
CONFUSIONS = pd.DataFrame(
    [(0, 0, 270), (0, 1, 30), (1, 0, 0), (1, 1, 9)], columns=["label", "prediction", "count"]
)


@pytest.fixture
def subject(cell, leaderboard):
    figure = {"mean": 0.9123, "sd": 0.0021, "ci_low": 0.9001, "ci_high": 0.9301}
    explained = cell(0, "occlusion", "rise")
    explained["predictions"][:2, 3] = 9
    explained["predictions"][:, 5] = 8
    return model_card.Subject(
        family="cnn",
        cell=params.load(artefacts.params_file()).dataset("digits").family("cnn"),
        metrics={"accuracy": figure, "parameters": figure | {"mean": 1234.0}},
        classes=CLASSES,
        confusions=CONFUSIONS,
        explained=explained,
        leaderboard=leaderboard(occlusion=0.4, rise=(0.3, "not above edges")),
    )


def card(subject):
    return model_card.card(subject, SETTING, {"Rebuild": "make run"}, "failures.png")


def test_it_says_what_was_found(subject):
    said = card(subject)
    assert said.startswith("# cnn on digits\n")
    assert "1,234 parameters" in said
    assert "| accuracy |" in said
    assert "0.9001 to 0.9301" in said
    assert "3 networks together: 30. Most often 0 taken for 1 (30)." in said
    assert "- Pass: occlusion." in said
    assert "- Not to be believed: rise (not above edges)." in said
    assert "- Rebuild: make run" in said
    assert "- `learning_rate`: 0.003" in said


def test_a_classes_recall_has_wilsons_interval(subject):
    # By hand, z = 1.96: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
    z, p, n = 1.959964, 0.9, 100
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    assert f"90.00 ({low:.2f} to {high:.2f})" in card(subject)
    assert "100.00 (43.85 to 100.00)" in card(subject)  # of three images, much is not known


def test_failures_come_worst_first(subject):
    assert model_card._failures(subject) == [5, 3]
    assert "![Images that cnn networks answered wrongly](failures.png)" in card(subject)
    with Image.open(io.BytesIO(model_card.failures(subject))) as picture:
        assert picture.width > 200
    assert model_card.failures(subject) == model_card.failures(subject)


def test_without_failures_none_is_shown(subject):
    subject.explained["predictions"][:] = subject.explained["labels"]
    assert "None of the explained images was answered wrongly." in card(subject)
    assert "](failures.png)" not in card(subject)


def test_where_no_method_passes_none_is_to_be_believed(subject, leaderboard):
    board = leaderboard(rise=(0.3, "not above edges"))
    said = card(model_card.Subject(**{**vars(subject), "leaderboard": board}))
    assert "- Pass: none." in said
    assert "believe none of 1 methods" in said


@pytest.mark.parametrize("dataset", ["digits", "mnist", "planted"])
def test_every_dataset_has_its_terms(dataset):
    assert dataset in model_card.DATA
