"""A function to be explained, of which nothing is known but its outputs: scikit-learn's
predict_proba, a network of PyTorch, a session of ONNX Runtime, a remote service.

What is explained of probabilities is the log-odds of a class, log p/(1 − p): what its *weight of
evidence* is measured in, Robnik-Šikonja & Kononenko (2008), "Explaining classifications for
individual instances", §3, and what SHAP's link "logit" explains. A probability itself, or its
logarithm, hardly changes where the class is all but certain. The log-odds of one of two classes are
the difference of its logit and the other's, hence linear for a logistic regression; of several
classes they are the logit less log Σ exp of the others'. Unlike a logit, which softmax leaves
defined up to a constant that may differ from input to input, they follow from the probability.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.network import Explained, Floats, Targets, slices
from glassnets.config.schema import InputShape
from glassnets.errors import GlassnetsError

Outputs = Literal["probabilities", "logits"]
_TOLERANCE = 1e-3  # of a sum of probabilities, which some services round


@dataclass(frozen=True, eq=False, kw_only=True)
class ExplainedFunction(Explained):
    """A function to be explained by the methods that need neither gradients nor activations.

    function: from inputs float32 (m, h, w) or (m, h, w, c) to an array (m, classes).
    shape: of one input. count: how many classes.
    returns: whether the function's outputs are probabilities or logits.
    clip: probabilities count as at least this and at most 1 less this.

    The other arguments are those of `Explained`.
    """

    function: Callable[[Floats], Any]
    shape: InputShape
    count: int
    returns: Outputs = "probabilities"
    clip: float = 1e-6
    model: Any = None
    _turn: Any = field(default_factory=Lock, init=False, repr=False)  # of threads, one at a time

    def _check_model(self) -> None:
        if len(self.shape) not in (2, 3):
            raise GlassnetsError(
                f"shape: expected (height, width) or (height, width, channels), got {self.shape}"
            )

    @property
    def input_shape(self) -> InputShape:
        return self.shape

    @property
    def classes(self) -> int:
        return self.count

    @property
    def points_at_once(self) -> int:
        """How many inputs the function gets in one call: batch_size, or as many as hold 2²² numbers
        (16 MB), 4096 at most."""
        return self.batch_size or min(max(1, 2**22 // prod(self.shape)), 4096)

    def probabilities(self, outputs: Floats) -> NDArray[np.float64]:
        if self.returns == "logits":
            return super().probabilities(outputs)
        from scipy.special import expit

        probabilities: NDArray[np.float64] = expit(outputs.astype(np.float64))
        return probabilities

    def outputs(self, images: Floats) -> Floats:
        """Log-odds, or logits, of every class, float32 (m, classes). Raises GlassnetsError where
        the function fails, or gives something else."""
        values = np.empty((len(images), self.classes), np.float32)
        for rows in slices(len(images), self.points_at_once):
            with self._turn:  # metrics run on several threads, which a function may not allow
                own = called(self.function, images[rows])
            check(own, len(images[rows]), self.returns, self.classes)
            values[rows] = own if self.returns == "logits" else log_odds(own, self.clip)
        return values

    def values(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        fill: Floats,
        filled: Floats | None = None,
    ) -> Floats:
        """See `Explained.values`."""
        filled = 1 - scale if filled is None else filled
        values = np.empty((len(images), len(scale)), np.float32)
        for i, image in enumerate(images):
            of_image = fill[i if len(fill) > 1 else 0]
            for part in slices(len(scale), self.points_at_once):
                own = of_image[part] if len(of_image) > 1 else of_image
                points = self._points_of(image, scale[part], own, filled[part])
                values[i, part] = self.outputs(points) @ targets[i]
        return values

    def values_of_pairs(
        self,
        images: Floats,
        targets: Targets,
        scale: Floats,
        fill: Floats,
        pairs: NDArray[np.int64],
    ) -> Floats:
        """See `Explained.values_of_pairs`."""
        values = np.empty(len(pairs), np.float32)
        for part in slices(len(pairs), self.points_at_once):
            rows, points = pairs[part].T
            own = fill[rows % len(fill), 0]
            at = self._points_of(images[rows], scale[points], own, 1 - scale[points])
            values[part] = np.einsum("nc,nc->n", self.outputs(at), targets[rows])
        return values

    def _points_of(self, images: Floats, scale: Floats, fill: Floats, filled: Floats) -> Floats:
        """Points scale·x + filled·r, one for each scale (k, h, w), as float32."""
        if len(self.shape) == 3:
            scale, filled = scale[..., np.newaxis], filled[..., np.newaxis]
        points: Floats = (images * scale + fill * filled).astype(np.float32)
        return points


def called(function: Callable[[Any], Any], inputs: NDArray[Any]) -> NDArray[np.float64]:
    """The function's outputs, float64, (m, 2) where it gives one probability for each input, of the
    second of two classes. Raises GlassnetsError where it fails or gives no array of numbers."""
    try:
        outputs = np.asarray(function(inputs), np.float64)
    except (GlassnetsError, MemoryError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise GlassnetsError(
            f"expected a function that takes an array {inputs.shape} of {inputs.dtype} and gives "
            f"an array of numbers, got {why}"
        ) from error
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    return np.stack([1 - outputs, outputs], axis=1) if outputs.ndim == 1 else outputs


def check(
    outputs: NDArray[np.float64], inputs: int, returns: Outputs, classes: int | None = None
) -> None:
    """Raises GlassnetsError where outputs are not probabilities, or not logits, of so many inputs
    (and classes, if known)."""
    expected = f"({inputs}, {classes or 'classes'})"
    if (
        outputs.ndim != 2
        or len(outputs) != inputs
        or outputs.shape[1] != (classes or outputs.shape[1])
    ):
        raise GlassnetsError(
            f"expected a function that gives an array {expected} of {returns}, got an array "
            f"{outputs.shape}"
        )
    if not np.isfinite(outputs).all():
        raise GlassnetsError(
            f"expected a function that gives finite {returns}, got infinite ones or NaN: it may "
            "not take the inputs in which values are hidden"
        )
    if returns == "probabilities" and not are_probabilities(outputs):
        raise GlassnetsError(
            "expected a function that gives probabilities, which sum to 1, got rows that sum to "
            f'{outputs.sum(axis=1).min():.4g} and more: say returns="logits" if they are logits'
        )


def are_probabilities(outputs: NDArray[Any]) -> bool:
    """Whether every row of (m, classes) sums to 1 and has no number below 0."""
    sums = np.abs(outputs.sum(axis=1) - 1)
    return bool(outputs.min(initial=0) >= 0 and sums.max(initial=0) <= _TOLERANCE)


def log_odds(probabilities: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """log p/(1 − p) of probabilities within clip and 1 − clip."""
    from scipy.special import logit

    values: NDArray[np.float64] = logit(np.clip(probabilities, clip, 1 - clip))
    return values
