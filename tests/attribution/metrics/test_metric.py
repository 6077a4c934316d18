"""What all metrics have in common: names, options, restored weights."""

import numpy as np
import pytest

from glassnets.attribution.metrics import (
    METRICS,
    Metric,
    classes,
    description,
    faithfulness,
    localization,
    randomization,
    robustness,
)
from glassnets.attribution.metrics.metric import NETWORK, in_first
from glassnets.attribution.scores import SCORES

MODULES = (classes, description, faithfulness, localization, randomization, robustness)


def test_every_metric_of_the_modules_is_known_by_its_name():
    members = {name: m for module in MODULES for name, m in vars(module).items()}
    assert {name: m for name, m in members.items() if isinstance(m, Metric)} == METRICS
    assert len(METRICS) == 10


def test_a_metric_has_default_options_and_a_docstring():
    for metric in METRICS.values():
        assert metric.options() == metric.options.model_validate({})
        assert metric.__doc__


def test_scores_are_of_every_image_and_no_two_metrics_share_a_name(linear, judge, draw_images):
    network, w = linear((5, 5))
    x = draw_images(3, (5, 5))
    memorised = [w.reshape(25, 3)[::-1], np.zeros(3, np.float32)]
    judged = judge(
        network,
        x,
        [0, 1, 2],
        ["gradient", "kernel_shap"],
        evidence=x > 50,
        suppressor=x < 20,
        memorised=memorised,
    )
    names = []
    for metric in METRICS.values():
        scores = metric(judged)
        assert scores.keys() <= {*judged.maps, NETWORK}
        names += {name for own in scores.values() for name in own}
        for values in (values for own in scores.values() for values in own.values()):
            assert values.dtype == np.float64
            assert len(values) == 3
    assert len(names) == len(set(names))
    assert set(SCORES) - {"own_minus_others"} <= set(names)  # a difference of two of them


def test_other_weights_are_restored_also_after_an_error(linear, judge, draw_images):
    judged = judge(linear((4, 4))[0], draw_images(1, (4, 4)), [0], ["gradient"])
    before = judged.network.model.get_weights()

    def fail():
        with judged.other_weights() as model:
            model.set_weights([weight + 1 for weight in before])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for a, b in zip(before, judged.network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_scores_of_the_first_images_are_padded_with_nan():
    np.testing.assert_array_equal(in_first(np.array([1.0, 2.0]), 3), [1, 2, np.nan])
    curves = in_first(np.ones((1, 4)), 3)
    assert curves.shape == (3, 4)
    np.testing.assert_array_equal(np.isnan(curves).all(axis=1), [False, True, True])
