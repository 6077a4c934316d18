"""Every path of the pipeline, and reading and writing what lies there.

Nothing is ever half-written: what is written stands beside its place until it is whole.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.data import Arrays
from glassnets.errors import GlassnetsError, ParameterError

NETWORK = "network"  # in the place of a method: scores of the network itself


def root() -> Path:
    """The project's folder: the nearest one, here or above, that holds a dvc.yaml."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise ParameterError(
        f"expected to run inside the project, got {here}: no dvc.yaml here or above"
    )


def params_file() -> Path:
    return root() / "params.yaml"


def external(dataset: str) -> Path:
    """Where a person puts third-party files: ``GLASSNETS_EXTERNAL``, or data/external/<dataset>."""
    return Path(os.environ.get("GLASSNETS_EXTERNAL") or root() / "data" / "external" / dataset)


def raw(dataset: str) -> Path:
    return root() / "data" / "raw" / f"{dataset}.npz"


def processed(dataset: str) -> Path:
    return root() / "data" / "processed" / dataset


def part(dataset: str, name: str) -> Path:
    """One part of the split: name is train, validation or test."""
    return processed(dataset) / f"{name}.npz"


def sample(dataset: str) -> Path:
    return results(dataset) / "sample.csv"


def baselines(dataset: str) -> Path:
    return results(dataset) / "baselines.csv"


def baseline_predictions(dataset: str) -> Path:
    return results(dataset) / "baseline_predictions.csv"


def models(dataset: str, family: str) -> Path:
    return root() / "models" / dataset / family


def memorised(dataset: str, family: str) -> Path:
    """The networks of a cell that memorised shuffled labels."""
    return root() / "models" / "memorised" / dataset / family


def weights_name(seed: int) -> str:
    return f"seed-{seed}.weights.h5"


def weights(dataset: str, family: str, seed: int) -> Path:
    return models(dataset, family) / weights_name(seed)


def attributions(dataset: str, family: str) -> Path:
    return results(dataset, family) / "attributions.npz"


def scores(dataset: str, family: str) -> Path:
    return results(dataset, family) / "scores.npz"


def results(dataset: str, family: str | None = None) -> Path:
    """Where the results of a cell (or, without a family, of a dataset) lie."""
    of_dataset = root() / "results" / dataset
    return of_dataset / "cells" / family if family else of_dataset


def manifest(stage: str, dataset: str, family: str | None = None) -> Path:
    """What a stage depends on beside data."""
    return root() / "manifests" / dataset / (family or "") / f"{stage}.json"


@contextmanager
def replacing(*paths: Path) -> Iterator[list[Path]]:
    """Gives a place beside each path to write to; all are renamed once the block has succeeded.

    A block that fails or is killed leaves the paths as they were. What a kill leaves beside them
    is cleared by the next call. Each path may become a file or a folder.
    """
    beside = [path.with_name(f".{path.name}.partial") for path in paths]
    for path in beside:
        _remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        for path, partial in zip(paths, beside, strict=True):
            if path.is_dir() or partial.is_dir():
                _remove(path)  # only a file takes the place of a file in one step
            partial.rename(path)
    finally:
        for path in beside:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Writes a .npz whose bytes depend on the arrays alone (NumPy dates every entry 1980)."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> Arrays:
    """Reads a .npz; GlassnetsError if it is absent or broken. Pickles are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def save_weights(model: Any, path: Path) -> None:
    """Writes the weights of a Keras model, without its optimizer."""
    type(model)(model.inputs, model.outputs).save_weights(path)


def load_weights(model: Any, path: Path) -> None:
    """Gives a Keras model the weights of a file; GlassnetsError if they are absent or others."""
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error


def save_scores(
    path: Path, scores: Mapping[str, Mapping[str, NDArray[np.float64]]], controls: Sequence[str]
) -> None:
    """Writes scores, method → name → array, and which of the methods are controls."""
    arrays = {
        f"{method}/{name}": values for method, own in scores.items() for name, values in own.items()
    }
    save_arrays(path, {"controls": np.array(controls), **arrays})


def load_scores(path: Path) -> tuple[dict[str, dict[str, NDArray[np.float64]]], list[str]]:
    """What `save_scores` wrote. Raises GlassnetsError if it is absent or broken."""
    arrays = load_arrays(path)
    controls: list[str] = arrays.pop("controls").tolist()
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    for key, values in arrays.items():
        method, name = key.split("/")
        scores.setdefault(method, {})[name] = values
    return scores, controls


def save_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a csv: no index, nine significant digits (a float32 survives the round trip)."""
    table.to_csv(path, index=False, float_format="%.9g", lineterminator="\n")


def load_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> GlassnetsError:
    said = " ".join(str(error).split())
    why = "it is not there" if isinstance(error, FileNotFoundError) else f"it is broken ({said})"
    return GlassnetsError(
        f"expected to read {path}, got: {why}; `make run DATASET=…` builds what is needed"
    )
