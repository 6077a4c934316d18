"""What the tables of all questions come to, one number each, beside what theory expects."""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def summary(tables: Mapping[str, pd.DataFrame]) -> dict[str, float | None]:
    """Numbers by name, None where there is none. tables: those of every question's ``over_seeds``,
    by their names."""
    factors, thresholds = tables["gradient_factors"], tables["thresholds"]
    races, hovers = tables["batch_races"], hovering(tables["sharpness"])
    slopes = dict(zip(*(tables["noise_slopes"][name] for name in ("moment", "slope")), strict=True))
    descent, augmented = tables["double_descent"], tables["augmented"].iloc[-1]
    shuffled = tables["shuffled_labels"].query("labels == 'shuffled'").iloc[-1]
    found = {
        # The largest of the combinations: 0 by theory.
        "gradient_flow_deviation": (factors["measured"] / factors["theory"] - 1).abs().max(),
        "noise_slope_start": slopes["start"],  # −1 by theory
        "noise_slope_end": slopes["end"],
        # Of all images as a batch, in those of the batch that needs fewest.
        "full_batch_examples": races["examples"].iloc[-1] / races["examples"].min(),
        "full_batch_updates": races["updates"].iloc[-1] / races["updates"].min(),
        "threshold_deviation": (thresholds["ratio"] - 1).abs().max(),
        # In parts of 2/η, of the rates that get there: 1 by theory.
        "sharpness_at_edge": hovers.loc[hovers["reached"], "late"].mean(),
        "augmented_below_clean": augmented["clean"] - augmented["augmented"],
        "clean_above_test": augmented["clean"] - augmented["test"],
        "shuffled_labels_train": shuffled["train"],
        "shuffled_labels_test": shuffled["test"],
        "double_descent_peak": descent["ratio"].to_numpy()[
            descent["test"].argmax()
        ],  # of N/n: 1 by theory
        "finite_difference_error": tables["finite_differences"]["error"].min(),
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def hovering(sharpness: pd.DataFrame) -> pd.DataFrame:
    """Sharpness in parts of 2/η, a row a rate: rate; reached, whether it ever was 1; highest; late,
    its mean over the last third of the steps. sharpness: `learning_rate.over_seeds`'s."""
    rows = []
    for rate in sharpness["rate"].unique():
        own = sharpness[sharpness["rate"] == rate]
        relative = own["sharpness"].to_numpy() * rate / 2
        steps = own["step"].to_numpy()
        highest, late = relative.max(), relative[steps > steps.max() * 2 / 3].mean()
        rows.append((rate, bool(highest >= 1), float(highest), float(late)))
    return pd.DataFrame(rows, columns=["rate", "reached", "highest", "late"])
