"""``train@D-F``: one network for each seed of a cell."""

from typing import NoReturn

import pandas as pd
from tqdm import tqdm

from glassnets import runtime
from glassnets.config.schema import Params
from glassnets.models import training
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.stages.command import run_cell
from glassnets.tracking import from_files, runs


def train(params: Params, dataset: str, family: str) -> None:
    """Trains a family on a dataset, every seed; the test part is not opened."""
    data = params.dataset(dataset)
    cell = data.family(family)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    validation = artefacts.load_arrays(artefacts.part(dataset, "validation"))
    steps = cell.training.epochs * training.steps_per_epoch(train, cell.training)
    runtime.start_tensorflow(params.runtime)
    histories = []
    targets = artefacts.models(dataset, family), artefacts.results(dataset, family) / "history.csv"
    with artefacts.replacing(*targets) as (models, history_csv):
        models.mkdir()
        for seed in data.seeds:
            runtime.set_seed(seed)
            model, _ = networks.build(data, family)
            with (
                runs.training_run(params, dataset, family, seed) as run,
                # Not in a log, which has the line below instead.
                tqdm(total=steps, desc=f"seed {seed}", unit="batch", disable=None) as bar,
            ):

                def on_batch(loss: float, bar: "tqdm[NoReturn]" = bar) -> None:
                    bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                    bar.update()

                history = training.fit(
                    model, train, validation, cell.training, seed, on_batch, run.log_epoch
                )
            artefacts.save_weights(model, models / artefacts.weights_name(seed))
            history.insert(0, "seed", seed)
            histories.append(history)
            best = history.nsmallest(1, "val_loss").iloc[0]
            print(
                f"seed {seed}: validation accuracy {best['val_accuracy']:.4f}, "
                f"kept epoch {best['epoch']:.0f} of {len(history)}"
            )
        artefacts.save_table(history_csv, pd.concat(histories))
    from_files.log(params, dataset, family, "train")


if __name__ == "__main__":
    run_cell(train)
