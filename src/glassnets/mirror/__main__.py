"""``python -m glassnets.mirror [DATASET …]``: MLflow gets what it lacks of the networks and results
that are here. Asked again, it adds nothing."""

import sys
from contextlib import closing
from typing import Annotated, Any

import typer
from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm

from glassnets import artefacts, params, registry, tracking
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.mirror import cell, judged
from glassnets.params import Params


def mirror(loaded: Params, dataset: str) -> str:
    """Tells MLflow what it lacks of a dataset's cells; says in a line what that was.

    Raises GlassnetsError where code, parameters, networks or results are not those of dvc.lock:
    they would be told as what they are not.
    """
    data = loaded.dataset(dataset)
    _be_fresh(dataset, data.families)
    told = 0
    for family in tqdm(data.families, desc=dataset, unit="cell", disable=None, leave=False):
        parts = judged.read(loaded, dataset, family)
        keys = cell.keys(loaded, dataset, family)
        told += sum(_tell(loaded, key, parts) for key in keys)
        with tracking.experiment(dataset) as (client, _, experiment_id):
            tracking.mark(client, experiment_id, keys[0])
    runs = len(data.families) * len(data.seeds)
    return f"{dataset}: {runs} runs in MLflow, {told or 'none'} of them told just now"


def _be_fresh(dataset: str, families: tuple[str, ...]) -> None:
    cells = {
        f"{stage}@{dataset}-{family}"
        for stage in ("train", "evaluate", "explain")
        for family in families
    }
    try:
        with closing(Repo(str(artefacts.root()))) as repo:
            stages = [stage for stage in repo.index.stages if stage.name in cells]
            stale = sorted(stage.name for stage in stages if _is_stale(stage))
    except DvcException as error:
        said = str(error).splitlines()[0]
        raise GlassnetsError(f"expected DVC to say what is fresh, got: {said}") from error
    if stale:
        raise GlassnetsError(
            f"{dataset}: expected networks and results as dvc.lock has them, got others in "
            f"{', '.join(stale)}: `dvc repro compare@{dataset}` makes them, or `dvc checkout` "
            "brings them back"
        )


def _is_stale(stage: Any) -> bool:
    """As `dvc status` has it, but without DVC's lock: several may tell at once."""
    entries = (*stage.deps, *stage.outs)
    return stage.cmd_changed or any(entry.workspace_status() for entry in entries)


def _tell(loaded: Params, key: tracking.RunKey, parts: judged.Judged) -> bool:
    """Whether there was anything to tell of a seed."""
    with tracking.experiment(key.dataset) as (client, _, experiment_id):
        run = tracking.whole_run(client, experiment_id, key)
        if run and cell.differing(cell.last_epoch(key), run.data.metrics):
            tracking.disown(client, run)  # trained elsewhere, where the same gave other figures
            run = None
        alone = len(tracking.runs(client, experiment_id, key.tags())) == 1
    logged = run.data.metrics if run else {}
    lacking = [part for part in parts if cell.differing(part.figures(key.seed), logged)]
    if run and alone and run.info.status == "FINISHED" and not lacking:
        return False
    with cell.reopened_run(loaded, key) as reopened:
        for part in lacking:
            part.log(reopened, key.seed)
    return True


def command(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATASET]…", help="Else all that have networks here."),
    ] = None,
) -> None:
    """Tells MLflow what it lacks of the networks and results that are here."""
    with in_one_line("other programs closed"):
        known = registry.names("datasets")
        for name in datasets or []:
            if name not in known:
                raise ParameterError(f"datasets: expected one of {', '.join(known)}, got {name!r}")
        loaded = params.load(artefacts.params_file())
        chosen = datasets or [name for name in known if artefacts.models(name, "").is_dir()]
        if not chosen:
            raise GlassnetsError("expected networks in models/, got none: make run trains some")
        failed = False
        for name in chosen:
            try:
                print(mirror(loaded, name))
            except GlassnetsError as error:  # the others can still be told
                print(f"error: {error}", file=sys.stderr)
                failed = True
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
