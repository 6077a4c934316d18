"""The runs of studies: what they hold, once for the same files."""

import pandas as pd
import pytest

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, studies
from glassnets.tracking import studies as tracked

NAMES = {
    "learning": "how networks learn",
    "learning_rules": "other learning rules",
    "similarity": "do families see alike",
}


@pytest.fixture
def written(store, learning_rules):
    """The store of a project in which the studies have written a little."""
    folder = studies.learning("digits")
    (folder / "tables").mkdir(parents=True)
    artefacts.save_json(folder / "summary.json", {"noise_slope_start": -1.01, "edge": None})
    (folder / "tables" / "augmented.csv").write_text("epoch,test\n1,0.5\n", encoding="utf-8")
    (folder / "batch_size.png").write_bytes(b"png")
    results = artefacts.results("digits")
    (results / "learning_rules").mkdir()
    for name, table in learning_rules.items():
        artefacts.save_table(results / "learning_rules" / f"{name}.csv", table)
    (results / "learning_rules.png").write_bytes(b"png")
    artefacts.save_table(results / "similarity.csv", alike())
    (results / "similarity_measures.csv").write_text("measure\ncka\n", encoding="utf-8")
    (results / "similarity-layers.png").write_bytes(b"png")
    for name in NAMES:
        (results / f"{name}.md").write_text("# digits\n", encoding="utf-8")
    return store


def alike():
    """similarity.csv of two families, of two and three layers."""
    layers = [("cnn", "block_0"), ("cnn", "block_1"), ("cnn", "logits")]
    layers += [("lstm", "block_0"), ("lstm", "logits")]
    rows = [
        (measure, comparison, *a, *b, i + j / 10 + (comparison == "trained") / 100)
        for measure in ("cka", "rdm")
        for i, a in enumerate(layers)
        for j, b in enumerate(layers)
        if i <= j
        for comparison in ("trained", "untrained")
    ]
    names = ["measure", "comparison", "family_a", "layer_a", "family_b", "layer_b", "value"]
    return pd.DataFrame(rows, columns=names).assign(ci_low=0, ci_high=1)


def held(store, name, *folders):
    """The metrics, parameters and files of a run; those in these of its folders too."""
    run = store.run(NAMES[name])
    assert run.info.status == "FINISHED"
    assert run.data.tags["glassnets.dataset"] == "digits"
    within = [store.client.list_artifacts(run.info.run_id, f) for f in (None, *folders)]
    files = {file.path for each in within for file in each if not file.is_dir}
    return run.data.metrics, run.data.params, files


def test_how_networks_learn(written, params):
    assert tracked.log(params, "digits", "learning") == 1
    metrics, options, files = held(written, "learning", "learning", "learning/tables")
    assert metrics == {"learning/noise_slope_start": -1.01}
    assert options["gradient_flow.depth"] == "20"
    of_folder = {"batch_size.png", "summary.json", "tables/augmented.csv"}
    assert files == {"learning.md"} | {f"learning/{name}" for name in of_folder}


def test_other_learning_rules(written, params):
    assert tracked.log(params, "digits", "learning_rules") == 1
    metrics, options, files = held(written, "learning_rules", "learning_rules")
    assert metrics == {
        "learning_rules/accuracy/backpropagation": 0.98,
        "learning_rules/log_loss/backpropagation": 0.05,
        "learning_rules/explanations_that_hold/backpropagation": 1,
        "learning_rules/degrees_to_the_gradient/backpropagation": 0,
        "learning_rules/accuracy/feedback_alignment": 0.96,
        "learning_rules/log_loss/feedback_alignment": 0.1,
        "learning_rules/explanations_that_hold/feedback_alignment": 0.5,
        "learning_rules/degrees_to_the_gradient/feedback_alignment": 70,
    }
    assert options["training.epochs"] == str(
        params.dataset("digits").learning_rules.training.epochs
    )
    tables = {f"learning_rules/{name}.csv" for name in ("rates", "networks", "angles", "explained")}
    assert files == {"learning_rules.md", "learning_rules.png"} | tables


def test_how_alike_representations_are(written, params):
    assert tracked.log(params, "digits", "similarity") == 1
    metrics, options, files = held(written, "similarity")
    assert metrics == pytest.approx(
        {  # block_1, before the CNN's logits, and block_0, before the LSTM's
            "similarity/cka_trained/cnn_lstm": 1.31,
            "similarity/cka_untrained/cnn_lstm": 1.3,
        }
    )
    assert options["blocks"] == str(params.dataset("digits").similarity.blocks)
    tables = {"similarity.csv", "similarity_measures.csv"}
    assert files == {"similarity.md", "similarity-layers.png"} | tables


def test_the_same_files_are_logged_once_and_others_anew(written, params):
    assert tracked.log(params, "digits", *NAMES) == 3
    assert tracked.log(params, "digits", *NAMES) == 0
    first = written.run(NAMES["similarity"])
    (artefacts.results("digits") / "similarity.md").write_text("# other\n", encoding="utf-8")
    assert tracked.log(params, "digits", *NAMES) == 1
    assert len(written.runs(f"attributes.run_name = '{NAMES['similarity']}'")) == 2
    assert first.info.run_id in {run.info.run_id for run in written.runs()}


def test_what_a_kill_left_is_replaced(written, params):
    assert tracked.log(params, "digits", "learning")
    half = written.run(NAMES["learning"]).info.run_id
    written.client.set_terminated(half, "KILLED")
    assert tracked.log(params, "digits", "learning")
    assert written.run(NAMES["learning"]).info.run_id != half


def test_no_family_is_mistaken_for_it(written, params):
    tracked.log(params, "digits", *NAMES)
    for name in NAMES.values():
        assert "glassnets.family" not in written.run(name).data.tags


def test_those_that_are_there_are_known_by_their_pages(written):
    assert tracked.here("digits") == [*NAMES]
    (artefacts.results("digits") / "learning.md").unlink()
    assert tracked.here("digits") == ["learning_rules", "similarity"]
    assert tracked.here("planted") == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("learning", r"summary\.json"),
        ("learning_rules", r"rates\.csv"),
        ("similarity", r"similarity\.csv"),
    ],
)
def test_without_the_files_it_says_what_builds_them(store, params, name, file):
    with pytest.raises(GlassnetsError, match=rf"{file}, got: it is not there"):
        tracked.log(params, "digits", name)


def faults():
    with tracked.store.experiment("digits") as experiment:
        return tracked.faults(experiment, "digits")


def test_without_mlflow_a_study_has_its_results(written, params, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "tea://pot")
    assert tracked.log(params, "digits", "learning") == 0
    assert capsys.readouterr().err.endswith("`glassnets track digits` logs it later\n")
    with pytest.raises(GlassnetsError, match=r"^expected to use MLflow at tea://pot"):
        tracked.log_now(params, "digits", "learning")


def test_what_is_wrong_with_their_runs_is_named(written, params):
    expected = "expected 1 run of these files, got 0"
    assert faults() == [f"{name!r} of digits: {expected}" for name in NAMES.values()]
    tracked.log(params, "digits", *NAMES)
    assert faults() == []
    run = written.run(NAMES["learning"])
    written.client.log_metric(run.info.run_id, "learning/noise_slope_start", -2)
    (artefacts.results("digits") / "similarity.md").write_text("# other\n", encoding="utf-8")
    assert faults() == [
        "'how networks learn' of digits: expected it FINISHED with the metrics of these files, "
        "got others",
        "'do families see alike' of digits: expected 1 run of these files, got 0",
    ]
