"""Networks of each family as accurate as we know how to make them, on MNIST's official split.

    python benchmarks/records.py train              # every recipe: some ten hours of two cores
    python benchmarks/records.py train feedforward  # one
    python benchmarks/records.py page               # the page anew, from networks.csv
    python benchmarks/records.py apply cnn          # a recipe into params.yaml, for the pipeline

Trains by results/records/recipes.yaml, each network in a process of its own, which at its end adds
its row to networks.csv and its probabilities to predictions/; what is there is not trained again.
A recipe is of the family of its name, or of `family`. With a `distillation` a network learns from
one of another recipe too, whose weights lie in models/records/.
Recipes are chosen on validation images (see recipes.py); the test part is read once, by the trained
network. Needs MNIST's images (`dvc repro fetch@mnist`).
"""

import glassnets.pipeline.stages  # noqa: F401, I001  pins the processor before NumPy is imported

import copy
import multiprocessing
import resource
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from dvc.utils.collections import merge_dicts
from dvc.utils.serialize import modify_yaml
from numpy.typing import NDArray
from recipes import Watch, held_to, on_this_machine, spread
from ruamel.yaml import YAML
from scipy import ndimage
from sklearn.metrics import accuracy_score, log_loss
from tqdm import tqdm

from glassnets import config, runtime
from glassnets.config.schema import Dataset
from glassnets.data import splits
from glassnets.errors import in_one_line
from glassnets.evaluation.metrics import softmax
from glassnets.models import families, training
from glassnets.pipeline import artefacts, networks

HERE = artefacts.root() / "results" / "records"
SEEDS = 5
FLOORS = {"feedforward": 99.4, "lstm": 99.55, "cnn": 99.65, "attention": 99.5}
FLOOR_OF_ENSEMBLE = 99.8
SHIFTS = (-1, 0, 1)  # pixels, down and right, over which answers are averaged

Job = tuple[str, int]  # a network to train: recipe, seed


@dataclass(frozen=True)
class Distillation:
    """The networks that teach those of all seeds, by recipe the seed, and how they learn from them:
    see ``distilled``."""

    teachers: dict[str, int]
    weight: float
    temperature: float


@dataclass(frozen=True)
class Recipe:
    """given: what differs from params.yaml in this family's network and training. data: MNIST with
    its official split and these."""

    family: str
    given: dict[str, Any]
    data: Dataset
    distillation: Distillation | None


