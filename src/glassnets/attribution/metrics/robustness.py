"""How much a map changes under small changes of the image."""

from typing import Annotated

import numpy as np
from pydantic import Field

from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import Judged, Scores, Values, in_first, metric
from glassnets.attribution.network import Floats
from glassnets.config.schema import Positive
from glassnets.runtime import concurrently


class MaxSensitivity(Options):
    radius: Annotated[float, Field(gt=0, le=1)] = 0.05  # of an input's range
    draws: Positive = 50
    images: Positive = 20  # how many, from the first; each costs `draws` maps of every method


@metric(MaxSensitivity)
def max_sensitivity(judged: Judged, options: MaxSensitivity, seed: int) -> Scores:
    """max over d of ‖Φ(x + d) − Φ(x)‖ / ‖Φ(x)‖, ‖d‖_∞ ≤ radius, of maps Φ of the class that was
    explained: lower is better.

    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), "On the (in)fidelity and sensitivity of
    explanations", eq. for SENS_MAX, by Monte Carlo as there; divided by the norm of the map, since
    maps of different methods have different units. d is uniform, the same draws for every image.
    Changed pixels are not clipped to 0…255: that would halve the change of black and white pixels,
    which most pixels of a digit are.

    A constant map has the best score: read it beside a metric of faithfulness. Where the map is
    zero and stays so the score is 0; where it does not stay so no relative change is defined: NaN.
    """
    rng = np.random.default_rng(seed)
    reach = options.radius * judged.network.span
    size = (options.draws, *judged.images.shape[1:])
    disturbance = rng.uniform(-reach, reach, size).astype(np.float32)
    first = judged.images[: options.images]
    disturbed = (first[:, np.newaxis] + disturbance).reshape(-1, *first.shape[1:])
    targets = np.repeat(judged.targets[: options.images], options.draws)

    def score(method: str) -> dict[str, Values]:
        others = judged.attribute(method, disturbed, targets)
        change = _largest_change(judged.maps[method][: options.images], others)
        return {"max_sensitivity": in_first(change, len(judged.images))}

    return dict(zip(judged.maps, concurrently(score, judged.maps), strict=True))


def _largest_change(maps: Floats, others: Floats) -> Values:
    """maps (k, h, w), others (k·draws, h, w), image by image → (k,)."""
    before = maps.reshape(len(maps), 1, -1).astype(np.float64)
    after = others.reshape(len(maps), -1, before.shape[-1])
    change = np.linalg.norm(after - before, axis=2).max(axis=1)
    length = np.linalg.norm(before[:, 0], axis=1)
    undefined = np.where(change == 0, 0, np.nan)
    relative: Values = np.divide(change, length, out=undefined, where=length > 0)
    return relative
