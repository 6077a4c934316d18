"""The first lines of report.html."""

from dataclasses import replace

import pandas as pd
import pytest

from glassnets.report import answers
from glassnets.report.baselines import Beside
from glassnets.report.results import Setting

IMAGES = {"train": 9, "validation": 3, "test": 3}
SETTING = Setting("digits", "Random split", IMAGES, 0, 2, (0,), 0.95, 0.5, 0.9)


def paired(*rows):
    columns = ["family_a", "family_b", "ahead", "p_holm"]
    return pd.DataFrame(rows, columns=columns).assign(p=0.01)


TABLE = pd.DataFrame(
    {
        "family": ["cnn", "lstm", "spiking"],
        "accuracy": [0.9, 0.8, 0.7],
        "accuracy_ci_low": [0.85, 0.75, 0.6],
        "accuracy_ci_high": [0.95, 0.85, 0.8],
    }
)
BESIDE = Beside(
    pd.DataFrame(
        {"baseline": ["logistic regression"], "accuracy": [0.6], "ci_low": 0.5, "ci_high": 0.7}
    ),
    paired(("cnn", "logistic regression", "cnn", 0.01)),
)
CLEAR = paired(
    ("cnn", "lstm", "cnn", 0.01), ("cnn", "spiking", "cnn", 0.01), ("lstm", "spiking", "lstm", 0.4)
)
OPEN = CLEAR.assign(p_holm=[0.01, 0.2, 0.4])


def test_one_network_is_better_only_where_it_is_shown_to_be_ahead_of_all():
    short, (sentence, worth) = answers.network(TABLE, CLEAR, BESIDE, SETTING)
    assert short.en == "Yes: CNN is the most accurate."
    assert sentence.en == "So CNN is the most accurate of these 3 families."
    assert "CNN is more accurate than logistic regression" in worth.en
    short, (sentence, _) = answers.network(TABLE, OPEN, BESIDE, SETTING)
    assert short.en.startswith("Not shown: no family")
    assert sentence.en.endswith("it was not shown to be ahead of spiking.")


def test_one_family_alone_is_compared_with_none():
    short, _ = answers.network(TABLE[:1], paired(), BESIDE, SETTING)
    assert short.en == "There is one family alone, CNN."


@pytest.fixture
def cell(results, leaderboard, verdicts_of):
    def build(believe_first=None, shares=None, **methods):
        board = leaderboard({f"{name}:mean": value for name, value in methods.items()})
        board["unstable"] = board["verdict"] == "undecided"
        changes = {} if believe_first is None else {"believe_first": believe_first}
        if shares is None:
            shares = {"method": 0.1, "reference": 0.3, "reference × removal": 0.2}
        table = pd.DataFrame(shares.items(), columns=["factor", "share"]).assign(removal="all")
        verdicts = verdicts_of(board, **changes)
        return results(leaderboard=board, verdicts=verdicts, shares=table)

    return build


FAILS = (0.3, "not above edges")
UNDECIDED = (0.3, "undecided whether above edges (some 300 images would tell)")


def test_what_to_believe_is_grouped_by_what_it_is(cell):
    cells = {
        "cnn": cell(rise=0.4, occlusion=FAILS),
        "lstm": cell(rise=0.4, occlusion=UNDECIDED),
        "spiking": cell(rise=FAILS),
        "attention": cell(rise=0.4, believe_first=[]),
    }
    short, sentences = answers.explanation(cells)
    assert short.en == "In 3 of 4 families some explanation passes every test."
    assert [sentence.en for sentence in sentences] == [
        "CNN, LSTM: RISE (mean).",
        "spiking: none passes every test.",
        "attention: depends on the removal.",
    ]
    assert sentences[0].zh == "卷积神经网络 CNN、长短期记忆网络 LSTM：RISE（均值）。"


