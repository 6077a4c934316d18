"""Three units by hand, and finite differences."""

import math

import numpy as np
import pytest

from glassnets.learning import backpropagation, network


def test_three_units_worked_out_by_hand():
    """Numbers of a pocket calculator: σ(0.5) = 0.622459, σ(−0.6) = 0.354344."""
    found = backpropagation.three_units()
    assert found["z_1"] == pytest.approx(0.4 * 0.5 + 0.2 * 1 + 0.1)
    assert found["h_1"] == pytest.approx(0.622459, abs=1e-6)
    assert found["h_2"] == pytest.approx(0.354344, abs=1e-6)
    assert found["y"] == pytest.approx(0.7 * 0.622459 - 0.5 * 0.354344 + 0.2, abs=1e-6)
    assert found["delta_3"] == pytest.approx(0.458550 - 1, abs=1e-6)
    assert found["delta_1"] == pytest.approx(-0.541450 * 0.7 * 0.622459 * 0.377541, abs=1e-6)
    assert found["w_1_2"] == pytest.approx(0.089070, abs=1e-6)


def test_by_hand_by_the_network_and_by_differences_it_is_the_same():
    by_hand = backpropagation.three_units()
    by_network, by_differences = backpropagation.three_units_by_network()
    assert len(by_network) == 9
    for name, value in by_network.items():
        assert value == pytest.approx(by_hand[name], rel=1e-12)
        assert by_differences[name] == pytest.approx(value, rel=1e-8)


def test_central_differences_of_a_square_are_exact():
    """Half the squared error of one linear unit is quadratic: nothing is cut off."""
    shape = network.Shape((1, 1), "tanh", "squares")
    given = np.array([[2.0]]), np.array([[1.0]])
    parameters = np.array([3.0, 0.5])
    rows = np.arange(2)
    found = backpropagation.central_differences(shape, parameters, *given, rows, 0.5)
    assert found == pytest.approx([(3 * 2 + 0.5 - 1) * 2, 3 * 2 + 0.5 - 1])


def test_the_error_falls_as_the_square_of_the_step_then_rises_by_rounding(parts, options):
    own = options.backpropagation.model_copy(update={"images": 8, "units": (6,), "parameters": 20})
    tables = [backpropagation.errors(parts.train, own, seed) for seed in (0, 1)]
    table = backpropagation.over_seeds(tables, 0.95)["finite_differences"]
    error = dict(zip(table["step"].round(12), table["error"], strict=True))
    assert error[0.01] / error[0.001] == pytest.approx(100, rel=0.05)
    assert min(error, key=error.get) in (1e-5, 1e-4, 1e-6)
    assert min(error.values()) < 1e-8
    small = table[table["step"] < 1e-7]
    assert (small["error"] < small["rounding"]).all()
    slope = np.polyfit(np.log(small["step"]), np.log(small["error"]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)
    assert math.isfinite(table.to_numpy().sum())
