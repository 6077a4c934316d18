import base64
import io

import numpy as np
import pytest
from PIL import Image

from glassnets.report import explorer


def picture(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


@pytest.fixture
def made(cell, leaderboard):
    cells = {
        "cnn": cell(0, "occlusion", "grad_cam", evidence=True),
        "lstm": cell(1, "occlusion", evidence=True),
    }
    cells["lstm"]["predictions"] = np.tile([0, 9, 2, 3, 4, 5], (3, 1))
    cells["cnn"]["predictions"] = np.tile([0, 1, 2, 3, 4, 7], (3, 1))
    cells["lstm"]["predictions"][:, 5] = 7
    boards = {
        "cnn": leaderboard(occlusion=0.4, grad_cam=(0.3, "not above edges")),
        "lstm": leaderboard(occlusion=0.2),
    }
    return cells, explorer.explorer(cells, boards)


def test_images_stand_one_under_another(made):
    cells, found = made
    shown = picture(found["images"])
    assert found["size"] == [5, 4]
    assert shown.shape == (30, 4, 4)
    np.testing.assert_array_equal(shown[5:10, :, 0], cells["cnn"]["images"][1])


def test_samples_are_told_by_whether_families_agree(made):
    _, found = made
    kinds = [sample["kind"] for sample in found["samples"]]
    assert kinds == ["all are right", "families disagree", *["all are right"] * 3, "all are wrong"]
    assert found["samples"][1] == {
        "index": 10,
        "label": 1,
        "kind": "families disagree",
        "answers": {"cnn": 1, "lstm": 9},
    }


def test_maps_are_red_for_and_blue_against(made):
    cells, found = made
    heat = cells["cnn"]["occlusion"][0, 2]
    shown = picture(found["families"]["cnn"]["occlusion"]["maps"])[10:15].astype(int)
    redder = shown[..., 0] - shown[..., 2]
    strong = np.abs(heat) > 0.2 * np.abs(heat).max()
    np.testing.assert_array_equal(np.sign(redder)[strong], np.sign(heat)[strong])
    most = np.unravel_index(np.abs(heat).argmax(), heat.shape)
    assert shown[most].tolist() in ([103, 0, 31, 255], [5, 48, 97, 255])  # the ends of RdBu


def test_a_constant_map_is_white():
    shown = picture(explorer.heat(np.full((1, 3, 3), 2, np.float32)))
    assert (shown[..., :3] >= 245).all()


def test_the_evidence_is_outlined(made):
    cells, found = made
    shown = picture(found["evidence"])
    assert shown.shape == (6 * 5 * 4, 4 * 4, 4)
    large = np.concatenate(cells["cnn"]["evidence"]).repeat(4, 0).repeat(4, 1)
    assert shown[..., 3][large].any()
    assert not shown[..., 3][~large].any()  # on the evidence, never beside it


def test_the_trust_figures_are_the_leaderboards(made):
    _, found = made
    cnn = found["families"]["cnn"]
    assert cnn["grad_cam"]["doubtful"]
    assert "not above edges" in cnn["grad_cam"]["verdict"]
    assert not cnn["occlusion"]["doubtful"]
    assert cnn["occlusion"]["figures"][0] == ["insertion − deletion ↑", "0.40 (0.35 to 0.45)"]
    assert "grad_cam" not in found["families"]["lstm"]


def test_methods_come_best_first(made):
    _, found = made
    assert [method for method, _ in found["methods"]][:2] == ["occlusion", "grad_cam"]
