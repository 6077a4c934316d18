"""The colours of attributions, and pictures as bytes."""

import matplotlib
import numpy as np
import pytest

from glassnets.report import drawing


def scale(*values):
    white, radius = drawing.colour_scale(np.array(values, np.float32).reshape(1, -1))
    return float(white), float(radius)


def test_white_is_zero_and_the_scale_symmetric_about_it():
    assert scale(-1, 0, 3) == (0, 3)
    assert scale(-4, 0, 3) == (0, 4)


def test_white_is_zero_where_a_map_is_zero_somewhere_and_negative_elsewhere():
    assert scale(-4, -1, 0) == (0, 4)


@pytest.mark.parametrize("sign", [1, -1])
def test_white_is_the_lowest_value_of_a_map_that_has_one_sign(sign):
    values = sorted([sign * 1, sign * 2, sign * 4])
    assert scale(*values) == (values[0], 3)
    assert drawing.coloured(np.array([values])).min() == 0  # nothing is blue
    assert drawing.coloured(np.array([values])).max() == 1


@pytest.mark.parametrize("value", [0, 2, -2])
def test_a_constant_map_is_white(value):
    assert (drawing.coloured(np.full((2, 3, 3), value)) == 0).all()


def test_each_map_of_several_has_a_scale_of_its_own():
    maps = np.array([[[-1, 2]], [[10, 30]], [[-40, -20]]])
    levels = drawing.coloured(maps)
    assert levels.tolist() == [[[-0.5, 1]], [[0, 1]], [[0, 1]]]
    for map_, level in zip(maps, levels, strict=True):
        assert np.array_equal(drawing.coloured(map_), level)


def test_the_same_figure_gives_the_same_bytes_whatever_a_persons_settings():
    def png():
        with drawing.figure(2, 1) as drawn:
            drawn.subplots().plot([0, 1])
        return drawing.png(drawn)

    plain = png()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}):
        assert png() == plain
    assert b"Software" not in plain
    assert b"tIME" not in plain
