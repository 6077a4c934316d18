"""evaluate@D-F: figures of a cell on the test part."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import artefacts, evaluation, families, runtime, tracking
from glassnets.params import Params
from glassnets.report import seed as pictures
from glassnets.stages.command import run_cell


def evaluate(params: Params, dataset: str, family: str) -> None:
    """Judges every seed of a cell on the test part, with intervals over images and seeds."""
    cell, seeds = params.dataset(dataset).family(family), params.dataset(dataset).seeds
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    results = artefacts.results(dataset, family)
    histories = artefacts.load_table(results / "history.csv").groupby("seed")
    stage_hash = tracking.stage_hash(dataset, family)
    labels = test["labels"].astype(np.int64)
    bins = params.evaluation.calibration_bins

    runtime.start_tensorflow(params.runtime)
    model, _ = families.build(
        family, cell.network, train["images"].shape[1:], params.dataset(dataset).classes
    )
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

    for i, seed in enumerate(tqdm(seeds, desc="logging", unit="seed", disable=None)):
        artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
        key = tracking.RunKey(dataset, family, seed, stage_hash)
        history = histories.get_group(seed).drop(columns="seed")
        with tracking.reopened_run(key, cell.model_dump(), train, history, model) as run:
            run.log_metrics({f"test/{name}": m["by_seed"][i] for name, m in metrics.items()})
            title, p = f"{family} on {dataset}, seed {seed}", probabilities[i]
            matrix = pictures.confusion_matrix(labels, p.argmax(axis=1), title)
            run.log_figure(matrix, "confusion_matrix")
            table = evaluation.reliability(labels, p, bins)
            run.log_figure(pictures.reliability(table, title), "reliability")

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
    accuracy = metrics["accuracy"]
    print(
        f"test accuracy {accuracy['mean']:.4f}, {params.evaluation.confidence_level:.0%} interval "
        f"{accuracy['ci_low']:.4f} to {accuracy['ci_high']:.4f}, {len(seeds)} seeds"
    )


if __name__ == "__main__":
    run_cell(evaluate)
