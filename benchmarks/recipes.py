"""How accurate our recipes become and how fast they train: against the article's snippets, and with
one ingredient changed.

    python benchmarks/recipes.py races        # half an hour, on an idle machine
    python benchmarks/recipes.py official     # an hour and a half
    python benchmarks/recipes.py ablations    # two to three hours
    python benchmarks/recipes.py machine      # a quarter of an hour, on an idle machine
    python benchmarks/recipes.py pixels       # the LSTM over single pixels, an hour and a half

Each network is trained in a process of its own, which adds its row to recipes.csv at the end and
writes recipes.md anew. An interrupted run continues where it stopped. Needs MNIST's results
(`make run DATASET=mnist`).
"""

import glassnets.pipeline.stages  # noqa: F401, I001  pins the processor before NumPy is imported

import multiprocessing
import os
import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss
from tqdm import tqdm

from glassnets import config, registry, runtime
from glassnets.config.schema import Muon, Training
from glassnets.data import Arrays, splits
from glassnets.errors import in_one_line
from glassnets.evaluation.metrics import softmax
from glassnets.models import families, training
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.processor import processor

HERE = Path(__file__).parent
PARAMS = config.load(artefacts.params_file())
MNIST = PARAMS.dataset("mnist")
LOOKS = 10  # at the validation part in each of the first EARLY epochs of a race, then one an epoch
EARLY = 5
OFFICIAL_SEEDS = 3
ABLATION_SEEDS = 2
ABLATION_SHARE = 1 / 3  # of the recipe's epochs

# The article does not say how its snippets were trained: Keras' defaults, and the epochs that fit
# the accuracies and times it led to.
SNIPPET = Training(
    epochs=5,
    batch_size=32,
    learning_rate=0.001,
    schedule="constant",
    warmup_epochs=0,
    weight_decay=0,
    muon=None,
    label_smoothing=0,
    global_clipnorm=None,
    ema_momentum=0,
    augmentation=None,
)
SEEDS = {"feedforward": 5, "attention": 5, "lstm": 3, "cnn": 3}  # of a race

# At least this accuracy in per cent on the random and the official split, and at most this share
# of the snippet's processor time to the snippet's validation accuracy.
FLOORS = {
    "feedforward": (98.9, 98.9, 0.2),
    "lstm": (99.3, 99.3, 0.2),
    "cnn": (99.5, 99.55, 0.2),
    "attention": (98.9, 98.9, 0.2),
}
FLOOR_OVER_PIXELS = 98.5
OVER_PIXELS = {"augmentation": None, "global_clipnorm": 1.0}  # 784 steps learn harder than 28

# What is changed in a family's recipe to see what it is worth: (network, training).
Changes = tuple[dict[str, Any], dict[str, Any]]
ALL: dict[str, Changes] = {
    "the recipe": ({}, {}),
    "constant learning rate": ({}, {"schedule": "constant", "warmup_epochs": 0}),
    "no warm-up": ({}, {"warmup_epochs": 0}),
    "no weight decay": ({}, {"weight_decay": 0}),
    "labels smoothed by 0.1": ({}, {"label_smoothing": 0.1}),
    "no average of weights": ({}, {"ema_momentum": 0}),
    "gradients clipped at 1": ({}, {"global_clipnorm": 1}),
    "batches of 64": ({}, {"batch_size": 64}),
    "batches of 256": ({}, {"batch_size": 256}),
    "no augmentation": ({}, {"augmentation": None}),
    "augmentation in full at once": ({}, {"augmentation": {"ramp_epochs": 0}}),
}
NO_DROPOUT: dict[str, Changes] = {"no dropout": ({"dropout": 0}, {})}


def muon(learning_rate: float) -> Changes:
    """Muon, at five times AdamW's learning rate, of which its steps are a fifth."""
    return {}, {"muon": Muon(momentum=0.9, adam_lr_ratio=0.2), "learning_rate": learning_rate}


