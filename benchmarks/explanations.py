"""Images a second: our attribution methods, Xplique's, and the passes that a method needs at least.

    .venv-oracles/bin/python benchmarks/explanations.py

Writes explanations.csv and explanations.md beside this file, a row at a time: an interrupted run
continues where it stopped, `--anew` starts again. Needs the trained networks of `make run` and
`make run DATASET=mnist`, the environment of `make test-oracles`, an idle machine and ten minutes.
"""

import glassnets.pipeline.stages  # noqa: F401, I001  pins the processor before NumPy is imported

import logging
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from glassnets import config, runtime
from glassnets.attribution.methods import Explained, explain
from glassnets.attribution.methods.perturbations import grid_of_patches, windows
from glassnets.errors import in_one_line
from glassnets.pipeline import artefacts, networks
from glassnets.pipeline.verify.processor import processor

PARAMS = config.load(artefacts.params_file())
HERE = Path(__file__).parent
# The sizes in which Xplique and the bare passes may take their images; the fastest is taken.
BATCHES = (32, 128, 512, 2048)
ROUNDS = 5
ENOUGH_SECONDS = 0.4  # of a run
FEWEST_IMAGES, MOST_IMAGES = 4, 16384  # in a run

LEAST_RATIO = 1.2  # of images a second, ours to Xplique's in its best batches
MOST_OVERHEAD = 1.05  # of our time to that of the bare passes, where one of them takes
DEAR = 20  # µs of a core or more


@dataclass
class Cell:
    """A trained network, as our methods and Xplique's need it, and images for both."""

    network: Explained
    model: Any  # from images (n, h, w, 1)
    images: np.ndarray  # (MOST_IMAGES, h, w), float32; the test part, again and again
    targets: np.ndarray  # the classes that the network predicts


@dataclass
class Contest:
    """A method in both libraries, with the same settings: our options, Xplique's explainer of
    images (n, h, w, 1) and one-hot targets, made for a model, and its settings beside batch_size.

    An image needs `passes` through the network, with the gradient by `by`: the images, the
    activation of that name, or None without.
    """

    options: dict[str, Any]
    explainer: Callable[..., Any]
    settings: dict[str, Any]
    passes: int = 1
    by: str | None = "images"


def contests(cell: Cell) -> dict[str, Contest]:
    """Each method that both libraries have, by its name here."""
    import tensorflow as tf
    from xplique import attributions as xplique

    shape, side = cell.network.image_shape, cell.network.image_shape[0]
    size, stride = max(2, side // 7), max(1, side // 14)
    patches = len(windows(shape, size, stride))
    quarter = side // 4
    players = tf.constant(grid_of_patches(shape, quarter), tf.int32)
    result = {
        "gradient": Contest({}, xplique.Saliency, {}),
        "gradient_x_input": Contest({}, xplique.GradientInput, {}),
        "integrated_gradients": Contest(
            {"steps": 50}, xplique.IntegratedGradients, {"steps": 50}, 50
        ),
        "smoothgrad": Contest(
            {"draws": 50, "noise": 0.15},
            xplique.SmoothGrad,
            {"nb_samples": 50, "noise": 0.15 * 255},
            50,
        ),
        "occlusion": Contest(
            {"patch_size": size, "stride": stride},
            xplique.Occlusion,
            {"patch_size": size, "patch_stride": stride},
            patches + 1,
            None,
        ),
        "rise": Contest(
            {"masks": 1000, "grid": 4},
            xplique.Rise,
            {"nb_samples": 1000, "grid_size": 4},
            1000,
            None,
        ),
        "kernel_shap": Contest(  # ours adds the empty and the full coalition
            {"patch_size": quarter, "coalitions": 498},
            xplique.KernelShap,
            {"nb_samples": 500, "map_to_interpret_space": lambda _: players},
            500,
            None,
        ),
    }
    if cell.network.feature_maps:
        last = cell.network.feature_maps[-1]
        layer = cell.network.activations[last]._keras_history.operation.name
        result |= {
            "grad_cam": Contest({}, xplique.GradCAM, {"conv_layer": layer}, by=last),
            "grad_cam_plus_plus": Contest({}, xplique.GradCAMPP, {"conv_layer": layer}, by=last),
        }
    return result


def load(dataset: str, family: str) -> Cell:
    """The cell's first seed."""
    import keras

    data = PARAMS.dataset(dataset)
    shape, weights = data.image_shape, artefacts.weights(dataset, family, data.seeds[0])
    model, activations = networks.load(data, family, weights)
    network = Explained(model, activations)
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))["images"]
    images = np.resize(test, (MOST_IMAGES, *shape)).astype(np.float32)
    columns = keras.Input((*shape, 1))
    with_channel = keras.Model(columns, model(keras.layers.Reshape(shape)(columns)))
    targets = network.outputs(images).argmax(axis=1).astype(np.int32)
    return Cell(network, with_channel, images, targets)


