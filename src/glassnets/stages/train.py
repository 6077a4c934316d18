"""train@D-F: one network for each seed of a cell."""

from typing import NoReturn

import pandas as pd
from tqdm import tqdm

from glassnets import artefacts, families, runtime, tracking, training
from glassnets.params import Params
from glassnets.stages.command import run_cell


def train(params: Params, dataset: str, family: str) -> None:
    """Trains a family on a dataset, every seed; the test part is not opened."""
    cell = params.dataset(dataset).family(family)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    validation = artefacts.load_arrays(artefacts.part(dataset, "validation"))
    stage_hash = tracking.stage_hash(dataset, family)
    steps = cell.training.epochs * training.steps_per_epoch(train, cell.training)
    runtime.start_tensorflow(params.runtime)
    histories = []
    targets = artefacts.models(dataset, family), artefacts.results(dataset, family) / "history.csv"
    with artefacts.replacing(*targets) as (models, history_csv):
        models.mkdir()
        for seed in params.dataset(dataset).seeds:
            key = tracking.RunKey(dataset, family, seed, stage_hash)
            runtime.set_seed(seed)
            model, _ = families.build(
                family,
                cell.network,
                train["images"].shape[1:],
                params.dataset(dataset).classes,
            )
            with (
                tracking.training_run(key, cell.model_dump(), train) as run,
                # Not where nobody watches: a log shows the line below instead.
                tqdm(total=steps, desc=f"seed {seed}", unit="batch", disable=None) as bar,
            ):

                def on_batch(loss: float, bar: "tqdm[NoReturn]" = bar) -> None:
                    bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                    bar.update()

                history = training.fit(
                    model, train, validation, cell.training, seed, on_batch, run.log_epoch
                )
                run.log_model(model, train["images"])
            bare = type(model)(model.inputs, model.outputs)  # without its optimizer
            bare.save_weights(models / artefacts.weights(dataset, family, seed).name)
            history.insert(0, "seed", seed)
            histories.append(history)
            best = history.nsmallest(1, "val_loss").iloc[0]
            print(
                f"seed {seed}: validation accuracy {best['val_accuracy']:.4f}, "
                f"kept epoch {best['epoch']:.0f} of {len(history)}"
            )
        artefacts.save_table(history_csv, pd.concat(histories))


if __name__ == "__main__":
    run_cell(train)