OWN: dict[str, dict[str, Changes]] = {
    "feedforward": {
        "Muon": muon(0.03),
        "dropout of 0.1": ({"dropout": 0.1}, {}),
        "no batch normalisation": ({"batch_normalization": None}, {}),
        "1024 and 512 units": ({"units": (1024, 512)}, {}),
    },
    "lstm": NO_DROPOUT
    | {
        "Muon": muon(0.025),
        "the last step alone": ({"head": "last"}, {}),
        "one direction": ({"bidirectional": False}, {}),
        "two layers of 64": ({"units": (64, 64)}, {}),
    },
    "cnn": {
        "AdamW": ({}, {"muon": None, "learning_rate": 0.006}),
        "dropout of 0.2": ({"dropout": 0.2}, {}),
        "no batch normalisation": ({"batch_normalization": None}, {}),
        "three wide stages": ({"filters": ((32,), (64,), (128,))}, {}),
    },
    "attention": NO_DROPOUT
    | {
        "Muon": muon(0.015),
        "the tokens' average": ({"head": "average"}, {}),
        "layer normalisation": ({"layer_normalization": True}, {}),
        "patches of 4, not overlapping": ({"patch_size": 4}, {}),
        "four heads": ({"heads": 4}, {}),
    },
}

# How the processor is used: variables of the environment, params.yaml's runtime, Keras' compile.
Settings = tuple[dict[str, str], dict[str, int], dict[str, int]]
KERAS_LAYERS = "Keras' own layers"
MACHINE: dict[str, Settings] = {
    "as it is": ({}, {}, {}),
    KERAS_LAYERS: ({}, {}, {}),  # and AdamW, in place of those of models/
    "two threads": ({}, {"intra_op_threads": 2}, {}),
    "without oneDNN": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, {}, {}),
    "ten steps in a call": ({}, {}, {"steps_per_execution": 10}),
}
MACHINE_SEEDS = 3
MACHINE_ROWS = 12_800  # images of an epoch


@dataclass(frozen=True)
class Job:
    """A network to train. recipe is

    - ``snippet``: the article's network; ``default``: ours; each in whole;
    - ``race``: ours until it comes to the validation accuracy that the snippet ended with;
    - a key of ALL or OWN: ours with a change, in ABLATION_SHARE of its epochs;
    - a key of MACHINE: ours, an epoch of it (see ``time_epoch``);
    - ``snippet over pixels``, ``default over pixels``: the LSTM reading single pixels.
    """

    recipe: str
    family: str
    split: str
    seed: int

    @property
    def is_ablation(self) -> bool:
        return self.recipe in {**ALL, **OWN[self.family]}


KEY = list(Job.__dataclass_fields__)


def recipe(job: Job) -> tuple[Any, Training]:
    """The shape of the job's network, and how it is trained."""
    cell = MNIST.family(job.family)
    presets, how = registry.member(registry.FAMILIES, job.family).PRESETS, cell.training
    if job.recipe.startswith("snippet"):
        rows = job.family == "lstm" and "pixels" not in job.recipe
        return presets["article"].model_copy(update={"sequence": "rows"} if rows else {}), SNIPPET
    if "pixels" in job.recipe:
        return presets["pixels"], how.model_copy(update=OVER_PIXELS)
    update: dict[str, Any] = {}
    if job.is_ablation:
        update, changes = {**ALL, **OWN[job.family]}[job.recipe]
        change = dict(changes)
        change["epochs"] = max(2, round(how.epochs * ABLATION_SHARE))
        if change.get("augmentation"):
            change["augmentation"] = how.augmentation.model_copy(update=change["augmentation"])
        how = how.model_copy(update=change)
    return cell.network.model_copy(update=update), how


class Watch:
    """Stops the time in training, without what passes while it is paused."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0
        self.go_on()

    def pause(self) -> None:
        self.wall += time.perf_counter() - self.since[0]
        self.cpu += time.process_time() - self.since[1]

    def go_on(self) -> None:
        self.since = time.perf_counter(), time.process_time()


class Arrived(Exception):  # noqa: N818  it is no error
    """The race is over."""


def begin(job: Job, threads: dict[str, int]) -> tuple[dict[str, Arrays], Any, Training]:
    """The parts of the images, the job's network with its first weights, and how it is trained."""
    runtime.start_tensorflow(PARAMS.runtime.model_copy(update=threads))
    if job.recipe == KERAS_LAYERS:
        import keras

        from glassnets.models import layers, optimizers

        layers.BatchNormalization = keras.layers.BatchNormalization
        layers.LayerNormalization = keras.layers.LayerNormalization
        layers.Orthogonal = keras.initializers.Orthogonal
        optimizers.AdamW = keras.optimizers.AdamW
    data = MNIST.model_copy(update={"split": job.split})
    parts = splits.split(artefacts.load_arrays(artefacts.raw("mnist")), data)
    network, how = recipe(job)
    runtime.set_seed(job.seed)
    model, _ = families.build(job.family, network, MNIST.image_shape, MNIST.classes)
    return parts, model, how


