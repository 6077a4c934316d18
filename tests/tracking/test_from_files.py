"""What is logged of a project's files; that what is lacking is logged, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from glassnets import registry
from glassnets.errors import GlassnetsError
from glassnets.models import families
from glassnets.pipeline import artefacts, networks, studies
from glassnets.report import comparison
from glassnets.tracking import TENSORFLOW, from_files, runs
from glassnets.tracking.store import experiment

pytestmark = pytest.mark.exhaustive

SEEDS = ("cnn-seed-0", "cnn-seed-1")
TEST_METRICS = {"accuracy", "log_loss", "macro_f1", "expected_calibration_error", "brier_score"}


@pytest.fixture
def log(params):
    """``log(*stages)``: of cnn; all of them by default."""
    return lambda *stages: from_files.log(params, "digits", "cnn", *stages or from_files.STAGES)


def results(name):
    return artefacts.results("digits", "cnn") / name


def faults(params, store):
    """Of each run of cnn, by name."""
    found = {}
    with experiment("digits") as opened:
        for key in runs.keys(params, "digits", "cnn"):
            own = from_files.faults(opened, params, key, store.run(key.name))
            found |= {key.name: lines} if (lines := list(own)) else {}
    return found


# What runs hold


def test_a_seeds_run_holds_what_the_stages_wrote_of_the_seed(logged):
    history = artefacts.load_table(results("history.csv")).query("seed == 1")
    metrics = artefacts.load_json(results("metrics.json"))
    scores = artefacts.load_json(results("score_summaries.json"))
    for column, name in (("loss", "train/loss"), ("val_accuracy", "validation/accuracy")):
        expected = list(zip(history["epoch"], history[column], strict=True))
        assert logged.curve("cnn-seed-1", name) == expected
    held = logged.run("cnn-seed-1").data.metrics
    for name in TEST_METRICS:
        assert held[f"test/{name}"] == metrics[name]["by_seed"][1]
    assert held["model/parameters"] == metrics["parameters"]["mean"]
    of_methods = {name: value for name, value in held.items() if name.startswith("attribution/")}
    assert "attribution/occlusion:mean" in of_methods  # MLflow takes the colon
    assert of_methods == {
        f"attribution/{method}": own["insertion_minus_deletion"]["by_seed"][1]
        for method, own in scores.items()
    }
    pictures = {"confusion_matrix", "reliability", "gallery"}
    expected = {f"plots/{name}.png" for name in pictures} | {"attribution_scores.csv"}
    assert logged.artifacts("cnn-seed-1") == expected


def test_a_table_holds_all_scores_of_attributions(logged):
    scores = artefacts.load_json(results("score_summaries.json"))
    for name, value in (
        ("cnn-seed-0", lambda summary: summary["by_seed"][0]),
        ("cnn-seed-1", lambda summary: summary["by_seed"][1]),  # no infidelity: None
        ("cnn", lambda summary: summary["mean"]),
    ):
        uri = f"{logged.run(name).info.artifact_uri}/attribution_scores.csv"
        table = pd.read_csv(mlflow.artifacts.download_artifacts(uri), index_col="method")
        for method, own in scores.items():
            for score, summary in own.items():
                expected = value(summary)
                assert table.loc[method, score] == pytest.approx(expected, nan_ok=True) or (
                    expected is None and np.isnan(table.loc[method, score])
                )


def test_the_parent_run_holds_what_they_wrote_of_all_seeds(logged):
    metrics = artefacts.load_json(results("metrics.json"))
    scores = artefacts.load_json(results("score_summaries.json"))
    parent = logged.run("cnn")
    for name in TEST_METRICS:
        assert parent.data.metrics[f"test/{name}"] == metrics[name]["mean"]
        for end in ("sd", "ci_low", "ci_high"):
            assert parent.data.metrics[f"test_spread/{name}_{end}"] == metrics[name][end]
    mean = scores["gradient"]["insertion_minus_deletion"]["mean"]
    assert parent.data.metrics["attribution/gradient"] == mean
    assert not any(name.startswith(("train/", "validation/")) for name in parent.data.metrics)
    tables = {"leaderboard.csv", "attribution_scores.csv"}
    assert logged.artifacts("cnn") == tables | {"plots/leaderboard.png", "plots/curves_black.png"}
    for name in SEEDS:
        assert logged.run(name).data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert logged.run(name).data.params == parent.data.params
        assert logged.run(name).info.status == parent.info.status == "FINISHED"


def test_units_and_lesions_are_logged_where_they_are(logged, log, params):
    assert not any(name.startswith("units/") for name in logged.run("cnn").data.metrics)
    folder = studies.units("digits", "cnn")
    folder.mkdir(parents=True)
    units = [("trained", 0, 0.01, 0.9), ("trained", 1, 0.5, 0.7), ("memorised", 0, 0.5, 0.5)]
    columns = ["network", "seed", "p", "auc"]
    artefacts.save_table(folder / "units.csv", pd.DataFrame(units, columns=columns).assign(dead=0))
    lesions = [("trained", 0, "zero", 0.1, 0.3), ("trained", 1, "zero", 0.3, 0.4)]
    columns = ["network", "seed", "fill", "log_loss", "own"]
    artefacts.save_table(folder / "lesions.csv", pd.DataFrame(lesions, columns=columns))
    assert [*faults(params, logged)] == ["cnn", *SEEDS]
    assert log("lesion") == 3
    assert faults(params, logged) == {}
    assert log("lesion") == 0
    assert faults(params, logged) == {}
    held = logged.run("cnn").data.metrics
    assert (held["units/selective"], held["units/auc"]) == (0.5, 0.8)
    assert held["lesion/log_loss_zero"] == pytest.approx(0.2)
    held = logged.run("cnn-seed-1").data.metrics
    assert (held["units/selective"], held["lesion/own_class_log_loss_zero"]) == (0, 0.4)
    assert "units.csv" in logged.artifacts("cnn-seed-1")


def test_runs_name_the_data_they_learnt_from_and_were_tested_on(logged):
    for name in ("cnn", *SEEDS):
        used = {
            each.dataset.name: [tag.value for tag in each.tags]
            for each in logged.run(name).inputs.dataset_inputs
        }
        assert used == {"digits-train": ["training"], "digits-test": ["testing"]}


# Models


def test_test_metrics_are_the_models_of_the_test_data(logged):
    for name in SEEDS:
        run = logged.run(name)
        (model,) = logged.models(filter_string=f"source_run_id = '{run.info.run_id}'")
        assert model.name == name
        assert model.params == run.data.params
        assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
        held = {metric.key: metric for metric in model.metrics}
        tested = {k: value for k, value in run.data.metrics.items() if k.startswith("test/")}
        assert {key: held[key].value for key in tested} == tested
        (data,) = (d.dataset for d in run.inputs.dataset_inputs if d.dataset.name == "digits-test")
        assert {metric.dataset_name for metric in model.metrics} == {data.name}
        assert {metric.dataset_digest for metric in model.metrics} == {data.digest}
        assert model.tags["glassnets.inputs"] == "current"


def test_models_are_ranked_as_the_comparison_ranks_families(logged, params):
    from_files.log(params, "digits", "feedforward", "train", "evaluate")
    metrics = {
        family: artefacts.load_json(artefacts.results("digits", family) / "metrics.json")
        for family in ("feedforward", "cnn")
    }
    mlflow.set_tracking_uri(f"sqlite:///{logged.folder}/mlflow.db")
    try:
        ranked = mlflow.search_logged_models(
            [logged.experiment],
            filter_string="tags.`glassnets.inputs` = 'current'",
            order_by=[{"field_name": "metrics.test/accuracy", "ascending": False}],
            output_format="list",
        )
    finally:
        mlflow.set_tracking_uri(None)
    order = [model.tags["glassnets.family"] for model in ranked]
    table = comparison.table(metrics)
    assert list(dict.fromkeys(order)) == table["family"].tolist() == ["cnn", "feedforward"]
    assert [model.name for model in ranked][:2] == ["cnn-seed-1", "cnn-seed-0"]


@pytest.mark.release
def test_a_model_loads_without_the_project_and_gives_the_same_logits(logged, params, tmp_path):
    """By Keras' own name and MLflow's, in a process that knows no glassnets; and without a
    pickle."""
    images = artefacts.load_arrays(artefacts.part("digits", "test"))["images"]
    model, _ = networks.load(params.dataset("digits"), "cnn", artefacts.weights("digits", "cnn", 0))
    expected = families.predict(model, images)
    np.save(tmp_path / "images.npy", images)
    (logged_model,) = logged.models(filter_string="name = 'cnn-seed-0'")
    folder = mlflow.artifacts.download_artifacts(logged_model.artifact_location)
    code = f"""
