"""What runs hold, read from models/ and results/, and logged where MLflow lacks it."""

import hashlib
import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import pandas as pd
from mlflow import entities
from mlflow.models import Model, infer_signature
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution.scores import HEADLINE
from glassnets.config.schema import Params
from glassnets.data.inputs import Inputs
from glassnets.evaluation import metrics
from glassnets.pipeline import artefacts, networks, studies
from glassnets.pipeline.alone import alone
from glassnets.report import attributions, figures, leaderboards
from glassnets.representations.answers import SIGNIFICANT
from glassnets.tracking import TENSORFLOW, epochs, runs, store
from glassnets.tracking.runs import Run, RunKey
from glassnets.tracking.store import Experiment


class Part(ABC):
    """What a stage wrote of a seed or, for the parent run, of all seeds. files: what is logged, of
    results/<dataset>/cells/<family>. Reading raises GlassnetsError where the stage has not run."""

    stage: ClassVar[str]
    files: ClassVar[tuple[str, ...]]

    def __init__(self, params: Params, key: RunKey) -> None:
        self.params, self.key, self.data = params, key, params.dataset(key.dataset)
        self.inputs = Inputs.of(self.data)
        self.results = artefacts.results(key.dataset, key.family)
        self.paths = [self.results / name for name in self.files]
        self.place = None if key.seed is None else self.data.seeds.index(key.seed)
        name = "all seeds" if key.seed is None else f"seed {key.seed}"
        self.title = f"{key.family} on {key.dataset}, {name}"

    @classmethod
    def there(cls, params: Params, key: RunKey) -> bool:
        """Whether a run has such a part."""
        return True

    @property
    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """By MLflow's names."""

    @abstractmethod
    def write(self, run: Run) -> None:
        """Logs metrics and artifacts."""

    @property
    def digest(self) -> str:
        """sha256 of the files: the tag ``glassnets.<stage>`` of runs that hold all of the part."""
        each = (hashlib.sha256(path.read_bytes()).digest() for path in self.paths)
        return hashlib.sha256(b"".join(each)).hexdigest()

    def differing(self, run: entities.Run) -> list[str]:
        """The metrics that a run lacks or has otherwise, a line each."""
        logged = run.data.metrics
        return [
            f"expected {name} {value:.9g}, got {logged.get(name, 'none')}"
            for name, value in self.metrics.items()
            # Files keep nine digits of a float.
            if name not in logged or not math.isclose(logged[name], value, rel_tol=1e-7)
        ]

    def faults(self, experiment: Experiment, run: entities.Run) -> list[str]:
        """What a run lacks of the part or has otherwise, a line each."""
        found = self.differing(run)
        if run.data.tags.get(f"glassnets.{self.stage}") != self.digest:
            found.append(f"expected what {self.stage} wrote, got none or other")
        return found

    def _table(self, name: str) -> pd.DataFrame:
        """A table, of one of all seeds the seed's rows."""
        table = artefacts.load_table(self.results / name)
        return table[table["seed"] == self.key.seed] if "seed" in table else table

    def _value(self, summary: dict[str, Any]) -> float:
        """The seed's value or, of all seeds, the mean."""
        value = summary["mean"] if self.place is None else summary["by_seed"][self.place]
        return math.nan if value is None else float(value)


