"""Where descent diverges, and how sharp a network gets."""

import numpy as np
import pytest

from glassnets.learning import learning_rate, network
from glassnets.learning.summary import hovering


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 6)) * [3, 2, 1, 1, 1, 0.5], rng.normal(size=40)


def test_the_largest_eigenvalue_is_that_of_the_hessian(linear):
    inputs, _ = linear
    expected = np.linalg.eigvalsh(inputs.T @ inputs / 40).max()
    assert learning_rate.largest_eigenvalue(inputs) == pytest.approx(expected)


def test_the_threshold_is_2_over_the_largest_eigenvalue_within_1_percent(linear):
    inputs, targets = linear
    expected = 2 / learning_rate.largest_eigenvalue(inputs)
    for seed in range(3):
        found = learning_rate.threshold(inputs, targets, 300, 12, seed)
        assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("part", [1.01, 1.1, 1.5, 3.0])
def test_above_the_threshold_a_step_grows_as_theory_says(linear, part):
    inputs, targets = linear
    rate = part * 2 / learning_rate.largest_eigenvalue(inputs)
    found = learning_rate.growth(inputs, targets, rate, 2000, np.ones(6))
    assert found == pytest.approx(np.log(2 * part - 1), rel=1e-3)


def test_below_the_threshold_steps_shrink(linear):
    inputs, targets = linear
    rate = 1.9 / learning_rate.largest_eigenvalue(inputs)
    assert learning_rate.growth(inputs, targets, rate, 200, np.ones(6)) < 0


def test_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian():
    rng = np.random.default_rng(0)
    shape = network.Shape((4, 5, 3), "tanh", "squares")
    parameters = shape.draw(rng, 1.0)
    inputs, targets = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    whole = np.array(
        [
            network.hessian_vector(shape, parameters, inputs, targets, unit)
            for unit in np.eye(shape.size)
        ]
    )
    values, vectors = np.linalg.eigh(whole)
    start = rng.normal(size=shape.size)
    found, vector = learning_rate.sharpness(shape, parameters, inputs, targets, start)
    assert found == pytest.approx(values[-1], rel=1e-3)
    assert abs(vector @ vectors[:, -1]) == pytest.approx(1, abs=1e-2)


def test_sharpness_rises_to_2_over_the_rate_and_stays(parts, options):
    own = options.learning_rate.model_copy(update={"network_steps": 900, "every": 50})
    few = parts.train.drawn(100, np.random.default_rng(0))
    shape = network.Shape((64, 32, 32, 10), "tanh", "squares")
    curve = learning_rate.sharpening(shape, few.inputs, few.targets, 0.8, own, seed=0)
    (found,) = hovering(curve).to_dict("records")
    assert curve["sharpness"].iloc[0] < 2  # 2/η is 2.5
    assert found["reached"]
    assert found["late"] == pytest.approx(1, abs=0.05)
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0] / 4


def test_a_seed_has_a_threshold_its_descent_and_a_curve_a_rate(parts, options):
    own = options.learning_rate
    few = own.network.model_copy(update={"units": (4,), "rates": (0.1, 0.2)})
    own = own.model_copy(
        update={"images": 60, "steps": 100, "network": few, "network_steps": 2, "every": 1}
    )
    results = [learning_rate.of_seed(parts.train, own, seed) for seed in (0, 1)]
    tables = learning_rate.over_seeds(results, [0, 1], 0.95)
    assert tables["thresholds"]["seed"].tolist() == [0, 1]
    assert tables["thresholds"]["ratio"].to_numpy() == pytest.approx(1, abs=0.01)
    descent = tables["descent"].set_index("rate")["growth"]
    assert (descent[descent.index > 1] > 0).all()
    assert (descent[descent.index < 1] < 0).all()
    assert len(tables["sharpness"]) == 6
