"""The look inside a network: which units answer most to an input, what they prefer, and what the
network predicts with one of them silenced."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets import config
from glassnets.errors import ParameterError
from glassnets.pipeline import artefacts, studies
from glassnets.pipeline.probed import TRAINED
from glassnets.pipeline.trained import Trained, another_table
from glassnets.representations.activations import After, Floats, Responses, unit_layers
from glassnets.representations.answers import SIGNIFICANT
from glassnets.representations.lesions import Lesions, losses

MAX_UNITS = 6  # of a layer, that are named
_COLUMNS = {"network", "seed", "layer", "unit", "class", "selectivity", "auc", "p"}


class Inside:
    """The units of a trained network, as `representations` has them, layer by layer."""

    def __init__(self, network: Trained) -> None:
        """Raises GlassnetsError for a network without units, or where units.csv is another table
        than probe@D-F writes."""
        model = network.network.model
        self._network = network
        self._layers = unit_layers(model, network.network.activations)
        self._respond = Responses(model, self._layers, pooled=True)
        self._after = cache(lambda layer: After(model, self._layers[layer]))
        self._described = described(network)

    def look(
        self, image: NDArray[Any], layer: str | None = None, unit: int | None = None
    ) -> dict[str, Any]:
        """What units answer to an input (h, w) or (h, w, c), and the unit of a layer silenced.

        Gives ``layers``, first layer first, each with its ``name``, how many ``units`` it has, and
        ``most``, the `MAX_UNITS` that answer most, by size: of each the ``unit``, its
        ``activation``, and ``prefers``, see `_prefers`. And ``lesion``, None where no unit is
        named: see `_lesion`.

        Raises ParameterError for a layer or unit that the network has not.
        """
        images = image[np.newaxis]
        responses = {name: each[0] for name, each in self._respond(images).items()}
        lesion = None
        if layer is not None or unit is not None:
            lesion = self._lesion(images, *self._checked(responses, layer, unit))
        layers = []
        for name, activations in responses.items():
            most = np.argsort(-np.abs(activations), kind="stable")[:MAX_UNITS]
            units = [
                {"unit": u, "activation": float(activations[u]), "prefers": self._prefers(name, u)}
                for u in most.tolist()
            ]
            layers.append({"name": name, "units": len(activations), "most": units})
        return {"layers": layers, "lesion": lesion}

    def _checked(
        self, responses: dict[str, Any], layer: str | None, unit: int | None
    ) -> tuple[str, int]:
        if layer is None or unit is None:
            raise ParameterError("expected a layer and a unit of it, got one of both")
        config.check_known("layer", [layer], self._layers)
        count = len(responses[layer])
        if not 0 <= unit < count:
            raise ParameterError(f"unit: expected one of {layer}, 0 to {count - 1}, got {unit}")
        return layer, unit

    def _lesion(self, images: NDArray[Any], layer: str, unit: int) -> dict[str, Any]:
        """``layer``, ``unit``, and ``answer``, the class that the intact network predicts; then of
        the network ``intact``, and ``silenced``, its unit giving 0: the class ``predicted``,
        ``probabilities`` (classes,), and of the answer ``probability`` and ``log_loss``, −log of
        it."""
        lesions = Lesions(self._after(layer), images, np.zeros(1, int))
        silenced = np.arange(lesions.units) == unit
        masks = {"intact": np.zeros_like(silenced), "silenced": silenced}
        logits = {state: lesions.logits(mask, "zero") for state, mask in masks.items()}
        answer = logits["intact"].argmax(axis=1)
        name = self._network.inputs.class_name

        def state(logits: Floats) -> dict[str, Any]:
            (probabilities,) = self._network.network.probabilities(logits)
            return {
                "predicted": name(probabilities.argmax()),
                "probabilities": probabilities.tolist(),
                "probability": float(probabilities[answer[0]]),
                "log_loss": float(losses(logits, answer)[0]),
            }

        states = {key: state(each) for key, each in logits.items()}
        return {"layer": layer, "unit": unit, "answer": name(answer[0]), **states}

    def _prefers(self, layer: str, unit: int) -> dict[str, Any] | None:
        """As units.csv has it the ``class`` that a unit prefers, its ``selectivity`` (None of one
        that may be negative), ``auc`` (None of a class that was not measured), and whether it is
        ``selective``; None where it has no such unit."""
        row = self._described.get((layer, unit))
        if row is None:
            return None
        return {
            "class": self._network.inputs.class_name(row["class"]),
            "selectivity": None if np.isnan(row["selectivity"]) else row["selectivity"],
            "auc": None if np.isnan(row["auc"]) else row["auc"],
            "selective": row["p"] <= SIGNIFICANT,
        }


def described(network: Trained) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows that probe@D-F wrote of the network's units, by layer and unit; none where it has
    not run. Raises GlassnetsError for another table."""
    path = studies.units(network.dataset, network.family) / "units.csv"
    if not path.is_file():
        return {}
    table = artefacts.load_table(path)
    if not {*table} >= _COLUMNS:
        raise another_table("what units are like", path, network.dataset)
    own = table[(table["network"] == TRAINED) & (table["seed"] == network.seed)]
    rows: list[Any] = own.to_dict("records")
    return {(row["layer"], row["unit"]): row for row in rows}
