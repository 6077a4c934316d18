"""``glassnets``: what a person asks of a checkout of the project, a command each."""

import io
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer

from glassnets.errors import GlassnetsError, in_one_line

# The module that holds each as `command`, and what the list of commands says of it.
COMMANDS = {
    "add": ("glassnets.apps.add", "Take your own pictures, table or series in."),
    "run": ("glassnets.apps.run", "Run the pipeline of a dataset, several stages at a time."),
    "sweep": ("glassnets.apps.sweep", "Train networks under a grid or a list of settings."),
    "search": ("glassnets.apps.search", "Search for the best recipe of a cell."),
    "judge": ("glassnets.apps.judge", "Say which explanations of your own model to believe."),
    "explain": ("glassnets.apps.explain", "Predict an input and draw why, with verdicts."),
    "board": ("glassnets.apps.board.__main__", "Draw, fill in or upload an input: predictions."),
    "track": ("glassnets.tracking.__main__", "Log to MLflow the runs that it lacks."),
    "register": ("glassnets.tracking.register", "Put each family's best network into MLflow."),
    "release": ("glassnets.apps.release", "Pack trained networks into one file."),
    "fetch-networks": ("glassnets.apps.fetch_networks", "Take trained networks from such a file."),
    "provenance": ("glassnets.apps.provenance.__main__", "Write what results were made of."),
    "verify": ("glassnets.pipeline.verify.__main__", "Check that all is fresh and reproducible."),
}


def build(asked: str | None) -> typer.Typer:
    """The command line. Only the command that is asked for is loaded, since TensorFlow, MLflow and
    DVC take seconds; the others are there to be listed."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=HELP
    )
    for name, (module, text) in COMMANDS.items():
        command: Callable[..., Any] = _listed
        if name == asked:
            command = _imported(module).command
        app.command(name, short_help=text)(command)
    return app


def _imported(module: str) -> Any:
    """The module. Raises GlassnetsError where a package is not here, as most are not where
    glassnets was installed for `judge` alone."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name == "glassnets":
            raise
        raise GlassnetsError(
            f"expected the package {name}, got none: all but `judge` are for a checkout of the "
            "project, in the environment that `make` builds there"
        ) from error


HELP = """Train families of neural networks, compare them, explain them.

All but `judge` run in a checkout of the project."""


def _listed() -> None: ...


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a terminal knows no × or …
    with in_one_line("other programs closed"):
        app = build(next(iter(sys.argv[1:]), None))
    app(prog_name="glassnets")


if __name__ == "__main__":
    main()
