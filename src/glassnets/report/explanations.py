"""explanations.md: which explanation to believe for which family, and where families differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from glassnets.params import Evaluation
from glassnets.report import agreement, leaderboards
from glassnets.report.agreement import Cells
from glassnets.report.leaderboards import HEADLINE, MERITS, best, interval, passing, reasons
from glassnets.report.tables import laid_out

_SHOWN = 8  # images that are explained least alike
_FIRM = 0.5  # Kendall's τ from which an order of methods is called firm

# What the intervention test changed, and what a network that hangs on the cue does.
_INTERVENTIONS = {
    "cue_changed": "the cue was changed and all else left, the answer followed the cue",
    "rest_changed": "the cue was left and all else changed, the answer stayed",
}


@dataclass(frozen=True, eq=False)
class Findings:
    """What the explanations of a dataset's families say side by side.

    leaderboards and summaries are each family's leaderboard.csv and explanations.json; table is
    `agreement.table`'s; shared is the method by which families are held against each other and the
    families in which it passes, None where they share none; disagreements are its
    `agreement.disagreements`.
    """

    leaderboards: Mapping[str, pd.DataFrame]
    summaries: Mapping[str, dict[str, Any]]
    table: pd.DataFrame
    shared: tuple[str, list[str]] | None
    disagreements: pd.DataFrame


@dataclass(frozen=True)
class Setting:
    """What was explained, as the reader is told."""

    dataset: str
    panel: pd.DataFrame  # columns index, label, wrong, networks
    seeds: list[int]
    confidence_level: float


def findings(
    cells: Cells,
    boards: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, dict[str, Any]],
    evaluation: Evaluation,
) -> Findings:
    """cells, boards and summaries are each family's explanations.npz, leaderboard.csv and
    explanations.json. Controls are not compared: they say the same of every network."""
    methods = pd.concat([board.loc[~board["control"], "method"] for board in boards.values()])
    shared = leaderboards.best_shared(boards)
    return Findings(
        leaderboards=boards,
        summaries=summaries,
        table=agreement.table(cells, methods.drop_duplicates(), evaluation),
        shared=shared,
        disagreements=pd.DataFrame()
        if shared is None
        else agreement.disagreements(cells, shared[0], _SHOWN),
    )


def conclusions(found: Findings) -> list[str]:
    """Which method to believe for which family, a sentence a family."""
    return [belief(family, board) for family, board in found.leaderboards.items()]


def belief(family: str, board: pd.DataFrame) -> str:
    """Which method to believe for a family, in a sentence."""
    method, count = best(board), int((~board["control"]).sum())
    if method in reasons(board):
        why = reasons(board)[method] or "it does not pass"
        return f"{family}: believe none of {count} methods; the best of them, {method}: {why}."
    rivals = leaderboards.rivals(board)
    said = f"not told apart from {', '.join(rivals)}" if rivals else "apart from all others"
    return (
        f"{family}: believe {method}, the first of the {len(passing(board))} of {count} methods "
        f"that pass: {MERITS[HEADLINE].heading} {_figure(board, method, HEADLINE)}, {said}."
    )


def _figure(board: pd.DataFrame, method: str, name: str) -> str:
    row = board[board["method"] == method].iloc[0]
    return interval(*(row[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high")))


def page(found: Findings, setting: Setting, picture: str) -> str:
    """The page. picture is the address of `attributions.families`' figure, as seen from it."""
    wrong, networks = setting.panel["wrong"].gt(0).sum(), setting.panel["networks"].iloc[0]
    seeds = ", ".join(map(str, setting.seeds))
    believed = "\n".join(f"- {sentence}" for sentence in conclusions(found))
    cells = "\n".join(_cell(f, found, setting) for f in found.leaderboards)
    return f"""# {setting.dataset}: which explanation to believe

{len(setting.panel)} test images, the same for every family, {wrong} of them answered wrongly by \
at least one of the {networks} networks (seeds {seeds} of each family).
What is explained is the answer that the network gave, right or wrong. Intervals are \
{100 * setting.confidence_level:g} %,
bootstrapped over images and seeds.

{believed}

A method **passes** (✓) if its maps change when the network's weights are redrawn and when it learns
shuffled labels instead, and if it beats every control: a random map, the image's edges, and the
image itself, which know nothing of the network. One that does not (✗) is not to be believed,
however good its maps look.

![Maps of each family's best method on images of which the networks agree and disagree]({picture})

Red spoke for the answer, blue against it, each map in a scale of its own. The images were chosen by
how alike the maps shown are; where families have different methods, so are the maps for that alone.

{cells}
{_agreement(found)}
{_columns(found)}
## What cannot be concluded

- ✓ says that a method was not caught lying by these tests, not that its maps are the truth.
- ✗ for redrawn weights or shuffled labels says that a map like the trained network's could not be
  ruled out: an interval that is too wide for want of images fails as well as a high mean.
- The order of the ✓ hangs on the metric and its baselines; intervals that overlap do not tell two
  methods apart.
- Networks that agree about why may all be wrong about it, and a method that smooths, multiplies by
  the image or draws the same for all networks makes maps alike that have nothing else in common:
  compare families and seeds within a method, never methods with each other.
- The gradient and SmoothGrad say how the logit changes with a pixel's brightness, not what the
  pixel brought; insertion, deletion and faithfulness ask for the latter, so that these two do not
  pass need not make them wrong about the former.
- Methods that measure against black say 0 of a black pixel, and removal by any other baseline
  changes black pixels too. Expected gradients do speak of them, which is part of their lead.
- On infidelity a constant map does well, for larger squares cost more whatever they cover: read it
  beside faithfulness. Maps that are never negative have a signed correlation no lower than the
  unsigned, so the gate of redrawn weights is stricter with them.
- {len(setting.panel)} images were explained, with more wrong answers than chance would bring: what
  is said of them need not hold of all.
"""


