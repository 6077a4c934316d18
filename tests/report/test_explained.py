"""One picture explained, in words and as a figure."""

import io
import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from glassnets.data.inputs import Inputs
from glassnets.report import drawing, explained
from glassnets.report.explained import Explanation
from glassnets.report.leaderboards import Verdict

VERDICTS = {
    "gradient": Verdict(
        "holds, and under 80 % of the choices, rank 1 of 3",
        value="holds",
        scores=(
            ("insertion − deletion ↑", "0.50 (0.40 to 0.60)"),
            ("infidelity ↓", "0.03 (0.01 to 0.05)"),
        ),
    ),
    "occlusion:mean": Verdict(
        "fails: fails label randomization; not above edges",
        value="fails",
        scores=(
            ("insertion − deletion ↑", "0.30 (0.20 to 0.40)"),
            ("infidelity ↓", "2.00 (1 to 3)"),
        ),
    ),
    "rise:blur": Verdict(
        "undecided whether above edges (some 300 images would tell)", value="undecided"
    ),
    "edges": Verdict("a control: it does not depend on the network", value="control"),
    "smoothgrad": Verdict("no verdict yet: `make run DATASET=digits` gives it", value=""),
}


OTHER_QUESTION = "They judge attributions of the predicted class, not of another question."


def explanation(target=3, methods=("gradient", "occlusion:mean"), p=None, contrast=None):
    p = np.array([0.05, 0, 0.15, 0.8]) if p is None else np.array(p)
    map_ = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    maps = {name: (map_, VERDICTS[name]) for name in methods}
    return Explanation("cnn", 1, p, target, contrast, maps)


def test_the_words():
    assert explained.text([explanation()], 0.95) == (
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        "  gradient: holds, and under 80 % of the choices, rank 1 of 3\n"
        "    insertion − deletion ↑: 0.50 (0.40 to 0.60); infidelity ↓: 0.03 (0.01 to 0.05)\n"
        "  occlusion:mean: fails: fails label randomization; not above edges\n"
        "    insertion − deletion ↑: 0.30 (0.20 to 0.40); infidelity ↓: 2.00 (1 to 3)\n"
        "In place of absent pixels: mean (the mean training image).\n"
        "Scores are means over the dataset's sample, with 95 % intervals; they judge the method, "
        "not this picture.\n"
        "↑: higher is better; ↓: lower; → 0: nearer to 0; unsigned: warns, but fails none."
    )


def test_without_scores_none_are_explained():
    assert explained.text([explanation(methods=["smoothgrad"])], 0.95) == (
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        "  smoothgrad: no verdict yet: `make run DATASET=digits` gives it"
    )


def test_another_class_than_the_predicted_one_is_named():
    text = explained.text([explanation(target=0)], 0.95)
    assert text.startswith(
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %); explained: 0\n"
    )
    assert text.endswith(OTHER_QUESTION)
    assert OTHER_QUESTION not in explained.text([explanation(target=3)], 0.95)


def test_a_contrast_is_named():
    text = explained.text([explanation(contrast=2)], 0.95)
    assert text.startswith(
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %); explained: why 3 and not 2\n"
    )
    assert text.endswith(OTHER_QUESTION)


def test_no_probability_is_rounded_to_certainty():
    text = explained.text([explanation(p=[0.99999, 0.00001, 0], target=0)], 0.95)
    assert "0 (over 99.9 %), then 1 (under 0.1 %), 2 (under 0.1 %)" in text


def figure(*explanations, image=None):
    image = np.pad(np.full((4, 4), 255, np.uint8), 2) if image is None else image
    return explained.figure(image, ["taken as it is"], explanations, 0.95)


