"""``glassnets track [DATASET …]``: logs to MLflow what it lacks of the networks and
results that are here, as DVC took them from its cache or pulled them. Run again, it adds nothing.
"""

from typing import Annotated

import typer

from glassnets import config
from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts, manifests, repository
from glassnets.tracking import from_files
from glassnets.tracking import studies as tracked


def track(params: Params, dataset: str) -> str:
    """Logs what MLflow lacks of a dataset's cells; gives a line that counts it. Raises
    GlassnetsError where code, parameters, networks or results are not those of dvc.lock."""
    data = params.dataset(dataset)
    cells = {f"{stage}@{dataset}-{f}" for stage in from_files.STAGES for f in data.families}
    # What a run says of its recipe comes from params.yaml, which DVC itself does not look at.
    stale = {
        f"train@{dataset}-{family}"
        for family in data.families
        if manifests.differs(params, "train", dataset, family)
    }
    with repository.opened() as repo:
        # As `dvc status` does, but without DVC's lock: several may do this at once.
        stale |= {
            s.name
            for s in repo.index.stages
            if s.name in cells
            and (s.cmd_changed or any(e.workspace_status() for e in s.deps + s.outs))
        }
    if stale:
        raise GlassnetsError(
            f"{dataset}: expected networks and results as dvc.lock has them, got others in "
            f"{', '.join(sorted(stale))}: `dvc repro compare@{dataset}` makes them, or "
            "`dvc checkout` brings them back"
        )
    written = sum(from_files.log_now(params, dataset, f, *from_files.STAGES) for f in data.families)
    tracked.log_now(params, dataset, *tracked.here(dataset))
    count = len(data.families) * len(data.seeds)
    return (
        f"{dataset}: {count} runs below {len(data.families)} parent runs in MLflow, "
        f"{written or 'none'} of them written now"
    )


def command(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATASET]…", help="Else all that have networks here."),
    ] = None,
) -> None:
    """Logs to MLflow what it lacks of the networks and results that are here."""
    with in_one_line("other programs closed"):
        params = config.load(artefacts.params_file())
        config.check_known("datasets", datasets or [], params.datasets)
        here = [name for name in params.datasets if artefacts.models(name, "").is_dir()]
        chosen = datasets or here
        if not chosen:
            raise GlassnetsError("expected networks in models/, got none: make run trains some")
        refused = []
        for name in chosen:
            try:
                print(track(params, name))
            except GlassnetsError as error:  # the others can still be logged
                refused.append(str(error))
        if refused:
            raise GlassnetsError("\nerror: ".join(refused))


if __name__ == "__main__":
    typer.run(command)