def train(job: Job, aim: float | None) -> dict[str, Any]:
    """Trains the job's network and gives its row of recipes.csv.

    aim is the validation accuracy at which a race ends. Times are those of training, from before
    the first batch is compiled: not TensorFlow's import, nor the looks at the validation part.
    """
    parts, model, how = begin(job, {})
    held = parts["validation"]
    steps = training.steps_per_epoch(parts["train"], how)
    every = max(1, steps // LOOKS) if job.recipe in ("snippet", "race") else steps
    watch, done = Watch(), 0
    looks: list[dict[str, float]] = []
    bar = tqdm(
        total=how.epochs * steps, desc=" ".join(map(str, asdict(job).values())), unit="batch"
    )

    def note(accuracy: float) -> None:
        looks.append({"cpu": watch.cpu, "wall": watch.wall, "accuracy": accuracy})
        bar.set_postfix_str(f"{accuracy:.2%} of validation")
        if aim is not None and accuracy >= aim - 1e-6:
            raise Arrived

    def on_batch(_: float) -> None:
        nonlocal done
        done += 1
        bar.update()
        at_end = done % steps == 0  # paused until on_epoch: Keras looks now
        if at_end or (done < EARLY * steps and done % steps % every == 0):
            watch.pause()
            if not at_end:
                note(_accuracy(model, how, held))
                watch.go_on()

    def on_epoch(_: int, logs: dict[str, float]) -> None:
        note(logs["val_accuracy"])
        watch.go_on()

    row: dict[str, Any] = asdict(job) | {"parameters": model.count_params()}
    try:
        training.fit(model, parts["train"], held, how, job.seed, on_batch, on_epoch)
    except Arrived:
        pass
    else:
        # Ingredients are chosen by the validation part: theirs of the test part stay unread.
        for name in ["validation"] if job.is_ablation else ["validation", "test"]:
            p = softmax(families.predict(model, parts[name]["images"]))
            labels = parts[name]["labels"]
            row[f"{name}_accuracy"] = accuracy_score(labels, p.argmax(axis=1))
            row[f"{name}_log_loss"] = log_loss(labels, p, labels=range(MNIST.classes))
    row |= {"epochs": done / steps, "cpu_seconds": watch.cpu, "wall_seconds": watch.wall}
    goal = aim or row["validation_accuracy"]
    reached = next((look for look in looks if look["accuracy"] >= goal - 1e-6), None)
    if reached:
        row |= {"cpu_seconds_to_goal": reached["cpu"], "wall_seconds_to_goal": reached["wall"]}
    row["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row | on_this_machine()


def time_epoch(job: Job) -> dict[str, Any]:
    """The times of the second epoch (the first compiles), of MACHINE_ROWS images."""
    environment, threads, compiled = MACHINE[job.recipe]
    os.environ |= environment
    parts, model, how = begin(job, threads)
    train, held = (
        {name: values[:rows] for name, values in parts[part].items()}
        for part, rows in (("train", MACHINE_ROWS), ("validation", 1))
    )
    model.compile = partial(model.compile, **compiled)
    ends: list[tuple[float, float]] = []

    def on_epoch(*_: Any) -> None:
        ends.append((time.process_time(), time.perf_counter()))

    two = how.model_copy(update={"epochs": 2})
    training.fit(model, train, held, two, job.seed, lambda _: None, on_epoch)
    (cpu, wall), (cpu_end, wall_end) = ends
    return (
        asdict(job)
        | {"cpu_seconds": cpu_end - cpu, "wall_seconds": wall_end - wall}
        | on_this_machine()
    )


def on_this_machine() -> dict[str, str]:
    packages = ("tensorflow-cpu", "keras", "numpy")
    versions = [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in packages)]
    return {"processor": processor(), "versions": ", ".join(versions)}


def _accuracy(model: Any, how: Training, held: dict[str, Any]) -> float:
    """Of the network as fit would validate it: with its averaged weights, where it has them."""
    weights, averages = [], []
    if how.ema_momentum:
        weights = model.optimizer._trainable_variables
        averages = model.optimizer._model_variables_moving_average
    kept = [weight.numpy() for weight in weights]
    for weight, average in zip(weights, averages, strict=True):
        weight.assign(average)
    predicted = families.predict(model, held["images"]).argmax(axis=1)
    for weight, value in zip(weights, kept, strict=True):
        weight.assign(value)
    return float(accuracy_score(held["labels"], predicted))


def known() -> pd.DataFrame:
    path = HERE / "recipes.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEY)


def run(jobs: list[Job], at_once: int) -> None:
    """Trains those that are not in the table yet, in this order, so many at once."""
    have = set(known()[KEY].itertuples(index=False, name=None))
    missing = [job for job in jobs if _key(job) not in have]
    # A process each: none has the memory, or the compiled functions, of another.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=context, max_tasks_per_child=1) as pool:

        def begun(job: Job) -> Any:
            if job.recipe in MACHINE:
                return pool.submit(time_epoch, job)
            return pool.submit(train, job, goal(job))

        if at_once == 1:  # a race waits for what it is to reach
            rows = (begun(job).result() for job in missing)
        else:
            rows = (future.result() for future in as_completed([begun(job) for job in missing]))
        for row in rows:
            table = pd.concat([known(), pd.DataFrame([row])], ignore_index=True)
            with artefacts.replacing(HERE / "recipes.csv") as (rows_csv,):
                table.to_csv(rows_csv, index=False, float_format="%.6g")
            write_page()
            print({k: v for k, v in row.items() if k not in ("processor", "versions")}, flush=True)


def _key(job: Job) -> tuple[Any, ...]:
    return tuple(asdict(job).values())


def goal(job: Job) -> float | None:
    """What a race is to reach: the snippet's validation accuracy, with the same seed and split."""
    if job.recipe != "race":
        return None
    return float(known().set_index(KEY).loc[("snippet", *_key(job)[1:]), "validation_accuracy"])


# The page


def spread(values: Any, form: str) -> str:
    """Mean, standard deviation and, in brackets, how many."""
    values = np.asarray(values, dtype=float)
    if not len(values):
        return "–"
    sd = f" ± {values.std(ddof=1):{form}}" if len(values) > 1 else ""
    return f"{values.mean():{form}}{sd} ({len(values)})"


def held_to(least: float, accuracies: Any) -> str:
    """The least that was asked of a mean and, where there is one, whether it came to it."""
    if not len(accuracies):
        return f"{least}"
    return f"{least} {'reached' if np.mean(accuracies) >= least else 'missed'}"


def ratio(ours: Any, theirs: Any) -> tuple[float, str]:
    """The geometric mean of the ratios, with its 95 % interval (Student's t, of the logarithms)."""
    logs = np.log(np.asarray(ours, dtype=float) / np.asarray(theirs, dtype=float))
    mean = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return mean, f"{mean:.2f}"
    low, high = np.exp(stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs)))
    return mean, f"{mean:.2f} ({low:.2f}–{high:.2f})"


