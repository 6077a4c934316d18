"""The page of the learning rules says what the tables do."""

import pytest

from glassnets.report import learning_rules as written


@pytest.fixture
def page(parameters):
    """``page(tables)``."""
    options = parameters.dataset("digits").learning_rules
    return lambda tables: written.page("digits", tables, options, 1000, "rules.png")


def test_it_says_what_was_measured(page, learning_rules):
    text = page(learning_rules)
    assert "98.0 (97.0 to 99.0)" in text
    assert "−2.0 (−3.0 to −1.0)" in text
    assert "1 of 2" in text  # explanations that hold
    assert "from 90° to 70° in layer 1, from 90° to 70° in layer 2 (mean" in text
    assert "layer 3" not in text
    assert "the whole interval below 0: feedback alignment." in text
    assert "edge" not in text


def test_a_best_rate_at_the_edge_is_said(page, learning_rules):
    rates = learning_rules["rates"]
    fewer = learning_rules | {"rates": rates[rates["learning_rate"] < 0.03]}
    assert "best rate of backpropagation, feedback alignment is at the edge" in page(fewer)


def test_the_picture_has_the_same_bytes_again(learning_rules):
    assert written.picture(learning_rules) == written.picture(learning_rules)