def _cell(family: str, found: Findings, setting: Setting) -> str:
    board, summary = found.leaderboards[family], found.summaries[family]
    marked = [
        f"- {'✓' if passes else '✗'} {method}: {marks}"
        for method, passes, marks in zip(
            board["method"], board["passes"], board["marks"].fillna(""), strict=True
        )
        if marks
    ]
    parts = [
        f"## {family}",
        laid_out(leaderboards.readable(board)),
        "\n".join(marked),
        _firmness(summary["kendall_tau"]),
        _intervention(summary["intervention"], board) if "intervention" in summary else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _firmness(taus: Mapping[str, float | None]) -> str:
    said = ", ".join(
        f"{'undefined' if tau is None else f'{tau:.2f}'.replace('-', '−')} between {among}"
        for among, tau in taus.items()
    )
    lowest = {among: tau for among, tau in taus.items() if tau is not None and tau < _FIRM}
    loose = (
        f" It changes with the {' and the '.join(lowest)}: hold to ✓ and ✗ rather than to places."
        if lowest
        else ""
    )
    return f"How firm the order is (Kendall's τ: 1 the same, 0 unrelated): {said}.{loose}"


def _intervention(test: Mapping[str, Any], board: pd.DataFrame) -> str:
    """Whether the networks hang on the planted cue, and what the localisation then says."""
    said = "; ".join(
        f"where {changed} in {_percent(test[name])}"
        for name, changed in _INTERVENTIONS.items()
        if name in test
    )
    lines = [f"Do these networks hang on the planted cue? Of images answered rightly, {said}."]
    if test["withheld_seeds"]:
        seeds = ", ".join(map(str, test["withheld_seeds"]))
        lines.append(
            f"**Withheld**: the localisation figures of seeds {seeds}, because that is too seldom "
            "to say that these networks look at the evidence."
        )
    if "relevance_mass" in leaderboards.measured(board):
        above = leaderboards.above_controls(board, "relevance_mass")
        lines.append(
            "Relevance mass above every control's, the intervals apart: "
            f"{', '.join(above) or 'of no method'}."
        )
    return "\n".join(lines)


def _percent(figure: Mapping[str, float]) -> str:
    mean, low, high = (100 * figure[end] for end in ("mean", "ci_low", "ci_high"))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f})"


