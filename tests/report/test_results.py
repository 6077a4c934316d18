"""The setting of a comparison, in words."""

import pytest

from glassnets.report.results import Setting, split_in_words


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Random split (test_size 0.2, random_state 42, stratified)"),
        ({"split": "official"}, "Official split"),
        ({"stratify": False}, "Random split (test_size 0.2, random_state 42)"),
        (
            {"max_images": 1500},
            "Random split (test_size 0.2, random_state 42, stratified, of the first 1,500 images)",
        ),
        (
            {"split": "grouped"},
            "Random split of whole groups, none of which lies in two parts (test_size 0.2, "
            "random_state 42, stratified)",
        ),
        ({"split": "by_time"}, "Split by time, the latest to test on (test_size 0.2)"),
        (
            {"split": "by_time", "max_images": 1500},
            "Split by time, the latest to test on (test_size 0.2, of the first 1,500 images)",
        ),
    ],
)
def test_how_the_test_part_was_taken(parameters, changes, text):
    assert split_in_words(parameters.dataset("digits").model_copy(update=changes)) == text


def test_levels_follow_the_confidence_level():
    setting = Setting("digits", "Official split", {}, 0, 24, (0,), 0.9, 0.5, 0.9)
    assert (setting.significance_level, setting.percent) == (0.1, "90 %")
