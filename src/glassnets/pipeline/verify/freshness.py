"""Manifests, inputs and outputs against dvc.lock: `dvc repro --dry` ends with 0 where stages are
stale."""

from glassnets.pipeline import artefacts, repository
from glassnets.pipeline.manifests import of_project
from glassnets.pipeline.verify import Outcome


def manifests() -> Outcome:
    """Do manifests/ say what params.yaml, src/ and requirements.txt say?"""
    expected = of_project()
    folder = artefacts.root() / "manifests"
    present = {path.relative_to(folder) for path in folder.rglob("*.json")}
    faults = [f"manifests/{path}: no stage has it" for path in sorted(present - expected.keys())]
    for path, content in expected.items():
        if path not in present:
            faults.append(f"manifests/{path}: absent; `dvc repro manifest` writes it")
        elif artefacts.load_json(folder / path) != content:
            faults.append(f"manifests/{path}: differs; `dvc repro manifest` writes it anew")
    return Outcome(tuple(faults), f"{len(expected)} manifests")


def freshness() -> Outcome:
    """Do code, parameters and outputs agree with dvc.lock?

    See `repository.faults`.
    """
    with repository.opened() as repo:
        stages, faults = repo.index.stages, repository.faults(repo, repo.index.stages)
        absent = sum(not out.exists for stage in stages for out in stage.outs)
    elsewhere = f", {absent} of their outputs not here" if absent else ""
    return Outcome(tuple(faults), f"{len(stages)} stages{elsewhere}")
