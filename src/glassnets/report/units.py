"""Units of networks, for people: units.md and its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from glassnets.config.schema import Lesion, Probe
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.report import formats
from glassnets.report.drawing import COLOURS, GREY, MAP, MARKS, figure, png
from glassnets.report.rendering import render
from glassnets.representations.answers import ALL, MEMORISED_LESS, ORDERS, OWN_MORE, Cell

TRAINED, MEMORISED = "trained", "memorised"
_NETWORKS = {TRAINED: "-", MEMORISED: ":"}  # with their lines
_FILLS = {"zero": "-", "mean": "--"}
_SHOWN = 2  # units of the first layer, and of the last, whose fields are drawn


@dataclass(frozen=True, eq=False)
class Setting:
    """What was looked at, as the page states it."""

    dataset: str
    seeds: tuple[int, ...]
    confidence_level: float
    probe: Probe
    lesion: Lesion
    test_images: int
    inputs: Inputs

    @property
    def percent(self) -> str:
        return formats.percent(self.confidence_level)

    @property
    def probed(self) -> int:
        return min(self.probe.images, self.test_images)

    @property
    def lesioned(self) -> int:
        return min(self.lesion.images, self.test_images)

    @property
    def apart(self) -> bool:
        """Whether lesions are measured on images none of which selectivity was measured on."""
        return self.probed + self.lesioned <= self.test_images


def page(
    cells: Mapping[str, Cell],
    arrays: Mapping[str, Arrays],
    answers: pd.DataFrame,
    setting: Setting,
) -> str:
    """units.md. arrays: units.npz by family. answers: `answers.table`'s."""
    whole = answers[answers["layer"] == ALL]
    return render(
        "units.md",
        setting=setting,
        memorised=_memorised(cells),
        units=_units(cells, whole),
        matters=_matters(whole),
        orders=_orders(whole),
        conclusions=conclusions(whole),
        memorising=_fewer(whole),
        agreement=agreement(arrays),
        neurons=_neurons(cells, whole),
    )


def _neurons(cells: Mapping[str, Cell], answers: pd.DataFrame) -> dict[str, str]:
    """Of trained networks, from the least family to the largest: the percentage of units that are
    ``selective``, how this correlates with what lesions cost (``matters``), and ``units``."""
    trained = answers[answers["network"] == TRAINED].set_index("question")["value"]
    counts = [cell.layers.drop_duplicates("layer")["units"].sum() for cell in cells.values()]
    return {
        "selective": formats.span(100 * trained.loc[["selective"]], 0),
        "matters": formats.span(trained.loc[["auc, log loss"]], 2),
        "units": formats.span(counts, 0),
    }


def _memorised(cells: Mapping[str, Cell]) -> int | None:
    """How many images' labels networks memorised, None where none did."""
    layers = pd.concat([cell.layers for cell in cells.values()])
    images = layers.loc[layers["network"] == MEMORISED, "images"]
    return None if images.empty else int(images.max())


def _fewer(answers: pd.DataFrame) -> list[str]:
    """``family 12 % against 99 %`` of the selective units, where the intervals are apart."""
    found = []
    for family in answers["family"].unique():
        ours, theirs = (
            _asked(answers, family=family, network=network, question="selective")
            for network in _NETWORKS
        )
        if theirs["ci_high"] < ours["ci_low"]:
            shares = (formats.number(100 * each["value"], 0) for each in (theirs, ours))
            found.append("{} {} % against {} %".format(family, *shares))
    return found


def _asked(answers: pd.DataFrame, **where: str) -> dict[str, float]:
    for column, value in where.items():
        answers = answers[answers[column] == value]
    if answers.empty:
        return dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)
    (row,) = answers.to_dict("records")
    return {str(key): value for key, value in row.items()}


def _interval(row: Mapping[str, float], scale: float = 1, decimals: int | None = None) -> str:
    ends = (scale * row[name] for name in ("value", "ci_low", "ci_high"))
    return formats.interval(*ends, decimals=decimals)


