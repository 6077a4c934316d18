"""A project with the results of two small families and two seeds, as the stages leave them."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking._tracking_service import utils
from ruamel.yaml import YAML

from glassnets import config, runtime
from glassnets.attribution import verdicts
from glassnets.evaluation import metrics
from glassnets.pipeline import artefacts, manifests, networks
from glassnets.tracking import from_files

ROOT = Path(__file__).parents[2]
FAMILIES = ("cnn", "feedforward")
SEEDS = (0, 1)


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """MLflow's database without an entry: its tables take seconds to make."""
    database = tmp_path_factory.mktemp("tables") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture(scope="session")
def finished(tables, tmp_path_factory):
    """The project, without networks, and an empty store. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    folder.mkdir()
    shutil.copy(tables, folder)
    shutil.copy(ROOT / "dvc.yaml", folder)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["defaults"]["seeds"] = list(SEEDS)
    params["evaluation"]["bootstrap_resamples"] = 100
    for family in ("lstm", "attention", "spiking"):
        del params["digits"][family]
        for cells in ("cells", "studied_cells"):
            del params[cells][f"digits-{family}"]
    yaml.dump(params, folder / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _write_data()
        for family in FAMILIES:
            _write_cell(config.load(folder / "params.yaml"), family)
    return folder


def _write_data():
    rng = np.random.default_rng(0)
    artefacts.processed("digits").mkdir(parents=True)
    for name in ("train", "validation", "test"):
        images = rng.integers(0, 256, (20, 8, 8), dtype=np.uint8)
        labels = np.arange(20, dtype=np.uint8) % 10
        arrays = {"images": images, "labels": labels, "index": np.arange(20)}
        artefacts.save_arrays(artefacts.part("digits", name), arrays)


def _write_cell(params, family):
    evaluation, results = params.evaluation, artefacts.results("digits", family)
    results.mkdir(parents=True)
    manifest = artefacts.manifest("train", "digits", family)
    manifest.parent.mkdir(parents=True)
    artefacts.save_json(
        manifest, {"parameters": manifests.parameters(params, "train", "digits", family)}
    )
    rng = np.random.default_rng(len(family))
    curves = ["loss", "accuracy", "val_loss", "val_accuracy"]
    history = pd.DataFrame(rng.random((4, 4)), columns=curves)
    history.insert(0, "epoch", [1, 2, 1, 2])
    history.insert(0, "seed", np.repeat(SEEDS, 2))
    artefacts.save_table(results / "history.csv", history)

    labels = np.arange(20) % 10
    probabilities = rng.dirichlet(np.ones(10), (2, 20))
    summaries = metrics.summaries(labels, probabilities, [0.75, 0.5], evaluation)
    accuracy = {"cnn": [0.5, 0.625], "feedforward": [0.375, 0.25]}[family]
    summaries["accuracy"] |= {"by_seed": accuracy, "mean": float(np.mean(accuracy))}
    summaries["parameters"] = {**summaries["accuracy"], "mean": 1234.0, "by_seed": [1234.0] * 2}
    artefacts.save_json(results / "metrics.json", summaries)
    tables = []
    for seed, own in zip(SEEDS, probabilities, strict=True):
        columns = {f"probability_{k}": own[:, k] for k in range(10)}
        table = {"seed": seed, "label": labels, "prediction": own.argmax(axis=1), **columns}
        tables.append(pd.DataFrame(table))
    artefacts.save_table(results / "predictions.csv", pd.concat(tables))

    scores = {
        variant: {
            "insertion_minus_deletion": rng.random((2, 6)),
            "insertion_minus_deletion_probability_black": rng.random((2, 6)),
            "infidelity": np.where([[True], [False]], rng.random((2, 6)), np.nan),
            **{f"{way}_curve_black": rng.random((2, 6, 3)) for way in ("insertion", "deletion")},
        }
        for variant in ("gradient", "occlusion:mean", "edges")
    }
    artefacts.save_json(results / "score_summaries.json", verdicts.summaries(scores, evaluation))
    thresholds = params.dataset("digits").verdict
    made = verdicts.judgement(scores, ["edges"], thresholds, evaluation)
    artefacts.save_table(results / "leaderboard.csv", made.board)
    artefacts.save_table(results / "curves.csv", verdicts.curves(scores))
    attributions = {
        "seeds": np.array(SEEDS),
        "predictions": np.zeros((2, 6), int),
        "labels": labels[:6],
        "index": np.arange(6),
        "images": rng.integers(0, 256, (6, 8, 8), dtype=np.uint8),
        **{method: rng.normal(size=(2, 6, 8, 8)) for method in scores},
    }
    artefacts.save_arrays(artefacts.attributions("digits", family), attributions)


@pytest.fixture(scope="session")
def trained(finished, tensorflow, tmp_path_factory):
    """The project with its networks. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(finished, folder)
    data = config.load(folder / "params.yaml").dataset("digits")
    for family in FAMILIES:
        (folder / "models" / "digits" / family).mkdir(parents=True)
        for seed in SEEDS:
            runtime.set_seed(seed)
            path = folder / "models" / "digits" / family / artefacts.weights_name(seed)
            artefacts.save_weights(networks.build(data, family)[0], path)
    return folder


@pytest.fixture(scope="session")
def cnn_logged(trained, tmp_path_factory):
    """The project after its cnn was logged. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("logged") / "project"
    shutil.copytree(trained, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        params = config.load(folder / "params.yaml")
        assert from_files.log(params, "digits", "cnn", *from_files.STAGES) == 3
    return folder


@pytest.fixture
def copy_of(tmp_path, monkeypatch):
    """``copy_of(folder)``: the store of a copy of the folder, which becomes the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)

    def copy(folder):
        utils._artifact_repos_cache.clear()  # of runs that have the same id in other copies
        shutil.copytree(folder, tmp_path / "project")
        monkeypatch.chdir(tmp_path / "project")
        return Store(tmp_path / "project")

    return copy


@pytest.fixture
def store(copy_of, finished):
    """Of the project without networks."""
    return copy_of(finished)


@pytest.fixture
def with_networks(copy_of, trained):
    return copy_of(trained)


@pytest.fixture
def logged(copy_of, cnn_logged):
    return copy_of(cnn_logged)


@pytest.fixture
def params(finished):
    return config.load(finished / "params.yaml")


class Store:
    """MLflow's content, read by its own client."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")

    @property
    def experiment(self) -> str:
        return self.client.get_experiment_by_name("glassnets-digits").experiment_id

    def runs(self, query: str = "") -> list[mlflow.entities.Run]:
        return list(self.client.search_runs([self.experiment], query))

    def run(self, name: str) -> mlflow.entities.Run:
        """The one run of this name."""
        (run,) = self.runs(f"attributes.run_name = '{name}'")
        return run

    def curve(self, name: str, metric: str) -> list[tuple[int, float]]:
        history = self.client.get_metric_history(self.run(name).info.run_id, metric)
        return [(point.step, point.value) for point in history]

    def artifacts(self, name: str) -> set[str]:
        run_id = self.run(name).info.run_id
        found = [*self.client.list_artifacts(run_id), *self.client.list_artifacts(run_id, "plots")]
        return {file.path for file in found if not file.is_dir}

    def models(self, **search: object) -> list[mlflow.entities.LoggedModel]:
        return list(self.client.search_logged_models([self.experiment], **search))
