"""What MLflow serves: raw images, rows or series in; class, probabilities and, if requested, an
attribution out.

MLflow runs this file whenever it loads the model ("models from code"), so nothing is pickled. The
network lies beside it as plain files: see `register`.
"""

import sys
import threading
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.models.utils import _enforce_params_schema
from mlflow.pyfunc import PythonModel, PythonModelContext, scoring_server

from glassnets import config, runtime
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.explained import explained
from glassnets.pipeline.trained import Trained
from glassnets.tracking import PARAMETERS, served_inputs

MAX_EXPLAINED = 10  # of a request: the slowest method takes seconds for these


def _refuse_unknown(params: Any, schema: Any) -> Any:
    """MLflow's check of a request's params, which drops those that are not in the model's schema:
    a request with a misspelt one would give results as if it had none."""
    if _is_ours(schema) and isinstance(params, dict):
        _check_known("params", params, PARAMETERS)
    return _enforce_params_schema(params, schema)


def _is_ours(schema: Any) -> bool:
    return [spec.name for spec in schema or ()] == [*PARAMETERS]


def _check_known(what: str, given: Mapping[Any, Any], known: Collection[str]) -> None:
    """Raises MlflowException for names that are not known, with the nearest of those that are."""
    unknown = sorted(given.keys() - set(known), key=repr)
    if not unknown:
        return
    message = f"{what}: expected {', '.join(known)}, got {', '.join(map(repr, unknown))}"
    if near := get_close_matches(str(unknown[0]), known, n=1):
        message += f": did you mean {near[0]}?"
    raise MlflowException(message, INVALID_PARAMETER_VALUE)


_answer = getattr(scoring_server.invocations, "__wrapped__", scoring_server.invocations)


@wraps(_answer)
def _refuse_unclear(data: Any, content_type: str | None, model: Any, schema: Any) -> Any:
    """MLflow's answer to a request: of one without a type of content it would fail with 500, keys
    beside ``inputs`` and ``params`` it would drop, and it begins a refusal with all the data."""
    if not _is_ours(model.metadata.get_params_schema()):
        return _answer(data, content_type, model, schema)
    if not content_type:
        raise MlflowException(
            "Content-Type: expected application/json, got none", INVALID_PARAMETER_VALUE
        )
    if content_type.split(";")[0].strip() == scoring_server.CONTENT_TYPE_JSON:
        data = scoring_server._decode_json_input(data)
        formats = sorted(scoring_server.SUPPORTED_FORMATS)
        _check_known("a request", data, [*formats, scoring_server.SERVING_PARAMS_KEY])
    try:
        return _answer(data, content_type, model, schema)
    except MlflowException as error:
        error.message = error.message.rpartition("\nError: ")[2]
        raise


mlflow.pyfunc._enforce_params_schema = _refuse_unknown
scoring_server.invocations = _refuse_unclear


class Champion(PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """One network of one family."""

    def load_context(self, context: PythonModelContext) -> None:
        """Builds the network from the files that `register` wrote."""
        folder = Path(context.artifacts["network"])
        about = artefacts.load_json(folder / "champion.json")
        loaded = config.load(folder / "params.yaml")
        if "tensorflow" not in sys.modules:  # else its owner has settings of their own
            runtime.start_tensorflow(loaded.runtime)
        data = loaded.dataset(about["dataset"])
        train = artefacts.load_arrays(folder / "training.npz")
        network = explained(data, about["family"], train)
        artefacts.load_weights(network.model, folder / "network.weights.h5")
        self._network = Trained(
            **about,
            network=network,
            settings=data.attribution,
            leaderboard=artefacts.load_table(folder / "leaderboard.csv"),
            inputs=Inputs.of(data),
        )
        self._train = train["images"]
        self._usual = served_inputs.usual(self._train, self._network.inputs)
        self._one_at_a_time = threading.Lock()

    def predict(  # type: ignore[no-untyped-def]
        self,
        context: PythonModelContext,
        model_input,  # noqa: ANN001  MLflow would take a type for a schema of its own
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Of each image its ``class`` and ``probabilities`` (classes,); with
        ``params={"explain": method}`` also ``explanation``: the method with its reference, its map
        (h, w) for the class, the verdict on it in words, and whether it is doubtful. A method
        without a reference gets the one that is best supported. With ``"contrast": class`` too the
        map says why the predicted class and not this one; none where it is the predicted one.

        Where classes have names, a result has its class' ``name`` too; the map of a row of a table
        is numbers by column, that of a series a number a step. A result whose input lies far
        outside of what the training part holds has a ``warning``.

        model_input: of images levels (n, h, w) or (n, h, w, 3), whole numbers 0…255; of a table
        a pandas.DataFrame; of series arrays (n, steps) or (n, steps, channels), where lengths
        differ a list of shorter ones too. Raises MlflowException, which a server answers with 400,
        for anything else.
        """
        network = self._network
        requested = PARAMETERS | (params or {})
        method, contrast = requested["explain"], requested["contrast"]
        try:
            if contrast != -1 and not (method and 0 <= contrast < network.network.classes):
                last = network.network.classes - 1
                raise GlassnetsError(
                    f"contrast: expected a class, 0 to {last}, beside explain, got {contrast}"
                )
            inputs = network.inputs
            shape = network.network.input_shape
            images = served_inputs.read(model_input, inputs, shape, self._train)
            if method and len(images) > MAX_EXPLAINED:
                raise GlassnetsError(
                    f"inputs: expected at most {MAX_EXPLAINED} {inputs.words.many} to explain in a "
                    f"request, got {len(images)}"
                )
            if method and (lack := network.lacks(method)):
                raise GlassnetsError(
                    f"explain: {method} is not defined for {network.family}: it needs {lack}"
                )
            with self._one_at_a_time:
                probabilities = network.probabilities(images)
                predicted = probabilities.argmax(axis=1)
                explained = np.flatnonzero((predicted != contrast) & bool(method))
                other = None if contrast == -1 else np.full(len(explained), contrast)
                maps: dict[int, Any] = {}
                if len(explained):
                    own = images[explained], predicted[explained]
                    each = network.attribute(method, *own, other)
                    plain = [_plain(map_, inputs) for map_ in each]
                    maps = dict(zip(explained.tolist(), plain, strict=True))
            results: list[dict[str, Any]] = [
                {"class": int(k), "probabilities": p.tolist()}
                for k, p in zip(predicted, probabilities, strict=True)
            ]
            if inputs.class_names is not None:
                for result in results:
                    result["name"] = inputs.class_name(result["class"])
            for result, warning in zip(results, self._usual.warnings(images), strict=True):
                if warning:
                    result["warning"] = warning
            if method:
                verdict = network.verdict(method)
                about = {
                    "method": network.variant(method).name,
                    "verdict": verdict.text,
                    "doubtful": verdict.doubtful,
                }
                for i, result in enumerate(results):
                    result["explanation"] = {**about, "map": maps.get(i)}
        except GlassnetsError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None
        return results


def _plain(map_: Any, inputs: Inputs) -> Any:
    """A map (h, w) as JSON has it: numbers by column of a table, in a list of a series."""
    if inputs.kind == "table":
        return dict(zip(inputs.column_names, map_[0].tolist(), strict=True))
    return map_[0].tolist() if inputs.kind == "series" else map_.tolist()


mlflow.models.set_model(Champion())
