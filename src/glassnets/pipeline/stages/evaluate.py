"""``evaluate@D-F``: metrics of a cell on the test part."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from glassnets import runtime
from glassnets.config.schema import Params
from glassnets.evaluation import bootstrap, metrics
from glassnets.models import families
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.stages.command import run_cell
from glassnets.tracking import from_files


def evaluate(params: Params, dataset: str, family: str) -> None:
    """Evaluates every seed of a cell on the test part, with intervals over images and seeds."""
    data, settings = params.dataset(dataset), params.evaluation
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    labels = test["labels"].astype(np.int64)

    runtime.start_tensorflow(params.runtime)
    model, _ = networks.build(data, family)
    each, train_accuracy = [], []
    for seed in tqdm(data.seeds, desc="predicting", unit="seed", disable=None):
        artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
        each.append(metrics.softmax(families.predict(model, test["images"])))
        predicted = families.predict(model, train["images"]).argmax(axis=1)
        train_accuracy.append(float((predicted == train["labels"]).mean()))
    probabilities = np.stack(each)  # (seeds, n, classes)
    computed = metrics.METRICS | (metrics.BALANCED if data.own else {})
    summaries = metrics.summaries(labels, probabilities, train_accuracy, settings, computed)
    parameters = [float(model.count_params())] * len(data.seeds)
    summaries["parameters"] = bootstrap.summary(
        parameters, np.array(parameters), settings.confidence_level
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
        for seed, p in zip(data.seeds, probabilities, strict=True)
    )

    pooled = np.tile(labels, len(data.seeds)), np.concatenate(each)
    tables = {
        "predictions.csv": predictions,
        "classes.csv": metrics.class_report(labels, probabilities),
        "confusion_matrix.csv": metrics.confusion(labels, probabilities),
        "reliability.csv": metrics.reliability(*pooled, settings.calibration_bins),
    }
    results = artefacts.results(dataset, family)
    targets = [results / "metrics.json", *(results / name for name in tables)]
    with artefacts.replacing(*targets) as (metrics_json, *csvs):
        artefacts.save_json(metrics_json, summaries)
        for path, table in zip(csvs, tables.values(), strict=True):
            artefacts.save_table(path, table)
    from_files.log(params, dataset, family, "evaluate")
    accuracy = summaries["accuracy"]
    print(
        f"test accuracy {accuracy['mean']:.4f}, {settings.confidence_level:.0%} interval "
        f"{accuracy['ci_low']:.4f} to {accuracy['ci_high']:.4f}, {len(data.seeds)} seeds"
    )


if __name__ == "__main__":
    run_cell(evaluate)
