"""``python -m glassnets.tracking.register DATASET``: each family's best network into MLflow's
registry, as ``glassnets-<dataset>-<family>`` with the alias ``champion``."""

import hashlib
import shutil
import tempfile
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import mlflow
import numpy as np
import typer
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import DataType, ParamSchema, ParamSpec
from tqdm import tqdm

import glassnets
from glassnets import config, registry
from glassnets.config.schema import Params
from glassnets.data import Arrays
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.pipeline import artefacts, trained
from glassnets.tracking import runs, store
from glassnets.tracking.runs import RunKey
from glassnets.tracking.store import Experiment

ALIAS = "champion"
CONTENT = "glassnets.content"  # tag: sha256 of all that the version holds
MOST_DESCRIPTION = 5000  # characters: all that MLflow's database has room for
PACKAGES = (
    "tensorflow-cpu",
    "keras",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "pydantic",
    "ruamel.yaml",
    "tqdm",
    "mlflow",
)


def register(params: Params, dataset: str) -> None:
    """Registers the champions of a dataset that are not registered yet."""
    best = []
    for family in params.dataset(dataset).families:
        seed = best_seed(dataset, family)
        best += [key for key in runs.keys(params, dataset, family) if key.seed == seed]
        trained.weights(dataset, family, seed)  # all must be there before one is registered
        _card(dataset, family)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    with store.experiment(dataset) as experiment:
        bar = tqdm(best, desc="registering", unit="model", disable=None, leave=False)
        lines = [_registered(experiment, params, key, train) for key in bar]
    print(*lines, sep="\n")


def best_seed(dataset: str, family: str) -> int:
    """The seed whose network had the lowest loss on validation images, in the epoch it kept."""
    history = artefacts.load_table(artefacts.results(dataset, family) / "history.csv")
    return int(history.sort_values(["val_loss", "seed"])["seed"].iloc[0])


def _registered(experiment: Experiment, params: Params, key: RunKey, train: Arrays) -> str:
    """Registers a champion, unless it is already; says in a line which."""
    client, name = experiment.client, f"glassnets-{key.dataset}-{key.family}"
    with tempfile.TemporaryDirectory() as temporary:
        network = Path(temporary) / "network"
        network.mkdir()
        _write(network, key, train)
        content = _content([network, Path(glassnets.__file__).parent])
        with suppress(MlflowException):  # neither the model nor the alias need be there
            known = client.get_model_version_by_alias(name, ALIAS)
            if known.tags.get(CONTENT) == content:
                return f"{name}: version {known.version} is the {ALIAS} already (seed {key.seed})"
        whole = (run for run in experiment.runs(key.tags) if runs.TRAINED in run.data.tags)
        run_id = next((run.info.run_id for run in whole), None)
        logged = client.create_logged_model(experiment.id, ALIAS, run_id)
        folder = f"{temporary}/model"
        _save(folder, network, logged, train)
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    card = description(_card(key.dataset, key.family).read_text(encoding="utf-8"))
    with suppress(MlflowException):  # there is one of this name
        client.create_registered_model(name)
    client.update_registered_model(name, card)
    registered = client.create_model_version(
        name,
        logged.artifact_location,
        run_id,
        {CONTENT: content, **_tags(params, key, train)},
        description=card,
        model_id=logged.model_id,
    )
    client.set_registered_model_alias(name, ALIAS, registered.version)
    return f"{name}: version {registered.version} is the {ALIAS} now (seed {key.seed})"


def _write(folder: Path, key: RunKey, train: Arrays) -> None:
    """All that the served network is made of, as plain files. Same input, same bytes."""
    assert key.seed is not None
    results = artefacts.results(key.dataset, key.family)
    for source, name in (
        (artefacts.weights(key.dataset, key.family, key.seed), "network.weights.h5"),
        (artefacts.params_file(), "params.yaml"),
        (_card(key.dataset, key.family), "model-card.md"),
        (results / "leaderboard.csv", "leaderboard.csv"),
    ):
        shutil.copyfile(source, folder / name)
    np.savez_compressed(folder / "references.npz", images=train["images"])
    about = {"dataset": key.dataset, "family": key.family, "seed": key.seed}
    artefacts.save_json(folder / "champion.json", about)


def _card(dataset: str, family: str) -> Path:
    path = artefacts.results(dataset) / "families" / family / "model-card.md"
    if not path.is_file():
        raise GlassnetsError(
            f"expected the model card {path}, got none: `dvc repro compare@{dataset}` writes it"
        )
    return path


def _content(folders: list[Path]) -> str:
    """sha256 of the files in these folders, and their names."""
    digest = hashlib.sha256()
    for folder in folders:
        files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for path in sorted(files):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _save(folder: str, network: Path, logged: Any, train: Arrays) -> None:
    # MLflow's schema of the input would let 0.5 pass for a uint8, as 0: the model checks itself.
    options = ParamSchema([ParamSpec("explain", DataType.string, "")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather be given a schema, see above
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"network": str(network)},
            code_paths=[str(Path(glassnets.__file__).parent)],
            mlflow_model=Model(
                logged.artifact_location, logged.source_run_id, model_id=logged.model_id
            ),
            signature=ModelSignature(params=options),
            input_example=(train["images"][:1], {"explain": ""}),
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
        )


def _tags(params: Params, key: RunKey, train: Arrays) -> dict[str, str]:
    """What a person who looks at the version should see: metrics of this very seed."""
    place = params.dataset(key.dataset).seeds.index(key.seed or 0)
    metrics = artefacts.load_json(artefacts.results(key.dataset, key.family) / "metrics.json")
    names = ("accuracy", "log_loss", "expected_calibration_error")
    values = {f"test.{name}": f"{metrics[name]['by_seed'][place]:.6g}" for name in names}
    digest = hashlib.sha256(train["images"].tobytes() + train["labels"].tobytes()).hexdigest()
    return {"seed": str(key.seed), "train.sha256": digest, **values}


def description(card: str) -> str:
    """A model card as MLflow has room for it: without its picture, and cut if it is too long."""
    text = "\n".join(line for line in card.splitlines() if not line.startswith("!["))
    if len(text) <= MOST_DESCRIPTION:
        return text
    rest = "\n\n… (in whole: model-card.md among the model's files)"
    return text[: MOST_DESCRIPTION - len(rest)].rsplit("\n", 1)[0] + rest


def command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as digits or mnist.")],
) -> None:
    """Registers each family's best network, by validation, in MLflow's registry."""
    with in_one_line("other programs closed"):
        if dataset not in registry.names(registry.SOURCES):
            known = ", ".join(registry.names(registry.SOURCES))
            raise ParameterError(f"datasets: expected one of {known}, got {dataset!r}")
        register(config.load(artefacts.params_file()), dataset)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
