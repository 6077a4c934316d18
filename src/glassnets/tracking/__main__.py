"""``python -m glassnets.tracking [DATASET …]``: logs to MLflow what it lacks of the networks and
results that are here, as DVC took them from its cache or pulled them. Run again, it adds nothing.
"""

from contextlib import closing
from typing import Annotated

import typer
from dvc.exceptions import DvcException
from dvc.repo import Repo

from glassnets import config, registry
from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.tracking import from_files


def track(params: Params, dataset: str) -> str:
    """Logs what MLflow lacks of a dataset's cells; says in a line what that was.

    Raises GlassnetsError where code, parameters, networks or results are not those of dvc.lock:
    they would be logged as what they are not.
    """
    data = params.dataset(dataset)
    _check_fresh(dataset, data.families)
    written = sum(from_files.log(params, dataset, f, *from_files.STAGES) for f in data.families)
    count = len(data.families) * len(data.seeds)
    return (
        f"{dataset}: {count} runs below {len(data.families)} parent runs in MLflow, "
        f"{written or 'none'} of them written now"
    )


def _check_fresh(dataset: str, families: tuple[str, ...]) -> None:
    cells = {f"{stage}@{dataset}-{family}" for stage in from_files.STAGES for family in families}
    try:
        with closing(Repo(str(artefacts.root()))) as repo:
            # As `dvc status` does, but without DVC's lock: several may do this at once.
            stale = sorted(
                stage.name
                for stage in repo.index.stages
                if stage.name in cells
                and (
                    stage.cmd_changed or any(e.workspace_status() for e in stage.deps + stage.outs)
                )
            )
    except DvcException as error:
        message = str(error).splitlines()[0]
        raise GlassnetsError(f"expected DVC to say what is fresh, got: {message}") from error
    if stale:
        raise GlassnetsError(
            f"{dataset}: expected networks and results as dvc.lock has them, got others in "
            f"{', '.join(stale)}: `dvc repro compare@{dataset}` makes them, or `dvc checkout` "
            "brings them back"
        )


def command(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATASET]…", help="Else all that have networks here."),
    ] = None,
) -> None:
    """Logs to MLflow what it lacks of the networks and results that are here."""
    with in_one_line("other programs closed"):
        known = registry.names(registry.SOURCES)
        for name in datasets or []:
            if name not in known:
                raise ParameterError(f"datasets: expected one of {', '.join(known)}, got {name!r}")
        params = config.load(artefacts.params_file())
        chosen = datasets or [name for name in known if artefacts.models(name, "").is_dir()]
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
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
