"""report.html of every kind of data."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glassnets.data.inputs import Inputs
from glassnets.report import comparison, languages, page
from glassnets.report.baselines import Beside
from glassnets.report.results import Setting

pytestmark = pytest.mark.exhaustive

FAMILIES = ("attention", "cnn", "feedforward", "lstm")
COLUMNS = {**dict.fromkeys((f"column {i}" for i in range(15)), "number"), "colour": ("red", "blue")}
CLASSES = ("no", "yes", "[x|control] {y} <b>")
INPUTS = {
    "table": Inputs("table", CLASSES, COLUMNS),
    "series": Inputs("series", CLASSES, masked=True),
    "image": Inputs("image", CLASSES),
}
CHARTS = "html[data-charts=drawn]"


def examples(inputs, n=6):
    rng = np.random.default_rng(0)
    if inputs.kind == "image":
        return rng.integers(0, 256, (n, 12, 9, 3), np.uint8)
    images = rng.normal(size=(n, 1, 16 if inputs.kind == "table" else 30, 3)).astype(np.float32)
    if inputs.kind == "table":
        images[..., 1:] = 0
        images[:, :, 15] = [1, 0, 0]
    else:
        images[..., 2] = 1
        images[0, :, 20:] = 0
    return images


@pytest.fixture(scope="session")
def made(leaderboard, verdicts_of, results):
    def build(kind):
        inputs = INPUTS[kind]
        images = examples(inputs)
        n = len(images)
        cells = {}
        for place, family in enumerate(FAMILIES):
            rng = np.random.default_rng(place)
            board = leaderboard({"rise:mean": 0.4, "occlusion:mean": (0.3, "not above edges")})
            maps = (2, n, *images.shape[1:3])
            arrays = {
                "index": np.arange(n),
                "labels": np.arange(n) % 3,
                "images": images,
                "seeds": np.array([0, 1]),
                "predictions": np.tile(np.arange(n) % 3, (2, 1)),
                **{m: rng.normal(size=maps).astype(np.float32) for m in board["method"]},
            }
            summary = {"mean": 0.9 - place / 100, "sd": 0.01, "by_seed": [0.9, 0.88]}
            summary |= {"ci_low": 0.8 - place / 100, "ci_high": 0.95}
            metrics = {
                "accuracy": summary,
                "log_loss": summary,
                "parameters": summary | {"mean": 9},
            }
            epochs = {"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "loss": [2.0, 1.0, 2.0, 1.5]}
            pairs = [(a, b, 3 + a) for a in range(3) for b in range(3)]
            probabilities = {f"probability_{k}": [0.2, 0.5, 0.3][k] for k in range(3)}
            rows = {"seed": 0, "index": np.arange(n), "label": np.arange(n) % 3, "prediction": 1}
            bins = {"confidence": [0.9], "accuracy": [0.8], "count": [50]}
            shares = {"removal": "all", "factor": ["method", "reference"], "share": [0.1, 0.5]}
            cells[family] = results(
                metrics=metrics,
                predictions=pd.DataFrame(rows | probabilities),
                history=pd.DataFrame(epochs).assign(val_loss=1.0),
                reliability=pd.DataFrame(bins),
                confusion_matrix=pd.DataFrame(pairs, columns=["label", "prediction", "count"]),
                attributions=arrays,
                leaderboard=board,
                shares=pd.DataFrame(shares).assign(ci_low=0.1, ci_high=0.2),
                verdicts=verdicts_of(board),
            )
        return cells

    return build


def html(kind, cells):
    parts = {"train": 60, "validation": 20, "test": 20}
    setting = Setting(
        "own", languages.say("Official split"), parts, 0, 6, (0, 1), 0.95, 0.5, 0.9, INPUTS[kind]
    )
    table = comparison.table({family: each.metrics for family, each in cells.items()})
    pairs = [(a, b) for i, a in enumerate(FAMILIES) for b in FAMILIES[i + 1 :]]
    names = {"only_a_0": 1, "only_b_0": 1, "only_a_1": 1, "only_b_1": 1, "p": 1.0, "p_holm": 1.0}
    tests = pd.DataFrame(pairs, columns=["family_a", "family_b"]).assign(ahead="neither", **names)
    lines = [("logistic regression", 0.5, 0.4, 0.6, 0.5, 0.3, 60)]
    columns = [
        "baseline",
        "accuracy",
        "ci_low",
        "ci_high",
        "balanced_accuracy",
        "log_loss",
        "images",
    ]
    beside = Beside(pd.DataFrame(lines, columns=columns), tests[:0])
    pictures = None
    if kind == "table":
        file = io.BytesIO()
        Image.new("RGB", (1500, 300)).save(file, format="png")
        uri = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
        picture = {"uri": uri, "verdict": languages.say("holds")}
        pictures = dict.fromkeys(FAMILIES, picture)
    return page.page(setting, cells, table, tests, beside, {"Versions": "1"}, "a: 1", pictures)


@pytest.fixture(scope="session")
def reports(made, tmp_path_factory):
    """``reports(kind)``: the address of a report of that kind of data."""
    folder, written = tmp_path_factory.mktemp("reports"), {}

    def get(kind):
        if kind not in written:
            written[kind] = folder / f"{kind}.html"
            written[kind].write_text(html(kind, made(kind)), encoding="utf-8")
        return written[kind].as_uri()

    return get


def test_the_same_results_give_the_same_bytes(made):
    assert html("table", made("table")) == html("table", made("table"))


@pytest.mark.release
@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (360, "zh")])
@pytest.mark.parametrize("kind", INPUTS)
def test_every_kind_of_data_is_displayed(
    reports, browse, serious_violations, kind, width, language
):
    opened = browse(f"{reports(kind)}#lang={language}&compare=image", width=width)
    opened.wait_for_selector(CHARTS)
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_violations(opened) == []
    for family in FAMILIES:
        sides = opened.locator(f"[data-family={family}] .attribution")
        assert sides.count() == 2
        for box in (each.bounding_box() for each in sides.all()):
            assert box["width"] > 40
            assert box["height"] > 20


def test_rows_have_their_values_and_bars(reports, browse):
    opened = browse(f"{reports('table')}#image=2")
    names = opened.locator("[data-family=cnn] [data-side=a] .bars .name")
    assert names.count() == 13
    assert "others, summed" in names.last.inner_text()
    assert "colour" in opened.locator("#image").inner_text()
    assert not opened.locator("#overlay").count()
    assert opened.locator("#digits legend").inner_text() == "all are right (6)"


def test_series_have_their_lines_over_the_map(reports, browse):
    opened = browse(reports("series"))
    map_ = opened.locator("[data-family=cnn] [data-side=a] .attribution")
    assert map_.locator("polyline").count() == 2
    assert "data:image/png" in map_.get_attribute("style")


@pytest.mark.parametrize(("kind", "words"), [("table", "rows|row"), ("series", "series")])
def test_what_is_no_image_is_not_called_one(reports, browse, kind, words):
    opened = browse(reports(kind))
    text = opened.locator("main").inner_text()
    assert not re.search(r"\b(images?|pixels?)\b", text, re.IGNORECASE)
    assert re.search(words, text)
    opened.get_by_role("button", name="中文").click()
    assert not re.search("图像|像素", opened.locator("main").inner_text())


def test_names_of_classes_are_text_alone(reports, browse):
    opened = browse(f"{reports('image')}#image=2")
    likeliest = opened.locator("[data-family=cnn] .likeliest").first.inner_text()
    assert CLASSES[2] in likeliest
    assert "predicts " + CLASSES[2] in opened.locator("[data-family=cnn]").inner_text()
