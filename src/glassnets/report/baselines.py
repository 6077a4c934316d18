"""Families beside classifiers that are no networks: was a network worth it?"""

from dataclasses import dataclass

import pandas as pd

from glassnets.evaluation import paired_tests
from glassnets.report import formats
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


def conclusions(families: pd.DataFrame, baselines: Beside, setting: Setting) -> list[str]:
    """Whether a network was worth it: a sentence by the intervals, one by the paired tests.

    families: `comparison.table`'s.
    """
    best = baselines.table.iloc[0]
    is_above = families["accuracy_ci_low"] > best["ci_high"]
    above, others = families.loc[is_above, "family"], families.loc[~is_above, "family"]
    compared = (
        f"that of {baselines.best}, the most accurate baseline "
        f"({formats.number(100 * best['accuracy'], 2)} %)"
    )
    if above.empty:
        by_interval = f"No family has a {setting.percent} interval wholly above {compared}."
    else:
        rest = "" if others.empty else f"; that of {formats.listed(others)} does not"
        by_interval = (
            f"The whole {setting.percent} interval of {formats.listed(above)} lies above "
            f"{compared}{rest}."
        )
    tests = baselines.tests
    shown = tests["p_holm"] <= setting.significance_level
    more = tests.loc[shown & (tests["ahead"] == tests["family_a"]), "family_a"].tolist()
    less = tests.loc[shown & (tests["ahead"] == tests["family_b"]), "family_a"].tolist()
    claims = [f"{formats.listed(more or ['no family'])} {_is(more)} more accurate"]
    if less:
        claims.append(f"{formats.listed(less)} {_is(less)} less accurate")
    one = setting.inputs.words.one
    by_image = (
        f"{one.capitalize()} by {one}, {' and '.join(claims)} than {baselines.best} in every seed "
        f"(Holm-adjusted p at most {setting.significance_level:g})."
    )
    return [by_interval, by_image]


def _is(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"
