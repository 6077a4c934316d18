"""The champions in MLflow's registry, and one of them served: what it answers, what it refuses."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from dvc.repo import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassnets import artefacts, params
from glassnets.errors import GlassnetsError
from glassnets.explain import trained
from glassnets.serving.champion import MOST_EXPLAINED, MOST_IMAGES, grey_levels
from glassnets.serving.register import best_seed, description, register

FAMILIES = ["attention", "cnn", "feedforward", "lstm"]
CNN = "glassnets-digits-cnn"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
IMAGES[0, 0, :2] = 0, 255


@pytest.fixture(scope="module")
def project(untrained_project, tmp_path_factory):
    """With what compare and evaluate say, as far as a registration needs it; the seeds are one."""
    project = tmp_path_factory.mktemp("serving")
    shutil.copytree(untrained_project, project, dirs_exist_ok=True)
    Repo.init(str(project), no_scm=True).close()
    text = (project / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("seeds: [0, 1, 2]", "seeds: [0]", 1)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    leaderboard = (project / "results" / "digits" / "cnn" / "leaderboard.csv").read_bytes()
    for family in FAMILIES:
        folder = project / "results" / "digits" / family
        folder.mkdir(parents=True, exist_ok=True)
        history = pd.DataFrame({"seed": [0, 0], "epoch": [1, 2], "val_loss": [0.5, 0.4]})
        artefacts.save_table(folder / "history.csv", history)
        names = ("accuracy", "log_loss", "expected_calibration_error")
        artefacts.save_json(folder / "metrics.json", {n: {"by_seed": [0.25]} for n in names})
        (folder / "leaderboard.csv").write_bytes(leaderboard)
        card = f"# {family}\n\n![Failures](failures.png)\n\nNot for exams.\n"
        (folder / "model-card.md").write_text(card, encoding="utf-8")
    return project


@pytest.fixture
def inside(project, monkeypatch):
    """The project as the current folder, and a client of its registry."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")


def registered(capsys):
    register(params.load(Path("params.yaml")), "digits")
    return capsys.readouterr().out.splitlines()


def test_each_family_has_its_champion(inside, capsys):
    assert registered(capsys) == [
        f"glassnets-digits-{family}: version 1 is the champion now (seed 0)" for family in FAMILIES
    ]
    for family in FAMILIES:
        version = inside.get_model_version_by_alias(f"glassnets-digits-{family}", "champion")
        assert version.description == f"# {family}\n\n\nNot for exams."
        assert version.tags["test.accuracy"] == "0.25"
        assert version.tags["seed"] == "0"
        assert len(version.tags["train.sha256"]) == 64
        assert inside.get_registered_model(version.name).description == version.description


def test_asking_again_adds_nothing_and_other_weights_add_a_version(inside, capsys):
    registered(capsys)
    assert registered(capsys)[1] == f"{CNN}: version 1 is the champion already (seed 0)"
    weights = artefacts.weights("digits", "cnn", 0)
    kept = weights.read_bytes()
    shutil.copy(artefacts.weights("digits", "lstm", 0), weights)
    try:
        assert registered(capsys)[:2] == [
            "glassnets-digits-attention: version 1 is the champion already (seed 0)",
            f"{CNN}: version 2 is the champion now (seed 0)",
        ]
    finally:
        weights.write_bytes(kept)
    assert registered(capsys)[1] == f"{CNN}: version 3 is the champion now (seed 0)"
    versions = inside.search_model_versions(f"name = '{CNN}'")
    assert sorted(int(v.version) for v in versions) == [1, 2, 3]


def test_nothing_is_registered_before_all_is_there(inside, capsys):
    registered(capsys)
    before = inside.search_model_versions()
    card = artefacts.results("digits", "lstm") / "model-card.md"
    kept = card.rename(card.with_suffix(".kept"))
    try:
        with pytest.raises(GlassnetsError, match="`dvc repro compare@digits` writes it"):
            registered(capsys)
    finally:
        kept.rename(card)
    assert inside.search_model_versions() == before


