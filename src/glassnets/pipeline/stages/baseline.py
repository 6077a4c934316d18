"""``baseline@D``: classifiers that are no networks, on the test part."""

import numpy as np
import pandas as pd

from glassnets.config.schema import Params
from glassnets.evaluation import baselines
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def baseline(params: Params, dataset: str) -> None:
    """Trains the baselines of a dataset and evaluates them on the test part."""
    data, settings = params.dataset(dataset), params.evaluation
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    labels = test["labels"].astype(np.int64)
    predicted = baselines.predict(train, test, data.classes, data.baselines)
    table = baselines.table(labels, predicted, len(data.seeds), settings)
    predictions = pd.concat(
        pd.DataFrame(
            {
                "baseline": name,
                "index": test["index"],
                "label": labels,
                "prediction": each.probabilities.argmax(axis=1),
            }
        )
        for name, each in predicted.items()
    )
    targets = artefacts.baselines(dataset), artefacts.baseline_predictions(dataset)
    with artefacts.replacing(*targets) as (table_csv, predictions_csv):
        artefacts.save_table(table_csv, table)
        artefacts.save_table(predictions_csv, predictions)
    for name, accuracy, low, high in table.iloc[:, :4].itertuples(index=False):
        print(
            f"{name}: test accuracy {accuracy:.4f}, {settings.confidence_level:.0%} interval "
            f"{low:.4f} to {high:.4f}"
        )


if __name__ == "__main__":
    run_dataset(baseline)
