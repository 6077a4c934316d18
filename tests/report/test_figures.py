"""Figures of metrics, and the templates of DVC's plots beside them."""

import functools
import io
import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from dvc_render.vega import VegaRenderer

from glassnets.report import drawing, figures
from glassnets.report.results import Setting

TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"

SETTING = Setting("digits", "Official split", {"test": 100}, 0, 2, (0, 1), 0.95, 0.5, 0.9)


@pytest.fixture
def inputs(results):
    return functools.partial(make_inputs, results)


def make_inputs(results, best=0.99):
    families = ["attention", "cnn"]
    table = pd.DataFrame(
        {
            "family": families,
            "accuracy": [best, 0.9],
            "accuracy_ci_low": [best - 0.01, 0.88],
            "accuracy_ci_high": [best, 0.92],
        }
    )
    history = pd.DataFrame(
        {"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "val_accuracy": [0.5, best, 0.6, 1.0]}
    )
    reliability = pd.DataFrame(
        {"confidence": [0.5, 0.99], "accuracy": [0.4, 1.0], "count": [1, 100]}
    )
    by_family = {
        family: results(
            metrics={"accuracy": {"by_seed": seeds}}, history=history, reliability=reliability
        )
        for family, seeds in zip(families, ([best, best], [0.89, 0.91]), strict=True)
    }
    return {"setting": SETTING, "table": table, "results": by_family}


def test_the_same_results_give_the_same_bytes(inputs):
    first = figures.comparison(**inputs())
    assert first == figures.comparison(**inputs())
    assert first != figures.comparison(**inputs(best=0.95))


def test_a_persons_matplotlib_settings_change_nothing(inputs):
    plain = figures.comparison(**inputs())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert figures.comparison(**inputs()) == plain


def test_the_file_is_a_picture_without_date_or_version(inputs):
    png = figures.comparison(**inputs())
    height, width, _ = matplotlib.image.imread(io.BytesIO(png)).shape
    assert width > 2 * height
    assert b"Software" not in png
    assert b"tIME" not in png


def test_perfect_accuracy_and_a_single_epoch_can_be_drawn(inputs):
    perfect = inputs(best=1.0)
    perfect["results"] = {
        family: replace(
            each, history=each.history[each.history["epoch"] == 1].assign(val_accuracy=1.0)
        )
        for family, each in perfect["results"].items()
    }
    assert figures.comparison(**perfect).startswith(b"\x89PNG")


def test_each_family_has_a_colour_of_its_own_in_the_picture(inputs, has_colour):
    png = figures.comparison(**inputs())
    for colour in ("#0072B2", "#D55E00"):
        assert has_colour(png, colour)


def test_a_runs_confusion_matrix_counts_predictions_by_label():
    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    (axes,) = figures.confusion_matrix(labels, predicted, "cnn, seed 0").axes
    counts = [int(text.get_text()) for text in axes.texts]
    assert counts == [1, 1, 0, 0, 1, 0, 1, 0, 0]
    assert axes.get_title(loc="left") == "cnn, seed 0"


def test_a_runs_reliability_is_drawn_with_its_counts():
    table = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.4, 0.95], "count": [3, 90]})
    above, below = figures.reliability(table, "cnn, seed 0").axes
    assert above.lines[1].get_xydata().tolist() == [[0.5, 0.4], [0.9, 0.95]]
    assert [bar.get_height() for bar in below.patches] == [3, 90]


FIELDS = {
    "training_curves": ("epoch", "val_accuracy"),
    "confusion_matrices": ("prediction", "label"),
    "reliability_diagrams": ("confidence", "accuracy"),
}


@pytest.mark.parametrize("template", sorted(FIELDS))
def test_dvc_fills_every_anchor_of_a_template(template):
    x, y = FIELDS[template]
    points = [
        {x: "1", y: "2", "count": "3", "rev": "workspace", "filename": "cnn/x.csv", "field": y}
    ]
    renderer = VegaRenderer(
        points, "plot", template=template, template_dir=str(TEMPLATES), x=x, y=y, title="T"
    )
    filled = json.dumps(renderer.get_filled_template())
    assert "<DVC_METRIC" not in filled
    assert f"toNumber(datum['{x}'])" in filled
    assert f"toNumber(datum['{y}'])" in filled
    assert '"filename": "cnn/x.csv"' in filled


def test_every_template_is_known_to_the_test():
    assert sorted(path.stem for path in TEMPLATES.glob("*.json")) == sorted(FIELDS)


@pytest.mark.parametrize("template", ["training_curves", "reliability_diagrams"])
def test_a_family_has_one_colour_everywhere(template):
    def ranges(node):
        if isinstance(node, dict):
            if "range" in node and str(node["range"][0]).startswith("#"):
                yield node["range"]
            for child in node.values():
                yield from ranges(child)
        elif isinstance(node, list):
            for child in node:
                yield from ranges(child)

    content = json.loads((TEMPLATES / f"{template}.json").read_text(encoding="utf-8"))
    assert list(ranges(content)) == [drawing.COLOURS]
