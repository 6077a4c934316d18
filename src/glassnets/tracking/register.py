"""``glassnets register DATASET``: each family's best network into MLflow's
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
import networkx
import numpy as np
import pandas as pd
import typer
from mlflow.exceptions import MlflowException
from mlflow.models import Model, infer_signature
from numpy.typing import NDArray
from tqdm import tqdm

import glassnets
from glassnets import config
from glassnets.config.schema import Params
from glassnets.data import Arrays
from glassnets.data.inputs import Inputs
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts, manifests, repository, trained
from glassnets.tracking import PARAMETERS, TENSORFLOW, runs, store
from glassnets.tracking.runs import RunKey
from glassnets.tracking.store import Experiment

ALIAS = "champion"
CONTENT = "glassnets.content"  # tag: sha256 of all that the version holds
MAX_DESCRIPTION = 5000  # characters: all that MLflow's database has room for
METRICS = ("accuracy", "log_loss", "expected_calibration_error")  # tags
PACKAGES = (
    TENSORFLOW,
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
_PACKAGE = Path(glassnets.__file__).parent


def register(params: Params, dataset: str) -> None:
    """Registers the champions of a dataset that are not registered yet."""
    best = []
    for family in params.dataset(dataset).families:
        seed = best_seed(dataset, family)
        best += [key for key in runs.keys(params, dataset, family) if key.seed == seed]
        trained.weights(dataset, family, seed)  # all must be there before one is registered
        card = artefacts.results(dataset) / "families" / family / "model-card.md"
        if not card.is_file():
            raise GlassnetsError(
                f"expected the model card {card}, got none: `dvc repro compare@{dataset}` writes it"
            )
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    with store.experiment(dataset) as experiment:
        bar = tqdm(best, desc="registering", unit="model", disable=None, leave=False)
        lines = [_registered(experiment, params, key, train) for key in bar]
    print(*lines, sep="\n")


def check_fresh(params: Params, dataset: str) -> None:
    """Raises GlassnetsError where the verdicts and metrics that are here are not those of the
    networks that are, or either is not of params.yaml."""
    families = params.dataset(dataset).families
    found = [
        f"train@{dataset}-{family}: other parameters"
        for family in families
        if manifests.differs(params, "train", dataset, family)
    ]
    with repository.opened() as repo:
        last = next(s for s in repo.index.stages if s.addressing == f"compare@{dataset}")
        read = networkx.descendants(repo.index.graph, last)  # by it or by what it has read
        found += repository.faults(repo, [*sorted(read, key=lambda s: s.addressing), last])
    if found:
        raise GlassnetsError(
            f"{dataset}: expected networks and results as dvc.lock has them, got {found[0]}: "
            f"`dvc repro compare@{dataset}` makes them, or `dvc checkout` brings them back"
        )


def best_seed(dataset: str, family: str) -> int:
    """The seed whose network had the lowest loss on validation images, in the epoch it kept."""
    history = artefacts.load_table(artefacts.results(dataset, family) / "history.csv")
    return int(history.sort_values(["val_loss", "seed"])["seed"].iloc[0])


def _registered(experiment: Experiment, params: Params, key: RunKey, train: Arrays) -> str:
    """Registers a champion, unless it is already; a line that names it."""
    client, name = experiment.client, f"glassnets-{key.dataset}-{key.family}"
    results = artefacts.results(key.dataset, key.family)
    card = artefacts.results(key.dataset) / "families" / key.family / "model-card.md"
    data = params.dataset(key.dataset)
    assert key.seed is not None
    with tempfile.TemporaryDirectory() as temporary:
        network, folder = Path(temporary, "network"), f"{temporary}/model"
        # All that the served network is made of, as plain files. Same input, same bytes.
        network.mkdir()
        weights = artefacts.weights(key.dataset, key.family, key.seed)
        shutil.copyfile(weights, network / "network.weights.h5")
        for source in (artefacts.params_file(), card, results / "leaderboard.csv"):
            shutil.copy(source, network)
        np.savez_compressed(
            network / "training.npz", images=train["images"], labels=train["labels"]
        )
        about = {"dataset": key.dataset, "family": key.family, "seed": key.seed}
        artefacts.save_json(network / "champion.json", about)
        content = _content([network, _PACKAGE])
        with suppress(MlflowException):  # neither the model nor the alias need be there
            known = client.get_model_version_by_alias(name, ALIAS)
            if known.tags.get(CONTENT) == content:
                return f"{name}: version {known.version} is the {ALIAS} already (seed {key.seed})"
        whole = (run for run in experiment.runs(key.tags) if runs.TRAINED in run.data.tags)
        run_id = next((run.info.run_id for run in whole), None)
        logged = client.create_logged_model(experiment.id, ALIAS, run_id)
        with warnings.catch_warnings():
            # It would rather be given a schema of the input, which would let 0.5 pass for a uint8,
            # as 0: the model checks itself.
            warnings.simplefilter("ignore")
            mlflow.pyfunc.save_model(
                folder,
                python_model=str(Path(__file__).with_name("served_model.py")),
                artifacts={"network": str(network)},
                code_paths=[str(_PACKAGE)],
                mlflow_model=Model(logged.artifact_location, run_id, model_id=logged.model_id),
                signature=infer_signature(params=PARAMETERS),
                input_example=(example(train["images"][:1], Inputs.of(data)), PARAMETERS),
                pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
            )
        client.log_model_artifacts(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, "READY")
    text = description(card.read_text(encoding="utf-8"))
    with suppress(MlflowException):  # there is one of this name
        client.create_registered_model(name)
    client.update_registered_model(name, text)
    # What a person who looks at the version should see: metrics of this very seed.
    place = params.dataset(key.dataset).seeds.index(key.seed)
    metrics = artefacts.load_json(results / "metrics.json")
    registered = client.create_model_version(
        name,
        logged.artifact_location,
        run_id,
        {
            CONTENT: content,
            "seed": str(key.seed),
            "train.sha256": runs.arrays_digest(train),
            **{f"test.{each}": f"{metrics[each]['by_seed'][place]:.6g}" for each in METRICS},
        },
        description=text,
        model_id=logged.model_id,
    )
    client.set_registered_model_alias(name, ALIAS, registered.version)
    return f"{name}: version {registered.version} is the {ALIAS} now (seed {key.seed})"


def example(images: NDArray[Any], inputs: Inputs) -> Any:
    """Training inputs as a request has them."""
    if inputs.kind == "table":
        return pd.DataFrame([inputs.record(row) for row in images])
    return images[:, 0, :, : -1 if inputs.masked else None] if inputs.kind == "series" else images


def _content(folders: list[Path]) -> str:
    """sha256 of the files in these folders, and their names."""
    digest = hashlib.sha256()
    for folder in folders:
        files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for path in sorted(files):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def description(card: str) -> str:
    """A model card as MLflow has room for it: without its picture, and cut if it is too long."""
    text = "\n".join(line for line in card.splitlines() if not line.startswith("!["))
    if len(text) <= MAX_DESCRIPTION:
        return text
    rest = "\n\n… (in whole: model-card.md among the model's files)"
    return text[: MAX_DESCRIPTION - len(rest)].rsplit("\n", 1)[0] + rest


def command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as digits or mnist.")],
) -> None:
    """Registers each family's best network, by validation, in MLflow's registry."""
    with in_one_line("other programs closed"):
        params = config.load(artefacts.params_file())
        config.check_known("datasets", [dataset], params.datasets)
        check_fresh(params, dataset)
        register(params, dataset)


if __name__ == "__main__":
    typer.run(command)
