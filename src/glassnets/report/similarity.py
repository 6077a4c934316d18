"""How alike representations are, for people: similarity.md and its pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from glassnets.report import formats
from glassnets.report.drawing import COLOURS, GREY, figure, png
from glassnets.report.rendering import render
from glassnets.representations.comparisons import BESIDE, LEVELS, TRAINED, UNTRAINED

_NAMES = {
    "cka": "CKA, debiased",
    "cka_biased": "CKA, biased",
    "rdm": "RDM correlation",
    "procrustes": "Procrustes angle",
}
_STATES = {TRAINED: COLOURS[0], UNTRAINED: COLOURS[1]}

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Answers:
    """similarity.csv, read by comparison. layers: of each family, first layer first, the logits
    last."""

    table: pd.DataFrame
    layers: Mapping[str, list[str]]

    def of(self, measure: str, comparison: str, a: tuple[str, str], b: tuple[str, str]) -> Row:
        """The comparison of two layers, (family, layer) each, in either order; NaN where there is
        none."""
        rows = self._index.get((measure, comparison, *a, *b))
        if rows is None:
            rows = self._index.get((measure, comparison, *b, *a))
        return rows or dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)

    @property
    def _index(self) -> dict[tuple[str, ...], Row]:
        found = self.__dict__.get("_rows")
        if found is None:
            keys = ["measure", "comparison", "family_a", "layer_a", "family_b", "layer_b"]
            records = self.table.fillna({"family_b": "", "layer_b": ""}).to_dict("records")
            found = {tuple(str(row[key]) for key in keys): row for row in records}
            self.__dict__["_rows"] = found
        return found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [*combinations(self.layers, 2)]

    def first(self, family: str) -> tuple[str, str]:
        return family, self.layers[family][0]

    def last(self, family: str) -> tuple[str, str]:
        """Before the logits."""
        return family, self.layers[family][-2]

    def each(self) -> Iterator[tuple[str, str]]:
        for family, layers in self.layers.items():
            yield from ((family, layer) for layer in layers)


def conclusions(answers: Answers) -> list[str]:
    """What the intervals let one conclude, by debiased CKA: a sentence a question."""
    sentences = []
    for name, layer in (("first", answers.first), ("last", answers.last)):
        rows = {(a, b): (layer(a), layer(b)) for a, b in answers.pairs}
        if not rows:
            continue
        trained = {p: answers.of("cka", TRAINED, *ends) for p, ends in rows.items()}
        shuffled = [answers.of("cka", "shuffled", *ends)["ci_high"] for ends in rows.values()]
        values = [row["value"] for row in trained.values()]
        above = sum(row["ci_low"] > max(shuffled) for row in trained.values())
        gained = {p: answers.of("cka", "gained", *ends) for p, ends in rows.items()}
        more = [f"{a} and {b}" for (a, b), row in gained.items() if row["ci_low"] > 0]
        less = [f"{a} and {b}" for (a, b), row in gained.items() if row["ci_high"] < 0]
        sentences.append(
            f"The {name} layers of two families have a CKA of {formats.number(min(values), 2)} to "
            f"{formats.number(max(values), 2)}; above what shuffled images give "
            f"({formats.number(max(shuffled), 2)} at most): {above} of {len(rows)} pairs."
        )
        sentences.append(
            f"By training they became more alike than untrained networks are: "
            f"{len(more)} of {len(rows)} pairs"
            + (f" ({'; '.join(more)})" if 0 < len(more) < len(rows) else "")
            + (f"; less alike: {'; '.join(less)}" if less else "")
            + "."
        )
        below = [p for p in rows if trained[p]["ci_high"] < _ceiling(answers, rows[p])["ci_low"]]
        sentences.append(
            f"They are less alike than two seeds of either family, the intervals apart: "
            f"{len(below)} of {len(rows)} pairs."
        )
    return sentences


def _ceiling(answers: Answers, ends: tuple[tuple[str, str], tuple[str, str]]) -> Row:
    """Of both layers the one that two seeds have less in common in."""
    rows = [answers.of("cka", TRAINED, end, end) for end in ends]
    return min(rows, key=lambda row: row["value"])


def page(answers: Answers, trial: pd.DataFrame, setting: Mapping[str, Any]) -> str:
    """similarity.md. trial: `comparisons.trial`'s. setting: ``dataset``, ``images``, ``seeds``,
    ``percent``, ``blocks``."""
    return render(
        "similarity.md",
        **setting,
        conclusions=conclusions(answers),
        pairs=_pairs(answers),
        layers=_layers(answers),
        trial=_trial(trial),
        last=_last(answers),
    )


def _last(answers: Answers) -> dict[str, str]:
    """From the least to the largest similarity of two families' last layers; empty of one family.

    As text: ``cka``, ``untrained`` (the CKA before training), ``rdm``."""
    asked = {"cka": ("cka", TRAINED), "untrained": ("cka", UNTRAINED), "rdm": ("rdm", TRAINED)}
    found = {}
    for name, how in asked.items() if answers.pairs else ():
        rows = [answers.of(*how, answers.last(a), answers.last(b)) for a, b in answers.pairs]
        found[name] = formats.span([row["value"] for row in rows], 2)
    return found


def _text(row: Row) -> str:
    return formats.interval(row["value"], row["ci_low"], row["ci_high"], decimals=2)


def _pairs(answers: Answers) -> pd.DataFrame:
    rows = []
    for a, b in answers.pairs:
        for name, layer in (("first", answers.first), ("last", answers.last)):
            ends = layer(a), layer(b)
            own = {c: answers.of("cka", c, *ends) for c in (TRAINED, UNTRAINED, "gained")}
            rows.append(
                {
                    "families": f"{a}, {b}",
                    "layers": name,
                    "CKA": _text(own[TRAINED]),
                    "untrained": _text(own[UNTRAINED]),
                    "gained": _text(own["gained"]),
                    "two seeds": _text(_ceiling(answers, ends)),
                    "RDM": _text(answers.of("rdm", TRAINED, *ends)),
                    "angle": _text(answers.of("procrustes", TRAINED, *ends)),
                    "angle, untrained": _text(answers.of("procrustes", UNTRAINED, *ends)),
                }
            )
    return pd.DataFrame(rows)


def _layers(answers: Answers) -> pd.DataFrame:
    rows = []
    for end in answers.each():
        own = {c: answers.of("cka", c, end, end) for c in (TRAINED, UNTRAINED)}
        beside = {name: _text(answers.of("cka", name, end, ("", ""))) for name in BESIDE}
        seeds = {"two seeds": _text(own[TRAINED]), "two seeds, untrained": _text(own[UNTRAINED])}
        rows.append({"family": end[0], "layer": end[1]} | seeds | beside)
    return pd.DataFrame(rows)


def _trial(trial: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for measure, name in _NAMES.items():
        own = trial[trial["measure"] == measure].to_dict("records")
        noise = {row["level"]: row["value"] for row in own if row["test"] == "noise"}
        other = {row["test"]: row for row in own if row["test"] != "noise"}
        found = "–"  # of angles, which are not measured for all layers
        if (row := other.get("identified")) and not np.isnan(row["value"]):
            found = f"{100 * row['value']:.0f} (chance {100 * row['chance']:.0f})"
        rows.append(
            {"measure": name}
            | {f"noise {level:g}": formats.number(noise[level], 2) for level in LEVELS}
            | {"unrelated": formats.number(other["unrelated"]["value"], 3)}
            | {"same layer found %": found}
        )
    return pd.DataFrame(rows)


def families_picture(answers: Answers) -> bytes:
    """Each pair of families, first layers and last: trained, untrained, two seeds of a family, and
    what shuffled images give."""
    with figure(12, 0.55 * len(answers.pairs) + 2.2, layout="constrained") as drawn:
        axes = drawn.subplots(1, 2, sharey=True, sharex=True)
        for panel, name, layer in zip(
            axes, ("first layers", "last layers"), (answers.first, answers.last), strict=True
        ):
            panel.set_title(name)
            for place, (a, b) in enumerate(answers.pairs):
                ends = layer(a), layer(b)
                shuffled = answers.of("cka", "shuffled", *ends)
                panel.plot(
                    [shuffled["ci_low"], shuffled["ci_high"]],
                    [place] * 2,
                    color=GREY,
                    lw=7,
                    alpha=0.5,
                    solid_capstyle="butt",
                    label="shuffled images",
                )
                for offset, (state, colour) in zip((-0.13, 0.13), _STATES.items(), strict=True):
                    _point(
                        panel, answers.of("cka", state, *ends), place + offset, colour, "o", state
                    )
                for end, offset in zip(ends, (-0.26, -0.26), strict=True):
                    ceiling = answers.of("cka", TRAINED, end, end)
                    _point(panel, ceiling, place + offset, COLOURS[2], "d", "two seeds of a family")
            panel.set_xlabel("debiased CKA")
            panel.axvline(0, color=GREY, lw=0.8)
        axes[0].set_yticks(range(len(answers.pairs)), [f"{a}, {b}" for a, b in answers.pairs])
        axes[0].set_ylim(len(answers.pairs) - 0.5, -0.6)
        handles, labels = axes[0].get_legend_handles_labels()
        once = dict(zip(labels, handles, strict=True))
        drawn.legend(once.values(), once.keys(), loc="outside lower center", ncols=4, frameon=False)
    return png(drawn)


def _point(axes: Axes, row: Row, y: float, colour: str, mark: str, label: str) -> None:
    if np.isnan(row["value"]):
        return
    axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=2.5, alpha=0.45)
    axes.plot(row["value"], y, mark, color=colour, ms=6, label=label)


def layers_picture(answers: Answers) -> bytes:
    """Every two layers by debiased CKA, of trained networks and of untrained ones; on the diagonal
    two seeds."""
    ends = [*answers.each()]
    names = [f"{family} {layer}" for family, layer in ends]
    borders = np.cumsum([len(layers) for layers in answers.layers.values()])[:-1] - 0.5
    with figure(0.66 * len(ends) + 3.2, 0.26 * len(ends) + 2.4, layout="constrained") as drawn:
        axes = drawn.subplots(1, 2, sharey=True)
        for panel, state in zip(axes, _STATES, strict=True):
            values = np.array(
                [[answers.of("cka", state, a, b)["value"] for b in ends] for a in ends]
            )
            panel.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                if not np.isnan(value):
                    panel.text(
                        column,
                        row,
                        f"{100 * value:.0f}",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if value < 0.6 else "black",
                    )
            for border in borders:
                panel.axhline(border, color="white", lw=2)
                panel.axvline(border, color="white", lw=2)
            panel.set_title(f"{state} networks")
            panel.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
            panel.set_yticks(range(len(names)), names, fontsize=8)
            panel.grid(visible=False)
            panel.spines[:].set_visible(False)
    return png(drawn)


def measures_picture(trial: pd.DataFrame) -> bytes:
    """The measures on representations with more and more noise, and on unrelated ones."""
    with figure(11, 4, layout="constrained") as drawn:
        left, right = drawn.subplots(1, 2, width_ratios=[3, 2])
        for place, (measure, name) in enumerate(_NAMES.items()):
            own = trial[trial["measure"] == measure]
            noise = own[own["test"] == "noise"]
            angle = measure == "procrustes"
            label = "1 − angle/90°" if angle else name

            def scaled(value: Any, angle: bool = angle) -> Any:
                return 1 - value / (np.pi / 2) if angle else value

            left.plot(
                noise["level"], scaled(noise["value"]), "o-", color=COLOURS[place], label=label
            )
            unrelated = own.loc[own["test"] == "unrelated", "value"].item()
            right.barh(place, scaled(unrelated), color=COLOURS[place])
            right.annotate(
                formats.number(scaled(unrelated), 2),
                (max(scaled(unrelated), 0), place),
                (4, 0),
                textcoords="offset points",
                va="center",
            )
        left.set_title("noise added to a representation")
        left.set_xlabel("noise, in parts of the representation's size")
        left.set_ylabel("similarity to it without noise")
        left.set_ylim(0, 1.03)
        left.legend(fontsize=9)
        right.set_title("two representations of noise alone")
        labels = ["1 − angle/90°" if m == "procrustes" else name for m, name in _NAMES.items()]
        right.set_yticks(range(len(labels)), labels)
        right.invert_yaxis()
        right.set_xlim(0, 1)
        right.set_xlabel("similarity: 0 is right")
        right.grid(visible=False, axis="y")
    return png(drawn)
