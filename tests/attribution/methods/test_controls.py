"""Controls: maps that do not depend on the network."""

import numpy as np

from glassnets.attribution.methods import CONTROLS, explain


def test_no_control_depends_on_network_or_class(family, draw_images):
    x = draw_images(2)
    for name in CONTROLS:
        one = explain(name, family("cnn"), x, np.array([0, 1]))
        other = explain(name, family("lstm"), x, np.array([2, 3]))
        np.testing.assert_array_equal(one, other)


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


def test_the_image_itself(family, draw_images):
    x = draw_images(2)
    maps = explain("image_itself", family("cnn"), x.astype(np.uint8), np.zeros(2, int))
    np.testing.assert_array_equal(maps, x)