class Training(Part):
    """Curves and the model."""

    stage = "train"
    files = ("history.csv",)

    def __init__(self, params: Params, key: RunKey) -> None:
        super().__init__(params, key)
        if key.seed is not None:
            self.paths.append(artefacts.weights(key.dataset, key.family, key.seed))

    @property
    def metrics(self) -> dict[str, float]:
        """Where the curves end."""
        ends = self._table("history.csv").tail(1).to_dict("records")
        return {name: row[column] for row in ends for column, name in runs.CURVES.items()}

    def is_of(self, experiment: Experiment, run: entities.Run) -> bool:
        """Whether it is this training's run: as files have it, or followed live, not yet whole."""
        if self.differing(run) or not run.data.params:
            return False
        return runs.TRAINED not in run.data.tags or not self.faults(experiment, run)

    def faults(self, experiment: Experiment, run: entities.Run) -> list[str]:
        found = super().faults(experiment, run)
        ready = [m for m in experiment.models(run.info.run_id) if m.status == "READY"]
        if self.key.seed is not None and not ready:
            found.append("expected its model, got none")
        return found

    def write(self, run: Run) -> None:
        if self.key.seed is None:
            return
        entity = run.experiment.client.get_run(run.id)
        if self.differing(entity):  # not followed live
            for row in self._table("history.csv").to_dict("records"):
                run.log_epoch(row["epoch"], {str(name): row[name] for name in row})
        for half in run.experiment.models(run.id):  # what a kill has left
            run.experiment.client.delete_logged_model(half.model_id)
        runtime.start_tensorflow(self.params.runtime)
        model, _ = networks.load(self.data, self.key.family, self.paths[-1])
        self._log_model(run, of_keras_alone(model), entity.data.params)

    def _log_model(self, run: Run, model: Any, params: dict[str, str]) -> None:
        """What `mlflow.tensorflow.log_model` does, without its trial: that loads the model anew,
        which draws from the global random numbers and prints."""
        import keras
        import mlflow.tensorflow

        key, client = self.key, run.experiment.client
        logged = client.create_logged_model(
            run.experiment.id, key.name, run.id, key.tags, params, model_type="keras"
        )
        client.log_outputs(run.id, [entities.LoggedModelOutput(logged.model_id, step=0)])
        images = artefacts.load_arrays(artefacts.part(key.dataset, "train"))["images"][:1]
        logits = np.zeros((1, self.data.classes), np.float32)
        # Named, for MLflow would look for them by running the model in a new process.
        packages = (TENSORFLOW, "keras", "numpy")
        # MLflow would pickle all custom layers that Keras knows of, though the model has none.
        custom = patch.dict(keras.saving.get_custom_objects(), clear=True)
        with tempfile.TemporaryDirectory() as folder, custom:
            mlflow.tensorflow.save_model(
                model,
                f"{folder}/model",
                mlflow_model=Model(logged.artifact_location, run.id, model_id=logged.model_id),
                signature=infer_signature(images, logits),
                input_example=images,
                pip_requirements=[f"{name}=={version(name)}" for name in packages],
            )
            client.log_model_artifacts(logged.model_id, f"{folder}/model")
        client.finalize_logged_model(logged.model_id, "READY")


def of_keras_alone(model: Any) -> Any:
    """The same network of Keras' own layers and initialisers, which loads where the project's code
    is not installed. Its outputs differ from the model's by rounding."""
    import keras

    from glassnets.models.layers import Standardization
    from glassnets.models.spikes import LeakyIntegrateAndFire

    as_operations = {Standardization: _standardized, LeakyIntegrateAndFire: _spikes}

    def plain(config: Any) -> Any:
        if isinstance(config, list | tuple):
            return type(config)(map(plain, config))
        if not isinstance(config, dict):
            return config
        if str(config.get("registered_name")).startswith("glassnets>"):
            module = "layers" if hasattr(keras.layers, config["class_name"]) else "initializers"
            config = config | {"module": f"keras.{module}", "registered_name": None}
        return {key: plain(value) for key, value in config.items()}

    if not any(type(layer) in as_operations for layer in model.layers):
        copy = type(model).from_config(plain(model.get_config()))
        copy.set_weights(model.get_weights())
        return copy

    def cloned(layer: Any) -> Any:
        if type(layer) in as_operations or not isinstance(layer, keras.layers.Layer):
            return layer
        return keras.layers.deserialize(plain(keras.layers.serialize(layer)))

    def called(layer: Any, *inputs: Any, **options: Any) -> Any:
        if type(layer) in as_operations:
            return as_operations[type(layer)](layer, *inputs)
        return layer(*inputs, **options)

    copy = keras.models.clone_model(model, clone_function=cloned, call_function=called)
    for layer in model.layers:
        if type(layer) not in as_operations:  # whose numbers are constants there
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _standardized(layer: Any, inputs: Any) -> Any:
    """What a `Standardization` gives, by operations of Keras, its numbers constants."""
    from keras import ops

    mean, factor = (np.asarray(weight) for weight in layer.get_weights())
    scaled = ops.multiply(ops.subtract(inputs, mean), factor)
    if not layer.masked:
        return scaled
    there = inputs[..., -1:]
    return ops.concatenate([ops.multiply(scaled[..., :-1], there), there], axis=-1)