def of(rows: pd.DataFrame, recipe: str, family: str, split: str = "random") -> pd.DataFrame:
    chosen = (rows["recipe"] == recipe) & (rows["family"] == family) & (rows["split"] == split)
    return rows[chosen].set_index("seed").sort_index()


def our_accuracy(rows: pd.DataFrame, family: str, split: str) -> list[float]:
    """Of the test part in per cent, a seed each. On the random split, the pipeline's own: the same
    networks, byte for byte."""
    if split == MNIST.split:
        metrics = pd.read_csv(artefacts.results("mnist") / "metrics.csv")
        accuracy = metrics.query("family == @family and metric == 'accuracy'").iloc[0]
        return list(100 * accuracy.filter(like="seed_"))
    return list(100 * of(rows, "default", family, split)["test_accuracy"])


def race_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    table = []
    for family in SEEDS:
        snippet, ours = of(rows, "snippet", family), of(rows, "race", family)
        snippet = snippet.loc[ours.index]
        if ours.empty:
            continue
        cpu, wall = "cpu_seconds_to_goal", "wall_seconds_to_goal"
        mean, text = ratio(ours[cpu], snippet[cpu])
        table.append(
            {
                "family": family,
                "the snippet's validation accuracy %": spread(
                    100 * snippet["validation_accuracy"], ".2f"
                ),
                "ours, CPU s": spread(ours[cpu], ".1f"),
                "snippet, CPU s": spread(snippet[cpu], ".1f"),
                "ratio, CPU": text,
                "ratio, wall clock": ratio(ours[wall], snippet[wall])[1],
                "at most": FLOORS[family][2],
                "": "reached" if mean <= FLOORS[family][2] else "missed",
            }
        )
    return table


