"""The picture and the page of ``learning_rules@D``."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from glassnets.config.schema import LearningRules
from glassnets.report import drawing, formats, rendering
from glassnets.report.drawing import COLOURS, GREY, MARKS

TABLES = ("rates", "networks", "angles", "explained")  # of learning_rules@D, the names of files
_LINES = ("-", "--", ":", "-.")  # of layers

Tables = Mapping[str, pd.DataFrame]  # TABLES by name
Networks = Mapping[tuple[str, str], dict[str, Any]]  # rows of networks.csv, by rule and score


def picture(tables: Tables) -> bytes:
    """A PNG: how far each rule's changes of the weights are from backpropagation's, what each
    learning rate gives, and how accurate the networks are."""
    rules = list(dict.fromkeys(tables["rates"]["rule"]))
    look: dict[str, dict[str, Any]] = {
        rule: {"color": COLOURS[i], "marker": MARKS[i]} for i, rule in enumerate(rules)
    }
    with drawing.figure(13.5, 4.2) as drawn:
        place = drawing.margins(drawn, left=0.8, right=0.2, top=0.45, bottom=0.7)
        *left, right = drawn.subplots(1, 3, width_ratios=[1.3, 1, 0.9])
        drawn.subplots_adjust(**place, wspace=0.3)
        _angles(left[0], tables["angles"], look)
        for rule, own in tables["rates"].groupby("rule", sort=False):
            left[1].plot(own["learning_rate"], own["val_loss"], label=rule, **look[str(rule)])
        left[1].set(xscale="log", yscale="log", xlabel="learning rate", ylabel="validation loss")
        left[1].set_title("Each has a best rate of its own")
        tried = sorted(set(tables["rates"]["learning_rate"]))
        left[1].set_xticks(tried, [f"{rate:g}" for rate in tried])
        left[1].xaxis.set_minor_formatter("")
        left[1].yaxis.set_major_formatter("{x:g}")
        left[1].yaxis.set_minor_formatter("{x:g}")
        left[1].legend(fontsize=8, frameon=False)
        _accuracy(right, tables["networks"], look)
    return drawing.png(drawn)


def _angles(axes: Axes, table: pd.DataFrame, look: Mapping[str, dict[str, Any]]) -> None:
    """Hidden layers alone: the last has backpropagation's changes by every rule."""
    layers = table["layer"].max()
    axes.axhline(90, color=GREY, lw=0.8, ls=":")
    end = table["epoch"].max()
    axes.text(end, 90.5, "90°: nothing in common", size=8, color=GREY, ha="right", va="bottom")
    for rule, own in table[table["layer"] < layers].groupby("rule", sort=False):
        if own["degrees"].max() < 1:  # backpropagation itself
            continue
        for (layer, each), style in zip(own.groupby("layer"), cycle(_LINES), strict=False):
            by_epoch = each.groupby("epoch")["degrees"]
            mean = by_epoch.mean()
            colour = look[str(rule)]["color"]
            axes.plot(mean.index, mean, color=colour, ls=style)
            axes.fill_between(
                mean.index, by_epoch.min(), by_epoch.max(), color=colour, alpha=0.15, lw=0
            )
            axes.text(end, mean.iloc[-1], f" layer {layer}", size=8, color=colour, va="center")
    axes.set(xlabel="epoch", ylabel="angle to the gradient, degrees", ylim=(0, 100))
    axes.set_xlim(0, end * 1.18)
    axes.set_title("The weights turn towards the feedback")


def _accuracy(axes: Axes, table: pd.DataFrame, look: Mapping[str, dict[str, Any]]) -> None:
    own = table[table["score"] == "accuracy"]
    rows: list[Any] = own.to_dict("records")
    for i, row in enumerate(rows):
        ends = 100 * np.array([[row["mean"] - row["ci_low"]], [row["ci_high"] - row["mean"]]])
        axes.errorbar(i, 100 * row["mean"], ends, capsize=4, **look[row["rule"]])
    axes.set_xticks(range(len(own)), [rule.replace(" ", "\n") for rule in own["rule"]], size=9)
    axes.set(xlim=(-0.5, len(own) - 0.5), ylabel="test accuracy, %")
    axes.set_title("Accuracy, with intervals")


def page(dataset: str, tables: Tables, options: LearningRules, images: int, png: str) -> str:
    """learning_rules.md. images: of the training part. png: the picture's address."""
    records: list[Any] = tables["networks"].to_dict("records")
    networks = {(record["rule"], record["score"]): record for record in records}
    rules = list(dict.fromkeys(tables["rates"]["rule"]))
    rows = [_row(rule, networks, tables) for rule in rules]
    ends = tables["angles"].groupby(["rule", "layer", "epoch"])["degrees"].mean()
    worse = [r for r in rules if networks[r, "accuracy"]["less_ci_high"] < 0]
    return rendering.render(
        "learning_rules.md",
        dataset=dataset,
        options=options,
        images=min(options.images, images),
        table=pd.DataFrame(rows),
        angles={rule: _ends(ends[rule]) for rule in rules[1:]},
        worse=worse,
        edge=[r for r in rules if _at_the_edge(tables["rates"], r)],
        seeds=tables["angles"]["seed"].nunique(),
        picture=png,
    )


def _row(rule: str, networks: Networks, tables: Tables) -> dict[str, str]:
    accuracy, loss = (networks[rule, score] for score in ("accuracy", "log_loss"))
    rates = tables["rates"][tables["rates"]["rule"] == rule]
    explained = tables["explained"][tables["explained"]["rule"] == rule]
    holding = explained[explained["verdict"] == "holds"]
    best = holding.iloc[0] if len(holding) else explained.iloc[0]
    names = ("mean", "ci_low", "ci_high")
    return {
        "rule": rule,
        "learning rate": f"{_best_rate(rates):g}",
        "accuracy %": formats.interval(*(100 * accuracy[n] for n in names), decimals=1),
        "less backpropagation's": formats.interval(
            *(100 * accuracy[f"less_{n}"] for n in names), decimals=1
        ),
        "log loss": formats.interval(*(loss[n] for n in names), decimals=3),
        "explanations that hold": f"{len(holding)} of {len(explained)}",
        "best supported": best["method"],
    }


def _ends(angles: pd.Series) -> list[tuple[int, str, str]]:
    """Each hidden layer's angle before training and at its end."""
    layers = sorted(set(angles.index.get_level_values("layer")))[:-1]
    return [
        (layer, f"{angles[layer].iloc[0]:.0f}", f"{angles[layer].iloc[-1]:.0f}") for layer in layers
    ]


def _at_the_edge(rates: pd.DataFrame, rule: str) -> bool:
    own = rates[rates["rule"] == rule]
    return _best_rate(own) in (own["learning_rate"].min(), own["learning_rate"].max())


def _best_rate(rates: pd.DataFrame) -> float:
    return float(rates.sort_values("val_loss")["learning_rate"].iloc[0])
