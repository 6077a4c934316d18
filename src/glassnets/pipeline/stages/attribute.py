"""``attribute@D-F``: the sample's attributions by every variant, for every network of a cell."""

from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution.methods import requested_variants
from glassnets.config.schema import Params
from glassnets.data import Arrays
from glassnets.models import families
from glassnets.pipeline import artefacts
from glassnets.pipeline.explained import explained
from glassnets.pipeline.stages.command import run_cell
from glassnets.runtime import concurrently


def attribute(params: Params, dataset: str, family: str) -> None:
    """Attributes the prediction of every network of a cell by every method and reference."""
    data = params.dataset(dataset)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    sample = artefacts.load_table(artefacts.sample(dataset))
    images = _rows(test, sample["index"])

    runtime.start_tensorflow(params.runtime)
    network = explained(data, family, train)
    variants = requested_variants(data.attribution, network)
    predictions: list[Any] = []
    maps: dict[str, list[Any]] = {name: [] for name in variants}
    steps = len(data.seeds) * len(variants)
    with tqdm(total=steps, desc="attributing", unit="variant", disable=None) as bar:
        for seed in data.seeds:
            artefacts.load_weights(network.model, artefacts.weights(dataset, family, seed))
            predicted = families.predict(network.model, images["images"]).argmax(axis=1)
            predictions.append(predicted)

            def attributed(name: str, predicted: Any = predicted, seed: int = seed) -> Any:
                bar.set_postfix(seed=seed, variant=name)
                random_state = data.attribution.random_state
                made = variants[name](network, images["images"], predicted, seed=random_state)
                bar.update()
                return made

            for name, made in zip(variants, concurrently(attributed, variants), strict=True):
                maps[name].append(made)
    arrays = {
        "seeds": np.array(data.seeds),
        "predictions": np.stack(predictions),
        **{name: images[name] for name in ("index", "labels", "images")},
        **{name: images[name] for name in ("evidence", "suppressor") if name in images},
        **{name: np.stack(each) for name, each in maps.items()},
    }
    with artefacts.replacing(artefacts.attributions(dataset, family)) as (path,):
        artefacts.save_arrays(path, arrays)
    controls = sum(variant.control for variant in variants.values())
    print(
        f"{len(sample)} images attributed by {len(variants) - controls} variants of methods and "
        f"{controls} of controls"
    )


def _rows(part: Arrays, index: pd.Series) -> Arrays:
    """The rows of a part that have these places in raw, in this order."""
    rows = pd.Index(part["index"]).get_indexer(pd.Index(index))
    return {name: array[rows] for name, array in part.items()}


if __name__ == "__main__":
    run_cell(attribute)
