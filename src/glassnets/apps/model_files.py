"""Models in files, opened without executing anything that comes with them."""

import math
import shlex
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.arguments import numbers
from glassnets.attribution.function import Outputs, are_probabilities, called
from glassnets.data.pictures import printable
from glassnets.errors import GlassnetsError, ParameterError

_PYTHON = "load it in Python and give glassnets.attribution.judge its function"
_MODELS = (".keras", ".onnx")
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".dill", ".cloudpickle")
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


@dataclass(frozen=True, eq=False)
class Opened:
    """A model of a file. model: a Keras model, or a function from inputs float32 (m, …) to an array
    (m, classes). shape: of one input, None where a side may be of any length. notes: what was seen
    while it was opened."""

    model: Any
    shape: tuple[int | None, ...]
    notes: tuple[str, ...] = ()


def check(path: Path, data: Path | None = None) -> None:
    """Raises ParameterError for a path that is no file of a kind that is opened, and where the data
    beside it are one."""
    suffix = path.suffix.lower()
    name = printable(path)
    if data is not None and data.suffix.lower() in _MODELS and suffix not in _MODELS:
        raise ParameterError(
            f"MODEL, DATA: expected the model first, got them swapped: glassnets judge "
            f"{shlex.quote(printable(data))} {shlex.quote(name)}"
        )
    if suffix in _PICKLES:
        raise ParameterError(
            f"{name}: expected a .keras or .onnx file, got a pickle, which could execute any code: "
            f"{_PYTHON}"
        )
    if suffix in (".h5", ".hdf5") or path.is_dir():
        raise ParameterError(
            f"{name}: expected a .keras or .onnx file, got another form: save the model anew as "
            ".keras, model.save('model.keras')"
        )
    if suffix not in _MODELS:
        raise ParameterError(f"{name}: expected a .keras or .onnx file; of another, {_PYTHON}")
    if not path.is_file():
        raise ParameterError(f"{name}: expected a file, got none")


def opened(path: Path) -> Opened:
    """The model that lies there, a file that `check` lets pass. Raises GlassnetsError, one line,
    where it cannot be opened safely."""
    return _keras(path) if path.suffix.lower() == ".keras" else _onnx(path)


def _keras(path: Path) -> Opened:
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if "ambda" in text and "safe_mode" in text:
            came = "a Lambda layer, whose code would be executed"
        elif not zipfile.is_zipfile(path):
            came = "a broken file, or another kind"
        elif "Could not locate" in text or "could not be deserialized" in text:
            came = "a class that is not Keras' own"
        else:
            came = f"one that cannot be opened ({text[:150]})"
        raise GlassnetsError(
            f"{printable(path)}: expected a Keras model of Keras' own layers, got {came}; {_PYTHON}"
        ) from error
    if not getattr(model, "inputs", None) or len(model.inputs) != 1:
        raise GlassnetsError(
            f"{printable(path)}: expected a Keras model with one input, got one with "
            f"{len(getattr(model, 'inputs', None) or [])}; {_PYTHON}"
        )
    return Opened(model, tuple(model.inputs[0].shape[1:]))


def _onnx(path: Path) -> Opened:
    try:
        import onnxruntime
    except ImportError as error:
        raise GlassnetsError(
            "expected ONNX Runtime, got none: pip install 'glassnets[onnx]', or onnxruntime"
        ) from error
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise GlassnetsError(
            f"{printable(path)}: expected an ONNX model, got one that cannot be opened ({text})"
        ) from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        raise GlassnetsError(
            f"{printable(path)}: expected an ONNX model with one input of numbers, got "
            f"{', '.join(f'{each.name}: {each.type}' for each in inputs)}; {_PYTHON}"
        )
    shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
    output = _output(session, path)
    run = _runner(session, inputs[0], shape, output)
    return Opened(run, shape[1:], (f"of the ONNX model, the output {output} is explained",))


def _output(session: Any, path: Path) -> str:
    """The name of the output of probabilities or logits: scikit-learn's converters give the labels
    first, and probabilities as the second."""
    floats = [
        each
        for each in session.get_outputs()
        if "map" in each.type or (each.type in _TYPES and "int" not in each.type)
    ]
    if not floats:
        raise GlassnetsError(
            f"{printable(path)}: expected an ONNX model that gives probabilities or logits, got "
            f"{', '.join(f'{e.name}: {e.type}' for e in session.get_outputs())}"
        )
    named = [each for each in floats if "prob" in each.name.lower()]
    chosen: str = (named or floats)[0].name
    return chosen


def _runner(
    session: Any, given: Any, shape: tuple[int | None, ...], output: str
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function from inputs float32 (m, …) to the output (m, classes). Images (m, h, w[, c]) are
    brought to (m, c, h, w) where the model takes them so."""
    dtype: Any = _TYPES[given.type]
    batch = shape[0] if shape else None

    def run(inputs: NDArray[Any]) -> NDArray[Any]:
        values = placed(inputs, shape[1:])
        whole = np.rint(values) if np.issubdtype(dtype, np.integer) else values
        ready = np.ascontiguousarray(whole.astype(dtype))
        if batch is None or len(ready) == batch:
            return _as_array(session.run([output], {given.name: ready})[0])
        parts = []
        for start in range(0, len(ready), batch):  # a model of a fixed number of inputs
            part = ready[start : start + batch]
            full = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
            parts.append(_as_array(session.run([output], {given.name: full})[0])[: len(part)])
        return np.concatenate(parts)

    return run


def placed(inputs: NDArray[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Inputs (m, …) with the axes that a model of this shape of one input takes. Raises
    GlassnetsError where they do not fit."""
    own = inputs.shape[1:]
    if _fits(own, shape):
        return inputs
    first = (own[-1], *own[:-1]) if len(own) == 3 else (1, *own)
    if len(shape) == 3 and _fits(first, shape):
        return np.moveaxis(inputs, -1, 1) if len(own) == 3 else inputs[:, np.newaxis]
    if None not in shape and math.prod(own) == math.prod(side or 0 for side in shape):
        return inputs.reshape(len(inputs), *(side or 0 for side in shape))
    if len(shape) == 1 and shape[0] is None:
        return inputs.reshape(len(inputs), -1)
    expected = ", ".join("any" if side is None else str(side) for side in shape)
    raise GlassnetsError(
        f"expected inputs (n, {expected}), which the model takes, got {('n', *own)}".replace(
            "'", ""
        )
    )


def _fits(own: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(own) == len(shape) and all(
        side is None or side == length for length, side in zip(own, shape, strict=True)
    )


def _as_array(output: Any) -> NDArray[Any]:
    """An output as an array (m, classes): scikit-learn's converters give a dict an input."""
    if isinstance(output, list) and output and isinstance(output[0], dict):
        return np.array([list(each.values()) for each in output])
    return np.asarray(output)


def returns(model: Callable[[NDArray[Any]], Any], inputs: NDArray[Any]) -> Outputs:
    """Whether a function gives probabilities or logits, by its outputs of some inputs."""
    outputs = called(model, numbers("images", inputs)[:16].astype(np.float32))
    return "probabilities" if are_probabilities(outputs) else "logits"
