"""The families of a dataset side by side: comparison.csv for programs, comparison.md for people."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from glassnets.report import baselines, formats, languages
from glassnets.report.languages import Said, either, say
from glassnets.report.rendering import render
from glassnets.report.results import Metrics, Setting

# How people read a metric: its heading, the factor, the decimals.
_HEADINGS = {
    "balanced_accuracy": ("balanced %", 100, 2),
    "log_loss": ("log loss", 1, 4),
    "macro_f1": ("F1 %", 100, 2),
    "expected_calibration_error": ("ECE %", 100, 2),
    "brier_score": ("Brier", 1, 4),
    "overfitting_gap": ("gap %", 100, 2),
}


def table(metrics: Mapping[str, Metrics]) -> pd.DataFrame:
    """A row a family, the most accurate first.

    Columns: family; of each metric <metric> (the mean over seeds) and <metric>_sd; of accuracy
    also accuracy_ci_low and accuracy_ci_high; parameters. Fractions, not percent.
    """
    rows = []
    for family, summaries in metrics.items():
        row: dict[str, Any] = {"family": family}
        for metric, summary in summaries.items():
            if metric != "parameters":
                row |= {metric: summary["mean"], f"{metric}_sd": summary["sd"]}
            if metric == "accuracy":
                row |= {f"accuracy_{end}": summary[end] for end in ("ci_low", "ci_high")}
        rows.append(row | {"parameters": round(summaries["parameters"]["mean"])})
    families = pd.DataFrame(rows)
    return families.sort_values(["accuracy", "family"], ascending=[False, True], ignore_index=True)


def readable(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """The table as text, narrow enough for a terminal of 120 columns."""
    text = pd.DataFrame({"family": table["family"]})
    text["accuracy %"] = [
        formats.mean_and_sd({"mean": mean, "sd": sd})
        for mean, sd in zip(table["accuracy"], table["accuracy_sd"], strict=True)
    ]
    ends = zip(table["accuracy_ci_low"], table["accuracy_ci_high"], strict=True)
    text[f"{setting.percent} CI"] = [formats.ends(*each) for each in ends]
    for metric, (heading, factor, decimals) in _HEADINGS.items():
        if metric in table:
            text[heading] = [formats.number(factor * value, decimals) for value in table[metric]]
    text["parameters"] = [f"{count:,}" for count in table["parameters"]]
    return text


def readable_tests(tests: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """``paired_tests.pairwise``'s table as text."""
    text = pd.DataFrame({"A": tests["family_a"], "B": tests["family_b"]})
    for seed in setting.seeds:
        only = zip(tests[f"only_a_{seed}"], tests[f"only_b_{seed}"], strict=True)
        text[f"seed {seed}"] = [f"{a} : {b}" for a, b in only]
    text["ahead in every seed"] = tests["ahead"]
    for heading, column in (("p", "p"), ("p (Holm)", "p_holm")):
        text[heading] = [formats.p_value(p).removeprefix("= ") for p in tests[column]]
    return text


def conclusions(table: pd.DataFrame, tests: pd.DataFrame, setting: Setting) -> list[Said]:
    """What the tests let one conclude: a sentence a pair, then one about the family on top.

    tests are ``paired_tests.pairwise``'s of the table's families.
    """
    sentences = []
    for pair in tests.to_dict("records"):
        a, b, ahead = pair["family_a"], pair["family_b"], pair["ahead"]
        p = say("Holm-adjusted p {p}", p=formats.p_value(pair["p_holm"]))
        if pair["p_holm"] <= setting.significance_level:
            form = "{ahead} is more accurate than {behind} in every seed ({p})."
            behind = languages.family(b if ahead == a else a)
            sentences.append(say(form, ahead=languages.family(ahead), behind=behind, p=p))
            continue
        why = say("neither is ahead in every seed") if ahead == "neither" else p
        form = "No difference was shown between {a} and {b} ({why})."
        sentences.append(say(form, a=languages.family(a), b=languages.family(b), why=why))
    top = languages.family(table["family"][0])
    if equals := rivals(table, tests, setting):
        form = (
            "So {top} has the highest mean accuracy, but cannot be called the most accurate: "
            "it was not shown to be ahead of {rivals}."
        )
        sentences.append(say(form, top=top, rivals=either(map(languages.family, equals))))
    elif len(table) > 1:
        form = "So {top} is the most accurate of these {count} families."
        sentences.append(say(form, top=top, count=len(table)))
    return sentences


def rivals(table: pd.DataFrame, tests: pd.DataFrame, setting: Setting) -> list[str]:
    """The families that the one on top was not shown to be ahead of."""
    top = table["family"][0]
    pairs = tests[tests["p_holm"] > setting.significance_level] if len(tests) else tests
    names = pairs[["family_a", "family_b"]].itertuples(index=False) if len(pairs) else ()
    return [b if a == top else a for a, b in names if top in (a, b)]


def page(
    table: pd.DataFrame,
    tests: pd.DataFrame,
    beside: baselines.Beside,
    setting: Setting,
    picture: str,
) -> str:
    """comparison.md: the table, the tests, what follows from them and what does not.

    picture is the address of `figures.comparison`'s figure, as seen from the page.
    """
    return render(
        "comparison.md",
        setting=setting,
        families=readable(table, setting),
        tests=readable_tests(tests, setting),
        conclusions=conclusions(table, tests, setting),
        baselines=baselines.readable(beside, setting),
        trained_on=beside.table["images"][0],
        worth=baselines.conclusions(table, beside, setting),
        best=beside.best,
        versus=readable_tests(beside.tests, setting),
        picture=picture,
    )
