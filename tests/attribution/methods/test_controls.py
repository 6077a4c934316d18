"""Controls: maps that do not depend on the network."""

import numpy as np
import pytest

from glassnets.attribution.methods import CONTROLS, explain


def test_no_control_depends_on_the_network(family, draw_images):
    x, y = draw_images(2), np.array([0, 1])
    for name in CONTROLS:
        one, other = (explain(name, family(each), x, y) for each in ("cnn", "lstm"))
        np.testing.assert_array_equal(one, other)


def test_those_that_know_no_labels_do_not_depend_on_the_class(family, draw_images):
    x, first, second = draw_images(2), np.array([0, 1]), np.array([2, 3])
    of_class = {"class_template", "linear_classifier"}
    for name in {*CONTROLS} - {"nearest_other_class"}:  # whose nearest may be of a third class
        one, other = (explain(name, family("cnn"), x, y) for y in (first, second))
        assert np.array_equal(one, other) == (name not in of_class), name


def test_random_maps_differ_between_images_and_seeds_not_between_calls(family, draw_images):
    x, y = draw_images(3), np.zeros(3, int)
    x[2] = x[0]
    maps = explain("random_map", family("cnn"), x, y)
    np.testing.assert_array_equal(maps[0], maps[2])
    assert np.abs(np.corrcoef(maps[:2].reshape(2, -1))[0, 1]) < 0.5
    assert not np.allclose(maps, explain("random_map", family("cnn"), x, y, seed=1))


def test_random_maps_are_standard_normal(linear, draw_images):
    network, _ = linear((50, 50))
    maps = explain("random_map", network, draw_images(4, (50, 50)), np.zeros(4, int))
    assert abs(maps.mean()) < 4 / np.sqrt(maps.size)
    assert abs(maps.var() - 1) < 4 * np.sqrt(2 / maps.size)


def test_edges_of_a_step_and_a_ramp(family):
    x = np.zeros((2, 8, 8), np.uint8)
    x[0, :, 4:] = 10
    x[1] = np.arange(8)[:, np.newaxis] * 5
    step, ramp = explain("edges", family("cnn"), x, np.zeros(2, int))
    np.testing.assert_allclose(step, np.tile([0, 0, 0, 40, 40, 0, 0, 0], (8, 1)))
    np.testing.assert_allclose(ramp[1:-1], 8 * 5)


# Six training images of 1×2 pixels, two of a class; class 2's mean is the mean of all.
TRAINING = np.array([[[10, 0]], [[30, 0]], [[0, 50]], [[0, 70]], [[40, 40]], [[0, 0]]], np.uint8)
LABELS = np.array([0, 0, 1, 1, 2, 2])
MEAN = np.array([[80, 160]]) / 6
MEANS = np.array([[[20, 0]], [[0, 60]], [[20, 20]]])
X = np.array([[[12, 8]], [[20, 20]], [[50, 1]]], np.float32)
Y = np.array([0, 1, 2])


@pytest.fixture
def network(linear):
    return linear((1, 2), references=TRAINING, labels=LABELS)[0]


@pytest.mark.parametrize(("reference", "fill"), [("black", 0 * MEAN), ("mean", MEAN)])
def test_differences_templates_and_linear_weights_by_hand(network, reference, fill):
    def of(control, **contrast):
        return explain(f"{control}:{reference}", network, X, Y, **contrast)

    np.testing.assert_allclose(of("difference"), X - fill, rtol=1e-5)
    np.testing.assert_allclose(of("class_template"), (MEANS - fill) * (X - fill), rtol=1e-4)
    # Ridge regression's normal equations, of centred grey levels 0…1 and of indicators.
    centred = (TRAINING.reshape(6, 2) - MEAN) / 255
    w = np.linalg.solve(centred.T @ centred + np.eye(2), centred.T @ np.eye(3)[LABELS])
    weights = w.T.reshape(3, 1, 2)
    np.testing.assert_allclose(of("linear_classifier"), weights * (X - fill), rtol=1e-4)
    other = (Y + 1) % 3
    template = (MEANS - MEANS[other]) * (X - fill)  # the reference falls out of a difference
    np.testing.assert_allclose(of("class_template", contrast=other), template, rtol=1e-4, atol=1e-3)
    linear = (weights - weights[other]) * (X - fill)
    np.testing.assert_allclose(of("linear_classifier", contrast=other), linear, rtol=1e-4)


def test_absolute_differences_are_those_of_the_reference(network):
    for reference in ("mean", "blur"):
        signed = explain(f"difference:{reference}", network, X, Y)
        assert signed.min() < 0
        absolute = explain(f"absolute_difference:{reference}", network, X, Y)
        np.testing.assert_array_equal(absolute, np.abs(signed))


def test_the_nearest_image_of_another_class_by_hand(network):
    nearest = TRAINING[[5, 0, 1]]  # of (10, 0) and (30, 0), as near to (20, 20), the first
    np.testing.assert_array_equal(explain("nearest_other_class", network, X, Y), X - nearest)
    # Of the class that it is contrasted with alone, even where another is nearer.
    against = TRAINING[[2, 0, 2]]
    contrast = np.array([1, 0, 1])
    maps = explain("nearest_other_class", network, X, Y, contrast=contrast)
    np.testing.assert_array_equal(maps, X - against)


def test_a_class_without_an_image_has_the_mean_of_all(linear):
    labels = np.zeros(6, int)
    network, _ = linear((1, 2), references=TRAINING, labels=labels)
    np.testing.assert_allclose(network.class_means, np.tile(MEAN, (3, 1, 1)), rtol=1e-6)
