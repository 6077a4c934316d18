"""One picture explained, in words and as a picture: what is to be believed, and what not."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from glassnets.errors import GlassnetsError
from glassnets.report import explained
from glassnets.report.explained import Explanation, Trust

JUDGE = "`dvc repro explain@digits-cnn`"
BOARD = pd.read_csv(
    io.StringIO(
        """method,control,passes,marks,rank,insertion_minus_deletion,insertion_minus_deletion_ci_low,\
insertion_minus_deletion_ci_high,infidelity,infidelity_ci_low,infidelity_ci_high
gradient,False,True,,1,0.5,0.4,0.6,0.034567,0.01,0.05
occlusion,False,False,fails parameter_randomization; not better than edges,2,0.3,0.2,0.4,2,1,3
rise,False,False,,3,0.2,0.1,0.3,,,
edges,True,False,,,-0.25,-0.5,0,1,1,1
"""
    )
)


def judged(method, control=False, board=BOARD):
    return explained.trust(board, method, control, JUDGE)


def test_a_method_that_passes_shows_its_rank_and_figures():
    assert judged("gradient") == Trust(
        "rank 1 of 3: passes every gate, beats every control",
        doubtful=False,
        figures=(
            ("insertion − deletion ↑", "0.50 (0.40 to 0.60)"),
            ("infidelity ↓", "0.0346 (0.0100 to 0.0500)"),
        ),
    )


def test_a_method_that_fails_is_marked_with_the_reasons():
    found = judged("occlusion")
    assert found.verdict == (
        "not to be believed: fails parameter_randomization; not better than edges"
    )
    assert found.doubtful
    assert judged("rise").doubtful
    assert judged("rise").verdict == "not to be believed"


def test_a_mark_that_fails_nothing_is_shown_and_no_more():
    found = judged("gradient", board=BOARD.assign(marks="shape survives randomization"))
    assert found.verdict.endswith("beats every control; but shape survives randomization")
    assert not found.doubtful


def test_figures_that_are_not_known_are_left_out():
    assert [name for name, _ in judged("rise").figures] == ["insertion − deletion ↑"]


def test_a_control_is_called_one_judged_or_not():
    for board in (BOARD, BOARD[:3], None):
        found = judged("edges", control=True, board=board)
        assert (found.verdict, found.doubtful) == ("a control: knows nothing of the network", True)
    assert len(judged("edges", control=True).figures) == 2


def test_what_is_not_judged_yet_says_what_judges_it():
    assert judged("gradient", board=None) == Trust(f"not judged yet: {JUDGE}", doubtful=False)
    assert judged("smoothgrad") == Trust(f"not judged: {JUDGE}", doubtful=False)


@pytest.mark.parametrize("lacking", ["method", "rank", "passes", "marks"])
def test_another_table_is_refused(lacking):
    with pytest.raises(GlassnetsError, match=f"{lacking}.*{JUDGE} writes it"):
        judged("gradient", board=BOARD.drop(columns=lacking))
    with pytest.raises(GlassnetsError, match="got another table"):
        judged("gradient", board=BOARD.assign(infidelity="high"))


def explanation(target=3, methods=("gradient", "occlusion"), board=BOARD, p=None):
    p = np.array([0.05, 0, 0.15, 0.8]) if p is None else np.array(p)
    heat = np.linspace(-1, 2, 64, dtype=np.float32).reshape(8, 8)
    return Explanation(
        "cnn", 1, p, target, {name: (heat, judged(name, board=board)) for name in methods}
    )


def test_the_words():
    assert explained.text([explanation()], 0.95) == (
        "cnn (seed 1) answers 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        "  gradient: rank 1 of 3: passes every gate, beats every control\n"
        "    insertion − deletion ↑: 0.50 (0.40 to 0.60); infidelity ↓: 0.0346 (0.0100 to 0.0500)\n"
        "  occlusion: not to be believed: fails parameter_randomization; not better than edges\n"
        "    insertion − deletion ↑: 0.30 (0.20 to 0.40); infidelity ↓: 2.00 (1.00 to 3.00)\n"
        "Trust figures are means over the dataset's panel, 95% interval; they judge the method, "
        "not this picture.\n"
        "↑: the higher the better; ↓: the lower; → 0: the nearer to 0."
    )


def test_the_words_where_nothing_is_judged_speak_of_no_figures():
    assert explained.text([explanation(methods=["gradient"], board=None)], 0.95) == (
        "cnn (seed 1) answers 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %)\n"
        f"  gradient: not judged yet: {JUDGE}"
    )


def test_another_class_than_the_answer_is_said_to_be_one():
    said = explained.text([explanation(target=0)], 0.95)
    assert said.startswith(
        "cnn (seed 1) answers 3 (80.0 %), then 2 (15.0 %), 0 (5.0 %); explained: 0, as asked\n"
    )
    assert said.endswith("They judge maps of the network's own answer, not of another class.")


def test_no_probability_is_rounded_to_certainty():
    said = explained.text([explanation(p=[0.99999, 0.00001, 0], target=0)], 0.95)
    assert "0 (over 99.9 %), then 1 (under 0.1 %), 2 (under 0.1 %)" in said


def drawn(*explanations, image=None):
    image = np.pad(np.full((4, 4), 255, np.uint8), 2) if image is None else image
    return explained.figure(image, ["read as it is"], explanations, 0.95)


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.info["Software"] == explained.SOFTWARE
        return np.asarray(image.convert("RGB")).reshape(-1, 3)


def has(png, colour):
    wanted = np.rint(255 * np.array(to_rgb(colour)))
    return bool((pixels(png) == wanted).all(axis=1).any())


def test_the_same_picture_every_time():
    assert drawn(explanation()) == drawn(explanation())


def test_what_is_not_to_be_believed_is_red():
    assert has(drawn(explanation(methods=["occlusion"])), "#c00000")
    assert not has(drawn(explanation(methods=["gradient"])), "#c00000")


def test_a_picture_of_many_methods_and_families_grows_downwards():
    one = Image.open(io.BytesIO(drawn(explanation(methods=["gradient", "rise", "occlusion"])))).size
    two = Image.open(
        io.BytesIO(drawn(*[explanation(methods=["gradient", "rise", "occlusion"])] * 2))
    )
    many = explanation(methods=["gradient", "rise", "occlusion", "smoothgrad"])
    assert one[0] == two.size[0] == Image.open(io.BytesIO(drawn(many))).size[0]
    assert one[1] < Image.open(io.BytesIO(drawn(many))).size[1]
    assert one[1] < two.size[1]


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")  # of what others left open
@pytest.mark.parametrize("value", [0, 255])
def test_flat_images_and_maps_are_drawn_without_a_word(value):
    flat = Explanation(
        "cnn", 0, np.array([1.0, 0]), 0, {"gradient": (np.zeros((8, 8), np.float32), judged("x"))}
    )
    assert drawn(flat, image=np.full((8, 8), value, np.uint8))
