"""``dynamics@D``: how networks learn, measured on small ones of its own. No TensorFlow."""

import time
from collections import defaultdict

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets.config.schema import Dynamics, Params
from glassnets.learning import (
    backpropagation,
    batch_size,
    gradient_flow,
    learning_rate,
    overfitting,
)
from glassnets.learning.images import Parts
from glassnets.learning.summary import summary
from glassnets.pipeline import artefacts, studies
from glassnets.pipeline.stages.command import run_dataset

Tables = dict[str, pd.DataFrame]


def dynamics(params: Params, dataset: str) -> None:
    """Measures on a dataset's images how gradients flow, what sizes of batches and of steps do, how
    networks overfit, and whether backpropagation is the gradient."""
    data, level = params.dataset(dataset), params.evaluation.confidence_level
    options = data.dynamics
    train, validation, test = (
        artefacts.load_arrays(artefacts.part(dataset, name))
        for name in ("train", "validation", "test")
    )
    parts = Parts.of(train, validation, test, data.classes)
    tables = {
        **_backpropagation(parts, options, level),
        **_gradient_flow(parts, options, level),
        **_batch_size(parts, options, level),
        **_learning_rate(parts, options, level),
        **_overfitting(parts, options, level),
    }
    numbers = summary(tables)
    paths = [studies.learning_table(dataset, name) for name in tables]
    with artefacts.replacing(studies.learning(dataset) / "summary.json", *paths) as (
        summary_json,
        *csvs,
    ):
        artefacts.save_json(summary_json, numbers)
        for path, table in zip(csvs, tables.values(), strict=True):
            artefacts.save_table(path, table)
    for name, value in numbers.items():
        print(f"{name.replace('_', ' ')}: {'none' if value is None else f'{value:.4g}'}")


def _backpropagation(parts: Parts, options: Dynamics, level: float) -> Tables:
    own = options.backpropagation
    tables = [
        backpropagation.errors(parts.train, own, seed)
        for seed in tqdm(options.seeds, desc="backpropagation", unit="seed", disable=None)
    ]
    return backpropagation.over_seeds(tables, level)


def _gradient_flow(parts: Parts, options: Dynamics, level: float) -> Tables:
    own, rng = options.gradient_flow, np.random.default_rng(options.tuning_seed)
    seen = parts.train.drawn(own.images, rng)
    seen = seen._replace(inputs=gradient_flow.unit_size(seen.inputs))
    rates = gradient_flow.tuned(seen, own, options.tuning_seed)
    results = [
        gradient_flow.of_seed(seen, own, rates, seed)
        for seed in tqdm(options.seeds, desc="gradient flow", unit="seed", disable=None)
    ]
    return gradient_flow.over_seeds(results, level)


def _batch_size(parts: Parts, options: Dynamics, level: float) -> Tables:
    own = options.batch_size
    sizes = batch_size.sizes(parts, own)
    rates, tried = {}, []
    for size in tqdm(sizes, desc="tuning", unit="size", disable=None):
        tried.append(batch_size.tune(parts, own, size, options.tuning_seed))
        rates[size] = batch_size.best(tried[-1])
    races, noises = [], []
    seconds: defaultdict[int, float] = defaultdict(float)
    for seed in tqdm(options.seeds, desc="batch size", unit="seed", disable=None):
        rows, trained = [], {}
        for size, rate in rates.items():
            began = time.process_time()
            row, trained[size] = batch_size.race(parts, own, size, rate, seed)
            seconds[size] += time.process_time() - began
            rows.append(row)
        races.append(pd.DataFrame(rows))
        ended = trained[sizes[len(sizes) // 2]]
        noises.append(batch_size.noise_of_seed(parts, own, ended, seed))
    for size in sizes:  # on no file: they differ from run to run
        each = seconds[size] / len(options.seeds)
        print(f"batches of {size}: {each:.3f} s of processor time to the loss, a seed")
    return batch_size.over_seeds(races, noises, level) | {"batch_rates": pd.concat(tried)}


def _learning_rate(parts: Parts, options: Dynamics, level: float) -> Tables:
    results = [
        learning_rate.of_seed(parts.train, options.learning_rate, seed)
        for seed in tqdm(options.seeds, desc="learning rate", unit="seed", disable=None)
    ]
    return learning_rate.over_seeds(results, options.seeds, level)


def _overfitting(parts: Parts, options: Dynamics, level: float) -> Tables:
    results = [
        overfitting.of_seed(parts, options.overfitting, seed)
        for seed in tqdm(options.seeds, desc="overfitting", unit="seed", disable=None)
    ]
    return overfitting.over_seeds(results, level)


if __name__ == "__main__":
    run_dataset(dynamics)
