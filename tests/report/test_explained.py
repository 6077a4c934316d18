"""One picture explained, in words and as a figure."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from glassnets.report import drawing, explained
from glassnets.report.explained import Explanation
from glassnets.report.leaderboards import Verdict

VERDICTS = {
    "gradient": Verdict(
        "passes, rank 1 of 3",
        doubtful=False,
        scores=(
            ("insertion − deletion ↑", "0.50 (0.40 to 0.60)"),
            ("infidelity ↓", "0.03 (0.01 to 0.05)"),
        ),
    ),
    "occlusion": Verdict(
        "does not pass: fails label randomization; not above edges",
        doubtful=True,
        scores=(
            ("insertion − deletion ↑", "0.30 (0.20 to 0.40)"),
            ("infidelity ↓", "2.00 (1 to 3)"),
        ),
    ),
    "rise": Verdict("does not pass", doubtful=True),
    "smoothgrad": Verdict("no verdict yet: `dvc repro` gives it", doubtful=False),
}


def explanation(target=3, methods=("gradient", "occlusion"), p=None):
    p = np.array([0.05, 0, 0.15, 0.8]) if p is None else np.array(p)
    map_ = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    return Explanation("cnn", 1, p, target, {name: (map_, VERDICTS[name]) for name in methods})


def test_the_words():
    assert explained.text([explanation()], 0.95) == (
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        "  gradient: passes, rank 1 of 3\n"
        "    insertion − deletion ↑: 0.50 (0.40 to 0.60); infidelity ↓: 0.03 (0.01 to 0.05)\n"
        "  occlusion: does not pass: fails label randomization; not above edges\n"
        "    insertion − deletion ↑: 0.30 (0.20 to 0.40); infidelity ↓: 2.00 (1 to 3)\n"
        "Scores are means over the dataset's sample, with 95 % intervals; they judge the method, "
        "not this picture.\n"
        "↑: higher is better; ↓: lower; → 0: nearer to 0."
    )


def test_without_scores_none_are_explained():
    assert explained.text([explanation(methods=["smoothgrad"])], 0.95) == (
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        "  smoothgrad: no verdict yet: `dvc repro` gives it"
    )


def test_another_class_than_the_predicted_one_is_named():
    text = explained.text([explanation(target=0)], 0.95)
    assert text.startswith(
        "cnn (seed 1) predicts 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %); explained: 0\n"
    )
    assert text.endswith("They judge attributions of the predicted class, not of another.")


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


def test_what_does_not_pass_is_red(has_colour):
    assert has_colour(figure(explanation(methods=["occlusion"])), drawing.WARNING)
    assert not has_colour(figure(explanation(methods=["gradient"])), drawing.WARNING)


def test_maps_of_methods_that_do_not_pass_are_framed_in_red(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    drawn = figure(explanation(methods=["gradient", "occlusion", "smoothgrad", "rise"]))
    _, _, *maps = drawn.axes  # after the input and the probabilities
    edges = [to_hex(axes.spines["left"].get_edgecolor()) for axes in maps]
    assert [edge == drawing.WARNING for edge in edges] == [False, True, False, True]


def test_below_a_map_stands_its_scale(monkeypatch):
    monkeypatch.setattr(drawing, "png", lambda drawn, software: drawn)
    signed = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    maps = {"gradient": signed, "rise": signed - 3.5, "occlusion": signed * 0}
    drawn = figure(
        Explanation("cnn", 0, np.array([1.0, 0]), 0, {m: (v, VERDICTS[m]) for m, v in maps.items()})
    )
    scales = [axes.get_xlabel() for axes in drawn.axes[2:]]
    assert scales == ["± 2", "white −4.5, red −1.5", "± 1"]


def test_a_figure_of_many_methods_and_families_grows_downwards():
    three = explanation(methods=["gradient", "rise", "occlusion"])
    one, two, four = (
        size(figure(three)),
        size(figure(three, three)),
        size(figure(explanation(methods=list(VERDICTS)))),
    )
    assert one[0] == two[0] == four[0]
    assert one[1] < four[1]
    assert one[1] < two[1]


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")  # of what others left open
@pytest.mark.parametrize("value", [0, 255])
def test_flat_images_and_maps_are_drawn_without_a_warning(value):
    maps = {"gradient": (np.zeros((8, 8), np.float32), VERDICTS["gradient"])}
    flat = Explanation("cnn", 0, np.array([1.0, 0]), 0, maps)
    assert figure(flat, image=np.full((8, 8), value, np.uint8))
