"""MLflow's runs and models/ and results/."""

from collections.abc import Sequence

from glassnets import config
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify import Outcome
from glassnets.tracking import from_files, store, studies
from glassnets.tracking import runs as runs_


def runs(datasets: Sequence[str]) -> Outcome:
    """Does MLflow hold just the runs of these inputs?

    One, whole, of each (dataset, family, seed) whose networks are here. Runs of other inputs (an
    older recipe, another branch) may stand beside theirs. Of a dataset that is studied, those of
    its studies are looked at where a cell's networks are here.
    """
    params = config.load(artefacts.params_file())
    faults, seen, elsewhere = [], 0, []
    for dataset, family in ((d, f) for d in datasets for f in params.dataset(d).families):
        if not artefacts.models(dataset, family).is_dir():
            elsewhere.append(f"{dataset} {family}")
            continue
        with store.experiment(dataset) as experiment:
            for key in runs_.keys(params, dataset, family):
                found = experiment.runs(key.tags)
                seen += len(found)
                name = f"{key.name} of {dataset}"
                if len(found) != 1:
                    faults.append(f"{name}: expected 1 run of these inputs, got {len(found)}")
                for run in found:
                    if wrong := list(from_files.faults(experiment, params, key, run)):
                        more = f" and {len(wrong) - 1} more" if wrong[1:] else ""
                        faults.append(f"{name}: {wrong[0]}{more}")
    for dataset in params.studied_datasets:
        if dataset in datasets and artefacts.models(dataset, "").is_dir():
            with store.experiment(dataset) as experiment:
                faults += studies.faults(experiment, dataset)
                seen += len(studies.here(dataset))
    rest = f"; networks not here, so not looked at: {', '.join(elsewhere)}" if elsewhere else ""
    return Outcome(tuple(faults), f"{seen} runs{rest}")
