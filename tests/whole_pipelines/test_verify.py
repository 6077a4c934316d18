"""`glassnets verify` where a pipeline has run: runs in MLflow, and a rebuild."""

import re

import mlflow
import pytest

from glassnets.pipeline import artefacts
from glassnets.tracking import runs as tracking

pytestmark = pytest.mark.exhaustive
VERIFY = ("python", "-m", "glassnets.pipeline.verify")


def verify(clone, *arguments):
    """Exit code 0 or 1, and all that was printed."""
    process = clone.start(*VERIFY, *arguments)
    output, _ = process.communicate(timeout=900)
    assert process.returncode in (0, 1), output
    assert "Traceback" not in output
    return process.returncode, output


@pytest.fixture
def client(clone, monkeypatch):
    """MLflow's own, of the clone; what a test does to its runs is undone."""
    monkeypatch.chdir(clone.folder)
    database = clone.folder / "mlflow.db"
    kept = database.read_bytes()
    yield mlflow.MlflowClient(f"sqlite:///{database}")
    database.write_bytes(kept)


def runs(client):
    """The cnn's two on digits, as the lock has it: experiments of other tests lie beside them."""
    experiment = client.get_experiment_by_name("glassnets-digits")
    digest = tracking.inputs_digest(artefacts.root(), "digits", "cnn")
    query = f"tags.`{tracking.DIGEST}` = '{digest}' and tags.`glassnets.seed` != 'all'"
    found = client.search_runs([experiment.experiment_id], query)
    return sorted(found, key=lambda run: run.info.run_name)


def test_the_runs_of_the_lock_are_there(clone):
    code, output = verify(clone, "--only", "runs", "--dataset", "digits")
    assert code == 0, output
    assert re.search(r"\| runs .*\| yes +\| 6 runs", output)


def test_a_missing_run_is_named(clone, client):
    client.delete_run(runs(client)[1].info.run_id)
    code, output = verify(clone, "--only", "runs", "--dataset", "digits")
    assert code == 1
    assert "runs: cnn-seed-1 of digits: expected 1 run of these inputs, got 0" in output
    assert re.search(r"\| runs .*\| NO \(1\)", output)


def test_a_doubled_and_an_unfinished_run_are_named(clone, client):
    first = runs(client)[0]
    tags = {k: v for k, v in first.data.tags.items() if k.startswith(("glassnets", "dvc"))}
    client.create_run(first.info.experiment_id, tags=tags, run_name="copy")
    code, output = verify(clone, "--only", "runs", "--dataset", "digits")
    assert code == 1
    assert "runs: cnn-seed-0 of digits: expected 1 run of these inputs, got 2" in output
    assert "expected it to be FINISHED, got RUNNING" in output


@pytest.mark.release
def test_everything_rebuilds_but_what_an_edited_lock_says(clone):
    """All stages of digits run anew; the one hash that was edited is the one that differs."""
    lock = clone.folder / "dvc.lock"
    kept = lock.read_text(encoding="utf-8")
    stage = kept.index("  evaluate@digits-feedforward:")
    found = re.search(
        r"path: results/digits/cells/feedforward/metrics.json\n +hash: md5\n +md5: (\w+)",
        kept[stage:],
    )
    edited = kept[:stage] + kept[stage:].replace(found[1], "f" * 32, 1)
    lock.write_text(edited, encoding="utf-8")
    try:
        code, output = verify(clone, "--only", "rebuild", "--dataset", "digits")
    finally:
        lock.write_text(kept, encoding="utf-8")
    assert code == 1
    file = "results/digits/cells/feedforward/metrics.json"
    said = f"evaluate@digits-feedforward: {file} was {'f' * 32}, came out as {found[1]}"
    assert f"rebuild: {said}" in output
    assert re.search(r"\| rebuild .*\| NO \(1\).* of digits, 1 with other bytes", output)


def test_one_that_is_asked_wrongly_says_so(clone):
    process = clone.start(*VERIFY, "--dataset", "tea")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == "error: --dataset: expected one of digits, planted, mnist, got 'tea'\n"
