"""What the board answers to a picture, as data that its page can show."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from glassnets import explanations
from glassnets.explain import picture
from glassnets.explain.trained import Trained
from glassnets.report import explorer


@dataclass(frozen=True, eq=False)
class Board:
    """Networks of one dataset, side by side."""

    dataset: str
    networks: Sequence[Trained]
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def methods(self) -> list[str]:
        """Those defined for some network, best first as their leaderboards have it."""
        boards = {n.family: n.leaderboard for n in self.networks if n.leaderboard is not None}
        ranked = explorer.by_rank(boards) if boards else []
        known = [*ranked, *(name for name in explanations.METHODS if name not in ranked)]
        return [name for name in known if not all(n.lacks(name) for n in self.networks)]

    def answers(self, content: bytes, method: str, drawn: bool) -> dict[str, Any]:
        """``seen``, the picture as the networks see it (a PNG as data URI); ``done``, what was done
        to it, in words; and ``networks``: of each its family, seed, class, probabilities, and the
        map (a PNG as data URI; None where the method is not defined for it) with its verdict,
        whether it is doubtful, and its figures (heading, value).

        content is the file of a picture; drawn: on this board, light on dark. Raises
        GlassnetsError for a picture that cannot be read, ParameterError for an unknown method.
        """
        explanations.named(method)
        shape = self.networks[0].network.image_shape
        invert = False if drawn else None
        name = "the drawing" if drawn else "the picture"
        seen = picture.fit(content, name, self.dataset, shape, invert)
        with self._one_at_a_time:
            networks = [self._answer(network, seen, method) for network in self.networks]
        return {
            "seen": explorer.data_uri(Image.fromarray(seen.image)),
            "done": list(seen.done),
            "networks": networks,
        }

    def _answer(self, network: Trained, seen: picture.Picture, method: str) -> dict[str, Any]:
        images = seen.image[np.newaxis]
        probabilities = network.probabilities(images)[0]
        called = int(probabilities.argmax())
        answer = {
            "family": network.family,
            "seed": network.seed,
            "class": called,
            "probabilities": probabilities.tolist(),
        }
        if lack := network.lacks(method):
            return answer | {
                "map": None,
                "verdict": f"not defined for this family: it needs {lack}",
                "doubtful": False,
                "figures": [],
            }
        found = network.trust(method)
        return answer | {
            "map": explorer.heat(network.explain(method, images, np.array([called]))),
            "verdict": found.verdict,
            "doubtful": found.doubtful,
            "figures": [list(figure) for figure in found.figures],
        }