import sys
sys.modules["glassnets"] = None
import keras, mlflow.tensorflow, numpy as np
images = np.load("images.npy")
flavour = mlflow.tensorflow.load_model({folder!r})
keras_alone = keras.models.load_model({folder!r} + "/data/model.keras")
np.save("logits.npy", [np.asarray(m.predict(images, verbose=0)) for m in (flavour, keras_alone)])
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    for logits in np.load(tmp_path / "logits.npy"):
        np.testing.assert_allclose(logits, expected, atol=1e-5)
    loaded = mlflow.pyfunc.load_model(folder)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 8, 8)
    assert loaded.metadata.signature.inputs.inputs[0].type == np.dtype("uint8")
    assert loaded.metadata.signature.outputs.inputs[0].shape == (-1, 10)
    np.testing.assert_allclose(loaded.predict(images), expected, atol=1e-5)
    assert loaded.input_example.shape == (1, 8, 8)
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        loaded.predict(np.zeros((2, 9, 9), np.uint8))
    files = [path.relative_to(folder) for path in sorted(Path(folder).rglob("*"))]
    assert not [path for path in files if "pickle" in path.name or path.suffix == ".pkl"]
    requirements = (Path(folder) / "requirements.txt").read_text()
    assert f"{TENSORFLOW}==" in requirements
    assert "glassnets" not in requirements


