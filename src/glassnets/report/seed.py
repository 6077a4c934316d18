"""Pictures of a single run, for MLflow."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay


def confusion_matrix(labels: NDArray[np.int64], called: NDArray[np.int64], title: str) -> Figure:
    """How often each class (row) was called each class (column). labels and called are (n,)."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    ConfusionMatrixDisplay.from_predictions(
        labels, called, ax=axes, colorbar=False, cmap="Blues", im_kw={"norm": "symlog"}
    )
    axes.set_title(title)
    return figure


def reliability(table: pd.DataFrame, title: str) -> Figure:
    """Accuracy against confidence, the bars below it how many images each point stands for.

    table has the columns confidence, accuracy and count, a row a bin.
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    above, below = figure.subplots(2, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as confident as right")
    above.plot(table["confidence"], table["accuracy"], marker="o")
    above.set(ylabel="accuracy", title=title)
    above.legend(loc="upper left")
    below.bar(table["confidence"], table["count"], width=0.02)
    below.set(xlabel="confidence", ylabel="images", yscale="log", xlim=(0, 1.02))
    return figure
