"""The page and the picture of one model's verdicts."""

import numpy as np
import pytest

from glassnets.attribution import judge
from glassnets.report import own_model
from glassnets.report.leaderboards import titled

ROWS = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def judged(tensorflow):
    def model(rows):
        p = 1 / (1 + np.exp(-rows @ [2, -1, 0, 0]))
        return np.stack([1 - p, p], axis=1)

    return judge(model, ROWS, (ROWS[:, 0] > 0).astype(int), methods=["occlusion"])


def test_the_picture_has_every_variant_of_a_method_and_the_best_control(judged):
    figure = own_model.maps(judged, "mine")
    written = "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)
    board = judged.board
    names = board["method"].map(titled)
    shown = [name in written for name in names]
    controls = board["control"].to_numpy()
    assert np.array(shown)[~controls].all()
    assert controls.sum() > 1
    best = board[controls]["insertion_minus_deletion"].idxmax()
    assert [i for i in np.flatnonzero(controls) if shown[i]] == [best]