def recipes() -> dict[str, Recipe]:
    """Those of recipes.yaml: what it does not say is as params.yaml has it."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(artefacts.params_file())
    params["mnist"]["split"] = "official"
    found = {}
    for name, given in yaml.load(HERE / "recipes.yaml").items():
        family, how = given.pop("family", name), given.pop("distillation", None)
        own = copy.deepcopy(params)
        merge_dicts(own["mnist"][family], given)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "params.yaml"
            yaml.dump(own, path)
            data = config.load(path).dataset("mnist")
        found[name] = Recipe(family, given, data, Distillation(**how) if how else None)
    return found


def distilled(model: Any, teachers: Sequence[Any], how: Distillation) -> Any:
    """The network with another loss in training: (1 − w)·CE(y, p) + w·T²·CE(q_T, p_T) of weight w
    and temperature T, p_T = softmax(logits/T), q_T the mean of the teachers' p_T. They see the
    images as the network does, augmented.

    Hinton, Vinyals & Dean (2015), "Distilling the knowledge in a neural network", section 2; Beyer
    et al. (2022), "Knowledge distillation: a good teacher is patient and consistent".
    """
    import keras

    for teacher in teachers:
        teacher.trainable = False
    ops, soft = keras.ops, how.temperature

    class Distilled(keras.Model):  # type: ignore[misc]
        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            of_labels = super().compute_loss(x, y, y_pred, sample_weight, training)
            if not training:
                return of_labels
            given = [ops.softmax(teacher(x, training=False) / soft) for teacher in teachers]
            aim = sum(given) / len(given)
            of_teachers = ops.mean(
                ops.categorical_crossentropy(aim, y_pred / soft, from_logits=True)
            )
            return (1 - how.weight) * of_labels + how.weight * soft**2 * of_teachers

    return Distilled(model.inputs, model.outputs)


def train(name: str, seed: int) -> dict[str, Any]:
    """Trains a network, keeps its probabilities and weights and gives its row of networks.csv."""
    by_name = recipes()
    recipe = by_name[name]
    data, cell = recipe.data, recipe.data.family(recipe.family)
    runtime.start_tensorflow(config.load(artefacts.params_file()).runtime)
    parts = splits.split(artefacts.load_arrays(artefacts.raw("mnist")), data)
    runtime.set_seed(seed)
    model, _ = networks.build(data, recipe.family)
    student, how = model, recipe.distillation
    if how:
        student = distilled(model, [trained(by_name, *job) for job in how.teachers.items()], how)
    steps = training.steps_per_epoch(parts["train"], cell.training)
    bar = tqdm(total=cell.training.epochs * steps, desc=f"{name} seed {seed}", unit="batch")
    watch = Watch()
    history = training.fit(
        student,
        parts["train"],
        parts["validation"],
        cell.training,
        seed,
        lambda _: bar.update(),
        lambda _, logs: bar.set_postfix_str(f"{logs['val_accuracy']:.2%} of validation"),
    )
    watch.pause()
    row: dict[str, Any] = {
        "recipe": name,
        "seed": seed,
        "parameters": model.count_params(),
        "teachers": ", ".join(f"{of} {seed}" for of, seed in how.teachers.items()) if how else "",
        "epochs": cell.training.epochs,
        "best_epoch": int(history["val_loss"].argmin()) + 1,
        "cpu_hours": watch.cpu / 3600,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    kept = {}
    for part in ("validation", "test"):
        labels = parts[part]["labels"]
        by_shift = [
            softmax(families.predict(model, shifted(parts[part]["images"], *shift)))
            for shift in product(SHIFTS, SHIFTS)
        ]
        plain, averaged = by_shift[len(by_shift) // 2], np.mean(by_shift, axis=0)
        row[f"{part}_accuracy"] = accuracy_score(labels, plain.argmax(axis=1))
        row[f"{part}_log_loss"] = log_loss(labels, plain, labels=range(data.classes))
        row[f"{part}_accuracy_of_shifts"] = accuracy_score(labels, averaged.argmax(axis=1))
        kept |= {
            part: rounded(plain),
            f"{part}_of_shifts": rounded(averaged),
            f"{part}_labels": labels,
        }
    artefacts.models("records", name).mkdir(parents=True, exist_ok=True)
    artefacts.save_weights(model, artefacts.weights("records", name, seed))
    with artefacts.replacing(predictions(name, seed)) as (path,), path.open("wb") as file:
        np.savez_compressed(file, **kept)
    return row | on_this_machine()


def trained(by_name: Mapping[str, Recipe], name: str, seed: int) -> Any:
    recipe = by_name[name]
    return networks.load(recipe.data, recipe.family, artefacts.weights("records", name, seed))[0]


def predictions(recipe: str, seed: int) -> Path:
    """Probabilities (n, classes), `rounded`, of the parts validation and test, plain and of shifts,
    and their labels uint8 (n,)."""
    return HERE / "predictions" / f"{recipe}-seed-{seed}.npz"


def rounded(probabilities: NDArray[Any]) -> NDArray[np.float16]:
    """As float16, and 0 below a thousandth: a tenth of the size once compressed."""
    half = probabilities.astype(np.float16)
    return np.where(half < 1e-3, np.float16(0), half)


def shifted(images: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Images (n, h, w) moved by so many pixels, black where nothing came."""
    moved: NDArray[np.uint8] = ndimage.shift(images, (0, down, right), order=0)
    return moved


def known() -> pd.DataFrame:
    path = HERE / "networks.csv"
    if not path.exists():
        return pd.DataFrame(columns=["recipe", "seed"])
    return pd.read_csv(path, dtype={"teachers": str}).fillna({"teachers": ""})


def add(row: dict[str, Any]) -> None:
    """Writes a network's row to networks.csv, in the place of one of the same recipe and seed."""
    table = pd.concat([known(), pd.DataFrame([row])], ignore_index=True)[list(row)]
    table = table.drop_duplicates(["recipe", "seed"], keep="last").sort_values(["recipe", "seed"])
    with artefacts.replacing(HERE / "networks.csv") as (path,):
        table.to_csv(path, index=False, float_format="%.6g")


# The page


