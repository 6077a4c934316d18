"""Does MLflow hold just the runs of dvc.lock: one, whole, of each (dataset, family, seed)?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from glassnets import artefacts, params, tracking
from glassnets.mirror import cell, judged
from glassnets.verify.outcome import Outcome


def runs(datasets: Sequence[str]) -> Outcome:
    """Looks at those of the datasets whose networks are here. Runs of other inputs (an older lock,
    another branch) may stand beside theirs: their stage hash is another."""
    loaded = params.load(artefacts.params_file())
    faults: list[str] = []
    seen, elsewhere = 0, []
    for dataset in datasets:
        data = loaded.dataset(dataset)
        here = [f for f in data.families if artefacts.models(dataset, f).is_dir()]
        if not here:
            elsewhere.append(dataset)
            continue
        elsewhere += [f"{dataset} {family}" for family in data.families if family not in here]
        with tracking.experiment(dataset) as (client, _, experiment_id):
            for family in here:
                tags = {
                    "glassnets.family": family,
                    "dvc.stage_hash": tracking.stage_hash(dataset, family, locked=True),
                }
                found = tracking.runs(client, experiment_id, tags)
                seen += len(found)
                faults += _miscounted(f"{dataset}, {family}", data.seeds, found)
                parts = judged.read(loaded, dataset, family)
                faults += [
                    f"{run.info.run_name} of {dataset}: {fault}"
                    for run in found
                    for fault in _faults(client, run, parts)
                ]
    said = f"{seen} runs"
    if elsewhere:
        said += f"; networks not here, so not looked at: {', '.join(elsewhere)}"
    return Outcome(tuple(faults), said)


def _miscounted(of: str, seeds: tuple[int, ...], found: list[Any]) -> list[str]:
    counts = Counter(int(run.data.tags["glassnets.seed"]) for run in found)
    return [
        f"{of}, seed {seed}: expected {expected} run of these inputs, got {counts[seed]}"
        for seed in sorted({*seeds, *counts})
        if counts[seed] != (expected := int(seed in seeds))
    ]


def _faults(client: Any, run: Any, parts: judged.Judged) -> list[str]:
    """What a run lacks or says otherwise than results/ do, a line each."""
    if lacking := tracking.lacks(client, run):
        return [f"lacks {', '.join(lacking)}"]
    if run.info.status != "FINISHED":
        return [f"expected it to be FINISHED, got {run.info.status}"]
    tags = run.data.tags
    dataset, family, seed = (tags[f"glassnets.{part}"] for part in ("dataset", "family", "seed"))
    key = tracking.RunKey(dataset, family, int(seed), tags["dvc.stage_hash"])
    expected = cell.last_epoch(key)
    for part in parts:
        expected |= part.figures(key.seed)
    other = cell.differing(expected, run.data.metrics)
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    return [
        f"expected {name} {expected[name]:.9g}, got {run.data.metrics.get(name, 'none')}{more}"
        for name in other[:1]
    ]
