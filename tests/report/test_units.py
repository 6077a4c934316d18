"""What the page about units concludes from intervals."""

import pandas as pd
import pytest

from glassnets.report import units
from glassnets.representations.answers import ALL, MEMORISED_LESS, OWN_MORE, Cell


@pytest.fixture
def answers():
    """``answers(question, …)``: intervals of two families by both fills: cnn's low ends, then
    lstm's; a value is in the middle of an interval of length 0.2."""

    def build(question, lows, network="trained", **more):
        rows = [
            {"family": family, "network": network, "layer": ALL, "question": question}
            | {"fill": fill, "value": low + 0.1, "ci_low": low, "ci_high": low + 0.2}
            | more
            for (family, fill), low in zip(
                [(f, fill) for f in ("cnn", "lstm") for fill in ("zero", "mean")], lows, strict=True
            )
        ]
        return pd.DataFrame(rows)

    return build


def test_families_are_named_by_what_was_shown(answers):
    most = "most selective first − random"
    table = pd.concat(
        [
            answers("auc, log loss", [-0.1, -0.1, -0.1, -0.1]),
            answers("auc, log loss of its class", [0.1, 0.1, 0.1, -0.1]),
            answers(OWN_MORE, [0.1, 0.1, -0.3, -0.3]),
            answers(most, [-0.3, -0.3, -0.1, -0.1], images="test"),
            answers(most, [0.3, 0.3, 0.3, 0.3], images="training"),
            answers(MEMORISED_LESS, [-0.5, -0.5, -0.1, -0.1], "memorised", images="training"),
        ]
    )
    overall, own, more, order, memorised = units.conclusions(table)
    assert ": shown for no family; not shown for cnn, lstm (" in overall
    assert "at most 0.00 in size" in overall
    assert (
        "its own class: shown for cnn, lstm (where units give 0); not shown for lstm (where units "
        "give its mean) (Spearman's correlation at most 0.20 in size)."
    ) in own
    assert more.endswith(": shown for cnn; the reverse was shown for lstm.")
    assert order.endswith("cost more accuracy than random ones: shown for cnn; not shown for lstm.")
    assert memorised.endswith("than ones that learnt: shown for cnn; not shown for lstm.")


def test_units_are_set_beside_neurons_by_what_was_measured(answers):
    table = pd.concat(
        [
            answers("selective", [0.7, 0.7, 0.85, 0.85]),
            answers("selective", [0.1] * 4, "memorised"),
            answers("auc, log loss", [-0.2, -0.1, 0.05, 0.1]),
        ]
    )
    layers = pd.DataFrame({"layer": ["a", "b", "a", "b"], "units": [30, 12, 30, 12]})
    none = pd.DataFrame()
    cells = {"cnn": Cell(none, layers, none, none), "lstm": Cell(none, layers[:1], none, none)}
    assert units._neurons(cells, table) == {
        "selective": "80 to 95",
        "matters": "−0.10 to 0.20",
        "units": "30 to 42",
    }
