"""A family's model card, and the figure of its failures."""

import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glassnets import registry
from glassnets.config.schema import Datasheet
from glassnets.data.inputs import Inputs
from glassnets.report import model_card
from glassnets.report.results import Setting

IMAGES = {"train": 9000, "validation": 300, "test": 6000}
SETTING = Setting("digits", "Random split", IMAGES, 0, 24, (0, 1, 2), 0.95, 0.5, 0.9)
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
TEST = {
    "images": np.random.default_rng(0).integers(0, 256, (20, 5, 4), np.uint8),
    "labels": np.arange(20, dtype=np.uint8) % 10,
}


def predictions(*wrong):
    """Of three seeds, the k-th wrong on the rows wrong[k]."""
    return pd.concat(
        pd.DataFrame(
            {
                "seed": seed,
                "index": range(20),
                "label": TEST["labels"],
                "prediction": np.where(
                    np.isin(range(20), rows), 9 - TEST["labels"], TEST["labels"]
                ),
            }
        )
        for seed, rows in enumerate(wrong)
    )


@pytest.fixture
def cnn(results, leaderboard, verdicts_of):
    board = leaderboard({"occlusion:mean": 0.4}, rise=(0.3, "not above edges"))
    summary = {"mean": 0.9123, "sd": 0.0021, "ci_low": 0.9001, "ci_high": 0.9301, "by_seed": []}
    return results(
        metrics={"accuracy": summary, "parameters": summary | {"mean": 1234.0}},
        predictions=predictions([3, 5], [5, 7], [5, 7]),
        confusion_matrix=CONFUSIONS,
        classes=CLASSES,
        leaderboard=board,
        verdicts=verdicts_of(board),
    )


@pytest.fixture
def card(cnn, parameters):
    def build(family="cnn", setting=SETTING, datasheet=None, **changed):
        changed = replace(cnn, **changed)
        cell = parameters.dataset("digits").family(family)
        failures = model_card.failures(changed.predictions, TEST)
        run = {"Rebuild": "make run"}
        return model_card.card(
            family, cell, changed, failures, setting, run, "failures.png", datasheet
        )

    return build


def test_it_states_the_results(card):
    text = card()
    assert text.startswith("# cnn on digits\n")
    for part in (
        "1,234 parameters",
        "5 × 4 pixels",
        "| accuracy |",
        "0.9001 to 0.9301",
        "3 networks together: 30. Most often 0 predicted as 1 (30).",
        "cnn: of 2 variants 1 holds, 0 undecided, 1 fails; believe occlusion:mean first: by no",
        "- The verdict holds: occlusion:mean.",
        "- rise: not above edges.",
        "- Rebuild: make run",
        "- `learning_rate`: 0.003",
        "- `muon`: none",
    ):
        assert part in text, part


@pytest.mark.parametrize("family", registry.names(registry.FAMILIES))
def test_no_article_stands_before_the_name_of_a_family(card, family):
    for article in ("A", "a", "An", "an"):
        assert f" {article} {family}" not in card(family)
        assert f"\n{article} {family}" not in card(family)


@pytest.mark.parametrize("family", registry.names(registry.FAMILIES))
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("holds", [0, 1, 2])
@pytest.mark.parametrize("fails", [0, 1, 2])
def test_articles_and_numbers_agree(card, leaderboard, verdicts_of, family, seeds, holds, fails):
    board = leaderboard(
        {f"rise:{i}": 0.5 + i for i in range(holds)}
        | {f"occlusion:{i}": (0.1, "not above edges") for i in range(fails)},
        gradient=(0.2, "undecided whether above edges"),
    )
    wrong = [[3], [3], [3]][:seeds]
    text = card(
        family,
        replace(SETTING, seeds=(0, 1, 2)[:seeds]),
        predictions=predictions(*wrong),
        leaderboard=board,
        verdicts=verdicts_of(board),
    )
    counted = "networks?|variants?|images?|methods?|seeds?|classes|class"
    for count, word in re.findall(rf"\b([\d,]+) ({counted})\b", text):
        singular = word in ("network", "variant", "image", "method", "seed", "class")
        assert singular == (count == "1"), (count, word)
    if seeds == 1:
        assert not re.search(r"\bnetworks together|of the networks|over them\b", text)
    assert not re.search(r"\b[Aa] [aeioAEIO]\w", text)
    assert not re.search(r"\b[Aa]n [^aeiouAEIOURLMNSFHX]", text)


