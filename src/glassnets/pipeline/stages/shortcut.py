"""``shortcut@D-F``: do methods tell networks that took a shortcut from those that did not?"""

from typing import Any

import numpy as np
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution import shortcuts
from glassnets.attribution.methods import requested_variants
from glassnets.config.schema import Params
from glassnets.errors import ParameterError
from glassnets.models import families, training
from glassnets.models import shortcut as tags
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.explained import explained
from glassnets.pipeline.stages.command import run_cell


def shortcut(params: Params, dataset: str, family: str) -> None:
    """Trains a cell's networks on images of which one class bears a tag, and compares where their
    maps and those of the cell's own networks point on tagged images of other classes."""
    data = params.dataset(dataset)
    cell, settings, options = data.family(family), data.attribution, data.shortcut
    if options is None:
        raise ParameterError(f"params.yaml: expected a group {dataset}.shortcut, got none")
    train, validation = (
        tags.learnt(artefacts.load_arrays(artefacts.part(dataset, name)), name, options)
        for name in ("train", "validation")
    )
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    tagged = tags.explained(test, options)
    targets = np.full(len(tagged.images), options.label)
    runtime.start_tensorflow(params.runtime)

    results = artefacts.results(dataset, family)
    outputs = results / "shortcut.csv", results / "shortcut.json"
    folder = artefacts.root() / "models" / "shortcut" / dataset / family
    with artefacts.replacing(folder, *outputs) as paths:
        models, table_csv, taken_json = paths
        models.mkdir()
        for seed in tqdm(data.seeds, desc="training", unit="seed", disable=None):
            runtime.set_seed(seed)
            model, _ = networks.build(data, family)
            training.fit(
                model, train, validation, cell.training, seed, lambda _: None, lambda *_: None
            )
            artefacts.save_weights(model, models / artefacts.weights_name(seed))

        # Whoever explains either network has the images that the tagged one has learnt from.
        network = explained(data, family, train)
        variants = requested_variants(settings, network)

        def predict(images: Any) -> Any:
            return families.predict(network.model, images).argmax(axis=1)

        scores: dict[str, list[Any]] = {"tagged": [], "clean": []}
        taken: dict[str, Any] = {kind: {} for kind in scores}
        places = {"tagged": models, "clean": artefacts.models(dataset, family)}
        for seed in tqdm(data.seeds, desc="explaining", unit="seed", disable=None):
            right = np.ones(len(tagged.rows), bool)
            own = {}
            for kind, place in places.items():
                artefacts.load_weights(network.model, place / artefacts.weights_name(seed))
                taken[kind][f"seed_{seed}"] = tags.taken(predict, test, options)
                right &= predict(test["images"][tagged.rows]) == test["labels"][tagged.rows]
                maps = {
                    name: variant(network, tagged.images, targets, seed=settings.random_state)
                    for name, variant in variants.items()
                }
                own[kind] = {
                    name: shortcuts.scores(each, tagged.tag) for name, each in maps.items()
                }
            # An image tells nothing of the tag where a network errs without it.
            for kind, each in own.items():
                scores[kind].append(shortcuts.only(each, right))
        controls = [name for name, variant in variants.items() if variant.control]
        table = shortcuts.table(
            scores["tagged"], scores["clean"], controls, options.min_auc, params.evaluation
        )
        artefacts.save_table(table_csv, table)
        artefacts.save_json(taken_json, {"label": options.label, "taken": taken})
    methods = table[~table["control"]]
    print(f"{methods['usable'].sum()} of {len(methods)} variants are usable to find the shortcut")


if __name__ == "__main__":
    run_cell(shortcut)