def accuracy_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    table = []
    for family, (least_random, least_official, _) in FLOORS.items():
        for name, label in (("default", "ours"), ("snippet", "snippet")):
            official = of(rows, name, family, "official")
            here = [
                our_accuracy(rows, family, split)
                if name == "default"
                else list(100 * of(rows, name, family, split)["test_accuracy"])
                for split in ("random", "official")
            ]
            table.append(
                {
                    "family": family,
                    "": label,
                    "random split, test %": spread(here[0], ".2f"),
                    "official split, test %": spread(here[1], ".2f"),
                    "at least, random; official": "; ".join(
                        map(held_to, (least_random, least_official), here)
                    )
                    if name == "default"
                    else "",
                    **_costs(official),
                }
            )
    for name, label in (("default over pixels", "ours"), ("snippet over pixels", "snippet")):
        whole = of(rows, name, "lstm")
        if len(whole):
            accuracy = 100 * whole["test_accuracy"]
            table.append(
                {
                    "family": "lstm, over single pixels",
                    "": label,
                    "random split, test %": spread(accuracy, ".2f"),
                    "official split, test %": "–",
                    "at least, random; official": held_to(FLOOR_OVER_PIXELS, accuracy)
                    if label == "ours"
                    else "",
                    **_costs(whole),
                }
            )
    return table


def _costs(whole: pd.DataFrame) -> dict[str, str]:
    if whole.empty:
        return {}
    return {
        "epochs": f"{whole['epochs'].mean():.0f}",
        "CPU s in all": spread(whole["cpu_seconds"], ".0f"),
        "parameters": f"{whole['parameters'].mean():,.0f}",
        "peak memory, MiB": f"{whole['peak_memory_mib'].mean():,.0f}",
    }


def ablation_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    table = []
    for family in SEEDS:
        base = of(rows, "the recipe", family)
        for name in {**ALL, **OWN[family]}:
            here = of(rows, name, family)
            seeds = here.index.intersection(base.index)
            if seeds.empty:
                continue
            here, against = here.loc[seeds], base.loc[seeds]
            gain = 100 * (here["validation_accuracy"] - against["validation_accuracy"])
            loss = here["validation_log_loss"] / against["validation_log_loss"]
            same = name == "the recipe"
            table.append(
                {
                    "family": family,
                    "": name,
                    "validation accuracy %": spread(100 * here["validation_accuracy"], ".2f"),
                    "difference, by seed": "" if same else ", ".join(f"{g:+.2f}" for g in gain),
                    "log loss": f"{here['validation_log_loss'].mean():.4f}",
                    "ratio, by seed": "" if same else ", ".join(f"{g:.2f}" for g in loss),
                    "CPU s": f"{here['cpu_seconds'].mean():.0f}",
                }
            )
    return table


def machine_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    table = []
    for family in SEEDS:
        base = of(rows, "as it is", family)
        for name in list(MACHINE)[1:]:
            here = of(rows, name, family)
            if here.empty:
                continue
            against = base.loc[here.index]
            table.append(
                {"family": family, "": name}
                | {
                    f"ratio, {label}": ratio(here[time], against[time])[1]
                    for label, time in (("CPU", "cpu_seconds"), ("wall clock", "wall_seconds"))
                }
            )
    return table


