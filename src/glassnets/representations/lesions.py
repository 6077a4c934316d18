"""Lesions: what a network loses when units are silenced.

A lesioned unit gives one number whatever the image, everywhere it stands: 0, or its mean over the
images. Both are looked at, for they differ: 0 may be a response that the unit never gives. A
lesion of a recurrent unit is of what it hands on to the next layer, not of what it tells itself
from step to step.

Morcos, Barrett, Rabinowitz & Botvinick (2018), "On the importance of single directions for
generalization"; class by class: Zhou, Sun, Bau & Torralba (2018), "Revisiting the importance of
individual units in CNNs via ablation".
"""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from glassnets import runtime
from glassnets.representations.activations import After, Floats

Ints = NDArray[np.int64]
Fill = Literal["zero", "mean"]
HALVES = ("even", "odd")
FILLS: tuple[Fill, ...] = get_args(Fill)


def losses(logits: Floats, labels: Ints) -> NDArray[np.float64]:
    """−log of the true class' probability, float64 (n,); logits (n, classes)."""
    scores = logits.astype(np.float64)
    loss: NDArray[np.float64] = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    return loss


def measured(logits: Floats, labels: Ints) -> dict[str, float]:
    """``log_loss``, ``accuracy``, and of each class' images ``log_loss_<k>``, ``accuracy_<k>``
    (NaN where there is none); ``log_loss_even`` and ``log_loss_odd`` of every other image."""
    values = {"log_loss": losses(logits, labels), "accuracy": logits.argmax(axis=1) == labels}
    classes = logits.shape[1]
    count = np.bincount(labels, minlength=classes)
    means = {name: float(each.mean()) for name, each in values.items()}
    for name, each in values.items():
        total = np.bincount(labels, each, minlength=classes)
        of_class = np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)
        means |= {f"{name}_{k}": value for k, value in enumerate(of_class.tolist())}
    loss = values["log_loss"]
    return means | {f"log_loss_{h}": float(loss[i::2].mean()) for i, h in enumerate(HALVES)}


class Lesions:
    """Lesions of a layer of a network, on some images."""

    def __init__(self, after: After, images: NDArray[np.uint8], labels: Ints) -> None:
        import tensorflow as tf

        responses, *beside = after.read(images)
        self._after, self._labels = after, labels
        self._read = [tf.constant(each) for each in (responses, *beside)]
        self.units = responses.shape[-1]
        means = responses.reshape(-1, self.units).mean(axis=0, dtype=np.float64)
        self._fills = {"zero": np.zeros(self.units), "mean": means}

    def logits(self, lesioned: NDArray[np.bool_], fill: Fill) -> Floats:
        """Logits (n, classes) with these units (units,) lesioned."""
        return self._after.logits(self._read, lesioned, self._fills[fill].astype(np.float32))

    def single(self, chosen: Ints) -> Iterator[dict[str, float | str]]:
        """A row for each fill and each of these units lesioned alone: ``fill``, ``unit``, and how
        much `measured` rises, the log losses, or falls, the accuracies."""
        intact = measured(self.logits(np.zeros(self.units, bool), "zero"), self._labels)

        def row(lesion: tuple[Fill, int]) -> dict[str, float | str]:
            fill, unit = lesion
            after = measured(self.logits(np.arange(self.units) == unit, fill), self._labels)
            rises = {
                name: value - intact[name] if name.startswith("log_loss") else intact[name] - value
                for name, value in after.items()
            }
            return {"fill": fill, "unit": unit, **rises}

        yield from runtime.concurrently(row, [(f, int(unit)) for f in FILLS for unit in chosen])

    def cumulative(
        self, orders: Mapping[str, list[Ints]], steps: int
    ) -> Iterator[dict[str, float | str]]:
        """A row for each fill, order and share of the units that are lesioned, from none to all in
        so many steps: ``fill``, ``order``, ``share``, and `measured`'s values, the mean over the
        orders of that name. orders: each of all units, first to be lesioned first."""
        counts = np.round(np.linspace(0, self.units, steps + 1)).astype(int).tolist()

        def values(lesion: tuple[Fill, str, int]) -> dict[str, float | str]:
            fill, name, count = lesion
            each = []
            for order in orders[name]:
                lesioned = np.zeros(self.units, bool)
                lesioned[order[:count]] = True
                each.append(measured(self.logits(lesioned, fill), self._labels))
            means = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
            return {"fill": fill, "order": name, "share": count / self.units, **means}

        lesions = [(fill, name, count) for fill in FILLS for name in orders for count in counts]
        yield from runtime.concurrently(values, lesions)
