"""The page and the picture of the verdicts on one model's explanations: `attribution.judging`."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glassnets.attribution.judging import JudgedModel
from glassnets.attribution.references import REMOVALS
from glassnets.attribution.scores import HEADLINE
from glassnets.attribution.verdicts import (
    ABOVE,
    CLASS_SENSITIVITY,
    HOLDS,
    IMAGE,
    SPECIFIC,
    TESTS,
)
from glassnets.config.schema import Kind
from glassnets.data.inputs import Column, Inputs
from glassnets.report import attributions, leaderboards, verdicts
from glassnets.report.formats import number, percent
from glassnets.report.rendering import render
from glassnets.report.results import Results

TITLE = ": verdicts on explanations"  # ends the first line of the page
_PLAYERS = {
    "image": "pixels, over all their channels",
    "table": "the columns of a row",
    "series": "the steps of a series, over all their channels",
}
_NOT_TESTED = "not tested: "  # begins a reason


def page(judged: JudgedModel, name: str, picture: str) -> str:
    """The page. name: what the model is called. picture: the address of `maps`, seen from it."""
    results = _results(judged)
    board = shown(judged)
    readable = verdicts.leaderboard(results)
    readable.insert(2, "tests", _tests_passed(judged))
    if judged.not_made:  # under no choice could a verdict hold
        readable = readable.drop(columns="share")
    section = verdicts.section(name, results)
    present = set(judged.tables["by_removal"]["removal"])
    measured = leaderboards.measured(judged.board)
    return render(
        "own-model.md",
        name=name,
        count=len(judged.attributions["images"]),
        percent=percent(judged.evaluation.confidence_level),
        warnings=judged.warnings,
        conclusions=judged.conclusions(),
        notes=judged.notes,
        players=_PLAYERS[judged.kind],
        removals=[removal for removal in REMOVALS if removal in present],
        references=verdicts.absent(present, _inputs(judged).words),
        marked=not results.choices.empty,
        decisions=verdicts.decisions({"believe first": results}, _inputs(judged).words),
        tests=_tests(judged),
        leaderboard=readable,
        reasons=[
            f"{leaderboards.MARKS[value]} {method}: {why}"
            for method, value, why in zip(
                board["method"], leaderboards.values(board).values(), board["reasons"], strict=True
            )
            if why and method not in judged.supported
        ],
        unstable=section["unstable"],
        picture=picture,
        shares=verdicts.shares({name: results}).rename(columns={name: "share"}),
        effects=section["effects"],
        taus=section["taus"],
        detectable={t: number(d, 2) for t, d in judged.summary["detectable"].items()},
        scores=measured,
        said=_inputs(judged).words.of,
        limits=[
            f"{test[0].upper()}{test[1:]} was not tested, for want of {lack}: {_UNTESTED[test]}."
            for test, lack in judged.not_made.items()
            if test in _UNTESTED
        ],
    )


_UNTESTED = {
    "parameter randomization": "maps may not depend on what the model computes",
    "label randomization": "maps may not depend on what the model learnt",
    SPECIFIC: "maps may be about the data, as those of any other good model would be",
    IMAGE: "maps may be about the class, and not about the input",
}


def _results(judged: JudgedModel) -> Results:
    """The model's verdicts in the form that pages of the pipeline have them in. Those that pass all
    tests that were made count as held, which is what the choice of the first rests on."""
    empty = pd.DataFrame()
    tables = judged.tables
    choices = tables["choices"]  # under none of which a verdict holds for want of a test
    return Results(
        metrics={},
        predictions=empty,
        history=empty,
        reliability=empty,
        confusion_matrix=empty,
        classes=empty,
        attributions=judged.attributions,
        leaderboard=judged.board,
        by_removal=tables["by_removal"],
        shares=tables["shares"],
        effects=tables["effects"],
        choices=choices[:0] if judged.not_made else choices,
        verdicts=judged.summary | {HOLDS: len(judged.supported)},
    )


def _tests_passed(judged: JudgedModel) -> list[str]:
    """``3 of 4``, of the tests that were made, of each variant of the board; – of a control."""
    tests = judged.judgement.tests
    held = tests[tests["value"] == HOLDS].groupby("method").size()
    return [
        "–" if control else f"{held.get(method, 0)} of {len(judged.made)}"
        for method, control in zip(judged.board["method"], judged.board["control"], strict=True)
    ]


def _tests(judged: JudgedModel) -> list[str]:
    """What each test asks, and which were not made."""
    most, most_of_classes = (
        judged.thresholds.max_correlation,
        judged.thresholds.max_class_correlation,
    )
    controls = judged.board.loc[judged.board["control"], "method"]
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(n.split(":")[0] for n in controls))
    texts = {
        "parameter randomization": "its maps change when the model's weights are drawn anew (rank "
        f"correlation within ±{most:g})",
        "label randomization": "its maps change when the model learns shuffled labels instead",
        CLASS_SENSITIVITY: "its maps of the two most probable classes differ (rank correlation "
        f"below {most_of_classes:g})",
        ABOVE: "it scores above every control of its own reference (for draws: of the mean) and "
        f"those without one, maps that do not depend on the model: {names}",
        SPECIFIC: "it scores above the same variant's maps of other models for the same answer",
        IMAGE: "it tells better what the model does with this input (faithfulness correlation) "
        "than the same variant's map of another input of the class",
    }
    return [
        f"*{test}*: {texts[test]}"
        + (
            f"; **not made**, for want of {judged.not_made[test]}"
            if test in judged.not_made
            else ""
        )
        for test in TESTS
    ]


def shown(judged: JudgedModel) -> pd.DataFrame:
    """The board with the reasons that tell variants apart: what was tested of none is left out."""
    reasons = []
    for method, why in zip(judged.board["method"], judged.board["reasons"], strict=True):
        own = [
            reason
            for reason in why.split("; ")
            if not any(reason.startswith(_NOT_TESTED + test) for test in judged.not_made)
        ]
        if method in judged.supported:
            own = [f"passes all {len(judged.made)} tests that could be made"]
        reasons.append("; ".join(own))
    return judged.board.assign(reasons=reasons)


def maps(judged: JudgedModel, name: str) -> Figure:
    """The maps of the first inputs by every variant of a method, in the board's order, and by the
    best of the controls."""
    arrays: dict[str, Any] = dict(judged.attributions)
    arrays.setdefault("labels", arrays["predictions"][0])
    arrays["images"] = _drawable(arrays["images"], judged.kind)
    board = shown(judged)
    methods = board[~board["control"]]
    best_control = board[board["control"]].nlargest(1, HEADLINE)
    return attributions.gallery(
        arrays, pd.concat([methods, best_control]), name, 0, _inputs(judged)
    )


def _drawable(images: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Inputs in the form that pictures of the kind have them in: images uint8, grey or RGB; columns
    of a table with a channel."""
    if kind == "image":
        if images.ndim == 4 and images.shape[-1] != 3:
            images = images.mean(axis=-1)
        levels: NDArray[np.uint8] = np.clip(np.rint(images), 0, 255).astype(np.uint8)
        return levels
    if kind == "table":
        return images[..., np.newaxis] if images.ndim == 3 else images[..., :1]
    return images


def _inputs(judged: JudgedModel) -> Inputs:
    if judged.kind != "table":
        return Inputs(judged.kind, judged.class_names, masked=judged.network.masked)
    count = judged.network.image_shape[1]
    names = judged.column_names or [f"column {place + 1}" for place in range(count)]
    columns: dict[str, Column] = dict.fromkeys(names, "number")
    return Inputs(judged.kind, judged.class_names, columns)
