"""``lesion@D-F``: what a cell's networks lose when units are silenced."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets import runtime
from glassnets.config.schema import Lesion, Params
from glassnets.pipeline import artefacts, networks, studies
from glassnets.pipeline.probed import TRAINED, subjects
from glassnets.pipeline.stages.command import run_cell
from glassnets.representations import units
from glassnets.representations.activations import After, unit_layers
from glassnets.representations.lesions import Lesions
from glassnets.tracking import from_files


def lesion(params: Params, dataset: str, family: str) -> None:
    """Lesions units of a cell's networks, one by one and more and more of a layer."""
    data = params.dataset(dataset)
    options = data.lesion
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    # The last ones of the order that probe takes the first ones of.
    order = units.stratified(test["labels"], data.probe.random_state)
    described = artefacts.load_table(studies.units(dataset, family) / "units.csv")

    runtime.start_tensorflow(params.runtime)
    model, activations = networks.build(data, family)
    afters = {name: After(model, t) for name, t in unit_layers(model, activations).items()}
    single, cumulative = [], []
    for subject in subjects(data, dataset, family, model, order[-options.images :]):
        images = "test" if subject.of_test else "training"
        own: dict[str, Any] = {"network": subject.network, "seed": subject.seed, "images": images}
        known = described[
            (described["network"] == subject.network) & (described["seed"] == subject.seed)
        ]
        for layer, after in afters.items():
            lesions = Lesions(after, subject.images, subject.labels)
            of_layer = known[known["layer"] == layer].set_index("unit")
            rng = np.random.default_rng(options.random_state)
            chosen = np.sort(rng.permutation(lesions.units)[: options.units])
            if subject.of_test or subject.network != TRAINED:
                rows = pd.DataFrame(lesions.single(chosen)).assign(**own, layer=layer)
                labels = of_layer["class"].loc[rows["unit"]].to_numpy()
                single.append(_of_own_class(rows, labels, data.classes))
            orders = _orders(of_layer, options)
            steps = lesions.cumulative(orders, options.steps)
            cumulative.append(pd.DataFrame(steps).assign(**own, layer=layer))

    folder = studies.units(dataset, family)
    tables = {"lesions.csv": single, "cumulative.csv": cumulative}
    with artefacts.replacing(*(folder / name for name in tables)) as paths:
        for path, parts in zip(paths, tables.values(), strict=True):
            table = pd.concat(parts)
            first = ["network", "seed", "images", "layer"]
            artefacts.save_table(path, table[first + [n for n in table if n not in first]])
    from_files.log(params, dataset, family, "lesion")
    whole = pd.concat(single)
    worst = whole[whole["network"] == TRAINED]["log_loss"].max()
    print(f"{len(whole)} lesions of single units; the worst costs {worst:.3f} of log loss")


def _orders(of_layer: pd.DataFrame, options: Lesion) -> dict[str, list[NDArray[Any]]]:
    """The orders in which units are lesioned: by their auc, and at random."""
    by_auc = of_layer["auc"].to_numpy()
    rng = np.random.default_rng(options.random_state)
    return {
        "most selective first": [np.argsort(-by_auc, kind="stable")],
        "least selective first": [np.argsort(by_auc, kind="stable")],
        "random": [rng.permutation(len(by_auc)) for _ in range(options.random_orders)],
    }


def _of_own_class(rows: pd.DataFrame, labels: NDArray[Any], classes: int) -> pd.DataFrame:
    """With ``own``, the rise of the log loss of the unit's own class, and ``others``, the mean of
    the other classes' rises."""
    rises = rows[[f"log_loss_{k}" for k in range(classes)]].to_numpy()
    own = rises[np.arange(len(rows)), labels]
    others = rises.copy()
    others[np.arange(len(rows)), labels] = np.nan
    return rows.assign(own=own, others=np.nanmean(others, axis=1))


if __name__ == "__main__":
    run_cell(lesion)
