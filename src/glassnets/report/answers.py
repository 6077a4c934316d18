"""The first lines of report.html: which network, which explanation, and on what that depends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from glassnets.attribution.references import REMOVALS
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED, best
from glassnets.report import baselines, comparison, formats
from glassnets.report.languages import Said, family, joined, reasons, say, variant
from glassnets.report.leaderboards import marked
from glassnets.report.leaderboards import reasons as reasons_of
from glassnets.report.results import Results, Setting


class Answer(NamedTuple):
    """In short, then in sentences."""

    short: Said
    sentences: list[Said]


def network(
    table: pd.DataFrame, tests: pd.DataFrame, beside: baselines.Beside, setting: Setting
) -> Answer:
    """Whether one family is better than the others, and than what is no network."""
    said = comparison.conclusions(table, tests, setting)
    _, by_image = baselines.conclusions(table, beside, setting)
    top = family(table["family"][0])
    if not said:
        return Answer(say("There is one family alone, {family}.", family=top), [by_image])
    if comparison.rivals(table, tests, setting):
        short = say("Not shown: no family was shown to be more accurate than all others.")
    else:
        short = say("Yes: {family} is the most accurate.", family=top)
    return Answer(short, [said[-1], by_image])


def explanation(results: Mapping[str, Results]) -> Answer:
    """Which variant to believe first, by family."""
    groups: dict[str, tuple[Said, list[str]]] = {}
    for name, each in results.items():
        first = believed(each)
        groups.setdefault(first, (first, []))[1].append(name)
    supported = [name for name, each in results.items() if each.verdicts[HOLDS]]
    if not supported:
        short = say("None: in no family does an explanation pass every test.")
    elif len(groups) == 1 and results[supported[0]].verdicts["believe_first"]:
        (first, _), *_ = groups.values()
        short = say("{variant}, in every family.", variant=first)
    elif len(supported) == len(results):
        short = say("It depends on the network; in each family some explanation passes every test.")
    else:
        form = "In {count} of {all} families some explanation passes every test."
        short = say(form, count=len(supported), all=len(results))
    sentences = [
        say("{families}: {first}.", families=joined(map(family, names)), first=first)
        for first, names in groups.values()
    ]
    return Answer(short, sentences)


def believed(results: Results) -> Said:
    """The variants of a family to believe first, or why there is none."""
    verdicts = results.verdicts
    if not verdicts[HOLDS]:
        return say("none passes every test")
    if first := verdicts["believe_first"]:
        return joined(map(variant, first))
    return say("depends on the removal")


def dependence(results: Mapping[str, Results]) -> Answer:
    """On what it depends which explanation to believe."""
    shares = {name: _shares(each.shares) for name, each in results.items()}
    known = {name: share for name, share in shares.items() if share is not None}
    sentences = []
    short = say("On how each method is tested, and on the network.")
    if known:
        methods, others = (_range(each) for each in zip(*known.values(), strict=True))
        form = (
            "Of the differences between scores, the choice of method explains {method}, the "
            "reference, the removal and whether these two are alike {others} (by family)."
        )
        sentences.append(say(form, method=methods, others=others))
        above = {own < other for own, other in known.values()}
        if above == {True}:
            short = say("On what stands for an absent pixel, more than on the method.")
        elif above == {False}:
            short = say("On the method, more than on what stands for an absent pixel.")
        else:
            short = say("On the method, and on what stands for an absent pixel.")
    open_ = [n for n, e in results.items() if e.verdicts[HOLDS] and not e.verdicts["believe_first"]]
    if open_:
        form = "For {families} another removal, that is another question, has another answer."
        sentences.append(say(form, families=joined(map(family, open_))))
    boards = pd.concat([each.leaderboard for each in results.values()])
    judged = boards[~boards["control"]]
    form = (
        "{unstable} of {count} verdicts are unstable: under one choice that could have been made "
        "otherwise they hold, under another they fail."
    )
    sentences.append(say(form, unstable=int(judged["unstable"].sum()), count=len(judged)))
    return Answer(short, sentences)


def _shares(shares: pd.DataFrame) -> tuple[float, float] | None:
    """What part of the spread of scores the method explains, and what the reference, the removal
    and their interaction do."""
    each = shares[shares["removal"] == "all"].set_index("factor")["share"]
    others = each.reindex(["reference", "removal", "reference × removal"])
    if "method" not in each or others.isna().all():
        return None
    return float(each["method"]), float(others.sum())


def _range(values: Iterable[float]) -> Said:
    each = [100 * value for value in values]
    low, high = (formats.number(value, 0) for value in (min(each), max(each)))
    return say("{low} %", low=low) if low == high else say("{low} to {high} %", low=low, high=high)


@dataclass(frozen=True, eq=False)
class Line:
    """A family in the picture of the first screen.

    accuracy, low, high: in percent of the axis, which all lines share. counts: by what a verdict
    is, how many there are.
    """

    family: str
    name: Said
    accuracy: float
    low: float
    high: float
    text: str
    interval: str
    counts: Mapping[str, int]
    variants: int
    unstable: int
    first: Said
    supported: bool
    example: str
    example_name: Said
    why: Said


def lines(table: pd.DataFrame, results: Mapping[str, Results]) -> list[Line]:
    """The families, the most accurate first. table: `comparison.table`'s."""
    least, most = table["accuracy_ci_low"].min(), table["accuracy_ci_high"].max()
    span = (most - least) or 1

    def place(value: float) -> float:
        return round(float(4 + 92 * (value - least) / span), 2)

    made = []
    for row in table.to_dict("records"):
        each = results[row["family"]]
        board, verdicts = each.leaderboard, each.verdicts
        judged = board[~board["control"]]
        example = (verdicts["believe_first"] or [best(board)])[0]
        ends = formats.ends(row["accuracy_ci_low"], row["accuracy_ci_high"])
        made.append(
            Line(
                row["family"],
                family(row["family"]),
                place(row["accuracy"]),
                place(row["accuracy_ci_low"]),
                place(row["accuracy_ci_high"]),
                f"{100 * row['accuracy']:.2f} %",
                ends,
                {value: verdicts[value] for value in (HOLDS, UNDECIDED, FAILS)},
                len(judged),
                int(judged["unstable"].sum()),
                believed(each),
                bool(verdicts[HOLDS]),
                example,
                variant(example),
                reasons(reasons_of(board).get(example, "")),
            )
        )
    return made


def first_by_removal(results: Mapping[str, Results]) -> dict[str, dict[str, Said]]:
    """By removal, and "all", of each family the variants to believe first, or why there is none."""
    present = {
        removal for each in results.values() for removal in each.verdicts["first_by_removal"]
    }
    chosen: dict[str, dict[str, Said]] = {}
    for removal in (r for r in REMOVALS if r in present):
        chosen[removal] = {name: _of_removal(each, removal) for name, each in results.items()}
    return chosen | {"all": {name: believed(each) for name, each in results.items()}}


def _of_removal(results: Results, removal: str) -> Said:
    if not results.verdicts[HOLDS]:
        return say("none passes every test")
    alone = results.alone(removal)
    variants = results.verdicts["first_by_removal"].get(removal)
    if not variants:
        return say("none with another reference")
    return joined(_marked(name, alone.get(name)) for name in variants)


def _marked(name: str, verdict: str | None) -> Said:
    """`leaderboards.marked` of what the report calls a variant."""
    own = variant(name)
    return Said(*(marked(text, verdict) for text in (own, own.en, own.zh)))