def _spikes(layer: Any, currents: Any) -> Any:
    """What a `LeakyIntegrateAndFire` gives, by operations of Keras, without its gradient."""
    from glassnets.models.spikes import above_zero, spikes

    return spikes(currents, layer.steps, layer.decay, above_zero)


class Evaluation(Part):
    """Test metrics: the model's, on the test data; for the parent run mean, sd and interval."""

    stage = "evaluate"
    files = ("metrics.json", "predictions.csv")

    @property
    def metrics(self) -> dict[str, float]:
        found = {}
        for name, summary in artefacts.load_json(self.results / "metrics.json").items():
            # Not of the test data alone.
            of_model = name in ("parameters", "train_accuracy", "overfitting_gap")
            found[f"{'model' if of_model else 'test'}/{name}"] = self._value(summary)
            if self.place is None and not of_model:
                for end in ("sd", "ci_low", "ci_high"):
                    found[f"test_spread/{name}_{end}"] = summary[end]
        return found

    def write(self, run: Run) -> None:
        of = run.log_dataset(self.key.dataset, "test", "testing")
        if self.place is not None:
            own = self._table("predictions.csv")
            labels, predicted = own["label"].to_numpy(), own["prediction"].to_numpy()
            matrix = figures.confusion_matrix(labels, predicted, self.title, self.inputs)
            run.log_figure(matrix, "confusion_matrix")
            probabilities = own.filter(regex=r"^probability_\d+$").to_numpy()
            bins = self.params.evaluation.calibration_bins
            table = metrics.reliability(labels, probabilities, bins)
            run.log_figure(figures.reliability(table, self.title, self.inputs), "reliability")
            of["model_id"] = run.experiment.models(run.id)[0].model_id
        run.log_metrics(self.metrics, 0, **of)