def test_the_best_seed_is_that_of_the_lowest_validation_loss(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()
    folder = artefacts.results("digits", "cnn")
    folder.mkdir(parents=True)
    columns = ["seed", "epoch", "val_loss", "val_accuracy"]
    rows = [(0, 1, 0.3, 0.99), (0, 2, 0.4, 0.9), (1, 1, 0.5, 0.9), (1, 2, 0.2, 0.9), (2, 1, 0.2, 1)]
    artefacts.save_table(folder / "history.csv", pd.DataFrame(rows, columns=columns))
    assert best_seed("digits", "cnn") == 1


def test_a_card_is_cut_to_what_mlflow_has_room_for():
    card = "\n".join(f"line {i} " + "x" * 90 for i in range(80))
    said = description(card)
    assert len(said) <= 5000
    kept, rest = said.split("\n\n… ")
    assert card.startswith(kept + "\n")
    assert "model-card.md" in rest


@pytest.mark.parametrize(
    "given",
    [IMAGES, IMAGES.astype(float), IMAGES.tolist(), IMAGES.astype(np.int64)],
    ids=["uint8", "float", "list", "int64"],
)
def test_whole_grey_levels_of_any_type_are_taken(given):
    taken = grey_levels(given, (8, 8))
    assert taken.dtype == np.uint8
    assert np.array_equal(taken, IMAGES)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (IMAGES / 255, "got fractions: do not scale them"),
        (IMAGES.astype(int) - 1, "got -1 to 254"),
        (IMAGES.astype(int) + 1, "got 1 to 256"),
        (np.where(IMAGES > 99, math.nan, IMAGES), "got nan"),
        (np.where(IMAGES > 99, math.inf, IMAGES), "got 0 to inf"),
        (IMAGES[0], "got an array (8, 8)"),
        (IMAGES[:, :7], "got an array (3, 7, 8)"),
        (IMAGES[:0], "got 0"),
        (np.zeros((MOST_IMAGES + 1, 8, 8)), f"expected 1 to {MOST_IMAGES} images"),
        (IMAGES > 99, "values of another kind (bool)"),
        (IMAGES.astype(str), "values of another kind"),
        (pd.DataFrame(IMAGES[0]), "got DataFrame"),
        ({"images": IMAGES}, "got dict"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_image_is_refused(given, said):
    with pytest.raises(GlassnetsError) as refused:
        grey_levels(given, (8, 8))
    assert said in str(refused.value)
    assert str(refused.value).startswith("inputs: expected ")


# Served


@pytest.fixture(scope="module")
def served(project):
    """The address of `mlflow models serve`, which is given the alias of the cnn's champion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        register(params.load(Path("params.yaml")), "digits")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    serve = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{CNN}@champion"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (
        (project / "serve.log").open("w") as log,
        subprocess.Popen(
            [*serve, "--env-manager", "local", "--port", port],
            cwd=project.parent,  # not inside the project: the model needs nothing of it
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(1200):
                assert process.poll() is None, (project / "serve.log").read_text()
                try:
                    requests.get(f"{url}/ping", timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield url
        finally:
            os.killpg(process.pid, 9)


@pytest.fixture(scope="module")
def ask(served):
    def post(content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return requests.post(
            f"{served}/invocations",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )

    return post


@pytest.fixture(scope="module")
def network(tensorflow, project):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        cells = params.load(Path("params.yaml")).dataset("digits")
        references = trained.references("digits", ["expected_gradients"])
        return trained.of_project("digits", cells, "cnn", 0, references)


def test_the_answers_are_those_of_the_network(ask, network):
    answers = ask({"inputs": IMAGES.tolist()}).json()["predictions"]
    expected = network.probabilities(IMAGES)
    np.testing.assert_allclose([a["probabilities"] for a in answers], expected, atol=1e-6)
    assert [a["class"] for a in answers] == expected.argmax(axis=1).tolist()
    assert all("explanation" not in a for a in answers)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient", "expected_gradients"])
def test_the_map_comes_with_what_to_think_of_it(ask, network, method):
    said = ask({"inputs": IMAGES.tolist(), "params": {"explain": method}}).json()["predictions"]
    expected = network.explain(method, IMAGES, network.probabilities(IMAGES).argmax(axis=1))
    maps = [answer["explanation"]["map"] for answer in said]
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())
    trust = network.trust(method)
    for answer in said:
        assert answer["explanation"]["method"] == method
        assert answer["explanation"]["verdict"] == trust.verdict
        assert answer["explanation"]["doubtful"] is trust.doubtful


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"inputs": (IMAGES / 255).tolist()}, "got fractions: do not scale them"),
        ({"inputs": [[[300] * 8] * 8]}, "got 300 to 300"),
        ({"inputs": IMAGES[:, :5].tolist()}, "got an array (3, 5, 8)"),
        ({"inputs": [[["7"] * 8] * 8]}, "values of another kind"),
        ({"inputs": [[1], [2, 3]]}, "inhomogeneous"),
        ({"inputs": IMAGES.tolist(), "params": {"explain": "tea"}}, "method: expected one of"),
        ({"inputs": IMAGES.tolist(), "params": {"explain": 7}}, "explain"),
        (
            {"inputs": IMAGES.tolist(), "params": {"explain": "attention_rollout"}},
            "attention_rollout is not defined for cnn",
        ),
        (
            {"inputs": [[[0] * 8] * 8] * (MOST_EXPLAINED + 1), "params": {"explain": "gradient"}},
            f"at most {MOST_EXPLAINED} images to explain",
        ),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "got DataFrame"),
        (b'{"inputs": ', "valid JSON"),
        (b"\xff\xfe", "valid JSON"),
        (b"", "valid JSON"),
    ],
)
def test_what_is_wrong_is_refused_and_said(ask, content, said):
    reply = ask(content)
    assert reply.status_code == 400
    assert said in reply.json()["message"]
    assert "Traceback" not in reply.text
    assert "stack_trace" not in reply.json()


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=40,
)
ROWS = st.lists(st.lists(PLAIN, min_size=8, max_size=8), min_size=8, max_size=8)
KEYS = st.sampled_from(["inputs", "instances", "dataframe_split", "dataframe_records", "params"])
FUZZ = st.one_of(
    JSON,
    st.dictionaries(KEYS | st.text(max_size=5), JSON | st.lists(ROWS, max_size=2), max_size=3),
    st.fixed_dictionaries({"inputs": JSON | st.lists(ROWS, max_size=2)}, optional={"params": JSON}),
    st.fixed_dictionaries(
        {"inputs": st.just(IMAGES.tolist())},
        optional={"params": st.dictionaries(st.just("explain") | st.text(), JSON, max_size=2)},
    ),
    st.binary(max_size=200),
)


def test_two_hundred_wild_requests_and_a_good_one(ask):
    statuses = []

    @settings(
        max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(FUZZ)
    def fuzz(content):
        reply = ask(content)
        statuses.append(reply.status_code)
        assert reply.status_code == 200 or 400 <= reply.status_code < 500
        assert "Traceback" not in reply.text

    fuzz()
    assert len(statuses) >= 200
    assert ask({"inputs": IMAGES.tolist()}).status_code == 200


def test_loading_it_unpickles_nothing(served, project):
    code = f"""
import sys
def refuse(event, _):
    if event == "pickle.find_class":
        raise RuntimeError("a pickle was opened")
import mlflow.pyfunc, numpy as np
sys.addaudithook(refuse)
model = mlflow.pyfunc.load_model("models:/{CNN}@champion")
print(len(model.predict(np.zeros((2, 8, 8), np.uint8))))
import pickle, collections
try:
    pickle.loads(pickle.dumps(collections.OrderedDict))
except RuntimeError as error:
    print(error)
"""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=project.parent,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.splitlines() == ["2", "a pickle was opened"], ran.stderr
