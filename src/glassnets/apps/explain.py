"""``glassnets explain``: what networks predict for a picture, a row of a table or a series, why,
and the verdicts on the methods that say why. Exit code 2: a usage error; 1: a failure while
working."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import typer
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets import config, runtime
from glassnets.apps import given
from glassnets.apps.networks import check_trained
from glassnets.attribution.channels import METHODS_BY_CHANNEL, by_channel
from glassnets.attribution.methods import METHODS, split
from glassnets.attribution.verdicts import FAILS, UNDECIDED
from glassnets.config.schema import Dataset, Reference
from glassnets.data import pictures
from glassnets.data.inputs import Inputs
from glassnets.errors import ParameterError, in_one_line
from glassnets.pipeline import artefacts, trained
from glassnets.pipeline.trained import Trained
from glassnets.report import explained, leaderboards, verdicts
from glassnets.report.leaderboards import Verdict

ALL = "all"
UNLIKE = (
    "the picture is unlike the images that the networks learnt from: their predictions mean little "
    "here (is it a single digit, upright?)"
)


@in_one_line("a smaller picture")
def command(
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A picture (PNG, JPEG, BMP, GIF, WEBP), or a CSV or Parquet file of which --row "
            "says the row. Without it, --row is an example of the dataset itself.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Whose networks, as digits. Default: the first that has some here."),
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(help="Which row of FILE, or example of the dataset, counted from 0."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(help="Whose network: cnn, lstm, …, or all. Again for another. Default: cnn."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Which method explains: occlusion, …, or all. Again for another. Default: the "
            f"best of the family's leaderboard, or {trained.NOT_JUDGED} where there is none."
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="What stands for absent pixels, columns or steps: black, mean, blur, draws. "
            "Default: each method's best supported one."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The network trained with which seed. Default: the first.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The class to explain. Default: the predicted one.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="Another class: why the target and not this one.")
    ] = None,
    by_channel: Annotated[
        bool,
        typer.Option("--by-channel", help="Also each channel's part of an attribution."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="The picture to write. Default: <file>-explained.png, here.")
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Whether handwriting is dark on light. Default: by the border's brightness.",
        ),
    ] = None,
) -> None:
    """Prints what networks predict for an input, and draws why, with verdicts on the methods."""
    params = config.load(artefacts.params_file())
    dataset = trained.dataset(dataset, params.datasets)
    data = params.dataset(dataset)
    leave_out = ALL in (*(family or ()), *(method or ()))
    config.check_known("--family", family or [], (*data.families, ALL))
    named = [split(name)[0] for name in method or [] if name != ALL]
    config.check_known("--method", named, METHODS)
    families, methods = _each(family or ["cnn"], data.families), _each(method or [], METHODS)
    if reference is not None:
        images = data.kind == "image"
        known = get_args(Reference) if images else data.attribution.references
        config.check_known("--reference", [reference], known)
    if reference and methods and not any(METHODS[split(m)[0]].references for m in methods):
        raise ParameterError(
            f"--reference: expected a method that takes one, got {', '.join(methods)}"
        )
    inputs = Inputs.of(data)
    wanted = _class("--target", target, data, inputs)
    other = _class("--contrast", contrast, data, inputs)
    if other is not None and other == wanted:
        raise ParameterError(f"--contrast: expected another class than --target, got {contrast}")
    channels = _channels(data, inputs, methods) if by_channel else ()
    seed = trained.seed(data, dataset, seed)
    offered = data.attribution.references
    requested = {f: _variants(dataset, f, methods, reference, leave_out, offered) for f in families}
    depends = [] if method else _dependences(dataset, requested, inputs.words.players)
    name = dataset if image is None else image.stem
    output = output or Path(f"{name if row is None else f'{name}-{row}'}-explained.png")
    _check_writable(output)
    fitted = given.read(image, row, dataset, data, invert)
    check_trained(dataset, requested, seed)
    train = trained.training(dataset, {m for names in requested.values() for m in names}, data.kind)

    runtime.start_tensorflow(params.runtime)
    networks = [trained.of_project(data, dataset, f, seed, train) for f in requested]
    defined = _defined(networks, requested, leave_out)
    count = sum(len(names) for _, names in defined)
    controls: dict[tuple[str, int], NDArray[np.float32]] = {}
    with tqdm(total=count, unit="map", disable=None, leave=False) as bar:
        explanations = [
            _explanation(
                network, names, fitted.image, wanted, other, inputs, bar, controls, channels
            )
            for network, names in defined
        ]
    level = params.evaluation.confidence_level
    steps = (*fitted.steps, *[UNLIKE] * fitted.unlike)
    png = explained.figure(fitted.image, steps, explanations, level, inputs)
    again = " over the one of before" if output.exists() else ""
    with artefacts.replacing(output) as (partial,):
        partial.write_bytes(png)
    print(*fitted.steps, explained.text(explanations, level, inputs), sep="\n")
    if fitted.unlike:
        print(UNLIKE)
    for line in depends:
        print(line)
    print(f"wrote {pictures.printable(output)}{again}")


def _class(option: str, wanted: str | None, data: Dataset, inputs: Inputs) -> int | None:
    """A class by its name or, where classes have none, by its number."""
    if wanted is None:
        return None
    if inputs.class_names is not None:
        config.check_known(option, [wanted], inputs.class_names)
        return inputs.class_names.index(wanted)
    try:
        number = int(wanted)
    except ValueError:
        raise ParameterError(
            f"{option}: expected a class, 0 to {data.classes - 1}, got {wanted!r}"
        ) from None
    trained.check_class(option, number, data.classes)
    return number


def _channels(data: Dataset, inputs: Inputs, methods: list[str]) -> list[str]:
    """What the channels of a player are called. Raises ParameterError where there are none, or a
    requested method has no part for each."""
    names = inputs.channel_names(data.input_shape)
    if len(names) < 2:
        raise ParameterError(
            "--by-channel: expected RGB images or series of several channels, got "
            f"{inputs.described(data.input_shape)}"
        )
    if len(methods) == 1:  # of several, those that have parts show them
        own = split(methods[0])[0]
        config.check_known("--method with --by-channel", [own], METHODS_BY_CHANNEL)
    return names


def _each(names: list[str], known: Iterable[str]) -> list[str]:
    """The names, each once, or all that are known where `ALL` is among them."""
    return [*dict.fromkeys(known if ALL in names else names)]


def _variants(
    dataset: str,
    family: str,
    names: list[str],
    reference: str | None,
    leave_out: bool,
    references: tuple[Reference, ...] = (),
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
        chosen.append(trained.resolved(board, name, references))
    return list(dict.fromkeys(chosen))


def _dependences(dataset: str, families: Iterable[str], players: str) -> list[str]:
    """Of each family of which by another removal another variant is to be believed first, a line
    that says so, by the first.csv of compare@dataset, where there is one."""
    path = artefacts.results(dataset) / "first.csv"
    if not path.is_file():
        return []
    table = artefacts.load_table(path)
    if not {"family", "removal", "variants", "alone"} <= {*table}:
        raise trained.another_table("which variants to believe first", path, dataset)
    table["variants"] = verdicts.marked(table)
    lines = []
    for family in families:
        own = dict(table.loc[table["family"] == family, ["removal", "variants"]].to_numpy())
        if own.pop("all", None) == verdicts.DEPENDS:
            by_removal = "; ".join(f"{removal}: {names}" for removal, names in own.items())
            line = (
                f"{family}: which to believe first depends on how {players} are removed: "
                f"{by_removal}."
            )
            for value in (UNDECIDED, FAILS):
                if f"({leaderboards.MARKS[value]})" in by_removal:
                    line += f" ({leaderboards.MARKS[value]}): {value} by that removal alone."
            lines.append(line)
    return lines


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
    raise ParameterError(f"--output: expected {expected}, got {pictures.printable(output)}")


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
    image: NDArray[Any],
    target: int | None,
    contrast: int | None,
    inputs: Inputs,
    bar: Any,
    controls: dict[tuple[str, int], NDArray[np.float32]],
    channels: Sequence[str] = (),
) -> explained.Explanation:
    """controls: maps that no network is asked for, by method and class, which families share."""
    images = image[np.newaxis]
    probabilities = network.probabilities(images)[0]
    target = int(probabilities.argmax()) if target is None else target
    if contrast == target:
        raise ParameterError(
            f"--contrast: expected another class than {network.family} predicts, got "
            f"{inputs.class_name(contrast)}: "
            "give a --target"
        )
    other = None if contrast is None else np.array([contrast])
    bar.set_description(network.family)
    attributions = {}
    for method in methods:
        asked = images, np.array([target]), other
        map_ = controls.get((method, target))
        if map_ is None:
            map_ = network.attribute(method, *asked)[0]
        if network.variant(method).control:
            controls[method, target] = map_
        attributions[method] = map_, network.verdict(method)
        if channels and split(method)[0] in METHODS_BY_CHANNEL:
            parts = replace(network, network=by_channel(network.network)).attribute(method, *asked)
            part = Verdict(f"a part of {method}, on whose sum the verdict is", "")
            for i, name in enumerate(channels):
                attributions[f"{method}, {name}"] = parts[0, ..., i], part
        bar.update()
    board = network.leaderboard
    ranks = {} if board is None else dict(zip(board["method"], board["rank"], strict=True))
    ranks = {method: int(rank) for method, rank in ranks.items() if not np.isnan(rank)}
    return explained.Explanation(
        network.family, network.seed, probabilities, target, contrast, attributions, ranks
    )
