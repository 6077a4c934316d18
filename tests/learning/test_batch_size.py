"""Descent in batches, and the noise of their gradients."""

import numpy as np
import pandas as pd
import pytest

from glassnets.learning import batch_size, network


@pytest.fixture(scope="module")
def small(options):
    own = options.batch_size
    return own.model_copy(
        update={
            "images": 300,
            "units": 8,
            "sizes": (4, 40),
            "loss": 1.0,
            "epochs": 10,
            "rates": own.rates.model_copy(update={"lowest": 0.25, "highest": 2.0}),
            "noise": own.noise.model_copy(update={"images": 64, "draws": 200}),
        }
    )


def descended(parts, own, size, rate, **changes):
    shape = network.Shape((64, 8, 10), "tanh")
    train = parts.train.rows(np.arange(300))
    options = own.model_copy(update=changes)
    return (
        shape,
        train,
        batch_size.descend(shape, train, parts.validation, size, rate, options, seed=0),
    )


def test_descent_in_one_batch_is_that_of_the_formula(parts, small):
    shape, train, run = descended(parts, small, 300, 0.5, epochs=3, loss=1e-9)
    parameters = shape.draw(np.random.default_rng(0), 1.0)
    for _ in range(3):
        parameters -= 0.5 * network.gradient(shape, parameters, train.inputs, train.targets)
    np.testing.assert_allclose(run.parameters, parameters, rtol=1e-9, atol=1e-12)
    assert (run.reached, run.updates, run.examples) == (False, 3, 900)


def test_an_epoch_sees_every_image_once(parts, small):
    _, _, run = descended(parts, small, 70, 0.01, epochs=2, loss=1e-9)
    assert (run.updates, run.examples) == (10, 600)


def test_descent_stops_at_the_loss(parts, small):
    shape, _, run = descended(parts, small, 10, 0.25, loss=1.0)
    outputs = network.outputs(shape, run.parameters, parts.validation.inputs)
    assert run.reached
    assert network.loss(shape, outputs, parts.validation.targets) <= 1.0
    assert run.updates < 300


def test_a_rate_that_diverges_does_not_reach_it(parts, small):
    _, _, run = descended(parts, small, 10, 1e6, loss=1e-9)
    assert not run.reached
    assert run.updates < 300


def test_sizes_end_with_all_images(parts, small):
    assert batch_size.sizes(parts, small) == [4, 40, 300]
    assert batch_size.sizes(parts, small.model_copy(update={"images": 40})) == [4, 40]


def test_rates_double(small):
    assert batch_size.rates(small) == [0.25, 0.5, 1.0, 2.0]


def test_the_best_rate_reached_the_loss_with_the_fewest_updates():
    columns = {"rate": [0.1, 0.2, 0.4], "updates": [30, 9, 5], "reached": [True, True, False]}
    columns["loss"] = [0.5, 0.6, np.nan]
    assert batch_size.best(pd.DataFrame(columns)) == 0.2
    # Where none did, the one that came nearest.
    assert batch_size.best(pd.DataFrame(columns | {"reached": [False] * 3})) == 0.1


def test_one_that_does_not_get_there_counts_all_that_it_might_have_made(parts, small):
    row, _ = batch_size.race(parts, small, 40, 1e6, seed=0)  # diverges at once
    assert (row["reached"], row["epochs"], row["examples"], row["updates"]) == (0, 10, 3000, 80)


def test_no_rate_is_tried_above_one_that_fails_after_one_that_reached(parts, small):
    hard = small.model_copy(
        update={"rates": small.rates.model_copy(update={"lowest": 0.5, "highest": 4096.0})}
    )
    tried = batch_size.tune(parts, hard, 40, seed=0)
    assert tried["reached"].iloc[0]
    assert not tried["reached"].iloc[-1]
    assert tried["reached"].iloc[:-1].all()
    assert len(tried) < 14


def test_the_whole_batch_sees_more_images_and_makes_fewer_updates(parts, small):
    rows = []
    for size in batch_size.sizes(parts, small):
        rate = batch_size.best(batch_size.tune(parts, small, size, seed=1))
        row, _ = batch_size.race(parts, small, size, rate, seed=0)
        rows.append(row)
    first, *_, last = rows
    assert all(row["reached"] for row in rows)
    assert last["examples"] > 2 * first["examples"]
    assert last["updates"] < first["updates"] / 4
    assert last["epochs"] == last["updates"]


def test_variance_falls_as_one_over_the_size(parts, small):
    trained = network.Shape((64, 8, 10), "tanh").draw(np.random.default_rng(3), 2.0)
    results = batch_size.noise_of_seed(parts, small, trained, seed=0)
    assert results["slopes"]["slope"].to_numpy() == pytest.approx(-1, abs=0.05)
    noise = results["noise"]
    np.testing.assert_allclose(noise["with_replacement"], noise["theory"], rtol=0.3)
    once = noise.dropna()
    np.testing.assert_allclose(once["without_replacement"], once["theory_without"], rtol=0.3)
    assert sorted(noise["batch_size"].unique()) == [1, 2, 4, 8, 16, 32, 64]
    # Of all images at once, drawn without replacement, there is no noise, and no row.
    assert noise[noise["batch_size"] == 64]["without_replacement"].isna().all()


def test_the_slope_is_that_of_a_line():
    table = pd.DataFrame({"batch_size": [1, 10, 100], "with_replacement": [8, 0.8, 0.08]})
    assert batch_size.slope(table) == pytest.approx(-1)
