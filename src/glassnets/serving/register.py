"""``python -m glassnets.serving.register DATASET``: each family's best network into MLflow's
registry, as ``glassnets-<dataset>-<family>`` with the alias ``champion``."""

import hashlib
import shutil
import tempfile
import warnings
from dataclasses import dataclass
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
from glassnets import artefacts, params, registry, tracking
from glassnets.artefacts import Arrays
from glassnets.errors import GlassnetsError, ParameterError, in_one_line
from glassnets.explain import trained

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


@dataclass(frozen=True)
class Best:
    """The network of a family that is to be its champion; place: of its seed among the seeds."""

    dataset: str
    family: str
    seed: int
    place: int

    @property
    def name(self) -> str:
        return f"glassnets-{self.dataset}-{self.family}"

    @property
    def results(self) -> Path:
        return artefacts.results(self.dataset, self.family)


def register(loaded: params.Params, dataset: str) -> None:
    """Registers the champions of a dataset that are not registered yet."""
    cells = loaded.dataset(dataset)
    chosen = []
    for family in cells.families:
        seed = best_seed(dataset, family)
        chosen.append(Best(dataset, family, seed, cells.seeds.index(seed)))
    for best in chosen:  # all must be there before one is registered
        trained.weights(best.dataset, best.family, best.seed)
        _card(best)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    with tracking.experiment(dataset) as (client, _, experiment_id):
        bar = tqdm(chosen, desc="registering", unit="model", disable=None, leave=False)
        said = [_registered(client, experiment_id, best, train) for best in bar]
    print(*said, sep="\n")


def best_seed(dataset: str, family: str) -> int:
    """The seed whose network had the lowest loss on validation images, in the epoch it kept."""
    history = artefacts.load_table(artefacts.results(dataset, family) / "history.csv")
    return int(history.sort_values(["val_loss", "seed"])["seed"].iloc[0])


def _registered(client: mlflow.MlflowClient, experiment_id: str, best: Best, train: Arrays) -> str:
    """Registers a champion, unless it is already; says in a line which."""
    with tempfile.TemporaryDirectory() as temporary:
        network = Path(temporary) / "network"
        network.mkdir()
        _write(network, best, train)
        content = _content([network, Path(glassnets.__file__).parent])
        known = _champion(client, best.name)
        if known and known.tags.get(CONTENT) == content:
            return f"{best.name}: version {known.version} is the {ALIAS} already (seed {best.seed})"
        stage_hash = tracking.stage_hash(best.dataset, best.family)
        key = tracking.RunKey(best.dataset, best.family, best.seed, stage_hash)
        run = tracking.whole_run(client, experiment_id, key)
        run_id = run.info.run_id if run else None
        logged = client.create_logged_model(experiment_id, ALIAS, run_id)
        folder = f"{temporary}/model"
        _save(folder, network, logged, train)
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    card = description(_card(best).read_text(encoding="utf-8"))
    if not known:
        _create(client, best.name)
    client.update_registered_model(best.name, card)
    version = client.create_model_version(
        best.name,
        logged.artifact_location,
        run_id,
        {CONTENT: content, **_tags(best, train)},
        description=card,
        model_id=logged.model_id,
    ).version
    client.set_registered_model_alias(best.name, ALIAS, version)
    return f"{best.name}: version {version} is the {ALIAS} now (seed {best.seed})"


def _write(folder: Path, best: Best, train: Arrays) -> None:
    """All that the served network is made of, as plain files. Same input, same bytes."""
    weights = artefacts.weights(best.dataset, best.family, best.seed)
    shutil.copyfile(weights, folder / "network.weights.h5")
    shutil.copyfile(artefacts.params_file(), folder / "params.yaml")
    shutil.copyfile(_card(best), folder / "model-card.md")
    shutil.copyfile(best.results / "leaderboard.csv", folder / "leaderboard.csv")
    np.savez_compressed(folder / "references.npz", images=train["images"])
    about = {"dataset": best.dataset, "family": best.family, "seed": best.seed}
    artefacts.save_json(folder / "champion.json", about)


def _card(best: Best) -> Path:
    path = best.results / "model-card.md"
    if not path.is_file():
        raise GlassnetsError(
            f"expected the model card {path}, got none: `dvc repro compare@{best.dataset}` writes "
            "it"
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
    # MLflow's schema of the input would let 0.5 pass for a uint8, as 0: `champion` checks itself.
    asked = ParamSchema([ParamSpec("explain", DataType.string, "")])
    described = Model(logged.artifact_location, logged.source_run_id, model_id=logged.model_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather be given a schema, see above
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("champion.py")),
            artifacts={"network": str(network)},
            code_paths=[str(Path(glassnets.__file__).parent)],
            mlflow_model=described,
            signature=ModelSignature(params=asked),
            input_example=(train["images"][:1], {"explain": ""}),
            pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
        )


def _champion(client: mlflow.MlflowClient, name: str) -> Any:
    """The version that is the champion, or None."""
    try:
        return client.get_model_version_by_alias(name, ALIAS)
    except MlflowException:  # neither the model nor the alias need be there
        return None


def _create(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _tags(best: Best, train: Arrays) -> dict[str, str]:
    """What a person who looks at the version should see: figures of this very seed."""
    metrics = artefacts.load_json(best.results / "metrics.json")
    names = ("accuracy", "log_loss", "expected_calibration_error")
    figures = {f"test.{name}": f"{metrics[name]['by_seed'][best.place]:.6g}" for name in names}
    digest = hashlib.sha256(train["images"].tobytes() + train["labels"].tobytes()).hexdigest()
    return {"seed": str(best.seed), "train.sha256": digest, **figures}


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
        if dataset not in registry.names("datasets"):
            known = ", ".join(registry.names("datasets"))
            raise ParameterError(f"datasets: expected one of {known}, got {dataset!r}")
        register(params.load(artefacts.params_file()), dataset)


if __name__ == "__main__":
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    application.command()(command)
    application()
