"""``python -m glassnets.explain IMAGE``: what the networks see in a picture, why, and whether to
believe it. Exit code 2: it was asked wrongly; 1: it failed while working."""

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from tqdm import tqdm

from glassnets import artefacts, explanations, families, params, registry, runtime
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.explain import picture
from glassnets.explanations.method import Need
from glassnets.explanations.network import Explained
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
    weights = {name: _weights(asked.dataset, name, seed) for name in names}
    references = None
    if any(explanations.named(method).need is Need.REFERENCES for method in methods):
        references = artefacts.load_arrays(artefacts.part(asked.dataset, "train"))["images"]

    runtime.start_tensorflow(loaded.runtime)
    networks = {name: _network(name, cells, path, references) for name, path in weights.items()}
    chosen = _chosen(asked, methods, networks)
    found = [
        _explained(asked, cells, seed, name, networks[name], chosen[name], seen) for name in chosen
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
    seed = cells.seeds[0] if asked.seed is None else asked.seed
    if seed not in cells.seeds:
        raise ParameterError(
            f"--seed: expected one of {', '.join(map(str, cells.seeds))} (of which "
            f"{asked.dataset}'s networks are trained), got {seed}"
        )
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


def _weights(dataset: str, family: str, seed: int) -> Path:
    path = artefacts.weights(dataset, family, seed)
    if not path.is_file():
        raise GlassnetsError(
            f"expected a trained network in {path}, got none: `dvc repro train@{dataset}-{family}` "
            "trains it"
        )
    return path


def _network(family: str, cells: Dataset, weights: Path, references: Any) -> Explained:
    network = cells.family(family).network
    model, activations = families.build(family, network, cells.image_shape, cells.classes)
    artefacts.load_weights(model, weights)
    return Explained(model, activations, references)


def _chosen(
    asked: Asked, methods: list[str], networks: dict[str, Explained]
) -> dict[str, list[str]]:
    """The methods of each family. What is not defined for it is left out where ``all`` were asked
    for, and said so; else it is refused."""
    chosen: dict[str, list[str]] = {}
    for family, network in networks.items():
        needs = {method: explanations.named(method).need for method in methods}
        lacking = {m: need.value for m, need in needs.items() if need and not need.met_by(network)}
        if lacking and ALL not in (*asked.families, *asked.methods):
            method, lack = next(iter(lacking.items()))
            raise ParameterError(f"--method: {method} is not defined for {family}: it needs {lack}")
        if lacking:
            print(f"not defined for {family}, left out: {', '.join(lacking)}", file=sys.stderr)
        chosen[family] = [method for method in methods if method not in lacking]
    left = {family: names for family, names in chosen.items() if names}
    if not left:
        raise ParameterError(f"--method: none is defined for {', '.join(chosen)}")
    return left


def _explained(
    asked: Asked,
    cells: Dataset,
    seed: int,
    family: str,
    network: Explained,
    methods: list[str],
    seen: picture.Picture,
) -> explained.Explanation:
    from glassnets import evaluation  # scikit-learn takes a second to load

    images = seen.image[np.newaxis]
    probabilities = evaluation.softmax(families.predict(network.model, images))[0]
    target = int(probabilities.argmax()) if asked.target is None else asked.target
    settings, leaderboard = cells.explanations, _leaderboard(asked.dataset, family)
    options = settings.chosen(settings.methods)
    judge = f"dvc repro explain@{asked.dataset}-{family}"
    maps = {}
    for name in tqdm(methods, desc=family, unit="map", disable=None, leave=False):
        method, control = explanations.named(name), name in explanations.CONTROLS
        maps[name] = (
            method(
                network,
                images,
                np.array([target]),
                options=options.get(name),
                seed=settings.random_state,
            )[0],
            explained.trust(leaderboard, name, control, judge),
        )
    return explained.Explanation(family, seed, probabilities, target, maps)


def _leaderboard(dataset: str, family: str) -> Any:
    path = artefacts.results(dataset, family) / "leaderboard.csv"
    return artefacts.load_table(path) if path.is_file() else None


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
