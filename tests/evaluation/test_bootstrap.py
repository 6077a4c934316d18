"""The one bootstrap, against a plain loop, and against what an interval promises."""

import numpy as np
import pytest

from glassnets.config.schema import Evaluation
from glassnets.evaluation import bootstrap

SETTINGS = Evaluation(
    bootstrap_resamples=5000, confidence_level=0.9, calibration_bins=10, random_state=0
)


def with_resamples(resamples, random_state=0):
    update = {"bootstrap_resamples": resamples, "random_state": random_state}
    return SETTINGS.model_copy(update=update)


def resampled_means(values, settings):
    """Means of resamples (r,) of values (seeds, images), as the stages make them."""
    of_seed, of_image = bootstrap.draws(*values.shape, settings)
    return ((of_seed @ values) * of_image).sum(axis=1) / values.size


def a_plain_loop(values, resamples, level, rng):
    """The interval, by drawing seeds and images one by one."""
    seeds, images = values.shape
    means = []
    for _ in range(resamples):
        chosen_seeds = [rng.integers(seeds) for _ in range(seeds)]
        chosen_images = rng.integers(images, size=images)
        means.append(np.mean([values[seed, chosen_images].mean() for seed in chosen_seeds]))
    means.sort()
    tail = (1 - level) / 2
    return [means[round(share * (resamples - 1))] for share in (tail, 1 - tail)]


@pytest.mark.parametrize(("seeds", "images"), [(1, 80), (3, 80), (5, 12)])
def test_intervals_are_those_of_a_plain_loop(seeds, images):
    rng = np.random.default_rng(1)
    values = rng.exponential(size=(seeds, images)) + rng.normal(size=(seeds, 1))
    interval = bootstrap.interval(resampled_means(values, SETTINGS), 0.9)
    expected = a_plain_loop(values, 5000, 0.9, rng)
    # The error of a percentile of 5000 draws is about 3 % of their standard deviation.
    width = expected[1] - expected[0]
    assert interval == pytest.approx(expected, abs=0.04 * width)


def test_a_resample_is_the_mean_of_the_rows_it_draws():
    values = np.random.default_rng(2).normal(size=(3, 7))
    settings = with_resamples(100)
    of_seed, of_image = bootstrap.draws(3, 7, settings)
    for seeds, images, mean in zip(
        of_seed, of_image, resampled_means(values, settings), strict=True
    ):
        rows = np.repeat(np.arange(3), seeds.astype(int))
        columns = np.repeat(np.arange(7), images.astype(int))
        assert (len(rows), len(columns)) == (3, 7)
        assert mean == pytest.approx(values[rows][:, columns].mean())


def test_every_seed_and_image_is_drawn_as_often():
    for counts in bootstrap.draws(4, 50, with_resamples(20_000)):
        # Of a multinomial: mean 1, variance 1 − 1/n, of any two covariance −1/n.
        n = counts.shape[1]
        np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.04)
        covariance = np.cov(counts, rowvar=False)
        np.testing.assert_allclose(covariance, np.eye(n) - 1 / n, atol=0.06)


@pytest.mark.parametrize("resamples", [100, 399, 400, 1001])
def test_blocks_hold_all_resamples_a_few_at_a_time(resamples):
    settings = with_resamples(resamples)
    blocks = list(bootstrap.blocks(2, 9, settings))
    assert all(len(seeds) == len(images) < 400 for seeds, images in blocks)
    for each, whole in zip(zip(*blocks, strict=True), bootstrap.draws(2, 9, settings), strict=True):
        assert len(whole) == resamples
        np.testing.assert_array_equal(np.concatenate(each), whole)


def test_the_random_state_decides_the_draws():
    first, again, other = (
        np.concatenate([images for _, images in bootstrap.blocks(2, 9, with_resamples(300, state))])
        for state in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_interval_of_a_normal_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(3)
    settings = with_resamples(1000)
    covered = 0
    for _ in range(1000):
        low, high = bootstrap.interval(
            resampled_means(rng.normal(5, 2, size=(1, 100)), settings), 0.9
        )
        covered += low <= 5 <= high
    assert abs(covered - 900) < 3.5 * np.sqrt(1000 * 0.9 * 0.1)


def test_an_interval_of_a_normal_mean_is_as_wide_as_students():
    values = np.random.default_rng(4).normal(size=(1, 1000))
    low, high = bootstrap.interval(resampled_means(values, SETTINGS), 0.9)
    half = 1.645 * values.std() / np.sqrt(1000)
    assert [low, high] == pytest.approx(
        [values.mean() - half, values.mean() + half], abs=0.1 * half
    )


def test_a_summary_has_the_one_shape():
    means = np.arange(1001) / 1000
    assert bootstrap.summary([0.4, 0.6], means, 0.9) == {
        "mean": 0.5,
        "sd": pytest.approx(np.sqrt(0.02)),
        "ci_low": pytest.approx(0.05),
        "ci_high": pytest.approx(0.95),
        "by_seed": [0.4, 0.6],
    }
    assert bootstrap.summary([0.4], means, 0.9)["sd"] == 0.0
