"""``probe@D-F``: the units of a cell's networks, and the Gram matrices of their layers."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets import runtime
from glassnets.config.schema import Dataset, Params, Probe
from glassnets.data import Arrays
from glassnets.pipeline import artefacts, networks, studies
from glassnets.pipeline.probed import TRAINED, subjects
from glassnets.pipeline.stages.command import run_cell
from glassnets.representations import similarity, units
from glassnets.representations.activations import (
    Responses,
    mean_gradients,
    representation_layers,
    unit_layers,
)

_SHOWN = 3  # units of a layer whose receptive field is measured
_PREFERRED = 5  # images of each unit
_GRADIENTS = 500  # images and noise of which gradients are averaged


def probe(params: Params, dataset: str, family: str) -> None:
    """Describes every unit of a cell's networks, and writes how alike each layer makes images."""
    data = params.dataset(dataset)
    options = data.probe
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    rows = units.stratified(test["labels"], options.random_state)[: options.images]
    compared = test["images"][rows[: options.gram_images]]

    runtime.start_tensorflow(params.runtime)
    untrained = _untrained(data, family)
    model, activations = networks.build(data, family)
    layers = unit_layers(model, activations)
    respond = Responses(model, layers, pooled=True)
    represent = Responses(model, representation_layers(model, activations), pooled=False)

    tables, of_layers = [], []
    arrays: Arrays = {"index": test["index"][rows]}
    labels = test["labels"][rows[: options.gram_images]]
    grams: Arrays = {
        "index": test["index"][rows[: options.gram_images]],
        "pixels": similarity.gram(compared).astype(np.float32),
        "classes": similarity.gram(np.eye(data.classes)[labels]).astype(np.float32),
    }
    for seed, weights in untrained.items():
        model.set_weights(weights)
        _add_grams(grams, f"untrained/{seed}", represent, compared)
    for subject in subjects(data, dataset, family, model, rows):
        if subject.network == TRAINED and not subject.of_test:
            continue
        if subject.network == TRAINED:
            _add_grams(grams, subject.key, represent, compared)
        own: dict[str, Any] = {"network": subject.network, "seed": subject.seed}
        for layer, responses in respond(subject.images).items():
            described = units.describe(
                responses,
                subject.labels,
                data.classes,
                options.permutations,
                options.random_state + subject.seed,
            )
            tables.append(described.assign(**own, layer=layer))
            population = units.sparsity(responses, axis=1)
            answering = population[~np.isnan(population)]
            of_layers.append(
                {**own, "layer": layer, "images": len(responses)}
                | {"units": responses.shape[1], "signed": bool((responses < 0).any())}
                | {"population": float(answering.mean()) if len(answering) else np.nan}
            )
            name = f"{subject.key}/{layer}"
            means = units.tuning(responses, subject.labels, data.classes)
            arrays[f"tuning/{name}"] = means.astype(np.float32)
            if subject.network == TRAINED:
                arrays[f"preferred/{name}"] = units.preferred(responses, _PREFERRED)
        if subject.network == TRAINED and subject.seed == data.seeds[0]:
            described = pd.concat(tables)
            arrays |= _fields(model, layers, respond, subject.images, described, options)

    columns = ["network", "seed", "layer"]
    table = pd.concat(tables)
    table = table[columns + [name for name in table if name not in columns]]
    folder = studies.units(dataset, family)
    names = ("units.csv", "layers.csv", "units.npz")
    targets = [studies.grams(dataset, family), *(folder / name for name in names)]
    with artefacts.replacing(*targets) as (grams_npz, units_csv, layers_csv, units_npz):
        artefacts.save_arrays(grams_npz, grams)
        artefacts.save_table(units_csv, table)
        artefacts.save_table(layers_csv, pd.DataFrame(of_layers))
        artefacts.save_arrays(units_npz, arrays)
    of_classes = table[table["network"] == TRAINED]
    print(
        f"{len(table)} units of {len(data.seeds)} seeds; of the trained networks' "
        f"{(of_classes['p'] <= 0.05).mean():.0%} are selective, {of_classes['dead'].sum()} dead"
    )


def _untrained(data: Dataset, family: str) -> dict[int, list[NDArray[Any]]]:
    """Of each seed the weights as they are drawn before training."""
    weights = {}
    for seed in data.seeds:
        runtime.set_seed(seed)
        weights[seed] = networks.build(data, family)[0].get_weights()
    return weights


def _add_grams(grams: Arrays, key: str, represent: Responses, images: NDArray[Any]) -> None:
    for layer, features in represent(images).items():
        grams[f"{key}/{layer}"] = similarity.gram(features).astype(np.float32)


def _fields(
    model: Any,
    layers: dict[str, Any],
    respond: Responses,
    images: NDArray[Any],
    described: pd.DataFrame,
    options: Probe,
) -> Arrays:
    """Of each layer ``shown/<layer>``, the units that best tell a class, each another one; and
    their receptive fields (k, h, w): ``average/``, spike-triggered, by noise about the mean image;
    ``noise_gradient/``, the mean gradient over that noise, and ``gradient/`` over images."""
    rng = np.random.default_rng(options.random_state)
    drawn = rng.normal(scale=options.noise, size=(options.noise_images, *images.shape[1:]))
    noise = (images.mean(axis=0) + drawn).astype(np.float32)
    responses = respond(noise)
    arrays: Arrays = {}
    for layer in layers:
        table = described[described["layer"] == layer]
        best = table[~table["dead"]].sort_values(["auc", "unit"], ascending=[False, True])
        shown = best.drop_duplicates("class")["unit"].to_numpy()[:_SHOWN]
        if not len(shown):
            continue
        average = units.spike_triggered_average(noise, responses[layer][:, shown], options.noise)
        arrays[f"shown/{layer}"] = shown
        arrays[f"average/{layer}"] = average.astype(np.float32)
        at = {"noise_gradient": noise, "gradient": images.astype(np.float32)}
        for name, points in at.items():
            gradients = mean_gradients(model, layers[layer], points[:_GRADIENTS], shown)
            arrays[f"{name}/{layer}"] = gradients
    return arrays


if __name__ == "__main__":
    run_cell(probe)
