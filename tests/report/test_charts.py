"""The data and the words of report.html's charts."""

import numpy as np
import pandas as pd
import pytest

from glassnets.report import charts
from glassnets.report.languages import say
from glassnets.report.results import Setting

IMAGES = {"train": 9, "validation": 3, "test": 3}
SETTING = Setting("digits", "Random split", IMAGES, 0, 2, (0, 1), 0.9, 0.5, 0.9)


def rows(spec):
    """All the data of a chart, by name of the column."""
    return pd.concat([pd.DataFrame(table) for table in spec["datasets"].values()])


def test_accuracies_have_mean_interval_and_every_seed():
    table = pd.DataFrame(
        {
            "family": ["lstm", "cnn"],
            "accuracy": [0.9, 0.8],
            "accuracy_ci_low": [0.85, 0.7],
            "accuracy_ci_high": [0.95, 0.85],
        }
    )
    spec = charts.accuracies(table, {"lstm": [0.88, 0.92], "cnn": [0.8, 0.8]}, SETTING)
    data = rows(spec)
    assert data.loc[data["seed"].eq(1), "accuracy"].tolist() == [0.92, 0.8]
    assert data["accuracy_ci_high"].dropna().tolist() == [0.95, 0.85]
    assert "90 % interval" in str(spec)


def test_curves_are_means_and_ranges_over_seeds():
    history = pd.DataFrame({"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "loss": [4, 2, 2, 1]})
    data = rows(charts.curves({"cnn": history}, "loss", say("epoch")))
    assert data[["epoch", "mean", "min", "max"]].to_numpy().tolist() == [
        [1, 3, 2, 4],
        [2, 1.5, 1, 2],
    ]


def test_the_reliability_of_few_images_is_left_out():
    table = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.1, 0.9], "count": [9, 10]})
    data = rows(charts.reliability({"cnn": table})).dropna()
    assert data["confidence"].tolist() == [0.9]


def test_confusions_are_the_wrong_predictions():
    matrix = pd.DataFrame(
        [(a, b, 7 * (a == b) + 2 * (b > a)) for a in range(3) for b in range(3)],
        columns=["label", "prediction", "count"],
    )
    data = rows(charts.confusions(matrix, most=2))
    assert data[["label", "prediction", "count"]].to_numpy().tolist() == [
        [0, 1, 2],
        [0, 2, 2],
        [1, 2, 2],
    ]


def encodings(spec):
    return [layer["encoding"] for layer in spec["layer"] if "encoding" in layer]


def test_a_colour_means_the_same_count_in_every_confusion_chart():
    few, many = (
        pd.DataFrame({"label": [0, 0, 1], "prediction": [0, 1, 1], "count": [90, wrong, 90]})
        for wrong in (3, 17)
    )
    most = charts.most_confused([few, many])
    assert most == 17  # right predictions are no confusions
    scales = [
        encoding["color"]["scale"]
        for matrix in (few, many)
        for encoding in encodings(charts.confusions(matrix, most))
        if "color" in encoding
    ]
    assert scales[0] == scales[1]
    assert scales[0]["domain"] == [1, 17]


def test_without_a_wrong_prediction_there_is_a_scale_too():
    right = pd.DataFrame({"label": [0], "prediction": [0], "count": [90]})
    assert charts.most_confused([right]) == 0


def test_a_familys_colour_and_shape_do_not_depend_on_the_others():
    def looks(*families):
        history = pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5]})
        spec = charts.curves(dict.fromkeys(families, history), "loss", say("epoch"))
        scale = next(e["color"]["scale"] for e in encodings(spec) if "color" in e)
        return dict(zip(scale["domain"], scale["range"], strict=True))

    assert looks("spiking", "cnn")["CNN"] == looks("cnn", "attention", "lstm")["CNN"]
    assert looks("cnn")["CNN"] == "var(--family-cnn)"


def test_charts_are_in_the_language_that_is_wanted():
    history = {"cnn": pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5]})}
    spec = charts.curves(history, "loss", say("loss on training images"), "zh")
    assert rows(spec)["family"].unique().tolist() == ["卷积神经网络 CNN"]
    assert "训练图像上的损失" in str(spec)
    assert "loss on" not in str(spec)


@pytest.mark.parametrize("score", ["insertion_minus_deletion", "average_precision"])
def test_a_leaderboard_tells_verdicts_and_controls_apart(leaderboard, score):
    board = leaderboard(
        localized=True, occlusion=0.4, rise=(0.3, "not above edges"), x=(0.2, "undecided")
    )
    board.loc[board["method"] == "random_map", score] = np.nan
    data = rows(charts.leaderboard(board, score))
    assert data.set_index("method")["kind"].to_dict() == {
        "occlusion": "holds",
        "RISE": "fails",
        "x": "undecided",
        "edges": "control",
    }


def test_a_chart_does_not_depend_on_earlier_ones():
    history = {"cnn": pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5]})}
    title = say("epoch")
    assert charts.curves(history, "loss", title) == charts.curves(history, "loss", title)