def test_a_classes_recall_has_wilsons_interval(card):
    # By hand, z = 1.96: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
    z, p, n = 1.959964, 0.9, 100
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    assert f"90.00 ({low:.2f} to {high:.2f})" in card()
    assert "100.00 (43.85 to 100.00)" in card()  # of three images, the interval is wide


def test_failures_come_worst_first(cnn, card):
    failures = model_card.failures(cnn.predictions, TEST)
    assert failures.total == 3
    assert failures.labels.tolist() == [5, 7, 3]  # by 3, 2 and 1 networks
    assert failures.predictions.tolist() == [[4, 4, 4], [7, 2, 2], [6, 3, 3]]
    np.testing.assert_array_equal(failures.images, TEST["images"][[5, 7, 3]])
    text = card()
    assert "![Test images that cnn networks predict wrongly](failures.png)" in text
    assert "At least one of the networks predicts 3 test images wrongly." in text


def test_no_more_failures_than_fit_are_displayed():
    failures = model_card.failures(predictions(range(20), [], range(5, 20)), TEST)
    assert failures.total == 20
    assert failures.labels.tolist() == [5, 6, 7, 8, 9, 0, 1, 2]


def test_the_figure_of_failures_is_the_same_bytes_again(cnn):
    failures = model_card.failures(cnn.predictions, TEST)
    png = model_card.failures_figure(failures)
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.width > picture.height
    assert model_card.failures_figure(failures) == png


def test_without_failures_none_is_displayed(card):
    none = predictions([], [], [])
    text = card(predictions=none, confusion_matrix=CONFUSIONS.query("label == prediction"))
    assert "No test image is predicted wrongly by any of the networks." in text
    assert "None on the test part." in text
    assert "](failures.png)" not in text
    assert model_card.failures_figure(model_card.failures(none, TEST))


def test_where_no_verdict_holds_the_card_says_so(card, leaderboard, verdicts_of):
    board = leaderboard(rise=(0.3, "not above edges"))
    text = card(leaderboard=board, verdicts=verdicts_of(board))
    assert "- The verdict holds: of none." in text
    assert (
        "cnn: no verdict of 1 variant holds; the best supported is rise (not above edges)." in text
    )


@pytest.mark.parametrize("dataset", registry.names(registry.SOURCES))
def test_every_dataset_has_its_terms(card, dataset):
    setting = replace(SETTING, dataset=dataset)
    assert f"## Data\n\n{dataset}.\n" not in card(setting=setting)


def test_a_dataset_without_terms_is_named(card):
    assert "## Data\n\nlilies.\n" in card(setting=replace(SETTING, dataset="lilies"))


def test_of_a_persons_own_data_the_card_has_a_datasheet(card):
    inputs = Inputs("table", ("sick", "well"), {"age": "number"})
    sheet = Datasheet(licence="CC0", people="All gave consent.")
    setting = replace(SETTING, dataset="ward", inputs=inputs)
    text = card(setting=setting, datasheet=sheet)
    assert (
        "that read a row of a table (columns of numbers: 1, of categories: 0) and predict" in text
    )
    assert "**Under which licence may they be passed on?** CC0\n" in text
    assert "consent; are some groups absent?** All gave consent.\n" in text
    assert text.count("** not stated\n") == len(model_card.QUESTIONS) - 2
    assert "Most often sick predicted as well (30)" in text
    assert "Rows of another kind than these" in text
    assert not re.search(r"\b(images?|pixels?|digits)\b", text.replace("failures.png", ""))


def test_every_question_of_the_datasheet_is_asked():
    assert [*model_card.QUESTIONS] == [*Datasheet.model_fields]


def test_every_setting_is_there_under_its_key(card, parameters):
    text = card()
    training = parameters.dataset("digits").family("cnn").training
    assert f"\n- `augmentation.rotation`: {training.augmentation.rotation}\n" in text
    assert "\n- `augmentation.elastic`: none\n" in text
    assert f"\n- `batch_size`: {training.batch_size}\n" in text
