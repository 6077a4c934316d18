"""What the page about representations concludes from intervals."""

import pandas as pd
import pytest

from glassnets.report.similarity import Answers, _last, conclusions

LAYERS = {family: ["block_0", "block_1", "logits"] for family in ("attention", "cnn", "lstm")}


def row(comparison, a, b, value, half=0.05):
    ends = {"family_a": a[0], "layer_a": a[1], "family_b": b[0], "layer_b": b[1]}
    values = {"value": value, "ci_low": value - half, "ci_high": value + half}
    return {"measure": "cka", "comparison": comparison, **ends, **values}


@pytest.fixture
def answers():
    """First layers are as alike as untrained ones; last ones, but for attention and cnn, are more
    alike than those, and less than two seeds."""
    rows = []
    for layer, trained, untrained in (("block_0", 0.8, 0.8), ("block_1", 0.7, 0.4)):
        for family in LAYERS:
            rows.append(row("trained", (family, layer), (family, layer), 0.82))
        for a, b in (("attention", "cnn"), ("attention", "lstm"), ("cnn", "lstm")):
            ends = (a, layer), (b, layer)
            value = untrained if (a, b) == ("attention", "cnn") else trained
            rows.append(row("trained", *ends, value))
            rows.append(row("untrained", *ends, untrained))
            rows.append(row("gained", *ends, value - untrained))
            rows.append(row("shuffled", *ends, 0.0, 0.02))
    return Answers(pd.DataFrame(rows), LAYERS)


def test_a_comparison_is_found_in_either_order(answers):
    one = answers.of("cka", "trained", ("cnn", "block_1"), ("lstm", "block_1"))
    assert one == answers.of("cka", "trained", ("lstm", "block_1"), ("cnn", "block_1"))
    assert pd.isna(answers.of("rdm", "trained", ("cnn", "block_1"), ("lstm", "block_1"))["value"])


def test_pairs_are_counted_by_what_was_shown(answers):
    first, gained, seeds, *last = conclusions(answers)
    assert "first layers of two families have a CKA of 0.80 to 0.80" in first
    assert "(0.02 at most): 3 of 3 pairs" in first
    assert gained.endswith("untrained networks are: 0 of 3 pairs.")
    assert seeds.endswith("the intervals apart: 0 of 3 pairs.")
    assert last[1].endswith("2 of 3 pairs (attention and lstm; cnn and lstm).")
    assert last[2].endswith("3 of 3 pairs.")


def test_last_layers_are_summed_up_by_their_ends(answers):
    last = _last(answers)
    assert last["cka"] == "0.40 to 0.70"
    assert last["untrained"] == "0.40"
    assert _last(Answers(answers.table, {"cnn": LAYERS["cnn"]})) == {}
