"""The families side by side, for machines (tables) and for people (comparison.md)."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

Metrics = dict[str, dict[str, Any]]

# How people read a metric: its heading, the factor, the decimals.
_SHOWN = {
    "log_loss": ("log loss", 1, 4),
    "macro_f1": ("F1 %", 100, 2),
    "expected_calibration_error": ("ECE %", 100, 2),
    "brier_score": ("Brier", 1, 4),
    "overfitting_gap": ("gap %", 100, 2),
}


@dataclass(frozen=True)
class Setting:
    """What was compared on what, as the reader is told."""

    dataset: str
    split: str  # how the test part was taken
    images: dict[str, int]  # in train, validation and test
    duplicates: int  # test images that also lie in train or validation
    seeds: list[int]
    confidence_level: float

    @property
    def significance_level(self) -> float:
        """The largest Holm-adjusted p at which a difference counts as shown."""
        return round(1 - self.confidence_level, 9)

    @property
    def percent(self) -> str:
        """The confidence level, for people: ``95 %``."""
        return f"{100 * self.confidence_level:g} %"


def comparison(metrics: dict[str, Metrics]) -> pd.DataFrame:
    """A row a family, the most accurate first.

    metrics is every family's metrics.json: ``{metric: {mean, sd, ci_low, ci_high, by_seed}}``.
    Columns: family; of each metric <metric> (the mean over seeds) and <metric>_sd; of accuracy
    also accuracy_ci_low and accuracy_ci_high; parameters. Fractions, not percent.
    """
    rows = []
    for family, figures in metrics.items():
        row: dict[str, Any] = {"family": family}
        for metric, figure in figures.items():
            if metric == "parameters":
                continue
            row |= {metric: figure["mean"], f"{metric}_sd": figure["sd"]}
            if metric == "accuracy":
                row |= {f"accuracy_{end}": figure[end] for end in ("ci_low", "ci_high")}
        rows.append(row | {"parameters": round(figures["parameters"]["mean"])})
    table = pd.DataFrame(rows)
    return table.sort_values(["accuracy", "family"], ascending=[False, True], ignore_index=True)


def readable(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """``comparison``'s table as text, narrow enough for a terminal of 120 columns."""
    shown = pd.DataFrame({"family": table["family"]})
    shown["accuracy %"] = [
        f"{100 * mean:.2f} ± {100 * sd:.2f}"
        for mean, sd in zip(table["accuracy"], table["accuracy_sd"], strict=True)
    ]
    shown[f"{setting.percent} CI"] = [
        f"{100 * low:.2f}–{100 * high:.2f}"
        for low, high in zip(table["accuracy_ci_low"], table["accuracy_ci_high"], strict=True)
    ]
    for metric, (heading, factor, decimals) in _SHOWN.items():
        shown[heading] = [f"{factor * value:.{decimals}f}" for value in table[metric]]
    shown["parameters"] = [f"{count:,}" for count in table["parameters"]]
    return shown