def _agreement(found: Findings) -> str:
    if found.shared is None:
        return ""
    method, passes = found.shared
    where = (
        f"passes in {', '.join(passes)}"
        if passes
        else "passes in no family, and stands here for want of a better one"
    )
    table = found.table
    return f"""## Do networks that agree on what agree on why?

Spearman's rank correlation of the maps of two networks, on the images that both answer alike. Of
different families, the networks of the same seed are paired; of one family, every two seeds, which
is how far networks agree that differ in nothing but the draw.

By {method}, which every family has and which {where}:

{laid_out(_matrix(table[table["method"] == method]))}

{_within_and_between(table[table["method"] == method])}

By each method (mean over families, or pairs of them; with intervals in `agreement.csv`):

{laid_out(_by_method(table))}
{_least_alike(method, found.disagreements)}"""


def _least_alike(method: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    return f"""
## Agreed on what, not on why

The images that all families answer alike and that {method} explains least alike:

{laid_out(_images(rows))}
"""


def _matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """A row and a column a family, their rank correlation with its interval."""
    ends = ["rank_correlation", "rank_correlation_ci_low", "rank_correlation_ci_high"]
    said = {
        (row["family_a"], row["family_b"]): interval(*(row[end] for end in ends))
        for row in rows.to_dict("records")
    }
    families = sorted({family for pair in said for family in pair})
    shown = pd.DataFrame({"": families})
    for b in families:
        shown[b] = [said.get((a, b), said.get((b, a), "–")) for a in families]
    return shown


def _means(rows: pd.DataFrame, figure: str) -> tuple[float, float]:
    """Means over families between seeds, and over pairs of families."""
    one = rows["family_a"] == rows["family_b"]
    return float(rows.loc[one, figure].mean()), float(rows.loc[~one, figure].mean())


def _within_and_between(rows: pd.DataFrame) -> str:
    within, between = _means(rows, "rank_correlation")
    if pd.isna(within) or pd.isna(between):
        return "Too few networks to tell what is the family's from what is the draw's."
    if between < within:
        return (
            f"Networks of one family agree more ({within:.2f}) than networks of two "
            f"({between:.2f}): what a map shows is partly the family's own, not the draw's."
        )
    return (
        f"Networks of two families agree no less ({between:.2f}) than networks of one "
        f"({within:.2f}): what differs between their maps need not be the family's."
    )


def _by_method(table: pd.DataFrame) -> pd.DataFrame:
    shown = []
    for method, rows in table.groupby("method", sort=False):
        row = {"method": method}
        for figure, heading in (("rank_correlation", "ρ"), ("top_overlap", "top 10 %")):
            means = _means(rows, figure)
            for mean, where in zip(means, ("seeds", "families"), strict=True):
                row[f"{heading} between {where}"] = "–" if pd.isna(mean) else f"{mean:.2f}"
        shown.append(row)
    return pd.DataFrame(shown)


def _images(rows: pd.DataFrame) -> pd.DataFrame:
    shown = rows[["index", "label", "answer"]].astype(str)
    shown["in seeds"] = rows["seeds"].astype(str)
    shown["mean ρ"] = [f"{value:.2f}" for value in rows["rank_correlation"]]
    shown["least alike"] = rows["family_a"] + " and " + rows["family_b"]
    shown["their ρ"] = [f"{value:.2f}" for value in rows["pair_rank_correlation"]]
    return shown


def _columns(found: Findings) -> str:
    measured = {
        name: merit
        for board in found.leaderboards.values()
        for name, merit in leaderboards.measured(board).items()
    }
    figures = "\n".join(
        f"- **{merit.heading} {merit.arrow}** ({merit.better} is better): {merit.meaning}."
        for name, merit in MERITS.items()
        if name in measured
    )
    return f"""## How to read the columns

- **verdict**: place in the order of {MERITS[HEADLINE].heading}, and whether the method passes.
{figures}
- **ρ**: Spearman's rank correlation of two maps: 1 the same order of pixels, 0 unrelated.
- **top 10 %**: share of the highest tenth of pixels that two maps have in common; 0.1 is chance.
- **between seeds**, **between families**: of two networks of one family, of two families.
- **index**: the image's row in the raw data.
- **in seeds**: in how many seeds all families gave this answer.
- **mean ρ**: over these seeds and all pairs of families.
- **least alike**: the two families whose maps differ most, and **their ρ**.
"""
