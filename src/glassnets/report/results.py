"""What pages and pictures are made of: the results of a dataset's cells, and their setting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from glassnets.config.schema import Dataset
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.report import formats, languages
from glassnets.report.languages import Said, joined, say

Metrics = Mapping[str, Mapping[str, Any]]  # a cell's metrics.json: by metric, `bootstrap.summary`


@dataclass(frozen=True, eq=False)
class Results:
    """The results of a cell, each the content of the file of this name.

    attributions: ``index``, ``labels`` (n,), ``images`` uint8 (n, h, w), ``seeds`` (s,),
    ``predictions`` (s, n), where it is known ``evidence`` bool (n, h, w), and under the name of
    each variant its attributions float32 (s, n, h, w). verdicts: how many ``methods`` were judged
    and of how many the verdict ``holds``, is ``undecided``, ``fails``; ``first_by_removal``,
    ``believe_first``, ``detectable`` and ``kendall_tau`` as `attribution.verdicts` has them; and
    where evidence was planted ``intervention``: ``withheld_seeds``, and ``cue_changed`` and
    ``rest_changed`` of `localization.intervention`, each with its interval.
    """

    metrics: Metrics
    predictions: pd.DataFrame  # seed, index, label, prediction
    history: pd.DataFrame  # seed, epoch, loss, val_loss, val_accuracy
    reliability: pd.DataFrame  # confidence, accuracy, count; a row a bin
    confusion_matrix: pd.DataFrame  # label, prediction, count; all seeds together
    classes: pd.DataFrame  # class, support, precision, recall, f1
    attributions: Arrays
    leaderboard: pd.DataFrame  # see `leaderboards`
    by_removal: pd.DataFrame  # see `factors.by_removal`
    shares: pd.DataFrame  # see `factors.spread`, as the next
    effects: pd.DataFrame
    choices: pd.DataFrame  # see `verdicts.Judgement`
    verdicts: Mapping[str, Any]

    def alone(self, removal: str) -> dict[str, str]:
        """By variant, the verdict on it by this removal alone, where that is one of the choices."""
        own = self.choices[self.choices["choice"] == f"removal {removal} alone"]
        return dict(zip(own["method"], own["verdict"], strict=True))


@dataclass(frozen=True)
class Setting:
    """What was compared on what, as pages state it."""

    dataset: str
    split: str  # how the test part was taken, in words
    images: Mapping[str, int]  # in train, validation and test
    duplicates: int  # test images that also lie in train or validation
    sample: int  # test images that are explained
    seeds: tuple[int, ...]
    confidence_level: float
    max_correlation: float  # these two as in `schema.Verdict`
    max_class_correlation: float
    inputs: Inputs = field(default_factory=Inputs)

    @property
    def significance_level(self) -> float:
        """The largest Holm-adjusted p at which a difference counts as shown."""
        return round(1 - self.confidence_level, 9)

    @property
    def percent(self) -> str:
        """The confidence level: ``95 %``."""
        return formats.percent(self.confidence_level)


def split_in_words(dataset: Dataset) -> Said:
    """How the test part was taken."""
    if dataset.split == "official":
        return say("Official split")
    words = Inputs.of(dataset).words
    how: list[str] = [f"test_size {dataset.test_size:g}"]
    if dataset.split != "by_time":
        how.append(f"random_state {dataset.random_state}")
        how += [say("stratified")] * bool(dataset.stratify)
    if dataset.max_images is not None:
        number = f"{dataset.max_images:,} {languages.of_kind('image', words).zh}"
        count = Said(words.count(dataset.max_images), zh=number)
        how.append(say("of the first {count}", count=count))
    form = {
        "by_time": "Split by time, the latest to test on ({how})",
        "grouped": "Random split of whole groups, none of which lies in two parts ({how})",
    }.get(dataset.split, "Random split ({how})")
    return say(form, how=joined(how, ", ", "，"))
