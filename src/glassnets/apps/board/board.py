"""What the board's networks predict for a picture, as data that its page can show."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from glassnets.apps import picture
from glassnets.attribution import methods
from glassnets.pipeline.trained import Trained, check_class
from glassnets.report import explorer, leaderboards
from glassnets.report.leaderboards import Verdict


@dataclass(frozen=True, eq=False)
class Board:
    """Networks of one dataset, side by side."""

    networks: Sequence[Trained]
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def methods(self) -> list[str]:
        """Those defined for some network, best first by their leaderboards."""
        boards = {n.family: n.leaderboard for n in self.networks if n.leaderboard is not None}
        ranked = leaderboards.by_rank(boards) if boards else []
        every = methods.variants(self.networks[0].settings)
        known = [*ranked, *(name for name in every if name not in ranked)]
        return [name for name in known if not all(n.lacks(name) for n in self.networks)]

    def predictions(
        self, content: bytes, method: str, drawn: bool, contrast: int | None = None
    ) -> dict[str, Any]:
        """``image``, the networks' input (a PNG as data URI); ``steps``, in words, from the picture
        to it; ``networks``: of each its family, seed, predicted class, probabilities, attribution
        (a PNG as data URI; None where the method is not defined for it) and `Verdict.as_data`.

        content: the bytes of a picture file. drawn: whether it was drawn on this board, light on
        dark. contrast: a class; a map then says why the predicted class and not this one, and there
        is none of a network that predicts it. Raises GlassnetsError for a picture that cannot be
        read, ParameterError for an unknown method or class.
        """
        methods.named(method)
        first = self.networks[0]
        if contrast is not None:
            check_class("contrast", contrast, first.network.classes)
        invert, name = (False, "the drawing") if drawn else (None, "the picture")
        image = picture.fit(content, name, first.dataset, first.network.image_shape, invert)
        with self._one_at_a_time:
            pixels = image.pixels[np.newaxis]
            networks = [_prediction(n, pixels, method, contrast) for n in self.networks]
        uri = explorer.data_uri(Image.fromarray(image.pixels))
        return {"image": uri, "steps": image.steps, "networks": networks}


def _prediction(
    network: Trained, images: picture.Bytes, method: str, contrast: int | None
) -> dict[str, Any]:
    """Of one image (1, h, w): see `Board.predictions`."""
    probabilities = network.probabilities(images)[0]
    predicted = int(probabilities.argmax())
    if lack := network.lacks(method):
        attribution = None
        verdict = Verdict(f"not defined for this family: it needs {lack}", value="")
    elif contrast == predicted:
        attribution, verdict = None, Verdict(f"it predicts {contrast} itself", value="")
    else:
        other = None if contrast is None else np.array([contrast])
        maps = network.attribute(method, images, np.array([predicted]), other)
        attribution = explorer.heat(maps)
        verdict = network.verdict(method)
    return {
        "family": network.family,
        "seed": network.seed,
        "predicted": predicted,
        "probabilities": probabilities.tolist(),
        "attribution": attribution,
    } | verdict.as_data()
