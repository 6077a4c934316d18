"""The numbers that tables come to."""

import pandas as pd
import pytest

from glassnets.learning import summary


def test_a_curve_hovers_in_parts_of_2_over_the_rate():
    curves = pd.DataFrame(
        {
            "rate": [0.5] * 4 + [0.1] * 4,
            "step": [0, 10, 20, 30] * 2,
            "sharpness": [1, 5, 4.4, 3.6, 1, 2, 3, 4],
        }
    )
    found = summary.hovering(curves)
    assert found["rate"].tolist() == [0.5, 0.1]
    assert found["reached"].tolist() == [True, False]
    assert found["highest"].tolist() == pytest.approx([1.25, 0.2])
    assert found["late"].tolist() == pytest.approx([0.9, 0.2])


TABLES = {
    "gradient_factors": pd.DataFrame({"measured": [1.1, 0.98], "theory": [1.0, 1.0]}),
    "thresholds": pd.DataFrame({"ratio": [1.001, 0.997]}),
    "batch_races": pd.DataFrame(
        {"batch_size": [1, 8, 100], "examples": [50, 40, 400], "updates": [50, 5, 4]}
    ),
    "noise_slopes": pd.DataFrame({"moment": ["start", "end"], "slope": [-1.0, -0.98]}),
    "double_descent": pd.DataFrame({"ratio": [0.5, 1, 2], "test": [0.2, 9, 0.1]}),
    "augmented": pd.DataFrame({"augmented": [0.1, 0.8], "clean": [0.2, 0.95], "test": 0.9}),
    "shuffled_labels": pd.DataFrame(
        {"labels": ["true", "shuffled"], "train": [0.9, 1.0], "test": [0.8, 0.1]}
    ),
    "sharpness": pd.DataFrame({"rate": 0.5, "step": [0, 1], "sharpness": [1.0, 4.1]}),
    "finite_differences": pd.DataFrame({"error": [1e-3, 1e-9, 1e-4]}),
}


def test_numbers_of_tables():
    found = summary.summary(TABLES)
    assert found == pytest.approx(
        {
            "gradient_flow_deviation": 0.1,
            "noise_slope_start": -1,
            "noise_slope_end": -0.98,
            "full_batch_examples": 10,
            "full_batch_updates": 1,
            "threshold_deviation": 0.003,
            "sharpness_at_edge": 1.025,
            "augmented_below_clean": 0.15,
            "clean_above_test": 0.05,
            "shuffled_labels_train": 1,
            "shuffled_labels_test": 0.1,
            "double_descent_peak": 1,
            "finite_difference_error": 1e-9,
        }
    )
    assert all(isinstance(value, float) for value in found.values())


def test_where_no_rate_gets_to_the_edge_there_is_no_number():
    curves = pd.DataFrame({"rate": 0.5, "step": [0, 1], "sharpness": [1.0, 2.0]})
    assert summary.summary(TABLES | {"sharpness": curves})["sharpness_at_edge"] is None
