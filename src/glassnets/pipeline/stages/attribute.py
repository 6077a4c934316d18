"""``attribute@D-F``: the sample's attributions by every method, for every network of a cell."""

from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution.methods import CONTROLS, METHODS, requested_methods
from glassnets.attribution.network import Explained
from glassnets.config.schema import Params
from glassnets.data import Arrays
from glassnets.models import families
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.stages.command import run_cell


def attribute(params: Params, dataset: str, family: str) -> None:
    """Attributes the prediction of every network of a cell by every method."""
    data = params.dataset(dataset)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    sample = artefacts.load_table(artefacts.sample(dataset))
    images = _rows(test, sample["index"])

    runtime.start_tensorflow(params.runtime)
    model, activations = networks.build(data, family)
    network = Explained(model, activations, references=train["images"])
    methods = requested_methods(data.attribution, network)
    predictions: list[Any] = []
    maps: dict[str, list[Any]] = {name: [] for name in methods}
    steps = len(data.seeds) * len(methods)
    with tqdm(total=steps, desc="attributing", unit="method", disable=None) as bar:
        for seed in data.seeds:
            artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
            predicted = families.predict(model, images["images"]).argmax(axis=1)
            predictions.append(predicted)
            for name, options in methods.items():
                bar.set_postfix(seed=seed, method=name)
                maps[name].append(
                    METHODS[name](
                        network,
                        images["images"],
                        predicted,
                        options=options,
                        seed=data.attribution.random_state,
                    )
                )
                bar.update()
    arrays = {
        "seeds": np.array(data.seeds),
        "predictions": np.stack(predictions),
        **{name: images[name] for name in ("index", "labels", "images")},
        **({"evidence": images["evidence"]} if "evidence" in images else {}),
        **{name: np.stack(each) for name, each in maps.items()},
    }
    with artefacts.replacing(artefacts.attributions(dataset, family)) as (path,):
        artefacts.save_arrays(path, arrays)
    defined = len(methods) - len(CONTROLS)
    print(f"{len(sample)} images attributed by {defined} methods and {len(CONTROLS)} controls")


def _rows(part: Arrays, index: pd.Series) -> Arrays:
    """The rows of a part that have these places in raw, in this order."""
    rows = pd.Index(part["index"]).get_indexer(pd.Index(index))
    return {name: array[rows] for name, array in part.items()}


if __name__ == "__main__":
    run_cell(attribute)