class Verdicts(Part):
    """Scores of attributions, all in a table, of each method the ranking one as a metric."""

    stage = "verdict"
    files = ("score_summaries.json", "leaderboard.csv", "curves.csv", "attributions.npz")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row a method, a column a score, NaN where it is not defined."""
        summaries = artefacts.load_json(self.results / "score_summaries.json")
        rows = {m: {n: self._value(s) for n, s in own.items()} for m, own in summaries.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")

    @property
    def metrics(self) -> dict[str, float]:
        ranking = self.scores[HEADLINE].dropna()
        return {f"attribution/{method}": score for method, score in ranking.items()}

    def write(self, run: Run) -> None:
        board = self._table("leaderboard.csv")
        run.log_table(self.scores.reset_index(), "attribution_scores")
        if self.place is not None:
            arrays = artefacts.load_arrays(self.results / "attributions.npz")
            gallery = attributions.gallery(arrays, board, self.title, self.place, self.inputs)
            run.log_figure(gallery, "gallery")
        else:
            run.log_table(board, "leaderboard")
            run.log_figure(leaderboards.chart(board, self.title), "leaderboard")
            curves = self._table("curves.csv")
            for removed in curves["removal"].unique():
                title = f"{self.title}, removed: {removed}"
                picture = leaderboards.curves(curves, removed, board, title, self.inputs.words)
                run.log_figure(picture, f"curves_{removed}")
        run.log_metrics(self.metrics)


class Lesions(Part):
    """What units of trained networks are like, and what lesions of them cost: means over them."""

    stage = "lesion"
    files = ("units.csv", "lesions.csv")

    def __init__(self, params: Params, key: RunKey) -> None:
        super().__init__(params, key)
        self.results = studies.units(key.dataset, key.family)
        self.paths = [self.results / name for name in self.files]

    @classmethod
    def there(cls, params: Params, key: RunKey) -> bool:
        """Of datasets whose units are looked at, once they were: a comparison does without."""
        folder = studies.units(key.dataset, key.family)
        here = all((folder / name).is_file() for name in cls.files)
        return key.dataset in params.studied_datasets and here

    @property
    def metrics(self) -> dict[str, float]:
        units, lesions = (artefacts.load_table(path) for path in self.paths)
        units, lesions = (self._of_trained(table) for table in (units, lesions))
        found = {"units/selective": float((units["p"] <= SIGNIFICANT).mean())}
        found |= {f"units/{name}": float(units[name].mean()) for name in ("auc", "dead")}
        for fill, costs in lesions.groupby("fill")[["log_loss", "own"]]:
            found[f"lesion/log_loss_{fill}"] = float(costs["log_loss"].mean())
            found[f"lesion/own_class_log_loss_{fill}"] = float(costs["own"].mean())
        return found

    def _of_trained(self, table: pd.DataFrame) -> pd.DataFrame:
        own = table[table["network"] == "trained"]
        return own if self.key.seed is None else own[own["seed"] == self.key.seed]

    def write(self, run: Run) -> None:
        if self.place is not None:
            run.log_table(self._table("units.csv"), "units")
        run.log_metrics(self.metrics)


PARTS: tuple[type[Part], ...] = (Training, Evaluation, Verdicts, Lesions)
STAGES = tuple(part.stage for part in PARTS)


def faults(experiment: Experiment, params: Params, key: RunKey, run: entities.Run) -> Iterator[str]:
    """What a run lacks or has otherwise than files, a line each."""
    if run.info.status != "FINISHED":
        yield f"expected it to be FINISHED, got {run.info.status}"
    for part in PARTS:
        if part.there(params, key):
            yield from part(params, key).faults(experiment, run)


def log(params: Params, dataset: str, family: str, *stages: str) -> int:
    """Logs at the end of a stage, as `log_now` does. Where MLflow cannot be used it says so and
    gives 0: the stage has its results. A task of a sweep logs nothing: the sweep does."""
    if not epochs.followed():
        with store.put_off(dataset):
            return log_now(params, dataset, family, *stages)
    return 0


def log_now(params: Params, dataset: str, family: str, *stages: str) -> int:
    """Logs what these of `STAGES` wrote of a cell, where MLflow lacks it, and what train wrote
    where it lacks the run. Gives the number of runs that were written to.

    params: of the project; with them it starts TensorFlow where a model is lacking. dataset,
    family: the cell. Raises GlassnetsError where MLflow cannot be used or a stage has not run.
    """
    keys = runs.keys(params, dataset, family)
    written = 0
    # Alone, or two processes would make the same runs.
    with alone(artefacts.results(dataset, family)), store.experiment(dataset) as experiment:
        for key in tqdm(keys, desc=f"logging {family}", unit="run", disable=None, leave=False):
            training = Training(params, key)
            wanted = [p for p in PARTS[1:] if p.stage in stages and p.there(params, key)]
            parts = [training, *(part(params, key) for part in wanted)]
            found = runs.find(experiment, key)
            ours = (run for run in found if training.is_of(experiment, run))
            old = max(ours, key=runs.ended, default=None)
            lacking = [part for part in parts if old is None or part.faults(experiment, old)]
            if old and not lacking and found == [old] and old.info.status == "FINISHED":
                continue
            run = Run(experiment, old.info.run_id) if old else runs.begin(experiment, key, params)
            for part in lacking:
                part.write(run)
                experiment.client.set_tag(run.id, f"glassnets.{part.stage}", part.digest)
            experiment.client.set_terminated(run.id)
            written += 1
        runs.settle(experiment, keys)
    return written
