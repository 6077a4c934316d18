"""Scaling, drawing, and intervals over seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glassnets.learning import images
from glassnets.learning.images import Scale


def test_training_images_are_scaled_to_mean_0_and_deviation_1(parts):
    assert parts.train.inputs.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert parts.train.inputs.std() == pytest.approx(1)
    assert parts.test.inputs.std() != pytest.approx(1, abs=1e-6)  # by the training images' scale
    np.testing.assert_array_equal(parts.scale(parts.test.pixels), parts.test.inputs)


def test_a_scale_takes_the_mean_image_and_one_deviation():
    pixels = np.array([[[0, 4]], [[2, 8]]], np.uint8)
    scale = Scale.of(pixels)
    assert scale.mean.tolist() == [1, 6]
    assert scale.deviation == pytest.approx(np.sqrt(2.5))
    assert scale(pixels) * scale.deviation == pytest.approx(np.array([[-1, -2], [1, 2]]))


def test_drawn_images_keep_their_labels(parts):
    few = parts.train.drawn(30, np.random.default_rng(0))
    assert len(few.labels) == 30
    assert (few.targets.argmax(axis=1) == few.labels).all()
    np.testing.assert_array_equal(parts.scale(few.pixels), few.inputs)
    assert len(parts.train.drawn(10_000, np.random.default_rng(0)).labels) == 800


def test_the_interval_is_students():
    values = np.array([1.0, 4.0, 2.0, 2.5])
    mean, low, high = images.interval(values, 0.9)
    expected = stats.t.interval(0.9, 3, loc=values.mean(), scale=stats.sem(values))
    assert (mean, low, high) == pytest.approx((values.mean(), *expected))


@pytest.mark.parametrize("values", [[1.0], [1.0, np.inf], [np.nan, 1.0]])
def test_where_there_is_no_interval_its_ends_are_nan(values):
    _, low, high = images.interval(np.array(values), 0.95)
    assert np.isnan([low, high]).all()


def test_an_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    ends = [images.interval(rng.normal(size=5), 0.9)[1:] for _ in range(2000)]
    assert np.mean([low < 0 < high for low, high in ends]) == pytest.approx(0.9, abs=0.02)


def test_tables_of_seeds_become_means_with_intervals():
    tables = [
        pd.DataFrame({"a": ["y", "x"], "b": [1, 2], "c": [1.0, value], "d": [5.0, 6.0]})
        for value in (1.0, 100.0)
    ]
    found = images.over_seeds(tables, ["a", "b"], 0.95, same=["d"], factors=["c"])
    assert found["a"].tolist() == ["y", "x"]
    assert found["c"].tolist() == pytest.approx([1, 10])  # the geometric mean
    assert found["c_low"].iloc[1] * found["c_high"].iloc[1] == pytest.approx(100)
    assert [*found] == ["a", "b", "c", "c_low", "c_high", "d"]
