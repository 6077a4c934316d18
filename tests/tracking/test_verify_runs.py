"""The check of `glassnets verify` that looks at MLflow's runs."""

import re
import shutil

import pytest

from glassnets.pipeline.verify.runs import runs


@pytest.fixture
def cnn_alone(logged):
    """The store of a project that has no other networks."""
    shutil.rmtree(logged.folder / "models" / "digits" / "feedforward")
    return logged


def test_runs_that_are_as_files_have_them_pass(cnn_alone):
    outcome = runs(["digits"])
    assert outcome.faults == ()
    assert outcome.message == "3 runs; networks not here, so not looked at: digits feedforward"


def test_missing_runs_are_named(logged):
    logged.client.delete_run(logged.run("cnn-seed-1").info.run_id)
    names = ("cnn-seed-1", "feedforward", "feedforward-seed-0", "feedforward-seed-1")
    assert runs(["digits"]).faults == tuple(
        f"{name} of digits: expected 1 run of these inputs, got 0" for name in names
    )


def test_a_double_and_an_unfinished_run_are_named(cnn_alone):
    first = cnn_alone.run("cnn-seed-0")
    tags = {k: v for k, v in first.data.tags.items() if k.startswith("glassnets")}
    cnn_alone.client.create_run(cnn_alone.experiment, tags=tags, run_name="copy")
    double, unfinished = runs(["digits"]).faults
    assert double == "cnn-seed-0 of digits: expected 1 run of these inputs, got 2"
    said = r"cnn-seed-0 of digits: expected it to be FINISHED, got RUNNING and \d+ more"
    assert re.fullmatch(said, unfinished)


def test_what_a_run_lacks_or_has_otherwise_is_named(cnn_alone):
    run = cnn_alone.run("cnn")
    cnn_alone.client.log_metric(run.info.run_id, "test/accuracy", 0.25)
    (model,) = cnn_alone.models(filter_string="name = 'cnn-seed-0'")
    cnn_alone.client.delete_logged_model(model.model_id)
    assert runs(["digits"]).faults == (
        "cnn of digits: expected test/accuracy 0.5625, got 0.25",
        "cnn-seed-0 of digits: expected its model, got none",
    )


def test_runs_of_other_inputs_may_stand_beside_them(cnn_alone):
    run = cnn_alone.run("cnn-seed-0")
    tags = run.data.tags | {"glassnets.inputs_digest": "other"}
    cnn_alone.client.create_run(cnn_alone.experiment, tags=tags)
    assert runs(["digits"]).faults == ()