def test_where_every_family_has_the_same_answer_it_is_the_answer(cell):
    cells = {"cnn": cell(rise=0.4), "lstm": cell(rise=0.5)}
    assert answers.explanation(cells).short.en == "RISE (mean), in every family."


def test_where_none_holds_none_is_to_be_believed(cell):
    cells = {"cnn": cell(rise=FAILS), "lstm": cell(rise=UNDECIDED)}
    assert answers.explanation(cells).short.en.startswith("None: in no family")


def test_where_each_family_has_another_answer_it_depends_on_the_network(cell):
    cells = {"cnn": cell(rise=0.4), "lstm": cell(occlusion=0.4)}
    assert answers.explanation(cells).short.en.startswith("It depends on the network")


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([(0.1, 0.5), (0.2, 0.4)], "On what stands for an absent pixel, more than on the method."),
        ([(0.5, 0.1), (0.4, 0.2)], "On the method, more than on what stands for an absent pixel."),
        ([(0.5, 0.1), (0.2, 0.4)], "On the method, and on what stands for an absent pixel."),
    ],
)
def test_on_what_it_depends_is_by_the_shares_of_all_families(cell, shares, expected):
    cells = {
        str(i): cell(rise=0.4, shares={"method": own, "reference": other})
        for i, (own, other) in enumerate(shares)
    }
    short, sentences = answers.dependence(cells)
    assert short.en == expected
    low, high = sorted(f"{100 * own:.0f}" for own, _ in shares)
    assert f"the choice of method explains {low} to {high} %" in sentences[0].en


def test_without_shares_nothing_is_said_of_them(cell):
    short, sentences = answers.dependence({"cnn": cell(rise=0.4, shares={})})
    assert short.en == "On how each method is tested, and on the network."
    assert len(sentences) == 1


def test_unstable_verdicts_are_counted_and_open_answers_named(cell):
    cells = {
        "cnn": cell(rise=0.4, occlusion=UNDECIDED),
        "lstm": cell(rise=0.4, believe_first=[]),
    }
    _, sentences = answers.dependence(cells)
    texts = [sentence.en for sentence in sentences[1:]]
    assert texts[0].startswith("For LSTM another removal")
    assert texts[1].startswith("1 of 3 verdicts are unstable")  # controls are not counted


def test_by_removal_there_are_all_families(cell):
    cells = {"cnn": cell(rise=0.4), "lstm": cell(rise=FAILS)}
    chosen = answers.first_by_removal(cells)
    assert [*chosen] == ["black", "noisy_linear", "all"]
    assert {f: text.en for f, text in chosen["black"].items()} == {
        "cnn": "RISE (mean)",
        "lstm": "none passes every test",
    }


def test_a_variant_is_marked_where_by_that_removal_alone_its_verdict_does_not_hold(cell):
    own = cell(rise=0.4)
    choices = pd.DataFrame(
        {"method": ["rise:mean"], "choice": ["removal black alone"], "verdict": ["undecided"]}
    )
    chosen = answers.first_by_removal({"cnn": replace(own, choices=choices)})
    assert [chosen[r]["cnn"].en for r in ("black", "noisy_linear")] == [
        "RISE (mean) (?)",
        "RISE (mean)",
    ]
    assert chosen["black"]["cnn"].zh == "RISE（均值） (?)"


def test_a_line_of_the_picture_has_the_familys_results(cell):
    cells = {
        "cnn": cell(rise=0.4, occlusion=FAILS, gradient=UNDECIDED),
        "lstm": cell(rise=FAILS),
        "spiking": cell(rise=UNDECIDED),
    }
    first, second, third = answers.lines(TABLE, cells)
    assert (first.family, first.text) == ("cnn", "90.00 %")
    assert first.counts == {"holds": 1, "undecided": 1, "fails": 1}
    assert (first.variants, first.unstable, first.supported) == (3, 1, True)
    assert (second.supported, second.example) == (False, "rise:mean")
    assert 0 <= third.low < third.accuracy < third.high < second.high < first.high <= 100
