"""``additive@D``: attributions of a network whose patches add up, against the truth."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution import truth, verdicts
from glassnets.attribution.methods import Variant, requested_variants
from glassnets.attribution.methods.perturbations import grid_of_patches
from glassnets.attribution.network import Explained
from glassnets.attribution.references import fills
from glassnets.config.schema import Params
from glassnets.models import additive as additive_networks
from glassnets.models import families, training
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def additive(params: Params, dataset: str) -> None:
    """Trains an additive network for each seed, and compares the sample's attributions by every
    method that is defined for it with what its patches truly count for."""
    data = params.dataset(dataset)
    settings, options = data.attribution, data.additive
    train, validation, test = (
        artefacts.load_arrays(artefacts.part(dataset, name))
        for name in ("train", "validation", "test")
    )
    sample = artefacts.load_table(artefacts.sample(dataset))
    images = test["images"][pd.Index(test["index"]).get_indexer(pd.Index(sample["index"]))]
    images = images.astype(np.float32)
    patches = grid_of_patches(data.image_shape, options.patch_size)
    runtime.start_tensorflow(params.runtime)

    def build() -> Any:
        return additive_networks.build(
            data.input_shape, data.classes, options, data.kind, data.masked
        )

    results = artefacts.results(dataset)
    outputs = results / "additive.csv", results / "additive.json"
    with artefacts.replacing(artefacts.root() / "models" / "additive" / dataset, *outputs) as paths:
        models, table_csv, accuracy_json = paths
        models.mkdir()
        for seed in tqdm(data.seeds, desc="training", unit="seed", disable=None):
            runtime.set_seed(seed)
            model = build()
            training.fit(
                model, train, validation, options.training, seed, lambda _: None, lambda *_: None
            )
            artefacts.save_weights(model, models / artefacts.weights_name(seed))

        # One network for all seeds: what it compiles serves each.
        model = build()
        blur, masked = settings.removal.blur, data.masked
        network = Explained(
            model, {}, train["images"], train["labels"], blur, kind=data.kind, masked=masked
        )
        variants = requested_variants(settings, network)
        accuracies, scores = {}, []
        for seed in tqdm(data.seeds, desc="explaining", unit="seed", disable=None):
            artefacts.load_weights(model, models / artefacts.weights_name(seed))
            right = families.predict(model, test["images"]).argmax(axis=1) == test["labels"]
            accuracies[f"seed_{seed}"] = float(right.mean())
            targets = families.predict(model, images).argmax(axis=1)
            truths = _truths(variants, network, images, targets, settings.random_state)
            of_seed: dict[str, dict[str, NDArray[np.float64]]] = {}
            for name, variant in variants.items():
                maps = variant(network, images, targets, seed=settings.random_state)
                values = truth.by_patch(maps, patches, verdicts.method_of(name))
                of_seed[name] = own = {}
                for end, key in _compared(variant, variants).items():
                    if not (variant.control or variant.method.sensitivity):  # else not in logits
                        own[f"error{end}"] = truth.error(values, truths[key])
                    own[f"dissimilarity{end}"] = truth.dissimilarity(values, truths[key])
            scores.append(of_seed)
        controls = [name for name, variant in variants.items() if variant.control]
        table = truth.table(scores, controls, params.evaluation)
        artefacts.save_table(table_csv, table)
        artefacts.save_json(accuracy_json, accuracies)
    mean = np.mean([*accuracies.values()])
    print(f"{dataset}: {len(table)} variants against the truth of networks of accuracy {mean:.4f}")


_Key = tuple[Any, int]  # a reference, and how many draws of it
_COUNTS = {"draws", "steps", "masks"}  # of which a method has one: how many draws it takes


def _key(variant: Variant) -> _Key:
    count = 1
    if variant.reference == "draws":
        (count,) = variant.options.model_dump(include=_COUNTS).values()
    return variant.reference, count


def _compared(variant: Variant, variants: Mapping[str, Variant]) -> dict[str, _Key]:
    """The truths that a variant is compared with, by the end of a score's name: that of its own
    reference, and of each reference that any variant has.

    With draws of its own a variant is compared with the truth of those: how well so many stand for
    all images is not what is asked.
    """
    ends = {f"_{v.reference}": _key(v) for v in variants.values() if v.reference is not None}
    if variant.reference is not None:
        ends |= {f"_{variant.reference}": _key(variant), "": _key(variant)}
    return ends


def _truths(
    variants: Mapping[str, Variant],
    network: Explained,
    images: NDArray[np.float32],
    targets: NDArray[Any],
    seed: int,
) -> dict[_Key, NDArray[np.float64]]:
    """What patches truly count for, (n, patches), under every reference that a variant has."""
    own = additive_networks.contributions(network.model, images)
    truths = {}
    for key in dict.fromkeys(_key(v) for v in variants.values() if v.reference is not None):
        absent = fills(network, images, *key, seed)  # (n or 1, d, h, w)
        flat = absent.reshape(-1, *absent.shape[2:])
        each = additive_networks.contributions(network.model, flat)
        truths[key] = truth.difference(
            own, each.reshape(*absent.shape[:2], *each.shape[1:]), targets
        )
    return truths


if __name__ == "__main__":
    run_dataset(additive)
