"""Pictures of maps."""

import io

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from glassnets.report import attributions, drawing, leaderboards


def has(png, colour):
    pixels = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    return np.isclose(pixels, matplotlib.colors.to_rgb(colour), atol=0.01).all(axis=-1).any()


@pytest.fixture
def board(leaderboard):
    return leaderboard(rise=0.6, occlusion=0.4)


@pytest.fixture
def one(cell):
    """A single network's part of a cell."""
    made = cell(0, "rise", "occlusion", "edges", "random_map", evidence=True)
    maps = {name: made[name][0] for name in ("edges", "occlusion", "rise")}
    return {
        "images": made["images"],
        "maps": maps,
        "labels": made["labels"],
        "predictions": made["predictions"][0],
        "title": "cnn on digits, seed 0",
    }, made["evidence"]


def tiles(figure):
    """Pixels of the picture's tiles, with the limits of their colours."""
    (axes,) = figure.axes
    return [(image.get_array(), image.get_clim()) for image in axes.images]


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def test_a_row_a_method_in_the_order_of_the_leaderboard(one, board):
    inputs, _ = one
    figure = attributions.gallery(**inputs, leaderboard=board)
    assert [text for text in texts(figure) if len(text) > 1] == [
        *("image", "rise", "occlusion", "edges (control)")
    ]
    maps = [array for array, _ in tiles(figure)]
    first_image = [inputs["images"][0]]
    first_image += [inputs["maps"][name][0] for name in ("rise", "occlusion", "edges")]
    for drawn, expected in zip(maps[:4], first_image, strict=True):
        assert np.array_equal(drawn, expected)


def test_white_says_nothing_and_red_speaks_for(one, board):
    inputs, _ = one
    map_ = inputs["maps"]["rise"]
    map_[1] += 20  # positive everywhere
    map_[2] -= 20
    map_[3] = 0
    drawn = tiles(attributions.gallery(**inputs, leaderboard=board))
    limits = [drawn[4 * column + 1][1] for column in range(4)]
    most = np.abs(map_[0]).max()
    assert limits[0] == pytest.approx((-most, most))
    low, high = map_[1].min(), map_[1].max()
    assert limits[1] == pytest.approx((2 * low - high, high))
    low, high = map_[2].min(), map_[2].max()
    assert limits[2] == pytest.approx((low, 2 * high - low))
    assert limits[3] == (-1, 1)


def test_wrong_answers_and_failing_methods_are_red(one, board, leaderboard):
    inputs, _ = one
    assert not has(
        drawing.png(attributions.gallery(**inputs, leaderboard=board)), leaderboards.WARNING
    )
    failed = leaderboard(rise=(0.6, "fails label randomization; not above edges"))
    figure = attributions.gallery(**inputs, leaderboard=failed)
    assert "✗ fails label randomization …" in texts(figure)
    assert has(drawing.png(figure), leaderboards.WARNING)
    inputs["predictions"] = np.array([0, 1, 2, 3, 4, 9])
    figure = attributions.gallery(**inputs, leaderboard=board)
    assert "5, said 9" in texts(figure)
    assert has(drawing.png(figure), leaderboards.WARNING)


def test_the_evidence_is_outlined_pixel_by_pixel(one, board):
    inputs, evidence = one
    evidence[:] = False
    evidence[:, 0, :2] = evidence[:, 3, 2] = True  # 6 sides, and 4
    figure = attributions.gallery(**inputs, leaderboard=board, evidence=evidence)
    (axes,) = figure.axes
    assert len(axes.collections) == 6 * 4  # every tile
    segments = axes.collections[0].get_segments()
    assert len(segments) == 6 + 4
    width, height = 0.94 / 4, 0.94 / 5  # of a pixel
    corners = np.concatenate(segments)
    assert corners.min(axis=0) == pytest.approx([0.03, 0.03])
    assert corners.max(axis=0) == pytest.approx([0.03 + 3 * width, 0.03 + 4 * height])


@pytest.fixture
def families(cell, leaderboard):
    cells = {
        "cnn": cell(0, "rise", "occlusion", evidence=True),
        "lstm": cell(1, "rise", "occlusion", evidence=True),
    }
    boards = {
        "cnn": leaderboard(rise=(0.9, "not above edges"), occlusion=0.5),
        "lstm": leaderboard(rise=(0.9, "not above edges"), occlusion=(0.5, "not above edges")),
    }
    return cells, {"alike": [3, 0], "differ": [], "other answers": [5]}, boards


def test_the_families_picture_is_the_same_bytes_again(families):
    cells, _, boards = families
    first = attributions.families(*families)
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    with matplotlib.rc_context({"font.size": 30, "image.cmap": "gray", "savefig.dpi": 30}):
        assert attributions.families(*families) == first
    assert attributions.families(cells, {"alike": [3, 0]}, boards) != first


def test_the_families_picture_shows_each_its_best_method_and_marks_failing_ones(families):
    cells, groups, boards = families
    first = attributions.families(cells, groups, boards)
    assert has(first, leaderboards.WARNING)  # lstm has none that passes
    cells["cnn"]["rise"] += 1  # not shown
    assert attributions.families(cells, groups, boards) == first
    cells["cnn"]["occlusion"][1:] += 1  # other seeds
    assert attributions.families(cells, groups, boards) == first
    cells["cnn"]["occlusion"][0, 5] *= -1
    assert attributions.families(cells, groups, boards) != first


def test_without_evidence_nothing_is_outlined(families):
    cells, groups, boards = families
    green = "#007a33"
    assert has(attributions.families(cells, groups, boards), green)
    for cell in cells.values():
        del cell["evidence"]
    assert not has(attributions.families(cells, groups, boards), green)
