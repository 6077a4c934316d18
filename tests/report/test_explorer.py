"""The data of report.html's explorer."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glassnets.data.inputs import Inputs
from glassnets.report import explorer

UNDECIDED = "undecided whether above edges (some 300 images would tell)"


def picture(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


@pytest.fixture
def made(attributions, leaderboard, results):
    families = {
        "cnn": attributions(0, "occlusion", "grad_cam", "rise", evidence=True),
        "lstm": attributions(1, "occlusion", evidence=True),
    }
    families["lstm"]["predictions"] = np.tile([0, 9, 2, 3, 4, 5], (3, 1))
    families["cnn"]["predictions"] = np.tile([0, 1, 2, 3, 4, 7], (3, 1))
    families["lstm"]["predictions"][:, 5] = 7
    boards = {
        "cnn": leaderboard(occlusion=0.4, grad_cam=(0.3, "not above edges"), rise=(0.2, UNDECIDED)),
        "lstm": leaderboard(occlusion=0.2),
    }
    cells = {
        family: results(attributions=families[family], leaderboard=boards[family])
        for family in families
    }
    return families, explorer.explorer(cells)


def test_images_stand_one_under_another(made):
    families, data = made
    pixels = picture(data["images"])
    assert data["size"] == [5, 4]
    assert pixels.shape == (30, 4, 4)
    np.testing.assert_array_equal(pixels[5:10, :, 0], families["cnn"]["images"][1])


def test_images_are_sorted_by_whether_families_agree(made):
    _, data = made
    kinds = [image["kind"] for image in data["sample"]]
    assert kinds == ["all are right", "families disagree", *["all are right"] * 3, "all are wrong"]
    assert data["sample"][1] == {
        "index": 10,
        "label": 1,
        "kind": "families disagree",
        "predictions": {"cnn": 1, "lstm": 9},
        "likeliest": {},
    }


def test_maps_are_red_for_and_blue_against(made):
    families, data = made
    map_ = families["cnn"]["occlusion"][0, 2]
    place = data["families"]["cnn"]["occlusion"]["maps"]
    pixels = picture(data["pictures"][place])[10:15].astype(int)
    redder = pixels[..., 0] - pixels[..., 2]
    strong = np.abs(map_) > 0.2 * np.abs(map_).max()
    np.testing.assert_array_equal(np.sign(redder)[strong], np.sign(map_)[strong])
    most = np.unravel_index(np.abs(map_).argmax(), map_.shape)
    assert pixels[most].tolist() in ([103, 0, 31, 255], [5, 48, 97, 255])  # the ends of RdBu


def test_a_constant_map_is_white():
    pixels = picture(explorer.heat(np.full((1, 3, 3), 2, np.float32)))
    assert (pixels[..., :3] >= 245).all()


def test_the_evidence_is_outlined(made):
    families, data = made
    pixels = picture(data["evidence"])
    assert pixels.shape == (6 * 5 * 4, 4 * 4, 4)
    large = np.concatenate(families["cnn"]["evidence"]).repeat(4, 0).repeat(4, 1)
    assert pixels[..., 3][large].any()
    assert not pixels[..., 3][~large].any()  # on the evidence, never beside it


def test_verdicts_and_scores_are_the_leaderboards(made):
    _, data = made
    cnn = data["families"]["cnn"]
    assert {method: each["value"] for method, each in cnn.items()} == {
        "occlusion": "holds",
        "grad_cam": "fails",
        "rise": "undecided",
    }
    assert cnn["grad_cam"]["doubtful"]
    assert cnn["rise"]["doubtful"]
    assert "not above edges" in cnn["grad_cam"]["verdict"]["en"]
    assert "不高于边缘" in cnn["grad_cam"]["verdict"]["zh"]
    assert not cnn["occlusion"]["doubtful"]
    assert cnn["occlusion"]["scores"][0] == ("insertion − deletion ↑", "0.40 [0.35, 0.45]")
    assert "grad_cam" not in data["families"]["lstm"]


def test_methods_come_best_supported_first(made):
    _, data = made
    assert data["methods"] == ["occlusion", "rise", "grad_cam", "edges", "random_map"]


@pytest.fixture
def large(attributions, leaderboard, results):
    """Two families with a sample of 90 images, of which the first seed of one predicts those of
    the rows 50 to 69 wrongly, of the other the last row; other seeds predict all wrongly."""
    families = {}
    for seed, family in enumerate(("cnn", "lstm")):
        arrays = attributions(seed, "rise", evidence=True)
        for name, array in arrays.items():
            axis = 1 if name in ("predictions", "rise") else 0
            arrays[name] = array if name == "seeds" else np.concatenate([array] * 15, axis)
        arrays["index"] = np.arange(90)[::-1]
        arrays["images"] = np.arange(90 * 20, dtype=np.uint16).reshape(90, 5, 4).astype(np.uint8)
        arrays["predictions"][1:] += 1
        families[family] = arrays
    families["cnn"]["predictions"][0, 50:70] += 1
    families["lstm"]["predictions"][0, 89] += 1
    board = leaderboard(rise=0.4)
    return families, {f: results(attributions=a, leaderboard=board) for f, a in families.items()}


def limited(cells, images):
    """The explorer of a size that so many images just fit into."""
    size = explorer._taken(explorer._explorer(cells, Inputs(), images))
    return explorer.explorer(cells, size=size)


def test_all_of_a_sample_that_fits_are_displayed(large):
    _, cells = large
    assert len(explorer.explorer(cells)["sample"]) == 90


def test_of_a_sample_too_large_wrong_predictions_come_first_then_the_sample(large):
    families, cells = large
    data = limited(cells, 40)
    shown = len(data["sample"])
    assert 25 < shown <= 40
    rows = [*range(shown - 21), *range(50, 70), 89]
    assert [image["index"] for image in data["sample"]] == [89 - row for row in rows]
    kinds = [image["kind"] for image in data["sample"]]
    assert kinds == ["all are right"] * (shown - 21) + ["families disagree"] * 21
    pixels = picture(data["images"]).reshape(shown, 5, 4, 4)
    np.testing.assert_array_equal(pixels[..., 0], families["cnn"]["images"][rows])
    assert picture(data["evidence"]).shape[0] == shown * 5 * 4
    for family, arrays in families.items():
        expected = explorer.heat(arrays["rise"][0][rows])
        assert data["pictures"][data["families"][family]["rise"]["maps"]] == expected


def test_of_very_many_wrong_predictions_the_first_are_displayed(large):
    families, cells = large
    families["lstm"]["predictions"][0] += 1
    indices = [image["index"] for image in limited(cells, 40)["sample"]]
    assert indices == [89 - row for row in range(len(indices))]
    assert len(indices) <= 40


def test_no_data_are_larger_than_they_may_be_unless_of_a_single_image(large):
    _, cells = large
    for size in (20_000, 40_000):
        assert len(json.dumps(explorer.explorer(cells, size=size), ensure_ascii=False)) <= size
    assert len(explorer.explorer(cells, size=1)["sample"]) == 1


def test_a_map_that_families_have_in_common_is_held_once(attributions, leaderboard, results):
    first, second = attributions(0, "edges", "rise"), attributions(1, "rise")
    second["edges"] = first["edges"]
    data = explorer.explorer(
        {
            "cnn": results(attributions=first, leaderboard=leaderboard(rise=0.4)),
            "lstm": results(attributions=second, leaderboard=leaderboard(rise=0.4)),
        }
    )
    cnn, lstm = (data["families"][family] for family in ("cnn", "lstm"))
    assert cnn["edges"]["maps"] == lstm["edges"]["maps"]
    assert cnn["rise"]["maps"] != lstm["rise"]["maps"]
    assert len(data["pictures"]) == 3


def test_the_likeliest_classes_of_the_first_seed_have_their_probabilities(
    attributions, leaderboard, results
):
    table = pd.DataFrame({"seed": [0, 0, 1], "index": [10, 50, 50]})
    table["probability_0"], table["probability_1"] = [0.25, 0.1, 1], [0.5, 0.9, 0]
    table["probability_2"], table["probability_3"] = [0.2, 0, 0], [0.05, 0, 0]
    board = leaderboard(rise=0.4)
    cell = results(attributions=attributions(0, "rise"), leaderboard=board, predictions=table)
    sample = explorer.explorer({"cnn": cell}, Inputs(class_names=tuple("abcdefghij")))["sample"]
    known = {image["index"]: image["likeliest"]["cnn"] for image in sample if image["likeliest"]}
    assert known == {
        50: [("b", 0.9), ("a", 0.1), ("c", 0.0)],
        10: [("b", 0.5), ("a", 0.25), ("c", 0.2)],
    }


def test_names_are_those_that_people_use(made):
    _, data = made
    assert data["names"]["methods"]["grad_cam"] == {"en": "Grad-CAM", "zh": "Grad-CAM"}
    assert data["names"]["variants"]["rise"]["en"] == "RISE"


def test_of_a_table_there_are_values_and_the_columns_that_count_most(leaderboard, results):
    columns = {**{f"c{i}": "number" for i in range(15)}, "colour": ("red", "blue")}
    inputs = Inputs("table", ("no", "yes"), columns)
    images = np.zeros((2, 1, 16, 2), np.float32)
    images[:, 0, 15, 1] = 1
    maps = np.tile(np.arange(16, dtype=np.float32) - 3, (1, 2, 1, 1))
    arrays = {
        "index": np.array([7, 5]),
        "labels": np.array([0, 1], np.uint8),
        "images": images,
        "seeds": np.array([0]),
        "predictions": np.array([[0, 0]]),
        "rise": maps,
    }
    data = explorer.explorer(
        {"cnn": results(attributions=arrays, leaderboard=leaderboard(rise=0.4))}, inputs
    )
    assert data["columns"] == [*columns]
    assert data["rows"][0] == ["0"] * 15 + ["blue"]
    assert [image["label"] for image in data["sample"]] == ["no", "yes"]
    assert data["sample"][1]["predictions"] == {"cnn": "no"}
    first, *_, others = data["families"]["cnn"]["rise"]["maps"][0]
    assert first == (15, 12.0)
    assert others == (-4, 2.0)  # the sum of 0, −1, 1 and 2


def test_of_series_there_are_the_points_of_lines():
    lines = explorer.lines(np.array([[0.0, 1.0, np.nan, 3.0]]))
    assert lines == ["12.5,92 37.5,64 87.5,8"]


def test_rgb_images_stand_one_under_another_too():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 3, 3), np.uint8)
    pixels = picture(explorer._inputs(images, Inputs())["images"])
    np.testing.assert_array_equal(pixels[4:, :, :3], images[1])
