"""A cell (dataset, family): its runs in MLflow, and what training left of it."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager

import pandas as pd

from glassnets import artefacts, families, runtime, tracking
from glassnets.params import Params


def keys(params: Params, dataset: str, family: str) -> list[tracking.RunKey]:
    """Of each seed's run, under the inputs that train@dataset-family has now."""
    stage_hash = tracking.stage_hash(dataset, family)
    seeds = params.dataset(dataset).seeds
    return [tracking.RunKey(dataset, family, seed, stage_hash) for seed in seeds]


def reopened_run(params: Params, key: tracking.RunKey) -> AbstractContextManager[tracking.Run]:
    """The run of a seed's training, opened again; made of what training left where there is none.

    Raises GlassnetsError when MLflow cannot be used, or there is neither a run nor a network.
    TensorFlow is started with these parameters, or not at all.
    """
    return tracking.reopened_run(key, lambda: _trained(params, key))


def last_epoch(key: tracking.RunKey) -> dict[str, float]:
    """Where the curves of a seed end: loss, accuracy, val_loss, val_accuracy."""
    last = _history(key).drop(columns="epoch").iloc[-1]
    return {str(name): float(value) for name, value in last.items()}


def differing(expected: Mapping[str, float], logged: Mapping[str, float]) -> list[str]:
    """Names of the figures that MLflow lacks, or has otherwise than files have them: these keep
    nine digits of a float."""
    return [
        name
        for name, value in expected.items()
        if name not in logged or not math.isclose(logged[name], value, rel_tol=1e-7)
    ]


def _history(key: tracking.RunKey) -> pd.DataFrame:
    """Columns epoch, loss, accuracy, val_loss, val_accuracy, a row an epoch."""
    every = artefacts.load_table(artefacts.results(key.dataset, key.family) / "history.csv")
    return every[every["seed"] == key.seed].drop(columns="seed")


def _trained(params: Params, key: tracking.RunKey) -> tracking.Trained:
    data = params.dataset(key.dataset)
    cell = data.family(key.family)
    train = artefacts.load_arrays(artefacts.part(key.dataset, "train"))
    runtime.start_tensorflow(params.runtime)
    model, _ = families.build(key.family, cell.network, data.image_shape, data.classes)
    artefacts.load_weights(model, artefacts.weights(key.dataset, key.family, key.seed))
    return tracking.Trained(cell.model_dump(), train, _history(key), model)
