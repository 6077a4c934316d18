"""Pictures of attributions."""

import re
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from glassnets.report import attributions as pictures
from glassnets.report import drawing

UNDECIDED = "undecided whether above edges (some 300 images would tell)"
METHODS = ("rise", "occlusion", "edges", "random_map")


@pytest.fixture
def board(leaderboard):
    return leaderboard(rise=0.6, occlusion=0.4)


@pytest.fixture
def arrays(attributions):
    made = attributions(0, *METHODS, evidence=True)
    del made["random_map"]  # which the leaderboard has, though
    return made


def gallery(arrays, board, place=0):
    return pictures.gallery(arrays, board, "cnn on digits, seed 0", place)


def tiles(figure):
    """Pixels of the picture's tiles, with the limits of their colours."""
    (axes,) = figure.axes
    return [(image.get_array(), image.get_clim()) for image in axes.images]


def frames(figure):
    (axes,) = figure.axes
    return [matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in axes.patches]


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def test_a_row_a_method_in_the_order_of_the_leaderboard(arrays, board):
    figure = gallery(arrays, board, place=1)
    assert [text for text in texts(figure) if len(text) > 1] == [
        *("image", "rise", "occlusion", "edges (control)")
    ]
    drawn = [pixels for pixels, _ in tiles(figure)][:4]
    assert np.array_equal(drawn[0], arrays["images"][0])
    for pixels, method in zip(drawn[1:], METHODS, strict=False):
        assert np.array_equal(pixels, drawing.coloured(arrays[method][1, 0]))


def test_colours_are_symmetric_about_white(arrays, board):
    limits = [limits for _, limits in tiles(gallery(arrays, board))]
    assert limits[1:4] == [(-1, 1)] * 3


def test_frames_have_the_colour_of_the_verdict(arrays, leaderboard):
    red, brown, none = drawing.WARNING, drawing.CAUTION, "#bbbbbb"
    failed = leaderboard(rise=(0.6, "not above edges"), occlusion=0.4)
    assert frames(gallery(arrays, failed)) == [none, red, none, red] * 6  # image, rise, …, edges
    undecided = leaderboard(rise=(0.6, UNDECIDED), occlusion=0.4)
    assert frames(gallery(arrays, undecided)) == [none, brown, none, red] * 6


def test_wrong_predictions_and_failing_methods_are_named_in_red(arrays, board, leaderboard):
    def texts_in(colour, figure):
        (axes,) = figure.axes
        return [text.get_text() for text in axes.texts if text.get_color() == colour]

    assert texts_in(drawing.WARNING, gallery(arrays, board)) == []
    assert texts_in(drawing.CAUTION, gallery(arrays, board)) == []
    failed = leaderboard(rise=(0.6, "fails label randomization; not above edges"))
    assert texts_in(drawing.WARNING, gallery(arrays, failed)) == ["✗ fails label randomization …"]
    undecided = gallery(arrays, leaderboard(rise=(0.6, UNDECIDED)))
    assert texts_in(drawing.WARNING, undecided) == []
    assert texts_in(drawing.CAUTION, undecided) == ["? above edges"]
    arrays["predictions"][0] = [0, 1, 2, 3, 4, 9]
    assert texts_in(drawing.WARNING, gallery(arrays, board)) == ["5, not 9"]


def test_the_evidence_is_outlined_pixel_by_pixel(arrays, board):
    evidence = arrays["evidence"]
    evidence[:] = False
    evidence[:, 0, :2] = evidence[:, 3, 2] = True  # 6 sides, and 4
    (axes,) = gallery(arrays, board).axes
    assert len(axes.collections) == 6 * 4  # every tile
    segments = axes.collections[0].get_segments()
    assert len(segments) == 6 + 4
    width, height = 0.94 / 4, 0.94 / 5  # of a pixel
    corners = np.concatenate(segments)
    assert corners.min(axis=0) == pytest.approx([0.03, 0.03])
    assert corners.max(axis=0) == pytest.approx([0.03 + 3 * width, 0.03 + 4 * height])