@pytest.mark.parametrize("name", registry.names(registry.FAMILIES))
def test_every_familys_network_has_an_equal_of_kerass_own_layers(family, draw_images, name):
    model = family(name).model
    for weight in model.weights:
        if "moving" in weight.name:  # not as drawn: 0 and 1
            weight.assign(weight + 0.5)
    plain = from_files.of_keras_alone(model)
    assert "glassnets" not in json.dumps(plain.get_config(), default=repr)
    images = draw_images(20)
    expected = families.predict(model, images)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(families.predict(plain, images), expected, atol=1e-5)


# What is logged when


def test_logged_again_nothing_changes(logged, log):
    before = {run.info.run_id: run.info.end_time for run in logged.runs()}
    history = logged.curve("cnn-seed-0", "train/loss")
    assert log() == 0
    assert {run.info.run_id: run.info.end_time for run in logged.runs()} == before
    assert logged.curve("cnn-seed-0", "train/loss") == history
    assert len(logged.models()) == 2


def test_a_stage_logs_what_it_wrote_to_the_run_that_was_followed_live(with_networks, params, log):
    """The run of a training goes through train, evaluate and verdict; what an earlier evaluation
    left in results/ is not logged before evaluate has run again."""
    store, history = with_networks, artefacts.load_table(results("history.csv"))
    for seed in (0, 1):
        with runs.training_run(params, "digits", "cnn", seed) as run:
            for row in history[history["seed"] == seed].to_dict("records"):
                run.log_epoch(row["epoch"], row)
    live = {name: store.run(name).info.run_id for name in ("cnn", *SEEDS)}
    assert log("train") == 3
    assert not any(name.startswith("test/") for name in store.run("cnn-seed-0").data.metrics)
    assert log("evaluate") == 3
    assert log("verdict") == 3
    assert log() == 0
    assert {name: store.run(name).info.run_id for name in live} == live
    assert len(store.curve("cnn-seed-0", "train/loss")) == 2
    assert store.run("cnn-seed-0").data.metrics["resources/wall_seconds"] > 0
    assert len(store.models()) == 2
    assert faults(params, store) == {}


def test_training_that_broke_off_is_no_run_of_what_is_here(with_networks, params, log):
    store = with_networks
    with pytest.raises(ValueError, match="half"), runs.training_run(params, "digits", "cnn", 0):
        raise ValueError("half a training is no training")
    assert log("evaluate") == 3
    run = store.run("cnn-seed-0")
    assert run.info.status == "FINISHED"
    assert "resources/wall_seconds" not in run.data.metrics
    assert faults(params, store).keys() == {"cnn", *SEEDS}, "verdicts are lacking"


def test_changed_results_are_logged_again(logged, params, log):
    path = results("score_summaries.json")
    summaries = artefacts.load_json(path)
    summaries["gradient"]["infidelity"]["by_seed"][0] = 0.125  # no metric: in the table alone
    artefacts.save_json(path, summaries)
    expected = ["expected what verdict wrote, got none or other"]
    assert list(faults(params, logged).values()) == [expected] * 3
    before = {run.info.run_id for run in logged.runs()}
    assert log() == 3
    assert {run.info.run_id for run in logged.runs()} == before
    uri = f"{logged.run('cnn-seed-0').info.artifact_uri}/attribution_scores.csv"
    table = pd.read_csv(mlflow.artifacts.download_artifacts(uri), index_col="method")
    assert table.loc["gradient", "infidelity"] == 0.125
    assert faults(params, logged) == {}


