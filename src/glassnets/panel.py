"""The panel: the test images that are explained, the same for every family."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.params import Panel


def choose(predictions: Mapping[str, pd.DataFrame], panel: Panel) -> pd.DataFrame:
    """A row an image: index (its row in raw), label, wrong and networks.

    predictions holds a table a family with the columns seed, index, label and prediction, a row
    for each seed and test image. wrong is how many of the networks, every family's and every
    seed's, answered the image wrongly; ``panel.wrong`` of the images are such that at least one
    did. Where there are fewer of the one kind, the other fills up. Any first k rows hold the same
    share of them, within one image. What is drawn depends on neither the families' order nor the
    images'.

    Raises GlassnetsError unless every network predicted the same images, and ParameterError where
    these are fewer than the panel's.
    """
    networks = sum(table["seed"].nunique() for table in predictions.values())
    answers = pd.concat(predictions.values())
    answers["wrong"] = answers["prediction"] != answers["label"]
    images = answers.groupby("index", as_index=False).agg(
        label=("label", "first"),
        labels=("label", "nunique"),
        wrong=("wrong", "sum"),
        networks=("wrong", "size"),
    )
    if not (images["networks"].eq(networks) & images["labels"].eq(1)).all():
        raise GlassnetsError(
            f"expected the predictions of {', '.join(predictions)} to be of the same test images, "
            "got other images or labels in some; `dvc repro` evaluates all anew"
        )
    if len(images) < panel.images:
        raise ParameterError(
            f"explanations.panel.images: expected at most the {len(images)} test images, "
            f"got {panel.images}"
        )
    rng = np.random.default_rng(panel.random_state)
    missed = images["wrong"].gt(0).to_numpy()
    wrong, right = (rng.permutation(np.flatnonzero(kind)) for kind in (missed, ~missed))
    count = min(max(panel.wrong, panel.images - len(right)), len(wrong))
    wrong, right = wrong[:count], right[: panel.images - count]
    # Each kind spread evenly over the rows.
    places = np.concatenate([(np.arange(len(kind)) + 0.5) / len(kind) for kind in (wrong, right)])
    rows = np.concatenate([wrong, right])[np.argsort(places, kind="stable")]
    return images.loc[rows, ["index", "label", "wrong", "networks"]].reset_index(drop=True)