@pytest.fixture
def families(attributions, leaderboard, results):
    """In cnn, the verdict on occlusion alone holds; in lstm none does. They disagree on the last
    image."""
    boards = {
        "cnn": leaderboard(rise=(0.9, "not above edges"), occlusion=0.5),
        "lstm": leaderboard(rise=(0.9, "not above edges"), occlusion=(0.5, "not above edges")),
    }
    made = {
        family: results(
            attributions=attributions(seed, "rise", "occlusion", evidence=True), leaderboard=board
        )
        for seed, (family, board) in enumerate(boards.items())
    }
    made["lstm"].attributions["predictions"][0, 5] = 9
    return made


def picture(families, each=1):
    return drawing.png(pictures.families(families, each))


def test_the_families_picture_is_the_same_bytes_again(families):
    first = picture(families)
    with matplotlib.rc_context({"font.size": 30, "image.cmap": "gray", "savefig.dpi": 30}):
        assert picture(families) == first
    assert picture(families, each=2) != first


def test_the_families_picture_has_each_ones_best_method_and_marks_failing_ones(families):
    figure = pictures.families(families, each=1)
    assert [text for text in texts(figure) if text in ("occlusion", "rise")] == [
        "occlusion",
        "rise",
    ]
    assert "✗ not above edges" in texts(figure)  # in lstm none holds
    grey, red = "#bbbbbb", drawing.WARNING
    assert frames(figure) == [grey] * 3 + [grey] * 3 + [red] * 3  # images, cnn, lstm
    assert "predicted 9" in texts(figure)
    alone = pictures.families({"cnn": families["cnn"]}, each=1)
    assert drawing.WARNING not in frames(alone)


def test_the_families_picture_prefers_what_holds_then_what_is_undecided(families, leaderboard):
    board = leaderboard(rise=(0.9, "not above edges"), occlusion=(0.5, UNDECIDED))
    families["lstm"] = replace(families["lstm"], leaderboard=board)
    figure = pictures.families(families, each=1)
    assert [text for text in texts(figure) if text in ("occlusion", "rise")] == ["occlusion"] * 2
    assert "? above edges" in texts(figure)
    grey, brown = "#bbbbbb", drawing.CAUTION
    assert frames(figure) == [grey] * 3 + [grey] * 3 + [brown] * 3  # images, cnn, lstm


def test_the_families_picture_is_of_the_first_seed(families):
    first = picture(families)
    maps = families["cnn"].attributions
    maps["occlusion"][1:] += 1
    assert picture(families) == first
    maps["occlusion"][0, 5] *= -1
    assert picture(families) != first


def test_beside_a_row_stands_how_similar_its_maps_are(families):
    most, least, other = texts(pictures.families(families, each=1))[2:8:2]
    assert re.fullmatch(r"same prediction,\nmost similar maps\n\(similarity 0\.\d\d\)", most)
    assert re.fullmatch(r"same prediction,\nleast similar maps\n\(similarity −0\.\d\d\)", least)
    assert other == "different predictions"


def test_without_evidence_nothing_is_outlined(families):
    (axes,) = pictures.families(families, each=1).axes
    assert len(axes.collections) == 3 * 3
    for each in families.values():
        del each.attributions["evidence"]
    (axes,) = pictures.families(families, each=1).axes
    assert len(axes.collections) == 0


def boxes(figure):
    """The places of the figure's texts, in pixels, once it is drawn."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    return [text.get_window_extent() for text in axes.texts if text.get_text()]


def test_long_names_fit_into_the_pictures(attributions, leaderboard, results):
    name = "temporal_saliency_rescaling:draws"
    board = leaderboard({name: (0.5, UNDECIDED)})
    cells = {
        family: results(attributions=attributions(seed, name), leaderboard=board)
        for seed, family in enumerate(("cnn", "lstm", "attention"))
    }
    figures = [
        pictures.families(cells, each=1),
        gallery(attributions(0, name), leaderboard({"integrated_gradients:draws": 0.1, name: 0.5})),
    ]
    for figure in figures:
        each = boxes(figure)
        assert min(box.x0 for box in each) >= 0
        assert max(box.x1 for box in each) <= figure.bbox.width
        assert max(box.y1 for box in each) <= figure.bbox.height
    among = boxes(figures[0])
    assert not [(a, b) for i, a in enumerate(among) for b in among[:i] if a.overlaps(b)]
