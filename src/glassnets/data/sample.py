"""The sample: which test images are explained, the same for every family."""

import numpy as np
import pandas as pd

from glassnets.config.schema import Sample
from glassnets.data import Arrays


def draw(test: Arrays, sample: Sample) -> pd.DataFrame:
    """A row an image: index (its row in the raw arrays) and label, in the order drawn.

    test is the test part, with ``index`` int64 (n,) and ``labels`` (n,). The images are drawn
    without replacement, so any first k of them are a random sample too. No prediction is read: no
    network's recipe moves another's verdicts. Where the test part has fewer than sample.images, as
    the groups of a split may decide, all are drawn.
    """
    there = len(test["index"])
    rng = np.random.default_rng(sample.random_state)
    rows = rng.choice(there, min(sample.images, there), replace=False)
    return pd.DataFrame({"index": test["index"][rows], "label": test["labels"][rows]})
