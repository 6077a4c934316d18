"""Which test images are explained."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.panel import choose


def family(wrong, images=40, seeds=(0, 1)):
    """Predictions of a family whose every network answers the images ``wrong`` wrongly."""
    index = np.arange(images)[::-1] * 7
    label = index % 5
    prediction = np.where(np.isin(index, wrong), label + 1, label)
    one = {"index": index, "label": label, "prediction": prediction, "probability_0": 0.5}
    return pd.concat(pd.DataFrame({"seed": seed, **one}) for seed in seeds)


def asked(images=12, wrong=4, random_state=0):
    return SimpleNamespace(images=images, wrong=wrong, random_state=random_state)


@pytest.fixture
def predictions():
    return {"a": family([0, 7, 14, 21]), "b": family([0, 28, 35, 42])}


def test_so_many_are_wrong_and_each_is_counted(predictions):
    chosen = choose(predictions, asked())
    assert chosen.columns.tolist() == ["index", "label", "wrong", "networks"]
    assert len(chosen) == chosen["index"].nunique() == 12
    assert chosen["wrong"].gt(0).sum() == 4
    assert chosen["networks"].eq(4).all()
    assert (chosen["label"] == chosen["index"] % 5).all()
    expected = {0: 4, **dict.fromkeys((7, 14, 21, 28, 35, 42), 2)}
    assert chosen["wrong"].tolist() == [expected.get(index, 0) for index in chosen["index"]]


@pytest.mark.parametrize(("images", "wrong"), [(12, 4), (12, 6), (10, 3), (20, 1), (7, 7)])
def test_any_first_rows_are_a_fair_mix(predictions, images, wrong):
    missed = choose(predictions, asked(images, wrong))["wrong"].gt(0)
    fair = np.arange(1, images + 1) * missed.sum() / images
    assert (np.abs(missed.cumsum() - fair) <= 1).all()


def test_right_ones_fill_up_where_too_few_are_wrong(predictions):
    assert choose(predictions, asked(20, 20))["wrong"].gt(0).sum() == 7
    assert choose({"a": family([])}, asked())["wrong"].sum() == 0


def test_wrong_ones_fill_up_where_too_few_are_right():
    chosen = choose({"a": family(np.arange(0, 252, 7))}, asked(12, 2))
    assert chosen["wrong"].gt(0).sum() == 8
    assert len(chosen) == 12


def test_it_is_drawn_by_random_state_and_by_nothing_else(predictions):
    first = choose(predictions, asked())
    shuffled = {
        name: table.sample(frac=1, random_state=1) for name, table in reversed(predictions.items())
    }
    pd.testing.assert_frame_equal(choose(shuffled, asked()), first)
    assert not choose(predictions, asked(random_state=1)).equals(first)


def test_other_images_or_labels_are_refused(predictions):
    other = predictions["b"].assign(index=predictions["b"]["index"] + 1)
    relabelled = predictions["b"].assign(label=0)
    for changed in (other, relabelled, predictions["b"].iloc[1:]):
        with pytest.raises(GlassnetsError, match="a, b to be of the same test images"):
            choose(predictions | {"b": changed}, asked())


def test_more_images_than_there_are_is_a_wrong_parameter(predictions):
    with pytest.raises(ParameterError, match=r"panel\.images: expected at most the 40.*got 41"):
        choose(predictions, asked(41))
