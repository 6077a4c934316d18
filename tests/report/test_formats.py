"""Numbers as text."""

import numpy as np
import pytest

from glassnets.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.125, "0.12"), (-1234.5, "−1,234.50"), (-0.004, "0.00"), (-0.006, "−0.01"), (0, "0.00")],
)
def test_a_number_has_a_minus_sign_and_no_negative_zero(value, text):
    assert formats.number(value, 2) == text


def test_an_interval_has_the_decimals_that_it_needs():
    assert formats.interval(0.412, 0.38, 0.44) == "0.41 (0.38 to 0.44)"
    assert formats.interval(0.03, -0.025, 0.035) == "0.0300 (−0.0250 to 0.0350)"
    assert formats.interval(0.03, 0.025, 0.035, like=[0.5, np.nan]) == "0.03 (0.03 to 0.04)"
    assert formats.interval(98.76, 98.01, 99.21, decimals=1) == "98.8 (98.0 to 99.2)"
    assert formats.interval(np.nan, np.nan, np.nan) == "–"


def test_an_interval_of_a_row_is_that_of_the_score():
    row = {"a": 1, "a_ci_low": 0.5, "a_ci_high": 2, "b": 7, "b_ci_low": 7, "b_ci_high": 7}
    assert formats.interval_of(row, "a") == "1.00 (0.50 to 2.00)"


def test_a_span_is_from_the_least_to_the_largest():
    assert formats.span([0.3, np.nan, -0.114, 0.2], 2) == "−0.11 to 0.30"
    assert formats.span(np.array([98.2, 97.9]), 0) == "98"
    assert formats.span([np.nan], 0) == "–"
    assert formats.span([], 0) == "–"


def test_shares_are_percent():
    assert formats.percent(0.95) == "95 %"
    assert formats.percent(0.999) == "99.9 %"
    assert formats.ends(0.98, 1) == "98.00–100.00"
    assert formats.mean_and_sd({"mean": 0.98765, "sd": 0.00234}) == "98.77 ± 0.23"


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "over 99.9 %"), (0.9996, "over 99.9 %"), (0.99, "99.0 %"), (0.0004, "under 0.1 %")],
)
def test_no_probability_is_rounded_to_certainty(share, text):
    assert formats.probability(share) == text


def test_one_of_a_thing_is_no_plural():
    assert [formats.plural("seed", n) for n in (0, 1, 2)] == ["seeds", "seed", "seeds"]


def test_p_values_end_at_one_in_ten_thousand():
    assert formats.p_value(0.0512) == "= 0.051"
    assert formats.p_value(1e-9) == "< 0.0001"
