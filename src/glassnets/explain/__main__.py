"""``python -m glassnets.explain IMAGE``: what the networks see in a picture, why, and whether to
believe it. Exit code 2: it was asked wrongly; 1: it failed while working."""

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from glassnets import artefacts, explanations, params, registry, runtime
from glassnets.errors import ParameterError, in_one_line
from glassnets.explain import picture, trained
from glassnets.explain.trained import Trained
from glassnets.params import Dataset
from glassnets.report import explained

ALL = "all"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    image: Path
    dataset: str
    families: list[str]
    methods: list[str]
    seed: int | None
    target: int | None
    output: Path | None
    invert: bool | None


def explain(asked: Asked) -> None:
    """Answers and explains; writes the figure, then prints."""
    loaded, cells, seed, names, methods = _checked(asked)
    output = _output(asked)
    seen = picture.read(asked.image, asked.dataset, cells.image_shape, asked.invert)
    for name in names:
        trained.weights(asked.dataset, name, seed)  # before the seconds that TensorFlow takes
    references = trained.references(asked.dataset, methods)

    runtime.start_tensorflow(loaded.runtime)
    networks = [trained.of_project(asked.dataset, cells, name, seed, references) for name in names]
    found = [
        _explained(asked.target, network, chosen, seen)
        for network, chosen in _chosen(asked, methods, networks)
    ]

    level = loaded.evaluation.confidence_level
    png = explained.figure(seen.image, seen.done, found, level)
    with artefacts.replacing(output) as (partial,):
        partial.write_bytes(png)
    print(*seen.done, explained.text(found, level), f"wrote {picture.shown(output)}", sep="\n")


# What was asked


def _checked(asked: Asked) -> tuple[params.Params, Dataset, int, list[str], list[str]]:
    """params.yaml, the dataset's group, the seed, and the names that are asked for."""
    _known("--dataset", [asked.dataset], registry.names("datasets"))
    _known("--family", asked.families, (*registry.names("families"), ALL))
    _known("--method", asked.methods, (*explanations.METHODS, ALL))
    loaded = params.load(artefacts.params_file())
    cells = loaded.dataset(asked.dataset)
    names = _several(asked.families, cells.families)
    for name in names:
        cells.family(name)
    seed = trained.seed(asked.dataset, cells, asked.seed)
    if asked.target is not None and not 0 <= asked.target < cells.classes:
        raise ParameterError(
            f"--target: expected a class, 0 to {cells.classes - 1}, got {asked.target}"
        )
    return loaded, cells, seed, names, _several(asked.methods, explanations.METHODS)


def _known(option: str, names: Iterable[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise ParameterError(f"{option}: expected one of {', '.join(known)}, got {name!r}")


def _several(names: list[str], everything: Iterable[str]) -> list[str]:
    """The names, each once, or all of them."""
    return list(everything) if ALL in names else list(dict.fromkeys(names))


def _output(asked: Asked) -> Path:
    """Where the figure goes: to a new file, or over one that this command wrote."""
    path = asked.output or Path(f"{asked.image.stem}-explained.png")
    said = f"--output: expected {{}}, got {picture.shown(path)}"
    if path.suffix.lower() != ".png":
        raise ParameterError(said.format("the name of a .png"))
    if not path.parent.is_dir():
        raise ParameterError(said.format("a file in a folder that is there"))
    if path.exists() and not _is_ours(path):
        raise ParameterError(
            said.format("a new file, or a figure that this command wrote, to write over")
        )
    return path


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return f"Software\0{explained.SOFTWARE}".encode() in file.read(200)


# Networks and maps


def _chosen(
    asked: Asked, methods: list[str], networks: list[Trained]
) -> list[tuple[Trained, list[str]]]:
    """Each network with its methods. What is not defined for it is left out where ``all`` were
    asked for, and said so; else it is refused."""
    chosen = []
    for network in networks:
        lacks = {method: lack for method in methods if (lack := network.lacks(method))}
        if lacks and ALL not in (*asked.families, *asked.methods):
            method, lack = next(iter(lacks.items()))
            raise ParameterError(
                f"--method: {method} is not defined for {network.family}: it needs {lack}"
            )
        if lacks:
            print(
                f"not defined for {network.family}, left out: {', '.join(lacks)}", file=sys.stderr
            )
        if defined := [method for method in methods if method not in lacks]:
            chosen.append((network, defined))
    if not chosen:
        raise ParameterError(
            f"--method: none is defined for {', '.join(network.family for network in networks)}"
        )
    return chosen


def _explained(
    target: int | None, network: Trained, methods: list[str], seen: picture.Picture
) -> explained.Explanation:
    images = seen.image[np.newaxis]
    probabilities = network.probabilities(images)[0]
    target = int(probabilities.argmax()) if target is None else target
    bar = tqdm(methods, desc=network.family, unit="map", disable=None, leave=False)
    maps = {
        method: (network.explain(method, images, np.array([target]))[0], network.trust(method))
        for method in bar
    }
    return explained.Explanation(network.family, network.seed, probabilities, target, maps)


# The command line


def command(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="PNG, JPEG, BMP, GIF or WEBP.")],
    dataset: Annotated[str, typer.Option(help="Whose networks: mnist, digits, …")] = "mnist",
    family: Annotated[list[str] | None, typer.Option(help="Again for another; or all.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Again for another; or all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Which network. Default: the first.")] = None,
    target: Annotated[
        int | None, typer.Option(help="The class to explain. Default: the network's own answer.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The figure. Default: <image>-explained.png, here.")
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Default: as the border's brightness says."),
    ] = None,
) -> None:
    """Prints what networks answer to a picture, and draws why, with how far to believe it.

    Without --family: cnn; without --method: integrated_gradients.
    """
    asked = Asked(
        image,
        dataset,
        family or ["cnn"],
        method or ["integrated_gradients"],
        seed,
        target,
        output,
        invert,
    )
    with in_one_line("a smaller picture"):
        explain(asked)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a terminal knows no × or …
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()


if __name__ == "__main__":
    main()