def _units(cells: Mapping[str, Cell], answers: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for family, cell in cells.items():
        for network in _NETWORKS:
            own = cell.layers[cell.layers["network"] == network]
            if own.empty:
                continue
            counts = own.drop_duplicates("layer")
            layers = zip(counts["layer"], counts["units"], strict=True)
            at = {"family": family, "network": network}
            asked = {
                name: _asked(answers, question=name, **at)
                for name in ("selective", "selectivity", "chance", "auc", "lifetime", "population")
            }
            chance = formats.number(asked["chance"]["value"], 2)
            index = _interval(asked["selectivity"])
            dead = _asked(answers, question="dead", **at)["value"]
            rows.append(
                {
                    "family": family,
                    "network": network,
                    "units": ", ".join(f"{layer} {count}" for layer, count in layers),
                    "selective %": _interval(asked["selective"], 100, 1),
                    "selectivity; by chance": "–" if index == "–" else f"{index}; {chance}",
                    "AUC": _interval(asked["auc"]),
                    "lifetime sparsity": _interval(asked["lifetime"]),
                    "population sparsity": _interval(asked["population"]),
                    "dead %": formats.number(100 * dead, 1),
                }
            )
    return pd.DataFrame(rows)


_HEADINGS = {
    "auc, log loss": "AUC and log loss",
    "auc, log loss of its class": "AUC and log loss of its class",
    "response, log loss": "mean response and log loss",
    "log loss on half of the images, on the others": "log loss and log loss on other images",
}


def _matters(answers: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for network in _NETWORKS:
        for family in answers["family"].unique():
            for fill in _FILLS:
                at = {"family": family, "network": network, "fill": fill}
                asked = {key: _asked(answers, question=key, **at) for key in _HEADINGS}
                if np.isnan(asked["auc, log loss"]["value"]):
                    continue
                more = _asked(answers, question=OWN_MORE, **at)
                rows.append(
                    {"network": network, "family": family, "gives": _GIVES[fill]}
                    | {heading: _interval(asked[key], 1, 2) for key, heading in _HEADINGS.items()}
                    | {"more to its class": _interval(more, 1, 4)}
                )
    return pd.DataFrame(rows)


_GIVES = {"zero": "0", "mean": "its mean"}


def _orders(answers: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for family in answers["family"].unique():
        for network, images in ((TRAINED, "test"), (TRAINED, "training"), (MEMORISED, "training")):
            for fill in _FILLS:
                at = {"family": family, "network": network, "images": images, "fill": fill}
                asked = {o: _asked(answers, question=f"{o} − random", **at) for o in ORDERS[:2]}
                if np.isnan(asked[ORDERS[0]]["value"]):
                    continue
                less = _asked(answers, question=MEMORISED_LESS, **at)
                rows.append(
                    {"family": family, "network": network, "images": images, "give": _GIVES[fill]}
                    | {f"{order} − random": _interval(own, 100, 1) for order, own in asked.items()}
                    | {"random, memorised − trained": _interval(less, 100, 1)}
                )
    return pd.DataFrame(rows)


def conclusions(answers: pd.DataFrame) -> list[str]:
    """What the intervals let one conclude of trained networks: a sentence a question."""
    trained = answers[(answers["network"] == TRAINED) & (answers["layer"] == ALL)]
    sentences = []
    for question, of in (
        ("auc, log loss", "over all classes"),
        ("auc, log loss of its class", "its own class"),
    ):
        asked = trained[trained["question"] == question]
        largest = formats.number(asked["value"].abs().max(), 2)
        sentences.append(
            f"The more selective a unit, the more its lesion costs {of}: {_shown(asked)} "
            f"(Spearman's correlation at most {largest} in size)."
        )
    more = trained[trained["question"] == OWN_MORE]
    sentences.append(
        f"A lesion costs the unit's own class more than the other classes: {_shown(more)}."
    )
    order = trained["question"] == f"{ORDERS[0]} − {ORDERS[2]}"
    most = trained[order & (trained["images"] == "test")]
    costs = {"value": -most["value"], "ci_low": -most["ci_high"], "ci_high": -most["ci_low"]}
    sentences.append(
        "Of many units at once, the most selective cost more accuracy than random ones: "
        f"{_shown(most.assign(**costs))}."
    )
    less = answers[answers["question"] == MEMORISED_LESS]
    if not less.empty:
        costs = {"value": -less["value"], "ci_low": -less["ci_high"], "ci_high": -less["ci_low"]}
        sentences.append(
            "Networks that memorised shuffled labels lose more accuracy, as units are silenced at "
            f"random, than ones that learnt: {_shown(less.assign(**costs))}."
        )
    return sentences


def _shown(rows: pd.DataFrame) -> str:
    """Of which families the answers were shown to be above 0, or below, and of which neither."""
    higher, lower, rest = _split(rows)
    parts = [f"shown for {formats.listed(higher) or 'no family'}"]
    if rest:
        parts.append(f"not shown for {formats.listed(rest)}")
    if lower:
        parts.append(f"the reverse was shown for {formats.listed(lower)}")
    return "; ".join(parts)


def _split(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """The families whose answers are above 0, below 0, and neither; by what lesioned units give
    where that makes a difference."""
    groups: tuple[list[str], list[str], list[str]] = [], [], []
    for family, own in rows.groupby("family", sort=False):
        places = {
            row["fill"]: 0 if row["ci_low"] > 0 else 1 if row["ci_high"] < 0 else 2
            for row in own.to_dict("records")
        }
        if len(set(places.values())) == 1:
            groups[next(iter(places.values()))].append(str(family))
        else:
            for fill, place in places.items():
                groups[place].append(f"{family} (where units give {_GIVES[fill]})")
    return groups


def _looks(families: list[str]) -> dict[str, dict[str, Any]]:
    drawn = zip(sorted(families), cycle(COLOURS), cycle(MARKS), strict=False)
    return {family: {"color": colour, "marker": mark} for family, colour, mark in drawn}


def tuning_picture(cells: Mapping[str, Cell]) -> bytes:
    """How selective and how sparse the units are: distributions over the units of all layers and
    seeds."""
    looks = _looks([*cells])
    with figure(12, 4.4, layout="constrained") as drawn:
        axes = drawn.subplots(1, 2, sharey=True)
        for panel, column, title in (
            (axes[0], "auc", "how well a unit tells its class"),
            (axes[1], "lifetime", "lifetime sparsity"),
        ):
            panel.set_title(title)
            for family, cell in cells.items():
                for network, line in _NETWORKS.items():
                    own = cell.units[cell.units["network"] == network][column].dropna()
                    if own.empty:
                        continue
                    shares = np.arange(1, len(own) + 1) / len(own)
                    colour = looks[family]["color"]
                    label = family if network == TRAINED else f"{family}, memorised"
                    panel.plot(np.sort(own), shares, line, color=colour, lw=2, label=label)
        axes[0].axvline(0.5, color=GREY, lw=1)
        axes[0].annotate("chance", (0.5, 1.0), (4, -2), textcoords="offset points", color=GREY)
        axes[0].set_xlabel("area under the ROC curve, on images that did not choose the class")
        axes[0].set_ylabel("share of units at or below")
        axes[1].set_xlabel("0: answers to all images alike; 1: to a single one")
        drawn.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
        )
    return png(drawn)


def lesions_picture(cells: Mapping[str, Cell], answers: pd.DataFrame) -> bytes:
    """What a lesion by 0 costs, over all classes and its own, against the unit's auc."""
    looks = _looks([*cells])
    rows = (
        ("log_loss", "auc, log loss", "all classes"),
        ("own", "auc, log loss of its class", "its class"),
    )
    with figure(13, 6.4, layout="constrained") as drawn:
        axes = drawn.subplots(2, len(cells), sharex="col", sharey="row", squeeze=False)
        for column, (family, cell) in enumerate(cells.items()):
            key = ["network", "seed", "layer", "unit"]
            joined = cell.lesions.merge(cell.units[[*key, "auc", "dead"]], on=key)
            joined = joined[
                (joined["network"] == TRAINED) & (joined["fill"] == "zero") & ~joined["dead"]
            ]
            layers = joined["layer"].unique()
            for row, (cost, question, of) in enumerate(rows):
                panel = axes[row, column]
                for number, layer in enumerate(layers):
                    own = joined[joined["layer"] == layer]
                    depth = 0.35 + 0.65 * (number + 1) / len(layers)
                    panel.plot(
                        own["auc"], own[cost], ls="", ms=3, alpha=0.5 * depth, **looks[family]
                    )
                panel.axhline(0, color=GREY, lw=1)
                panel.set_yscale("symlog", linthresh=1e-3)
                where = {"family": family, "network": TRAINED, "layer": ALL, "fill": "zero"}
                rho = _asked(answers, question=question, **where)
                panel.text(
                    *(0.03, 0.97, f"ρ = {_interval(rho, 1, 2)}"),
                    **{"transform": panel.transAxes, "va": "top", "fontsize": 9},
                )
                if column == 0:
                    panel.set_ylabel(f"rise in log loss, {of}")
            axes[0, column].set_title(family)
            axes[1, column].set_xlabel("AUC of the unit")
    return png(drawn)


def orders_picture(cells: Mapping[str, Cell]) -> bytes:
    """Accuracy as more and more units of a layer are silenced, mean over layers and seeds: in
    three orders on test images; and of networks that learnt classes or memorised labels."""
    colours = dict(zip(ORDERS, COLOURS[1:], strict=False))
    with figure(13, 6.6, layout="constrained") as drawn:
        axes = drawn.subplots(2, len(cells), sharex=True, sharey=True, squeeze=False)
        for column, (family, cell) in enumerate(cells.items()):
            above, below = axes[:, column]
            above.set_title(family)
            of_test = cell.cumulative[cell.cumulative["images"] == "test"]
            for order, colour in colours.items():
                for fill, line in _FILLS.items():
                    _curve(
                        above,
                        of_test,
                        colour,
                        line,
                        f"{order}, {_GIVES[fill]}",
                        order=order,
                        fill=fill,
                    )
            training = cell.cumulative[cell.cumulative["images"] == "training"]
            for network, colour in ((TRAINED, COLOURS[0]), (MEMORISED, COLOURS[3])):
                for fill, line in _FILLS.items():
                    _curve(
                        below,
                        training,
                        colour,
                        line,
                        f"{network}, {_GIVES[fill]}",
                        network=network,
                        order=ORDERS[2],
                        fill=fill,
                    )
            below.set_xlabel("share of a layer's units silenced")
        axes[0, 0].set_ylabel("accuracy, test images")
        axes[1, 0].set_ylabel("accuracy, training images\n(random order)")
        for row in axes:
            row[0].legend(loc="lower left", fontsize=8)
    return png(drawn)


def _curve(
    axes: Axes, cumulative: pd.DataFrame, colour: str, line: str, label: str, **where: str
) -> None:
    for column, value in where.items():
        cumulative = cumulative[cumulative[column] == value]
    if cumulative.empty:
        return
    # Layers have different numbers of units, and so slightly different shares.
    step = cumulative.groupby(["network", "seed", "layer"]).cumcount()
    means = cumulative.groupby(step)[["share", "accuracy"]].mean()
    axes.plot(means["share"], means["accuracy"], line, color=colour, lw=1.7, label=label)


def fields_picture(
    cells: Mapping[str, Cell],
    arrays: Mapping[str, Arrays],
    test: Arrays,
    setting: Setting,
) -> bytes:
    """Of units that best tell a class, in the first layer and the last of each family: tuning
    curve, the images that they answer to most, and receptive fields. arrays: units.npz by family.
    """
    shown = [
        (family, layer, place)
        for family, own in arrays.items()
        for layer in _ends(own)
        for place in range(min(_SHOWN, len(own[f"shown/{layer}"])))
    ]
    seed = setting.seeds[0]
    with figure(10, 0.82 * len(shown) + 0.9) as drawn:
        grid = drawn.add_gridspec(
            len(shown),
            8,
            width_ratios=[2, 1, 1, 1, 1, 1, 1, 1],
            left=0.19,
            right=0.995,
            top=1 - 0.45 / (0.82 * len(shown) + 0.9),
            bottom=0.01,
            wspace=0.08,
            hspace=0.12,
        )
        for row, (family, layer, place) in enumerate(shown):
            own = arrays[family]
            unit = int(own[f"shown/{layer}"][place])
            units = cells[family].units
            (described,) = units[
                (units["network"] == TRAINED)
                & (units["seed"] == seed)
                & (units["layer"] == layer)
                & (units["unit"] == unit)
            ].to_dict("records")
            axes = [drawn.add_subplot(grid[row, column]) for column in range(8)]
            curve = own[f"tuning/{TRAINED}/{seed}/{layer}"][:, unit]
            bars = axes[0].bar(range(len(curve)), curve, color=GREY)
            bars[int(described["class"])].set_color(COLOURS[1])
            axes[0].axhline(0, color=GREY, lw=0.8)
            name = setting.inputs.class_name(described["class"])
            axes[0].set_ylabel(
                f"{family}\n{layer}, unit {unit}\nclass {name}, AUC {described['auc']:.2f}",
                rotation=0,
                ha="right",
                va="center",
                fontsize=8,
            )
            best = own[f"preferred/{TRAINED}/{seed}/{layer}"][unit]
            rows = pd.Index(test["index"]).get_indexer(pd.Index(own["index"][best]))
            for panel, image in zip(axes[1:6], test["images"][rows], strict=True):
                panel.imshow(image, cmap="gray")
            for panel, field in zip(axes[6:], ("average", "gradient"), strict=True):
                values = own[f"{field}/{layer}"][place]
                values = values if values.ndim == 2 else values.sum(axis=-1)
                limit = float(np.abs(values).max()) or 1.0
                panel.imshow(values, cmap=MAP, vmin=-limit, vmax=limit)
            for panel in axes:
                panel.set_xticks([])
                panel.set_yticks([])
                panel.grid(visible=False)
            if row == 0:
                for panel, title in (
                    (axes[0], "tuning, class 0 on the left"),
                    (axes[3], "the images it answers to most"),
                    (axes[6], "field by\nnoise"),
                    (axes[7], "mean\ngradient"),
                ):
                    panel.set_title(title, fontsize=9, loc="center", fontweight="normal")
    return png(drawn)


def _ends(arrays: Arrays) -> list[str]:
    layers = [key.removeprefix("shown/") for key in arrays if key.startswith("shown/")]
    return list(dict.fromkeys([layers[0], layers[-1]])) if layers else []


def agreement(arrays: Mapping[str, Arrays]) -> dict[str, float]:
    """Of each family the mean correlation of a unit's field by noise with its mean gradient over
    the same noise, which are the same in expectation; a family whose units no noise moves is left
    out."""
    means = {}
    for family, own in arrays.items():
        layers = [key.removeprefix("shown/") for key in own if key.startswith("shown/")]
        values = [
            float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
            for layer in layers
            for one, other in zip(
                own[f"average/{layer}"], own[f"noise_gradient/{layer}"], strict=True
            )
            if np.ptp(one) > 0 and np.ptp(other) > 0
        ]
        if values:
            means[family] = float(np.mean(values))
    return means