def write_page() -> None:
    rows = known()
    table = []
    for name in recipes():
        own = rows[rows["recipe"] == name].sort_values("seed")
        if own.empty:
            continue
        accuracy = 100 * own["test_accuracy"]
        table.append(
            {
                "": name,
                "test %": spread(accuracy, ".2f"),
                "averaged over shifts, test %": spread(100 * own["test_accuracy_of_shifts"], ".2f"),
                "validation %": spread(100 * own["validation_accuracy"], ".2f"),
                "at least": held_to(FLOORS[name], accuracy) if name in FLOORS else "",
                "parameters": f"{own['parameters'].iloc[0]:,}",
                "epochs": str(own["epochs"].iloc[0]),
                "teachers": own["teachers"].iloc[0],
                "CPU hours each": f"{own['cpu_hours'].mean():.2f}",
            }
        )
    table += ensembles(rows)
    text = pd.DataFrame(table).fillna("").to_markdown(index=False, disable_numparse=True)
    page = f"""# Records

How accurate networks become on MNIST's own split, 60,000/10,000, where nothing but accuracy counts.
A tenth of the training part is for validation, on which every choice was made; each network read
the test part once. Written by `benchmarks/records.py` from `networks.csv`.

{text}

- ±: standard deviation over seeds, which are in brackets.
- *Averaged over shifts*: the mean of the probabilities of the image and of the same moved by a
  pixel in each of eight directions.
- *Teachers*: recipe and seed of the networks whose mean probabilities these learnt beside labels
  (distillation; Hinton, Vinyals & Dean 2015); CPU hours include their answers, not their training.
- *At least*: what was asked of the mean of *test %* before it is rounded.
- Augmentation of the CNN's seeds 0 to 2 grew in strength, all others' in the share of images that
  it changes, which showed no difference on validation images.
- *Ensemble*: the mean of the probabilities of one network of each family, of the same seed.
- Recipes: `recipes.yaml`, in the form of `params.yaml`. `python benchmarks/records.py apply cnn`
  puts that of the CNN into `params.yaml`; `make run DATASET=mnist` then trains by it, with the
  split of `params.yaml` and nothing distilled.
- Processor: {", ".join(rows["processor"].unique())}; {"; ".join(rows["versions"].unique())}.
"""
    with artefacts.replacing(HERE / "README.md") as (path,):
        path.write_text(page, encoding="utf-8")


def ensembles(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The line of the ensembles, where there is a network of every family."""
    seeds = set.intersection(*(set(rows[rows["recipe"] == f]["seed"]) for f in FLOORS))
    if not seeds:
        return []
    line: dict[str, Any] = {"": "ensemble"}
    for column, kept in (
        ("test %", "test"),
        ("averaged over shifts, test %", "test_of_shifts"),
        ("validation %", "validation"),
    ):
        accuracies = []
        for seed in sorted(seeds):
            each = [np.load(predictions(family, seed)) for family in FLOORS]
            mean = np.mean([arrays[kept].astype(float) for arrays in each], axis=0)
            labels = each[0][f"{kept.removesuffix('_of_shifts')}_labels"]
            accuracies.append(100 * accuracy_score(labels, mean.argmax(axis=1)))
        line[column] = spread(accuracies, ".2f")
        if kept == "test":
            line["at least"] = held_to(FLOOR_OF_ENSEMBLE, accuracies)
    return [line]


# The command line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def jobs(names: Sequence[str], by_name: Mapping[str, Recipe]) -> list[list[Job]]:
    """The networks of these recipes that are not there yet, with the teachers whose weights they
    miss: those without a teacher, then those whose teachers these are, and so on."""
    have = set(known()[["recipe", "seed"]].itertuples(index=False, name=None))
    waves: dict[int, set[Job]] = {}

    def generation(name: str) -> int:
        how = by_name[name].distillation
        return 1 + max(map(generation, how.teachers)) if how else 0

    def want(job: Job) -> None:
        name, _ = job
        waves.setdefault(generation(name), set()).add(job)
        how = by_name[name].distillation
        for teacher in how.teachers.items() if how else ():
            if not artefacts.weights("records", *teacher).exists():
                want(teacher)

    for job in product(names, range(SEEDS)):
        if job not in have:
            want(job)
    return [sorted(waves[number]) for number in sorted(waves)]


@app.command("train")
def train_all(
    recipe: Annotated[list[str] | None, typer.Argument()] = None, at_once: int = 2
) -> None:
    """Train the networks that are not there yet, of all recipes or of those named."""
    by_name = recipes()
    config.check_known("recipe", recipe or [], by_name)
    context = multiprocessing.get_context("spawn")
    for wave in jobs(recipe or list(by_name), by_name):
        with ProcessPoolExecutor(at_once, mp_context=context, max_tasks_per_child=1) as pool:
            for future in as_completed([pool.submit(train, *job) for job in wave]):
                add(future.result())
                write_page()


@app.command()
def page() -> None:
    """Write the page anew."""
    write_page()


@app.command()
def apply(recipe: str) -> None:
    """Put the network and training of a recipe into params.yaml, which keeps its comments."""
    by_name = recipes()
    config.check_known("recipe", [recipe], by_name)
    with modify_yaml(str(artefacts.params_file())) as params:
        merge_dicts(params["mnist"][by_name[recipe].family], by_name[recipe].given)


if __name__ == "__main__":
    with in_one_line("a smaller --at-once"):
        app()