def size(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.info["Software"] == explained.SOFTWARE
        return image.size


def test_the_same_input_gives_the_same_bytes():
    assert figure(explanation()) == figure(explanation())


def test_frames_and_names_have_the_colour_of_the_verdict(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    drawn = figure(explanation(methods=VERDICTS))
    _, _, *maps = drawn.axes  # after the input and the probabilities
    edges = [to_hex(axes.spines["left"].get_edgecolor()) for axes in maps]
    red, brown, none = drawing.WARNING, drawing.CAUTION, "#bbbbbb"
    assert edges == [none, red, brown, red, none]
    titles = {text.get_text(): to_hex(text.get_color()) for text in drawn.texts}
    assert titles["gradient"] == titles["smoothgrad"] == "#000000"
    assert titles["occlusion, mean"] == titles["edges"] == red
    assert titles["rise, blur"] == brown
    [reason] = [text for text in titles if text.startswith("undecided whether above edges")]
    assert titles[reason] == brown


def test_below_a_map_stands_its_scale(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    signed = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    maps = {"gradient": signed, "rise:blur": signed - 3.5, "occlusion:mean": signed * 0}
    attributions = {method: (map_, VERDICTS[method]) for method, map_ in maps.items()}
    drawn = figure(Explanation("cnn", 0, np.array([1.0, 0]), 0, None, attributions))
    scales = [axes.get_xlabel() for axes in drawn.axes[2:]]
    assert scales == ["± 2", "white −4.5, red −1.5", "± 1"]


def test_a_figure_of_many_methods_and_families_grows_downwards():
    three = explanation(methods=["gradient", "rise:blur", "occlusion:mean"])
    one, two, four = (
        size(figure(three)),
        size(figure(three, three)),
        size(figure(explanation(methods=list(VERDICTS)))),
    )
    assert one[0] == two[0] == four[0]
    assert one[1] < four[1]
    assert one[1] < two[1]


def many(family, ranks, controls=12):
    """An explanation of a network by more methods than are listed: some ranked, then controls."""
    map_ = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    maps = dict.fromkeys(ranks, (map_, VERDICTS["gradient"]))
    maps |= {f"control_{i}": (map_, VERDICTS["edges"]) for i in range(controls)}
    return Explanation(family, 0, np.array([0.2, 0.8]), 1, None, maps, ranks)


MANY = [
    many("cnn", {"rise:blur": 12, "occlusion:mean": 1, "gradient": 3}),
    many("lstm", {"occlusion:black": 2, "rise:mean": 4}),
]


def test_many_attributions_are_a_table_by_rank():
    lines = explained.text(MANY, 0.95).splitlines()
    assert [line.partition(" (")[0] for line in lines[:2]] == ["cnn", "lstm"]
    assert [re.split(r"  +", line.strip()) for line in lines[3:9]] == [
        ["cnn", "lstm"],
        ["occlusion", "✓", "1 mean", "✓", "2 black"],
        ["gradient", "✓", "3", "–"],
        ["rise", "✓ 12 blur", "✓", "4 mean"],
        ["control 0"],
        ["control 1"],
    ]
    assert lines[4].index("2 black") == lines[6].index("4 mean")  # columns are straight
    assert max(map(len, lines)) <= 100
    assert len(lines) == 3 + 1 + 15 + 1 + 3


def test_variants_of_a_method_are_rows_of_their_own():
    text = explained.text([many("cnn", {"rise:blur": 2, "rise:mean": 1})], 0.95)
    rows = [line.split("  ")[0] for line in text.splitlines()[3:5]]
    assert rows == ["rise, mean", "rise, blur"]


def test_a_table_of_all_fits_a_screen():
    ranks = {f"integrated_gradients_{i}:draws": i for i in range(14)}
    families = ("attention", "cnn", "feedforward", "lstm", "spiking")
    lines = explained.text([many(f, ranks, 7) for f in families], 0.95).splitlines()
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("count", [1, 5])
def test_the_figure_of_many_attributions_is_bounded(count):
    ranks = {f"method_{i}:mean": i for i in range(14)}
    width, height = size(figure(*[many(f"family {i}", ranks, 10) for i in range(count)]))
    assert width <= 2000
    assert height <= 110 * explained.MAX_HEIGHT


def test_a_grid_has_a_map_a_family_and_method_framed_by_its_verdict(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    monkeypatch.setattr(explained, "MAX_HEIGHT", 5)
    drawn = figure(*MANY)
    _, *maps = drawn.axes
    assert len(maps) == 15 + 14
    edges = [to_hex(axes.spines["left"].get_edgecolor()) for axes in maps]
    assert edges.count(drawing.WARNING) == 24
    texts = [text.get_text() for text in drawn.texts]
    assert texts.count("control") == 24
    assert texts.count("–") == 1
    assert "✓  1 mean" in texts
    assert texts.index("occlusion") < texts.index("gradient") < texts.index("rise")


def test_a_grid_of_a_table_names_its_columns(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    monkeypatch.setattr(explained, "MAX_HEIGHT", 5)
    inputs = Inputs("table", ("no", "yes"), {"age": "number", "size": "number"})
    map_ = np.array([[0.5, -1]], np.float32)
    maps = {f"method_{i}": (map_, VERDICTS["gradient"]) for i in range(14)}
    each = Explanation("cnn", 0, np.array([0.2, 0.8]), 1, None, maps)
    drawn = explained.figure(np.zeros((1, 2, 1), np.float32), ["a row"], [each], 0.95, inputs)
    assert len(drawn.axes) == 14
    assert any(
        "Bars, from the top: size, age." in t.get_text().replace("\n", " ") for t in drawn.texts
    )


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")  # of what others left open
@pytest.mark.parametrize("value", [0, 255])
def test_flat_images_and_maps_are_drawn_without_a_warning(value):
    maps = {"gradient": (np.zeros((8, 8), np.float32), VERDICTS["gradient"])}
    flat = Explanation("cnn", 0, np.array([1.0, 0]), 0, None, maps)
    assert figure(flat, image=np.full((8, 8), value, np.uint8))
