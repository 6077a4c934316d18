import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from glassnets.evaluation.multiplicity import holm


@pytest.mark.parametrize("n", [1, 2, 7, 500])
def test_equals_statsmodels(n):
    p = np.random.default_rng(n).random(n).round(1) ** 3  # with ties, zeros and ones
    np.testing.assert_array_equal(holm(p), multipletests(p, method="holm")[1])


def test_by_hand():
    np.testing.assert_allclose(holm([0.02, 0.01, 0.04, 0.5]), [0.06, 0.04, 0.08, 0.5])


def test_of_no_tests_there_is_nothing_to_correct():
    assert len(holm([])) == 0
