"""What the board's networks predict for an input, as data that its page can show."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from glassnets import config
from glassnets.apps import given, picture
from glassnets.apps.board.inside import Inside
from glassnets.apps.given import Given
from glassnets.apps.likeness import Likeness
from glassnets.attribution import methods
from glassnets.config.schema import Dataset
from glassnets.data import Arrays, rows
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline.trained import Trained, check_class
from glassnets.report import explorer, leaderboards
from glassnets.report.leaderboards import Verdict

MAX_EXAMPLES = 100


@dataclass(frozen=True, eq=False)
class Board:
    """Networks of one dataset, side by side. data, test: of a person's own data, the dataset's
    parameters, and the test part, of which the page offers examples."""

    networks: Sequence[Trained]
    data: Dataset | None = None
    test: Arrays | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)
    _insides: dict[str, Inside] = field(default_factory=dict, init=False)  # by family

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
        (a PNG as data URI; None where the method is not defined for it) and `Verdict.as_data`. Of
        handwriting ``unlike``, whether it is unlike the training images.

        Of a table it gives ``values``, as text by column, in place of the image, and attributions
        as `explorer.bars`; of series ``lines``, as `explorer.lines`.

        content: the bytes of a picture file; of a table JSON, the values by column; of series JSON,
        the number of one of the `examples`. drawn: whether it was drawn on this board, light on
        dark. contrast: a class; a map then says why the predicted class and not this one, and there
        is none of a network that predicts it. Raises GlassnetsError for a picture that cannot be
        read, ParameterError for an unknown method or class.
        """
        methods.named(method)
        if contrast is not None:
            check_class("contrast", contrast, self.networks[0].network.classes)
        read = self._read(content, drawn)
        with self._one_at_a_time:
            images = read.image[np.newaxis]
            networks = [_prediction(n, images, method, contrast) for n in self.networks]
        result = {**_displayed(read.image, self.inputs), "steps": read.steps, "networks": networks}
        if self._likeness is not None:
            result["unlike"] = self._likeness.unlike(read.image)
        return result

    def inside(
        self,
        content: bytes,
        family: str,
        drawn: bool,
        layer: str | None = None,
        unit: int | None = None,
    ) -> dict[str, Any]:
        """The look inside the network of a family: `Inside.look`.

        content, drawn: as `predictions` takes them. layer, unit: what is silenced. Raises
        GlassnetsError as `predictions` and `Inside` do, ParameterError for an unknown family, layer
        or unit.
        """
        networks = {network.family: network for network in self.networks}
        config.check_known("family", [family], networks)
        read = self._read(content, drawn)
        with self._one_at_a_time:
            if family not in self._insides:
                self._insides[family] = Inside(networks[family])
            return self._insides[family].look(read.image, layer, unit)

    @cached_property
    def _likeness(self) -> Likeness | None:
        """Of handwriting alone."""
        first = self.networks[0]
        train = first.network.references
        if train is None or first.dataset not in picture.LAYOUTS:
            return None
        return Likeness(train, picture.LAYOUTS[first.dataset].margin)

    @property
    def inputs(self) -> Inputs:
        return self.networks[0].inputs

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The first rows or series of the test part: ``index``, ``label``, and of rows the
        ``record``, the values by column."""
        if self.test is None or self.inputs.kind == "image":
            return []
        count = min(MAX_EXAMPLES, len(self.test["labels"]))
        return [
            {
                "index": int(self.test["index"][i]),
                "label": self.inputs.class_name(self.test["labels"][i]),
                "record": self.inputs.record(self.test["images"][i])
                if self.inputs.kind == "table"
                else None,
            }
            for i in range(count)
        ]

    def _read(self, content: bytes, drawn: bool) -> Given:
        first = self.networks[0]
        if self.data is None or self.data.source is None:
            invert, name = (False, "the drawing") if drawn else (None, "the picture")
            shape = first.network.image_shape
            fitted = picture.fit(content, name, first.dataset, shape, invert)
            return Given(fitted.pixels, fitted.steps)
        if self.data.kind == "image":
            return given.as_of_dataset(content, "the picture", self.data)
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise GlassnetsError("expected JSON, got something else") from None
        if self.data.kind == "table":
            return Given(self._encoded(value), ())
        assert self.test is not None
        places = {example["index"]: place for place, example in enumerate(self.examples)}
        if not isinstance(value, int) or value not in places:
            raise ParameterError(f"expected one of the test series offered, got {value!r}")
        return Given(self.test["images"][places[value]], (f"test series {value}",))

    def _encoded(self, record: Any) -> NDArray[np.float32]:
        if not isinstance(record, dict):
            raise GlassnetsError("expected the values of a row by column, got something else")
        frame = pd.DataFrame([record], dtype=object)
        train = self.networks[0].network.references
        assert train is not None
        row: NDArray[np.float32] = rows.encoded(frame, self.inputs.columns or {}, train)[0]
        return row


def _named(inputs: Inputs, label: int) -> int | str:
    return label if inputs.class_names is None else inputs.class_name(label)


def _displayed(image: NDArray[Any], inputs: Inputs) -> dict[str, Any]:
    """What a page shows of an input: see `Board.predictions`."""
    match inputs.kind:
        case "image":
            return {"image": explorer.data_uri(Image.fromarray(image))}
        case "table":
            return {"values": inputs.values(image)}
        case "series":
            return {"lines": explorer.lines(inputs.lines(image))}


def _prediction(
    network: Trained, images: NDArray[Any], method: str, contrast: int | None
) -> dict[str, Any]:
    """Of one image (1, h, w[, c]): see `Board.predictions`."""
    attribution: Any
    probabilities = network.probabilities(images)[0]
    predicted = int(probabilities.argmax())
    if lack := network.lacks(method):
        attribution = None
        verdict = Verdict(f"not defined for this family: it needs {lack}", value="")
    elif contrast == predicted:
        name = network.inputs.class_name(contrast)
        attribution, verdict = None, Verdict(f"it predicts {name} itself", value="")
    else:
        other = None if contrast is None else np.array([contrast])
        maps = network.attribute(method, images, np.array([predicted]), other)
        kind = network.inputs.kind
        attribution = explorer.bars(maps)[0] if kind == "table" else explorer.heat(maps)
        verdict = network.verdict(method)
    return {
        "family": network.family,
        "seed": network.seed,
        "predicted": _named(network.inputs, predicted),
        "probabilities": probabilities.tolist(),
        "attribution": attribution,
    } | verdict.as_data()