def readable_tests(tests: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """``statistics.pairwise``'s table as text."""
    shown = pd.DataFrame({"A": tests["family_a"], "B": tests["family_b"]})
    for seed in setting.seeds:
        only = zip(tests[f"only_a_{seed}"], tests[f"only_b_{seed}"], strict=True)
        shown[f"seed {seed}"] = [f"{a} : {b}" for a, b in only]
    shown["ahead in every seed"] = tests["ahead"]
    for heading, column in (("p", "p"), ("p (Holm)", "p_holm")):
        shown[heading] = [_probability(p).removeprefix("= ") for p in tests[column]]
    return shown


def laid_out(shown: pd.DataFrame) -> str:
    """A table of text in Markdown, all but the first column flush right."""
    align = ["left"] + ["right"] * (shown.shape[1] - 1)
    return shown.to_markdown(index=False, colalign=align, disable_numparse=True)


def conclusions(table: pd.DataFrame, tests: pd.DataFrame, setting: Setting) -> list[str]:
    """What the tests let one say: a sentence a pair, then one about the family on top.

    table is ``comparison``'s, tests are ``statistics.pairwise``'s of its families.
    """
    sentences = []
    top = table["family"][0]
    rivals = []  # families that the one on top was not shown to beat
    for pair in tests.to_dict("records"):
        a, b, ahead, p = (pair[key] for key in ("family_a", "family_b", "ahead", "p_holm"))
        if p <= setting.significance_level:
            sentences.append(
                f"{ahead} is more accurate than {b if ahead == a else a} in every seed "
                f"(Holm-adjusted p {_probability(p)})."
            )
            continue
        why = (
            "neither is ahead in every seed"
            if ahead == "neither"
            else f"Holm-adjusted p {_probability(p)}"
        )
        sentences.append(f"No difference was shown between {a} and {b} ({why}).")
        if top in (a, b):
            rivals.append(b if top == a else a)
    if rivals:
        sentences.append(
            f"So {top} has the highest mean accuracy, but cannot be called the most accurate: "
            f"it was not shown to be ahead of {' or '.join(rivals)}."
        )
    elif len(table) > 1:
        sentences.append(f"So {top} is the most accurate of these {len(table)} families.")
    return sentences


def markdown(table: pd.DataFrame, tests: pd.DataFrame, setting: Setting, picture: str) -> str:
    """comparison.md: the table, the tests, what follows from them and what does not.

    picture is the address of the figure, as seen from the file.
    """
    families, seeds = len(table), len(setting.seeds)
    said = "\n".join(f"- {sentence}" for sentence in conclusions(table, tests, setting))
    paired = f"""
## Is one more accurate than another?

{laid_out(readable_tests(tests, setting))}

{said}

`seed k` counts the test images that only A : only B got right, in the runs with that seed. p is
the exact McNemar test's, the largest of the seeds': a difference counts only if every seed shows
it, and where neither family is ahead in every seed, p = 1. p (Holm) is adjusted for testing
{len(tests)} pair{"s" if len(tests) > 1 else ""}; a difference is shown where it is at most \
{setting.significance_level:g}.

What cannot be concluded:

- "No difference was shown" does not mean that there is none: it may be too small to show on \
{setting.images["test"]:,} images.
- Only accuracy was tested. The other columns describe these runs.
- Each family was trained by a recipe of its own (`params.yaml`): what is compared is a network
  with its recipe, on this split of {setting.dataset}, not the architecture as such.
"""
    return f"""# {setting.dataset}: {families} {"families" if families > 1 else "family"} compared

{setting.split}: {setting.images["train"]:,} images to train on, {setting.images["validation"]:,} \
to choose the epoch by, {setting.images["test"]:,} to test on, the same for every family\
{f" (lying in another part too: {setting.duplicates:,})" if setting.duplicates else ""}.
{seeds} training run{"s" if seeds > 1 else ""} of each family \
({"seeds" if seeds > 1 else "seed"} {", ".join(map(str, setting.seeds))}).

{laid_out(readable(table, setting))}

![Accuracy, training curves and reliability of each family]({picture})
{paired if families > 1 else ""}
## How to read the columns

- **accuracy %**: test images labelled rightly, mean ± standard deviation over seeds.
- **{setting.percent} CI**: confidence interval of the accuracy, bootstrapped over images and seeds.
- **log loss**: mean negative logarithm of the probability given to the true class; lower is better.
- **F1 %**: macro F1 score, every class weighing the same; higher is better.
- **ECE %**: expected calibration error, how far confidence lies from accuracy; lower is better.
- **Brier**: mean squared distance between the probabilities and the truth; lower is better.
- **gap %**: training accuracy − test accuracy, in percentage points; near 0 means no overfitting.
- **parameters**: weights of a network, the moving statistics of batch normalisation included.
"""


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"
