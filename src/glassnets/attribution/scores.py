"""The scores that leaderboards show: heading, meaning, and which of them rank methods."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """How a score of a method is read.

    heading: of its column.
    better: higher, lower, or near 0.
    meaning: what it measures, as a person reads it.
    ranks: 1 or −1 where methods are ranked by it, the highest or the lowest first; else 0.
    needs_evidence: whether it is defined only where the pixels that decide the label are known.
    """

    heading: str
    better: str
    meaning: str
    ranks: int = 0
    needs_evidence: bool = False

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", "near 0": "→ 0"}[self.better]


# The ranking is by the first.
SCORES = {
    "insertion_minus_deletion": Score(
        "insertion − deletion",
        "higher",
        "probability of the class as pixels are put in, the map's highest first, less the same as "
        "they are removed: the difference of the areas under the two curves; mean over removals",
        ranks=1,
    ),
    "own_minus_others": Score(
        "own − others",
        "higher",
        "the same of this network's maps, less that of other networks' maps for the same answers: "
        "what a map says of this network, and not of the data",
    ),
    "faithfulness_correlation": Score(
        "faithfulness",
        "higher",
        "correlation between the map's sum over random sets of pixels and the drop of the logit "
        "without them; mean over all removals",
        ranks=1,
    ),
    "infidelity": Score(
        "infidelity",
        "lower",
        "squared error of the map, optimally scaled, in predicting the drop of the logit without "
        "random squares",
        ranks=-1,
    ),
    "max_sensitivity": Score(
        "max-sensitivity",
        "lower",
        "largest relative change of the map under small changes of the image; a constant map is "
        "best, so read it beside faithfulness",
    ),
    "parameter_randomization_signed": Score(
        "weights redrawn",
        "near 0",
        "rank correlation with the map of the same network after all its weights were redrawn",
    ),
    "parameter_randomization_unsigned": Score(
        "weights redrawn, unsigned",
        "near 0",
        "the same of absolute values, which only warns: where the image is black, most methods "
        "give 0 for every network",
    ),
    "label_randomization_signed": Score(
        "labels shuffled",
        "near 0",
        "rank correlation with the map of a network that memorised shuffled labels",
    ),
    "label_randomization_unsigned": Score(
        "labels shuffled, unsigned", "near 0", "the same of absolute values, which fails no method"
    ),
    "class_correlation": Score(
        "other class",
        "lower",
        "rank correlation with the map of the most probable other class; 1 is a map that is the "
        "same for every class",
    ),
    "average_precision": Score(
        "average precision",
        "higher",
        "of the map's order of the pixels, those of the planted evidence being right",
        ranks=1,
        needs_evidence=True,
    ),
    "relevance_mass": Score(
        "relevance mass",
        "higher",
        "share of the map's positive part that lies on the planted evidence; a constant added to "
        "the map changes it",
        needs_evidence=True,
    ),
    "mass_on_suppressor": Score(
        "on suppressor",
        "near 0",
        "share of the map's absolute value on pixels that help the decision and are no evidence",
        needs_evidence=True,
    ),
    "relevance_rank": Score(
        "relevance rank",
        "higher",
        "share of the k highest pixels that are evidence, where k pixels are",
        needs_evidence=True,
    ),
    "pointing_game": Score(
        "pointing game", "higher", "how often the highest pixel is evidence", needs_evidence=True
    ),
}
HEADLINE, *_ = SCORES
INTERVENTIONS = ("cue_changed", "rest_changed")  # the scores of `localization.intervention`