def write_page() -> None:
    rows = known()

    def table(lines: list[dict[str, Any]]) -> str:
        frame = pd.DataFrame(lines).fillna("")
        return str(frame.to_markdown(index=False)) if lines else "Not run yet."

    page = f"""# Our recipes against the article's snippets

MNIST. Each network was trained in a process of its own. Written by `benchmarks/recipes.py` from
`recipes.csv`, a row a network.

- Processor: {", ".join(rows["processor"].unique())}; deterministic kernels, \
{PARAMS.runtime.intra_op_threads} thread in an operation.
- {"; ".join(rows["versions"].unique())}.
- *snippet*: the article's network, repaired as far as it needs to run (scaling, labels, tokens; the
  LSTM reads rows, not single pixels), with Adam as Keras has it, batches of {SNIPPET.batch_size},
  {SNIPPET.epochs} epochs. The article does not say how it was trained; this fits its accuracies.
- *ours*: the family's group in `params.yaml`; over single pixels the LSTM's preset `pixels`, there
  without augmentation and with gradients clipped at {OVER_PIXELS["global_clipnorm"]:.0f}. All \
keep their epoch of lowest validation loss.
  What stands of the official split, epochs and times with it, is of recipes before the present
  ones: augmentation grew in strength, not in the share of images that it changes; feedforward had
  no elastic deformation, the LSTM two directions, batches of 128 and 14 epochs. The LSTM was raced
  with 20 epochs, now 10.
- *random* split: 80/20, `random_state=42`, the article's; *official*: MNIST's own 60,000/10,000. A
  tenth of the training part is for validation, on which all was chosen.
- ±: standard deviation over seeds; in brackets, how many.

## How soon

Random split. Time of training alone, from the first batch's compilation on, until the accuracy on
validation images is for the first time what the snippet ended with under the same seed. Both are
looked at {LOOKS} times in each of the first {EARLY} epochs, then once an epoch; the looks are not
in the time. Snippet and ours ran in turn on a quiet machine. *Ratio*: ours ÷ snippet's, geometric
mean over seeds, with its 95 % interval.

{table(race_table(rows))}

## How far

Test part. Ours on the random split were the pipeline's own networks. CPU seconds and memory are of
whole trainings on the official split, two at a time; over single pixels, on the random split, with
two threads in an operation and Keras' own layers. Times compare within this table alone: a
machine of the same name took three times as long for the same snippets in *How soon*.

{table(accuracy_table(rows))}

## What each ingredient is worth

Random split, validation images (they cannot resolve less than about 0.1 %); the test part was not
read. Each line is the recipe with one thing changed, in a third of its epochs ({ABLATION_SEEDS}
seeds at most, two networks at a time): what helps a short training need not help a long one. These
were trained with those recipes, two threads in an operation and Keras' own layers, before ours gave
the same bytes on every processor; but for rounding both compute the same.
*Difference* and *ratio* are against the first line, seed by seed; a log loss ratio above 1 says
that the change does harm.

{table(ablation_table(rows))}

## How the processor is used

Time of a training epoch ({MACHINE_ROWS:,} images, the second epoch) with one setting changed ÷ as
the pipeline has it (one thread in an operation, oneDNN, one step in a call of Keras', layers that
give the same bytes on every processor), in turn on a quiet machine: geometric mean over
{MACHINE_SEEDS} seeds, with its 95 % interval. Below 1 the change is faster.

{table(machine_table(rows))}
"""
    with artefacts.replacing(HERE / "recipes.md") as (page_md,):
        page_md.write_text(page, encoding="utf-8")


# The command line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def races(family: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Each family, or those named, against the article's snippet on the random split."""
    config.check_known("family", family or [], SEEDS)
    run(
        [
            Job(name, each, "random", seed)
            for seed in range(max(SEEDS.values()))
            for each in family or SEEDS
            for name in ("snippet", "race")
            if seed < SEEDS[each]
        ],
        at_once=1,
    )


@app.command()
def official() -> None:
    """Each family and its snippet on the official split."""
    run(
        [
            Job(name, family, "official", seed)
            for seed in range(OFFICIAL_SEEDS)
            for family in SEEDS
            for name in ("default", "snippet")
        ],
        at_once=2,
    )


@app.command()
def ablations() -> None:
    """Each family's recipe with one ingredient changed, on validation images."""
    run(
        [
            Job(name, family, "random", seed)
            for seed in range(ABLATION_SEEDS)
            for family in SEEDS
            for name in {**ALL, **OWN[family]}
        ],
        at_once=2,
    )


@app.command()
def machine() -> None:
    """Times of an epoch with each of the settings in MACHINE."""
    run(
        [
            Job(name, family, "random", seed)
            for seed in range(MACHINE_SEEDS)
            for family in SEEDS
            for name in MACHINE
        ],
        at_once=1,
    )


@app.command()
def pixels() -> None:
    """The LSTM over single pixels and the article's, one seed, on the random split."""
    names = ("default over pixels", "snippet over pixels")
    run([Job(name, "lstm", "random", 0) for name in names], at_once=2)


@app.command()
def page() -> None:
    """Write recipes.md anew from recipes.csv."""
    write_page()


if __name__ == "__main__":
    with in_one_line("other programs closed"):
        app()
