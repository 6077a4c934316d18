"""Global pictures of a table."""

import numpy as np
import pytest

from glassnets.data.inputs import Inputs
from glassnets.report import columns, drawing

TABLE = Inputs("table", ("no", "yes"), {"a": "number", "b": "number", "c": ("red", "blue")})


@pytest.fixture
def cell(leaderboard, results):
    """A cell in which column b counts most, and a value of it speaks for the predicted class."""
    rng = np.random.default_rng(0)
    images = np.zeros((30, 1, 3, 2), np.float32)
    images[:, 0, :2, 0] = rng.normal(size=(30, 2))
    images[:4, 0, 0, 1] = 1  # missing
    images[:, 0, 2, 0] = 1
    maps = rng.normal(scale=0.1, size=(2, 30, 1, 3)).astype(np.float32)
    maps[:, :, 0, 1] += images[:, 0, 1, 0]
    arrays = {
        "images": images,
        "labels": np.arange(30, dtype=np.uint8) % 2,
        "predictions": np.tile(np.arange(30) % 2, (2, 1)),
        "rise": maps,
        "occlusion": maps[..., ::-1],
    }
    board = leaderboard(rise=0.3, occlusion=(0.9, "not above edges"))
    return results(attributions=arrays, leaderboard=board)


def test_the_table_is_of_the_best_supported_variant_with_its_verdict(cell, evaluation):
    table = columns.table({"cnn": cell}, TABLE, evaluation)
    assert table["column"].tolist()[0] == "b"
    assert set(table["variant"]) == {"rise"}
    assert set(table["verdict"]) == {"holds"}
    first = table.iloc[0]
    expected = np.abs(cell.attributions["rise"][..., 0, 1]).mean()
    assert first["mean_absolute_attribution"] == pytest.approx(expected, rel=1e-6)
    assert first["ci_low"] < expected < first["ci_high"]


def test_the_picture_has_a_point_a_row_by_predicted_class(cell, evaluation):
    table = columns.table({"cnn": cell}, TABLE, evaluation)
    drawn = columns.picture("cnn", cell, TABLE, table, "95 %")
    means, *swarms = drawn.axes
    assert [label.get_text() for label in means.get_yticklabels()] == table["column"].tolist()
    assert [axes.get_title(loc="left") for axes in swarms] == [
        "15 rows predicted no",
        "15 rows predicted yes",
    ]
    for axes in swarms:
        assert sum(len(points.get_offsets()) for points in axes.collections) == 15 * 3
    grey = swarms[0].collections[table["column"].tolist().index("c")].get_facecolors()
    assert len(np.unique(grey, axis=0)) == 1
    assert any("holds" in text.get_text() for text in drawn.texts)
    assert drawing.png(drawn) == drawing.png(columns.picture("cnn", cell, TABLE, table, "95 %"))