def begin_xplique(dataset: str, family: str) -> None:
    """Xplique's process: an operation has all cores, as TensorFlow has it by default."""
    every = {"intra_op_threads": os.cpu_count()}
    runtime.start_tensorflow(PARAMS.runtime.model_copy(update=every))
    import keras

    logging.getLogger("tensorflow").setLevel("ERROR")  # Xplique traces for each shape
    keras.utils.set_random_seed(0)  # Xplique draws from the global generators
    global of_xplique
    of_xplique = load(dataset, family)


@cache
def explained_by_xplique(method: str, batch_size: int | None) -> Callable[[int], Any]:
    """In Xplique's process: the attributions of the first n images."""
    contest = contests(of_xplique)[method]
    one_hot = np.eye(of_xplique.network.classes, dtype=np.float32)[of_xplique.targets]
    model, columns = of_xplique.model, of_xplique.images[..., np.newaxis]
    if "conv_layer" in contest.settings:
        # Xplique looks for the layer in one model alone: from where the images have a channel.
        import keras

        inner = of_xplique.network.model
        model = keras.Model(inner.get_layer("channel").output, inner.output)
        columns = columns / np.float32(255)
    size = {} if batch_size is None else {"batch_size": batch_size}
    explainer = contest.explainer(model, **contest.settings, **size)
    return lambda n: np.asarray(explainer(columns[:n], one_hot[:n]))


def seconds_of_xplique(method: str, batch_size: int | None, n: int) -> float:
    explained = explained_by_xplique(method, batch_size)
    return seconds(lambda: explained(n))


def measure(cell: Cell, method: str, contest: Contest, xplique: Executor) -> dict[str, Any]:
    """A row of the table; xplique: its process."""

    def ours(n: int) -> float:
        images, targets = cell.images[:n], cell.targets[:n]
        return seconds(lambda: explain(method, cell.network, images, targets, **contest.options))

    def theirs(batch_size: int | None, n: int) -> float:
        return xplique.submit(seconds_of_xplique, method, batch_size, n).result()

    images = enough(lambda n: max(ours(n), theirs(None, n)))

    def in_batches(size: int) -> float:
        theirs(size, images)  # traced
        return min(theirs(size, images) for _ in range(2))

    best = min(BATCHES, key=in_batches)
    trios = [(ours(images), theirs(None, images), theirs(best, images)) for _ in range(ROUNDS)]
    own_images = enough(ours)
    batch, bare, pass_seconds = fastest_bare(cell, contest, own_images * contest.passes)
    bare()
    own_pairs = [(ours(own_images), seconds(bare)) for _ in range(ROUNDS)]
    own, as_it_comes, in_best = (images / statistics.median(t) for t in zip(*trios, strict=True))
    return {
        "images": images,
        "ours": own,
        "xplique": as_it_comes,
        "xplique_batch_size": best,
        "xplique_best": in_best,
        **spread("ratio", [x / o for o, x, _ in trios]),
        **spread("ratio_best", [x / o for o, _, x in trios]),
        "passes": contest.passes,
        "kind": f"gradients by {contest.by}" if contest.by else "forward",
        "own_images": own_images,
        "bare_batch_size": batch,
        "pass_us": pass_seconds * 1e6,
        **spread("overhead", [o / b for o, b in own_pairs]),
    }


