"""A family's model card (Mitchell et al. 2019): what its networks are, how far to trust them and
their explanations, and what they are not for. All of it from the results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from glassnets.artefacts import Arrays
from glassnets.params import Cell
from glassnets.report import drawing, explanations, leaderboards, tables

# Whose images they are, and on what terms.
DATA = {
    "digits": "Optical Recognition of Handwritten Digits (Alpaydin & Kaynak 1998, UCI Machine "
    "Learning Repository, CC BY 4.0), as scikit-learn ships its test part: 13 writers, 8×8 pixels",
    "mnist": "MNIST (LeCun, Cortes & Burges 1998; CC BY-SA 3.0), as OpenML's `mnist_784` version "
    "1: about 500 writers, employees of the US Census Bureau and pupils, 28×28 pixels",
    "planted": "made here of another dataset's images, on which patterns of known place stand "
    "(`src/glassnets/datasets/planted.py`)",
}
FAILURES = 8  # pictures at the most
_CONFUSIONS = 5


@dataclass(frozen=True, eq=False)
class Subject:
    """What a card is about: a family of a dataset, and what was found of it."""

    family: str
    cell: Cell
    metrics: tables.Metrics
    classes: pd.DataFrame  # columns class, support, precision, recall, f1
    confusions: pd.DataFrame  # columns label, prediction, count, all seeds together
    explained: Arrays  # explanations.npz
    leaderboard: pd.DataFrame


def card(subject: Subject, setting: tables.Setting, run: Mapping[str, str], picture: str) -> str:
    """The card in Markdown. run is what the report says was run; picture is the address of
    `failures`' figure, as seen from the card."""
    family, dataset, metrics = subject.family, setting.dataset, subject.metrics
    network = "\n".join(f"- `{k}`: {_said(v)}" for k, v in subject.cell.network)
    training = "\n".join(f"- `{k}`: {_said(v)}" for k, v in subject.cell.training)
    passing = leaderboards.passing(subject.leaderboard)["method"].tolist()
    doubtful = leaderboards.reasons(subject.leaderboard)
    believed = explanations.belief(family, subject.leaderboard)
    wrong = _failures(subject)
    return f"""# {family} on {dataset}

A {family} network of {metrics["parameters"]["mean"]:,.0f} parameters that reads a grey image \
(uint8, {" × ".join(map(str, subject.explained["images"].shape[1:]))} pixels, light on dark) and
answers one of {len(subject.classes)} classes (logits). {len(setting.seeds)} networks were \
trained, with seeds {", ".join(map(str, setting.seeds))}; figures are means over them.

## Figures

{setting.split}: {setting.images["train"]:,} images to train on, \
{setting.images["validation"]:,} to choose the epoch by, {setting.images["test"]:,} to test on.
Test part unless it says train, mean over seeds, {setting.percent} interval over images and seeds.

{_figures(metrics, setting)}

By class: recall has Wilson's {setting.percent} interval over the class's images.

{_by_class(subject.classes, setting)}

Calibration: the expected calibration error above is how far confidence lies from accuracy;
`reliability.csv` has it bin by bin.

## Known failures

{_confusions(subject.confusions, len(setting.seeds))}

{_shown(wrong, subject, picture)}

## Which explanations to believe

{believed}

- Pass: {", ".join(passing) or "none"}.
- Not to be believed: {"; ".join(f"{m} ({why})" for m, why in doubtful.items()) or "none"}.

How methods are judged: [explanations.md](../explanations.md).

## Data

{DATA.get(dataset, dataset)}.

## Not for

- Anything that matters to a person: postal codes, cheques, forms, exams. It was never tested there.
- Images of another kind than these: it answers with a class whatever it is shown, a letter or noise
  too, and its confidence was measured on this dataset's test part alone.
- Conclusions about {family} networks as such: what was measured is this network with this recipe.

## How it was made

{chr(10).join(f"- {heading}: {text}" for heading, text in run.items())}

Network:

{network}

Training:

{training}
"""


def failures(subject: Subject) -> bytes:
    """A PNG of the panel's images that some of the networks answered wrongly, FAILURES at most."""
    wrong = _failures(subject)[:FAILURES]
    explained = subject.explained
    with drawing.figure(1.5 * max(len(wrong), 2), 2.1) as drawn:
        place = drawing.room(drawn, left=0.1, right=0.1, top=0.65, bottom=0.05)
        grid = drawn.subplots(1, max(len(wrong), 2), squeeze=False, gridspec_kw=place)[0]
        for axes in grid:
            axes.set_axis_off()
        for axes, i in zip(grid, wrong, strict=False):
            answers = ", ".join(map(str, explained["predictions"][:, i]))
            axes.imshow(explained["images"][i], cmap="gray", vmin=0, vmax=255)
            axes.set_title(
                f"label {explained['labels'][i]}\nanswers {answers}", fontsize=9, weight="normal"
            )
        if not wrong:
            drawn.text(0.5, 0.5, "none of the panel's images", ha="center", va="center")
    return drawing.png(drawn)


def _failures(subject: Subject) -> list[int]:
    """Places in the panel, the images that most of the networks answered wrongly first."""
    wrong = (subject.explained["predictions"] != subject.explained["labels"]).sum(axis=0)
    order = (-wrong).argsort(kind="stable")
    return [int(i) for i in order if wrong[i]]


def _figures(metrics: tables.Metrics, setting: tables.Setting) -> str:
    rows = [
        {
            "figure": name.replace("_", " "),
            "mean": f"{figure['mean']:.4f}",
            "sd over seeds": f"{figure['sd']:.4f}",
            f"{setting.percent} interval": f"{figure['ci_low']:.4f} to {figure['ci_high']:.4f}",
        }
        for name, figure in metrics.items()
        if name != "parameters"
    ]
    return tables.laid_out(pd.DataFrame(rows))


def _by_class(classes: pd.DataFrame, setting: tables.Setting) -> str:
    support = classes["support"]
    low, high = proportion_confint(
        classes["recall"] * support, support, 1 - setting.confidence_level, method="wilson"
    )
    shown = pd.DataFrame(
        {
            "class": classes["class"].astype(str),
            "images": support.map("{:,}".format),
            "recall %": [
                f"{100 * r:.2f} ({100 * a:.2f} to {100 * b:.2f})"
                for r, a, b in zip(classes["recall"], low, high, strict=True)
            ],
            "precision %": [f"{100 * p:.2f}" for p in classes["precision"]],
            "F1 %": [f"{100 * f:.2f}" for f in classes["f1"]],
        }
    )
    return tables.laid_out(shown)


def _confusions(matrix: pd.DataFrame, seeds: int) -> str:
    wrong = matrix[(matrix["label"] != matrix["prediction"]) & (matrix["count"] > 0)]
    most = wrong.sort_values(["count", "label", "prediction"], ascending=[False, True, True])
    if most.empty:
        return "None on the test part."
    said = ", ".join(
        f"{row['label']} taken for {row['prediction']} ({row['count']})"
        for row in most.head(_CONFUSIONS).to_dict("records")
    )
    return (
        f"Wrong answers on the test part, {seeds} networks together: {wrong['count'].sum():,}. "
        f"Most often {said}."
    )


def _shown(wrong: list[int], subject: Subject, picture: str) -> str:
    if not wrong:
        return "None of the explained images was answered wrongly."
    return (
        f"![Images that {subject.family} networks answered wrongly]({picture})\n\n"
        f"Of the {len(subject.explained['images'])} explained images, some of which were chosen "
        "because a network of some family was wrong, with the answer of each of these networks."
    )


def _said(value: Any) -> str:
    return "none" if value is None else str(value)
