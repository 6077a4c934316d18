"""Families beside classifiers that are no networks: was a network worth it?"""

from dataclasses import dataclass

import pandas as pd

from glassnets.evaluation import paired_tests
from glassnets.report import formats, languages
from glassnets.report.languages import Said, family, joined, say
from glassnets.report.results import Setting


@dataclass(frozen=True, eq=False)
class Beside:
    """Baselines, the most accurate first, and `paired_tests.against`'s tests of the families with
    the most accurate one."""

    table: pd.DataFrame  # see `evaluation.baselines.table`
    tests: pd.DataFrame

    @property
    def best(self) -> str:
        """The baseline that is the most accurate of the test images: one may be so by luck, which
        is to the networks' disadvantage."""
        return str(self.table["baseline"][0])


def beside(
    table: pd.DataFrame, predictions: pd.DataFrame, families: dict[str, pd.DataFrame]
) -> Beside:
    """What pages are made of. table, predictions: baselines.csv and baseline_predictions.csv of
    baseline@D. families: the predictions of each family, in the order of the page."""
    ordered = table.sort_values(["accuracy", "baseline"], ascending=[False, True])
    ordered = ordered.reset_index(drop=True)
    best = str(ordered["baseline"][0])
    own = predictions[predictions["baseline"] == best].drop(columns="baseline")
    seeds = next(iter(families.values()))["seed"].unique()
    repeated = pd.concat(own.assign(seed=seed) for seed in seeds)  # it has one prediction
    numbers, right = paired_tests.correctness({**families, best: repeated})
    return Beside(ordered, paired_tests.against(right, best, numbers))


def readable(baselines: Beside, setting: Setting) -> pd.DataFrame:
    """The baselines as text."""
    table = baselines.table
    text = pd.DataFrame({"baseline": table["baseline"]})
    text["accuracy %"] = [formats.number(100 * value, 2) for value in table["accuracy"]]
    ends = zip(table["ci_low"], table["ci_high"], strict=True)
    text[f"{setting.percent} CI"] = [formats.ends(*each) for each in ends]
    text["balanced %"] = [formats.number(100 * value, 2) for value in table["balanced_accuracy"]]
    text["log loss"] = [formats.number(value, 4) for value in table["log_loss"]]
    text["trained on"] = [f"{count:,}" for count in table["images"]]
    return text


def conclusions(families: pd.DataFrame, baselines: Beside, setting: Setting) -> list[Said]:
    """Whether a network was worth it: a sentence by the intervals, one by the paired tests.

    families: `comparison.table`'s.
    """
    best = baselines.table.iloc[0]
    is_above = families["accuracy_ci_low"] > best["ci_high"]
    above, others = (families.loc[each, "family"] for each in (is_above, ~is_above))
    name = languages.baseline(baselines.best)
    compared = say(
        "that of {baseline}, the most accurate baseline ({accuracy} %)",
        baseline=name,
        accuracy=formats.number(100 * best["accuracy"], 2),
    )
    if above.empty:
        form = "No family has a {percent} interval wholly above {compared}."
    elif others.empty:
        form = "The whole {percent} interval of {above} lies above {compared}."
    else:
        form = (
            "The whole {percent} interval of {above} lies above {compared}; that of {others} does "
            "not."
        )
    each = {"above": joined(map(family, above)), "others": joined(map(family, others))}
    by_interval = say(form, percent=setting.percent, compared=compared, **each)
    tests = baselines.tests
    shown = tests["p_holm"] <= setting.significance_level
    more = tests.loc[shown & (tests["ahead"] == tests["family_a"]), "family_a"].tolist()
    less = tests.loc[shown & (tests["ahead"] == tests["family_b"]), "family_a"].tolist()
    claims = [_claim(names, how) for names, how in ((more, "more"), (less, "less")) if names]
    if claims:
        form = (
            "{Image} by {image}, {claims} than {baseline} in every seed (Holm-adjusted p at most "
            "{level})."
        )
    else:
        form = (
            "{Image} by {image}, no difference was shown between any family and {baseline} (the "
            "smallest Holm-adjusted p {p})."
        )
    words = setting.inputs.words
    by_image = say(
        form,
        Image=Said(words.one.capitalize(), zh=languages.of_kind("image", words).zh),
        image=languages.of_kind("image", words),
        claims=joined(claims, " and ", "，"),
        baseline=name,
        level=f"{setting.significance_level:g}",
        p=formats.p_value(tests["p_holm"].min()),
    )
    return [by_interval, by_image]


def _claim(names: list[str], how: str) -> Said:
    """``a, b are more accurate``."""
    form = f"{{names}} {'are' if len(names) > 1 else 'is'} {how} accurate"
    return say(form, names=joined(map(family, names)))