def test_what_was_damaged_is_put_right(logged, params, log):
    runs_before = {name: logged.run(name).info.run_id for name in ("cnn", *SEEDS)}
    logged.client.log_metric(runs_before["cnn-seed-0"], "test/accuracy", 0.125)
    (model,) = logged.models(filter_string="name = 'cnn-seed-1'")
    logged.client.delete_logged_model(model.model_id)
    assert faults(params, logged) == {
        "cnn-seed-0": ["expected test/accuracy 0.5, got 0.125"],
        "cnn-seed-1": ["expected its model, got none"],
    }
    assert log() == 2
    assert faults(params, logged) == {}
    assert logged.run("cnn-seed-0").info.run_id == runs_before["cnn-seed-0"]
    assert logged.run("cnn-seed-1").info.run_id != runs_before["cnn-seed-1"]
    (model,) = logged.models(filter_string="name = 'cnn-seed-1'")
    assert {metric.key for metric in model.metrics} >= {"test/accuracy"}


def test_a_run_of_the_same_inputs_with_other_curves_is_another_trainings(logged, params, log):
    path = results("history.csv")
    history = artefacts.load_table(path)
    history.loc[history["seed"] == 0, "val_loss"] += 0.5
    artefacts.save_table(path, history)
    before = {name: logged.run(name).info.run_id for name in ("cnn", *SEEDS)}
    assert log() == 3
    after = {name: logged.run(name).info.run_id for name in before}
    assert not set(before.values()) & set(after.values())
    assert logged.run("cnn-seed-0").data.tags["mlflow.parentRunId"] == after["cnn"]
    assert len(logged.models()) == 2


def test_a_parent_run_that_was_deleted_is_made_again_above_its_seeds(logged, log):
    logged.client.delete_run(logged.run("cnn").info.run_id)
    assert log() == 1
    parent = logged.run("cnn")
    assert parent.data.metrics["test/accuracy"] == 0.5625
    for name in SEEDS:
        assert logged.run(name).data.tags["mlflow.parentRunId"] == parent.info.run_id


@pytest.mark.parametrize(
    ("name", "stage"), [("metrics.json", "evaluate"), ("score_summaries.json", "verdict")]
)
def test_what_has_not_run_is_named(logged, log, name, stage):
    results(name).unlink()
    with pytest.raises(GlassnetsError, match=rf"{name}, got: it is not there"):
        log(stage)
    assert log("train") == 0


def test_without_mlflow_a_stage_has_its_results(logged, log, params, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "tea://pot")
    assert log("train") == 0
    assert capsys.readouterr().err.endswith("`glassnets track digits` logs it later\n")
    with pytest.raises(GlassnetsError, match=r"^expected to use MLflow at tea://pot"):
        from_files.log_now(params, "digits", "cnn", "train")


LOG = """
from glassnets import config
from glassnets.pipeline import artefacts
from glassnets.tracking import from_files
from_files.Training.write = lambda self, run: [  # starts no TensorFlow
    run.log_epoch(row["epoch"], row)
    for row in self._table("history.csv").to_dict("records") if self.key.seed is not None
]
params = config.load(artefacts.params_file())
print(from_files.log(params, "digits", "cnn", "train"))
"""


@pytest.mark.release
def test_two_processes_at_once_leave_one_run_of_each(with_networks):
    both = [
        subprocess.Popen([sys.executable, "-c", LOG], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    written = sorted(int(process.communicate()[0]) for process in both)
    names = sorted(run.info.run_name for run in with_networks.runs())
    assert names == ["cnn", *SEEDS]
    assert all(run.info.status == "FINISHED" for run in with_networks.runs())
    assert written[1] == 3


def test_a_clone_with_the_files_alone_logs_the_same(logged, params, log, tables, tmp_path):
    """As where DVC pulled them: the same but for the costs of training."""
    clone = tmp_path / "clone"
    shutil.copytree(logged.folder, clone, ignore=shutil.ignore_patterns("mlruns", "mlflow.db"))
    shutil.copy(tables, clone / "mlflow.db")
    os.chdir(clone)
    assert log() == 3
    other = type(logged)(clone)
    for name in ("cnn", *SEEDS):
        for what in ("metrics", "params"):
            assert getattr(other.run(name).data, what) == getattr(logged.run(name).data, what)
        assert other.artifacts(name) == logged.artifacts(name)
        one, two = (
            {d.dataset.digest for d in s.run(name).inputs.dataset_inputs} for s in (logged, other)
        )
        assert one == two
