"""``glassnets explain IMAGE``: what networks predict for a picture, why, and the
verdicts on the methods that say why. Exit code 2: a usage error; 1: a failure while working."""

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import typer
from tqdm import tqdm

from glassnets import config, runtime
from glassnets.apps import picture
from glassnets.attribution.methods import METHODS, split
from glassnets.config.schema import Reference
from glassnets.errors import ParameterError, in_one_line
from glassnets.pipeline import artefacts, trained
from glassnets.pipeline.trained import Trained
from glassnets.report import explained

ALL = "all"


@in_one_line("a smaller picture")
def command(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="PNG, JPEG, BMP, GIF or WEBP.")],
    dataset: Annotated[str, typer.Option(help="Whose networks: mnist, digits, …")] = "mnist",
    family: Annotated[
        list[str] | None, typer.Option(help="Again for another; or all. Default: cnn.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Again for another; or all. Default: the best of the family's leaderboard, or "
            f"{trained.NOT_JUDGED} where there is none."
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="What stands for absent pixels: black, mean, blur, draws. Default: each method's "
            "best supported one."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which network. Default: the first.")] = None,
    target: Annotated[
        int | None, typer.Option(help="The class to explain. Default: the predicted one.")
    ] = None,
    contrast: Annotated[
        int | None, typer.Option(help="Another class: why the target and not this one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The figure. Default: <image>-explained.png, here.")
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Default: by the border's brightness."),
    ] = None,
) -> None:
    """Prints what networks predict for a picture, and draws why, with verdicts on the methods."""
    output = output or Path(f"{image.stem}-explained.png")
    params = config.load(artefacts.params_file())
    config.check_known("--dataset", [dataset], params.datasets)
    data = params.dataset(dataset)
    leave_out = ALL in (*(family or ()), *(method or ()))
    config.check_known("--family", family or [], (*data.families, ALL))
    named = [split(name)[0] for name in method or [] if name != ALL]
    config.check_known("--method", named, METHODS)
    families, methods = _each(family or ["cnn"], data.families), _each(method or [], METHODS)
    if reference is not None:
        config.check_known("--reference", [reference], get_args(Reference))
    if reference and methods and not any(METHODS[split(m)[0]].references for m in methods):
        raise ParameterError(
            f"--reference: expected a method that takes one, got {', '.join(methods)}"
        )
    for option, given in (("--target", target), ("--contrast", contrast)):
        if given is not None:
            trained.check_class(option, given, data.classes)
    if contrast is not None and contrast == target:
        raise ParameterError(f"--contrast: expected another class than --target, got {contrast}")
    seed = trained.seed(data, dataset, seed)
    requested = {f: _variants(dataset, f, methods, reference, leave_out) for f in families}
    _check_writable(output)
    fitted = picture.read(image, dataset, data.image_shape, invert)
    for each in requested:
        trained.weights(dataset, each, seed)  # before the seconds that TensorFlow takes
    train = trained.training(dataset, {m for names in requested.values() for m in names})

    runtime.start_tensorflow(params.runtime)
    networks = [trained.of_project(data, dataset, f, seed, train) for f in requested]
    explanations = [
        _explanation(network, defined, fitted.pixels, target, contrast)
        for network, defined in _defined(networks, requested, leave_out)
    ]
    level = params.evaluation.confidence_level
    png = explained.figure(fitted.pixels, fitted.steps, explanations, level)
    with artefacts.replacing(output) as (partial,):
        partial.write_bytes(png)
    print(*fitted.steps, explained.text(explanations, level), sep="\n")
    print(f"wrote {picture.printable(output)}")


def _each(names: list[str], known: Iterable[str]) -> list[str]:
    """The names, each once, or all that are known where `ALL` is among them."""
    return [*dict.fromkeys(known if ALL in names else names)]


def _variants(
    dataset: str, family: str, names: list[str], reference: str | None, leave_out: bool
) -> list[str]:
    """The variants of the requested methods, of the best supported one where there are none; with
    the reference, those that are named without one. A method that cannot take it is refused, or
    keeps its own where it may be left out."""
    board = trained.leaderboard(dataset, family)
    chosen = []
    for name in names or [trained.default_method(board, reference)]:
        method, own = split(name)
        known = METHODS[method].references
        if reference and own is None and (reference in known or (known and not leave_out)):
            name = f"{method}:{reference}"
        chosen.append(trained.resolved(board, name))
    return list(dict.fromkeys(chosen))


def _check_writable(output: Path) -> None:
    """That the figure goes to a new file, or over one that this command wrote."""
    if output.suffix.lower() != ".png":
        expected = "the name of a .png"
    elif not output.parent.is_dir():
        expected = "a file in a folder that exists"
    elif output.exists() and not _is_ours(output):
        expected = "a new file, or a figure that this command wrote, to write over"
    else:
        return
    raise ParameterError(f"--output: expected {expected}, got {picture.printable(output)}")


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return f"Software\0{explained.SOFTWARE}".encode() in file.read(200)


def _defined(
    networks: list[Trained], requested: dict[str, list[str]], leave_out: bool
) -> list[tuple[Trained, list[str]]]:
    """Each network with those of its family's requested methods that are defined for it. The
    others are named on standard error where they may be left out, and refused otherwise."""
    defined = []
    for network in networks:
        methods = requested[network.family]
        lacks = {method: lack for method in methods if (lack := network.lacks(method))}
        if lacks and not leave_out:
            method, lack = next(iter(lacks.items()))
            raise ParameterError(
                f"--method: {method} is not defined for {network.family}: it needs {lack}"
            )
        if lacks:
            names = ", ".join(lacks)
            print(f"not defined for {network.family}, left out: {names}", file=sys.stderr)
        if len(lacks) < len(methods):
            defined.append((network, [method for method in methods if method not in lacks]))
    if not defined:
        raise ParameterError(f"--method: expected one defined for {', '.join(requested)}, got none")
    return defined


def _explanation(
    network: Trained,
    methods: list[str],
    pixels: picture.Bytes,
    target: int | None,
    contrast: int | None,
) -> explained.Explanation:
    images = pixels[np.newaxis]
    probabilities = network.probabilities(images)[0]
    target = int(probabilities.argmax()) if target is None else target
    if contrast == target:
        raise ParameterError(
            f"--contrast: expected another class than {network.family} predicts, got {contrast}: "
            "give a --target"
        )
    other = None if contrast is None else np.array([contrast])
    bar = tqdm(methods, desc=network.family, unit="method", disable=None, leave=False)
    attributions = {
        method: (
            network.attribute(method, images, np.array([target]), other)[0],
            network.verdict(method),
        )
        for method in bar
    }
    return explained.Explanation(
        network.family, network.seed, probabilities, target, contrast, attributions
    )


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a terminal knows no × or …
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()


if __name__ == "__main__":
    main()
