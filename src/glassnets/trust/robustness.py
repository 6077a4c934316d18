"""How much a map changes when its image hardly does."""

from typing import Annotated

import numpy as np
from pydantic import Field

from glassnets.explanations.method import Options
from glassnets.explanations.network import Floats
from glassnets.params import Positive
from glassnets.trust.metric import Judged, Scores, Values, in_first, metric


class MaxSensitivity(Options):
    radius: Annotated[float, Field(gt=0, le=1)] = 0.05  # of the range 0…255
    draws: Positive = 50
    images: Positive = 20  # the first so many; each costs `draws` maps of every method


@metric(MaxSensitivity)
def max_sensitivity(judged: Judged, options: MaxSensitivity, seed: int) -> Scores:
    """max over d of ‖Φ(x + d) − Φ(x)‖ / ‖Φ(x)‖, ‖d‖_∞ ≤ radius, of maps Φ of the class that was
    explained: lower is better.

    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), "On the (in)fidelity and sensitivity of
    explanations", eq. for SENS_MAX, by Monte Carlo as there; divided by the norm of the map, for
    maps of different methods have different units. d is uniform, the same draws for every image.
    Disturbed pixels are not clipped to 0…255: clipping would halve the disturbance of black and
    white pixels, which most pixels of a digit are, so that the ball were another for each image.

    A constant map wins: read it beside a figure of faithfulness. Where the map is zero and stays
    so the score is 0; where it is zero and does not stay so there is no relative change: NaN.
    """
    rng = np.random.default_rng(seed)
    reach = options.radius * 255
    size = (options.draws, *judged.images.shape[1:])
    disturbance = rng.uniform(-reach, reach, size).astype(np.float32)
    first = judged.images[: options.images]
    disturbed = (first[:, np.newaxis] + disturbance).reshape(-1, *first.shape[1:])
    targets = np.repeat(judged.targets[: options.images], options.draws)
    scores = {}
    for method, maps in judged.maps.items():
        others = judged.explain(method, disturbed, targets)
        change = _largest_change(maps[: options.images], others)
        scores[method] = {"max_sensitivity": in_first(change, len(judged.images))}
    return scores


def _largest_change(maps: Floats, others: Floats) -> Values:
    """maps (k, h, w), others (k·draws, h, w), image by image → (k,)."""
    before = maps.reshape(len(maps), 1, -1).astype(np.float64)
    after = others.reshape(len(maps), -1, before.shape[-1])
    change = np.linalg.norm(after - before, axis=2).max(axis=1)
    length = np.linalg.norm(before[:, 0], axis=1)
    undefined = np.where(change == 0, 0, np.nan)
    relative: Values = np.divide(change, length, out=undefined, where=length > 0)
    return relative
