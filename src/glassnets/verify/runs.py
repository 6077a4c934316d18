"""Does MLflow hold just the runs of dvc.lock: one, whole, of each (dataset, family, seed)?"""

from collections import Counter
from typing import Any

from glassnets import artefacts, params, registry, tracking
from glassnets.verify.outcome import Outcome

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
FIGURES = ("test/accuracy", "test/log_loss")


def runs() -> Outcome:
    """Looks at the datasets whose networks are here. Runs of other inputs (an older lock, another
    branch) may stand beside theirs: their stage hash is another."""
    loaded = params.load(artefacts.params_file())
    faults: list[str | None] = []
    seen, elsewhere = 0, []
    for dataset in (name for name in registry.names("datasets") if getattr(loaded, name, None)):
        cells = loaded.dataset(dataset)
        here = [f for f in cells.families if artefacts.models(dataset, f).is_dir()]
        if not here:
            elsewhere.append(dataset)
            continue
        with tracking.experiment(dataset) as (client, _, experiment_id):
            for family in here:
                found = _runs(client, experiment_id, dataset, family)
                seen += len(found)
                faults += _miscounted(f"{dataset}, {family}", cells.seeds, found)
                faults += [_incomplete(client, experiment_id, run) for run in found]
    said = f"{seen} runs"
    if elsewhere:
        said += f"; networks not here, so not looked at: {', '.join(elsewhere)}"
    return Outcome(tuple(fault for fault in faults if fault), said)


def _runs(client: Any, experiment_id: str, dataset: str, family: str) -> list[Any]:
    """The runs of the stage as the lock has it, whatever their status."""
    stage_hash = tracking.stage_hash(dataset, family)
    query = f"tags.`glassnets.family` = '{family}' and tags.`dvc.stage_hash` = '{stage_hash}' "
    found: list[Any] = client.search_runs([experiment_id], query, max_results=1000)
    return found


def _miscounted(cell: str, seeds: tuple[int, ...], found: list[Any]) -> list[str]:
    counts = Counter(int(run.data.tags["glassnets.seed"]) for run in found)
    return [
        f"{cell}, seed {seed}: expected {expected} run of these inputs, got {counts[seed]}"
        for seed in sorted({*seeds, *counts})
        if counts[seed] != (expected := int(seed in seeds))
    ]


def _incomplete(client: Any, experiment_id: str, run: Any) -> str | None:
    """What a run lacks, in words; None where it is whole."""
    lacks = [name for name in (*CURVES, *FIGURES) if name not in run.data.metrics]
    if not run.data.params:
        lacks.append("its parameters")
    logged = client.search_logged_models([experiment_id], f"source_run_id = '{run.info.run_id}'")
    if not any(model.name == "model" for model in logged):
        lacks.append("its model")
    if run.info.status != "FINISHED":
        lacks.append(f"an end (it is {run.info.status})")
    if not lacks:
        return None
    return f"{run.info.run_name} of {run.data.tags['glassnets.dataset']}: lacks {', '.join(lacks)}"