def enough(run: Callable[[int], float]) -> int:
    """How many images, a power of two, a run of ENOUGH_SECONDS takes; leaves it warmed up."""
    images, more = FEWEST_IMAGES, 2
    while more > 1 and images < MOST_IMAGES:
        run(images)  # traced
        more = min(int(ENOUGH_SECONDS / run(images)), 64)
        images = min(images * 2 ** max(0, more.bit_length() - 1), MOST_IMAGES)
    run(images)
    return images


def spread(name: str, values: list[float]) -> dict[str, float]:
    low, middle, high = min(values), statistics.median(values), max(values)
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def fastest_bare(cell: Cell, contest: Contest, total: int) -> tuple[int, Callable[[], None], float]:
    """The batch size in which bare passes, for class logits or their gradients, are fastest; so
    many of them over images in memory, on as many threads as ours; seconds of one on one thread."""
    import keras
    import tensorflow as tf

    model, by = cell.network.model, contest.by
    inner = by if by in cell.network.activations else None
    if inner:
        model = keras.Model(model.input, [cell.network.activations[inner], model.output])

    def gradients(images: Any, targets: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            given = model(images, training=False)
            source, logits = given if inner else (images, given)
            chosen = tf.gather(logits, targets, batch_dims=1)
        return tape.gradient(chosen, source) if by else chosen

    shape = cell.network.image_shape
    specs = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int32)]
    program = tf.function(gradients, input_signature=specs)

    def passes(count: int, size: int) -> Callable[[], None]:
        calls = -(-count // size)
        even = -(-count // calls)
        images = tf.constant(np.resize(cell.images, (even, *shape)))
        targets = tf.constant(np.resize(cell.targets, even))

        def run() -> None:
            runtime.concurrently(
                lambda _: program(images, targets).numpy(), range(calls), compiled=True
            )

        return run

    def fastest(run: Callable[[], None]) -> float:
        run()
        return min(seconds(run) for _ in range(3))

    best = min(BATCHES, key=lambda size: fastest(passes(total, size)))
    return best, passes(total, best), fastest(passes(best, best)) / best


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def markdown(table: pd.DataFrame) -> str:
    """The page."""
    packages = ("tensorflow-cpu", "keras", "xplique", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    sizes = ", ".join(map(str, BATCHES))
    threads = PARAMS.runtime

    def within(row: Any, name: str) -> str:
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        return f"{getattr(row, name):.2f} ({low:.2f}–{high:.2f})"

    rows = [
        {
            "dataset": row.dataset,
            "family": row.family,
            "method": row.method,
            "images": row.images,
            "passes": f"{row.passes} {row.kind}",
            "ours": f"{row.ours:,.1f}",
            "Xplique": f"{row.xplique:,.1f}",
            "ours ÷ Xplique": within(row, "ratio"),
            "its best": f"{row.xplique_best:,.1f}",
            "in batches of": row.xplique_batch_size,
            "ours ÷ that": within(row, "ratio_best"),
            "a pass, µs": f"{row.pass_us:.1f}",
            "time ÷ bare passes": within(row, "overhead"),
        }
        for row in table.itertuples()
    ]
    missed = [
        f"- {row.method}, {row.family} on {row.dataset}: {what}"
        for row in table.itertuples()
        for what, is_missed in (
            (f"{row.ratio_best:.2f} × Xplique", row.ratio_best < LEAST_RATIO),
            (
                f"{row.overhead:.2f} × its bare passes",
                row.pass_us > DEAR and row.overhead > MOST_OVERHEAD,
            ),
        )
        if is_missed
    ]
    reached = "\n".join(["Missed:", "", *missed]) if missed else "All reached."
    return f"""# How fast the explanations are

Images a second, on the trained networks (first seed), the same images and settings: the median of
{ROUNDS} rounds after a warm-up. In each round ours and Xplique's run one after the other, and in
rounds of their own ours and the bare passes; ratios are taken round by round, in brackets the
lowest and the highest. Written by `benchmarks/explanations.py`.

- Processor: {", ".join(table["processor"].unique())}; deterministic kernels. An operation has
  {threads.intra_op_threads} thread; {threads.inter_op_threads} operations run beside each other.
- Python {platform.python_version()}, {versions}.
- *images*: in a run; *passes*: what the method needs of the network for each image.
- *ours*: as it comes, which is in batches that suit the network.
- *Xplique*: as it comes, in batches of 32, KernelSHAP of 64; and told to take the fastest of
  {sizes}. It runs in a process of its own, where an operation has all cores, as TensorFlow has it
  by default.
- *time ÷ bare passes*: our time over that of the passes alone, one compiled function over images
  ready in memory, in the fastest batches of the same sizes, two of them beside each other as ours.
  *A pass* is measured on one thread. Occlusion comes below 1: a patch that is black already costs
  it no pass.
- Integrated gradients: 50 steps; SmoothGrad: 50 draws; occlusion: patches of 2×2 pixels, 1 apart,
  on digits, of 4×4, 2 apart, on mnist; RISE: 1000 masks of 4×4 cells; KernelSHAP: 16 players, 500
  coalitions; Grad-CAM, Grad-CAM++: the last feature maps.

Aims: {LEAST_RATIO} × Xplique in its best batches or more; at most {MOST_OVERHEAD} × the bare
passes where one takes more than {DEAR} µs.

{reached}

{pd.DataFrame(rows).to_markdown(index=False)}
"""


def main(
    dataset: Annotated[list[str], typer.Option(help="several are allowed")] = ["mnist", "digits"],  # noqa: B006
    family: Annotated[list[str] | None, typer.Option(help="several; all by default")] = None,
    method: Annotated[list[str] | None, typer.Option(help="several; all by default")] = None,
    anew: Annotated[bool, typer.Option(help="measure rows again that are there already")] = False,
    output: Annotated[Path, typer.Option(help="folder")] = HERE,
) -> None:
    """Images a second of our methods and of Xplique's."""
    runtime.start_tensorflow(PARAMS.runtime)
    csv, key = output / "explanations.csv", ["dataset", "family", "method"]
    table = pd.read_csv(csv) if csv.exists() else pd.DataFrame(columns=key)
    cells = [(d, f) for d in dataset for f in family or PARAMS.dataset(d).families]
    spawn = multiprocessing.get_context("spawn")
    for d, f in cells:
        cell = load(d, f)
        with ProcessPoolExecutor(1, spawn, begin_xplique, (d, f)) as pool:
            for name, contest in contests(cell).items():
                known = (table[key] == [d, f, name]).all(axis=1)
                if (known.any() and not anew) or (method and name not in method):
                    continue
                row = {"dataset": d, "family": f, "method": name}
                row |= measure(cell, name, contest, pool) | {"processor": processor()}
                table = pd.concat([table[~known], pd.DataFrame([row])], ignore_index=True)
                table.to_csv(csv, index=False, float_format="%.4g")
                (output / "explanations.md").write_text(markdown(table), encoding="utf-8")
                print(
                    f"{d:7} {f:12} {name:22} {row['images']:5} images: "
                    f"{row['ratio']:6.2f} × Xplique, {row['ratio_best']:6.2f} × in its best, "
                    f"{row['overhead']:5.2f} × bare",
                    flush=True,
                )


if __name__ == "__main__":
    with in_one_line("other programs closed"):
        typer.run(main)
