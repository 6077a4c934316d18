"""evaluate@D-F: figures of a cell on the test part."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import artefacts, evaluation, families, runtime
from glassnets.mirror import cell
from glassnets.mirror.evaluation import EvaluatedCell
from glassnets.params import Params
from glassnets.stages.command import run_cell


def evaluate(params: Params, dataset: str, family: str) -> None:
    """Judges every seed of a cell on the test part, with intervals over images and seeds."""
    data = params.dataset(dataset)
    seeds = data.seeds
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    results = artefacts.results(dataset, family)
    keys = cell.keys(params, dataset, family)
    labels = test["labels"].astype(np.int64)
    bins = params.evaluation.calibration_bins

    runtime.start_tensorflow(params.runtime)
    network = data.family(family).network
    model, _ = families.build(family, network, data.image_shape, data.classes)
    each, train_accuracy = [], []
    for seed in tqdm(seeds, desc="predicting", unit="seed", disable=None):
        artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
        each.append(evaluation.softmax(families.predict(model, test["images"])))
        called = families.predict(model, train["images"]).argmax(axis=1)
        train_accuracy.append(float((called == train["labels"]).mean()))
    probabilities = np.stack(each)  # (seeds, n, classes)
    metrics = evaluation.metrics(labels, probabilities, train_accuracy, params.evaluation)
    parameters = [float(model.count_params())] * len(seeds)
    metrics["parameters"] = evaluation.summary(
        parameters, np.array(parameters), params.evaluation.confidence_level
    )
    predictions = pd.concat(
        pd.DataFrame(
            {
                "seed": seed,
                "index": test["index"],
                "label": labels,
                "prediction": p.argmax(axis=1),
                **{f"probability_{k}": p[:, k] for k in range(p.shape[1])},
            }
        )
        for seed, p in zip(seeds, probabilities, strict=True)
    )

    pooled = np.tile(labels, len(seeds)), np.concatenate(each)
    tables = {
        "predictions.csv": predictions,
        "classes.csv": evaluation.class_report(labels, probabilities),
        "confusion_matrix.csv": evaluation.confusion(labels, probabilities),
        "reliability.csv": evaluation.reliability(*pooled, bins),
    }
    targets = [results / "metrics.json", *(results / name for name in tables)]
    with artefacts.replacing(*targets) as (metrics_json, *csvs):
        artefacts.save_json(metrics_json, metrics)
        for path, table in zip(csvs, tables.values(), strict=True):
            artefacts.save_table(path, table)
    judged = EvaluatedCell(f"{family} on {dataset}", metrics, predictions, bins)
    for key in tqdm(keys, desc="logging", unit="seed", disable=None):
        with cell.reopened_run(params, key) as run:
            judged.log(run, key.seed)
    accuracy = metrics["accuracy"]
    print(
        f"test accuracy {accuracy['mean']:.4f}, {params.evaluation.confidence_level:.0%} interval "
        f"{accuracy['ci_low']:.4f} to {accuracy['ci_high']:.4f}, {len(seeds)} seeds"
    )


if __name__ == "__main__":
    run_cell(evaluate)
