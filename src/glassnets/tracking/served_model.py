"""What MLflow serves: raw images in; class, probabilities and, if requested, an attribution out.

MLflow runs this file whenever it loads the model ("models from code"), so nothing is pickled. The
network lies beside it as plain files: see `register`.
"""

import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.models.utils import _enforce_params_schema
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from glassnets import config, runtime
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.explained import explained
from glassnets.pipeline.trained import Trained
from glassnets.tracking import PARAMETERS

MAX_IMAGES = 1000  # of a request
MAX_EXPLAINED = 10  # of a request: the slowest method takes seconds for these


def _refuse_unknown(params: Any, schema: Any) -> Any:
    """MLflow's check of a request's params, which drops those that are not in the model's schema:
    a request with a misspelt one would give results as if it had none."""
    ours = [spec.name for spec in schema or ()] == [*PARAMETERS]
    unknown = (
        sorted(params.keys() - PARAMETERS.keys(), key=repr) if isinstance(params, dict) else []
    )
    if ours and unknown:
        message = f"params: expected {', '.join(PARAMETERS)}, got {', '.join(map(repr, unknown))}"
        raise MlflowException(message, INVALID_PARAMETER_VALUE)
    return _enforce_params_schema(params, schema)


mlflow.pyfunc._enforce_params_schema = _refuse_unknown


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
        )
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

        model_input: grey levels (n, h, w), whole numbers 0…255. Raises MlflowException, which a
        server answers with 400, for anything else.
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
            images = grey_levels(model_input, network.network.image_shape)
            if method and len(images) > MAX_EXPLAINED:
                raise GlassnetsError(
                    f"inputs: expected at most {MAX_EXPLAINED} images to explain in a request, "
                    f"got {len(images)}"
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
                    maps = dict(zip(explained.tolist(), each.tolist(), strict=True))
            results: list[dict[str, Any]] = [
                {"class": int(k), "probabilities": p.tolist()}
                for k, p in zip(predicted, probabilities, strict=True)
            ]
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


def grey_levels(given: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Images uint8 (n, h, w) of what a request holds. Raises GlassnetsError."""
    height, width = shape
    expected = f"inputs: expected images (n, {height}, {width}) of whole grey levels, 0 to 255"
    if not isinstance(given, (np.ndarray, list)):
        raise GlassnetsError(f"{expected}, got {type(given).__name__}: send {{'inputs': [...]}}")
    images = np.asarray(given)
    if images.dtype.kind not in "iuf":
        raise GlassnetsError(f"{expected}, got values of another kind ({images.dtype})")
    if images.ndim != 3 or images.shape[1:] != shape:
        raise GlassnetsError(f"{expected}, got an array {images.shape}")
    if not 1 <= len(images) <= MAX_IMAGES:
        raise GlassnetsError(
            f"inputs: expected 1 to {MAX_IMAGES} images in a request, got {len(images)}"
        )
    if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 255):
        raise GlassnetsError(f"{expected}, got {images.min():g} to {images.max():g}")
    if (images != np.floor(images)).any():
        raise GlassnetsError(f"{expected}, got fractions: do not scale them")
    return images.astype(np.uint8)


mlflow.models.set_model(Champion())
