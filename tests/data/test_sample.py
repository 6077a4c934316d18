"""Which test images are explained."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glassnets.config.schema import Sample
from glassnets.data import sample


@pytest.fixture
def test_part():
    index = np.arange(40)[::-1] * 7
    return {"index": index, "labels": (index % 5).astype(np.uint8)}


def draw(part, images=12, random_state=0):
    return sample.draw(part, Sample(images=images, random_state=random_state))


def test_each_image_is_drawn_once_and_with_its_label(test_part):
    drawn = draw(test_part)
    assert drawn.columns.tolist() == ["index", "label"]
    assert len(drawn) == drawn["index"].nunique() == 12
    assert set(drawn["index"]) <= set(test_part["index"])
    assert (drawn["label"] == drawn["index"] % 5).all()


def test_no_prediction_is_read(test_part):
    """Else a network's recipe would move another network's verdicts."""
    assert list(inspect.signature(sample.draw).parameters) == ["test", "sample"]
    other = test_part | {"predictions": 1 - test_part["labels"], "images": np.zeros((40, 2, 2))}
    pd.testing.assert_frame_equal(draw(other), draw(test_part))


def test_the_random_state_decides_and_labels_do_not(test_part):
    first = draw(test_part)
    assert not draw(test_part, random_state=1)["index"].equals(first["index"])
    relabelled = test_part | {"labels": np.zeros(40, np.uint8)}
    pd.testing.assert_series_equal(draw(relabelled)["index"], first["index"])


def test_the_whole_test_part_may_be_drawn(test_part):
    drawn = draw(test_part, images=40)
    assert sorted(drawn["index"]) == sorted(test_part["index"])
    assert drawn["index"].tolist() != test_part["index"].tolist()


def test_every_image_is_as_likely_at_every_place(test_part):
    draws = np.stack([draw(test_part, 8, state)["index"] // 7 for state in range(2000)])
    for places in (draws[:, 0], draws[:, -1]):  # so any first k are a random sample, too
        counts = np.bincount(places, minlength=40)
        expected = len(places) / 40
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert chi_square < 39 + 4 * np.sqrt(2 * 39)  # its mean and four standard deviations


def test_where_there_are_fewer_all_are_drawn(test_part):
    pd.testing.assert_frame_equal(draw(test_part, images=41), draw(test_part, images=40))
