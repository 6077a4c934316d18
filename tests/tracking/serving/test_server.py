"""The champion served over HTTP by `mlflow models serve`."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassnets import config
from glassnets.tracking.register import register
from glassnets.tracking.served_model import MAX_EXPLAINED

pytestmark = pytest.mark.exhaustive

CNN = "glassnets-digits-cnn"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def served(project):
    """The address of `mlflow models serve`, which is given the alias of the cnn's champion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        register(config.load(Path("params.yaml")), "digits")
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
                    requests.get(f"{url}/ping", timeout=300)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield url
        finally:
            os.killpg(process.pid, 9)


@pytest.fixture(scope="module")
def post(served):
    """``post(content)``: the response to bytes, or to what JSON can hold."""

    def post(content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return requests.post(
            f"{served}/invocations",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=300,
        )

    return post


def test_the_predictions_are_those_of_the_network(post, network):
    predictions = post({"inputs": IMAGES.tolist()}).json()["predictions"]
    expected = network.probabilities(IMAGES)
    np.testing.assert_allclose([p["probabilities"] for p in predictions], expected, atol=1e-6)
    assert [p["class"] for p in predictions] == expected.argmax(axis=1).tolist()
    assert all("explanation" not in p for p in predictions)


@pytest.mark.parametrize("method", ["integrated_gradients:mean", "gradient", "occlusion:draws"])
def test_the_attribution_comes_with_the_verdict_on_its_method(post, network, method):
    response = post({"inputs": IMAGES.tolist(), "params": {"explain": method}})
    explanations = [each["explanation"] for each in response.json()["predictions"]]
    expected = network.attribute(method, IMAGES, network.probabilities(IMAGES).argmax(axis=1))
    maps = [explanation["map"] for explanation in explanations]
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())
    verdict = network.verdict(method)
    for explanation in explanations:
        assert explanation["method"] == method
        assert explanation["verdict"] == verdict.text
        assert explanation["doubtful"] is verdict.doubtful


def test_a_method_without_a_reference_has_the_best_supported_one_and_a_contrast(post, network):
    predicted = network.probabilities(IMAGES).argmax(axis=1)
    contrast = int(predicted[0] + 1) % 10
    params = {"explain": "integrated_gradients", "contrast": contrast}
    response = post({"inputs": IMAGES[:1].tolist(), "params": params})
    [explanation] = [each["explanation"] for each in response.json()["predictions"]]
    variant = "integrated_gradients:mean"
    assert explanation["method"] == variant
    expected = network.attribute(variant, IMAGES[:1], predicted[:1], np.array([contrast]))
    np.testing.assert_allclose(explanation["map"], expected[0], atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"inputs": (IMAGES / 255).tolist()}, "got fractions: do not scale them"),
        ({"inputs": [[[300] * 8] * 8]}, "got 300 to 300"),
        ({"inputs": IMAGES[:, :5].tolist()}, "got an array (3, 5, 8)"),
        ({"inputs": [[["7"] * 8] * 8]}, "values of another kind"),
        ({"inputs": [[1], [2, 3]]}, "inhomogeneous"),
        ({"inputs": IMAGES.tolist(), "params": {"explain": "tea"}}, "method: expected one of"),
        ({"inputs": IMAGES.tolist(), "params": {"explain": 7}}, "explain"),
        (
            {"inputs": IMAGES.tolist(), "params": {"explain": "gradient", "seed": 1}},
            "params: expected explain, contrast, got 'seed'",
        ),
        ({"inputs": IMAGES.tolist(), "parms": {}}, "got 'parms': did you mean params?"),
        ({"inputs": IMAGES.tolist(), "explain": "gradient"}, "params, got 'explain'"),
        ({"inputs": IMAGES.tolist(), "params": {"contrast": 3}}, "beside explain, got 3"),
        (
            {"inputs": IMAGES.tolist(), "params": {"explain": "gradient", "contrast": 10}},
            "contrast: expected a class, 0 to 9",
        ),
        ({"inputs": IMAGES.tolist(), "params": {"explain": "rise", "contrast": "x"}}, "contrast"),
        (
            {"inputs": IMAGES.tolist(), "params": {"explain": "attention_rollout"}},
            "attention_rollout is not defined for cnn",
        ),
        (
            {"inputs": [[[0] * 8] * 8] * (MAX_EXPLAINED + 1), "params": {"explain": "gradient"}},
            f"at most {MAX_EXPLAINED} images to explain",
        ),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "got DataFrame"),
        (b'{"inputs": ', "valid JSON"),
        (b"\xff\xfe", "valid JSON"),
        (b"", "valid JSON"),
    ],
)
def test_a_wrong_request_is_refused_with_a_message(post, content, message):
    response = post(content)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert "Traceback" not in response.text
    assert "stack_trace" not in response.json()


def test_a_request_without_a_type_of_content_is_refused(served):
    body = json.dumps({"inputs": IMAGES.tolist()}).encode()
    response = requests.post(f"{served}/invocations", data=body, timeout=60)
    assert response.status_code == 400
    assert response.json()["message"] == "Content-Type: expected application/json, got none"
    other = {"Content-Type": "text/html"}
    assert (
        requests.post(f"{served}/invocations", data=body, headers=other, timeout=60).status_code
        == 415
    )


def test_a_refusal_is_one_line(post):
    message = post({"inputs": (IMAGES / 255).tolist()}).json()["message"]
    assert message.startswith("inputs: expected images (n, 8, 8)")
    assert "\n" not in message


def test_images_unlike_the_training_ones_are_warned_of(post):
    predictions = post({"inputs": (IMAGES // 100).tolist()}).json()["predictions"]
    assert all("unlike the training images" in each["warning"] for each in predictions)
    predictions = post({"inputs": IMAGES.tolist()}).json()["predictions"]
    assert all("warning" not in each for each in predictions)


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
        optional={
            "params": st.dictionaries(
                st.sampled_from(["explain", "contrast"]) | st.text(), JSON, max_size=2
            )
        },
    ),
    st.binary(max_size=200),
)


def test_two_hundred_wild_requests_and_a_good_one(post):
    statuses = []

    @settings(
        max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(FUZZ)
    def fuzz(content):
        response = post(content)
        statuses.append(response.status_code)
        assert response.status_code == 200 or 400 <= response.status_code < 500
        assert "Traceback" not in response.text

    fuzz()
    assert len(statuses) >= 200
    assert post({"inputs": IMAGES.tolist()}).status_code == 200


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
