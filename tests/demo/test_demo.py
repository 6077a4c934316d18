"""python -m glassnets.demo: a server of untrained networks, asked over HTTP and in a browser."""

import base64
import contextlib
import io
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from glassnets import params
from glassnets.explain import picture, trained
from glassnets.explanations import METHODS
from glassnets.report.explorer import heat

FAMILIES = ["attention", "cnn", "feedforward", "lstm"]
DEMO = [sys.executable, "-m", "glassnets.demo", "--dataset", "digits"]


def png(grey):
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="png")
    return file.getvalue()


def pixels(uri):
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def drawing(height=280, width=280):
    grey = np.zeros((height, width), np.uint8)
    grey[height // 5 : 4 * height // 5, width // 2 : width // 2 + width // 12] = 255
    return grey


@pytest.fixture(scope="module")
def project(untrained_project, tmp_path_factory):
    return shutil.copytree(untrained_project, tmp_path_factory.mktemp("demo"), dirs_exist_ok=True)


@pytest.fixture(scope="module")
def served(project):
    """The process and its address."""
    with subprocess.Popen(
        [*DEMO, "--port", "0"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = process.stdout.readline()
            found = re.fullmatch(r"Draw at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\n", said)
            assert found, (said, process.stderr.read() if process.poll() is not None else "")
            yield process, found[1]
        finally:
            process.kill()


@pytest.fixture
def ask(served):
    def post(content, method="integrated_gradients", **query):
        return requests.post(
            f"{served[1]}/answers", data=content, params={"method": method, **query}, timeout=60
        )

    return post


@pytest.fixture(scope="module")
def networks(tensorflow, project):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        cells = params.load(Path("params.yaml")).dataset("digits")
        references = trained.references("digits", METHODS)
        return [trained.of_project("digits", cells, f, 0, references) for f in FAMILIES]


@pytest.mark.parametrize("method", ["integrated_gradients", "expected_gradients", "rise"])
def test_the_answers_are_those_of_the_networks(ask, networks, method):
    said = ask(png(drawing()), method, drawn=True)
    assert said.status_code == 200
    seen = picture.fit(png(drawing()), "drawing", "digits", (8, 8), invert=False)
    assert np.array_equal(pixels(said.json()["seen"])[..., 0], seen.image)
    assert said.json()["done"] == list(seen.done)
    assert [network["family"] for network in said.json()["networks"]] == FAMILIES
    images = seen.image[np.newaxis]
    for network, answer in zip(networks, said.json()["networks"], strict=True):
        probabilities = network.probabilities(images)[0]
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-6)
        assert answer["class"] == probabilities.argmax()
        expected = pixels(heat(network.explain(method, images, probabilities[None].argmax(1))))
        # Levels of colour: a rounding of the last bit may lie between two of them.
        assert np.abs(pixels(answer["map"]).astype(int) - expected).max() <= 4


def test_trust_stands_beside_every_map(ask):
    by_method = {
        method: {n["family"]: n for n in ask(png(drawing()), method).json()["networks"]}
        for method in ("gradient", "integrated_gradients", "grad_cam", "edges")
    }
    cnn = {method: found["cnn"] for method, found in by_method.items()}
    assert cnn["gradient"]["verdict"] == "not to be believed: not better than edges"
    assert cnn["gradient"]["doubtful"]
    assert cnn["integrated_gradients"]["figures"] == [["infidelity ↓", "0.10 (0.05 to 0.20)"]]
    assert not cnn["integrated_gradients"]["doubtful"]
    lstm = {method: found["lstm"] for method, found in by_method.items()}
    assert lstm["gradient"]["verdict"] == "not judged yet: dvc repro explain@digits-lstm"
    assert lstm["grad_cam"]["map"] is None
    assert lstm["grad_cam"]["verdict"].startswith("not defined for this family: it needs feature")
    assert "knows nothing of the network" in lstm["edges"]["verdict"]


def test_an_upload_may_be_dark_on_light(ask):
    done = ask(png(255 - drawing())).json()["done"]
    assert done[0] == "read as dark on light: inverted"


@pytest.mark.parametrize(
    ("content", "query", "said"),
    [
        (png(np.zeros((280, 280), np.uint8)), {"drawn": True}, "the drawing: expected something"),
        (png(np.full((280, 280), 255, np.uint8)), {"drawn": True}, "blank picture"),
        (png(255 - drawing()), {"drawn": True}, "keep the border clear"),  # all but a stroke inked
        (b"", {}, "expected a picture"),
        (b"hello", {}, "the picture: expected a picture (PNG, JPEG"),
        (png(drawing())[:100], {}, "broken"),
        (png(np.zeros((9000, 8000), np.uint8)), {}, "at most 64 million pixels"),
        (png(drawing()), {"method": "tea_leaves"}, "expected one of gradient, "),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_line(ask, content, query, said):
    reply = ask(content, **query)
    assert reply.status_code == 422
    assert said in reply.json()["detail"]
    assert "\n" not in reply.json()["detail"]
    assert ask(png(drawing())).status_code == 200  # and the next one is answered


def test_a_scribble_is_answered(ask):
    scribble = np.random.default_rng(0).integers(0, 2, (280, 280)).astype(np.uint8) * 255
    scribble[:20] = scribble[-20:] = 0
    scribble[:, :20] = scribble[:, -20:] = 0
    assert ask(png(scribble), drawn=True).status_code == 200


def test_a_huge_upload_is_cut_short(ask, served):
    def endless():
        for _ in range(200):
            yield bytes(1_000_000)

    process, _ = served
    before = psutil.Process(process.pid).memory_info().rss
    with contextlib.suppress(requests.ConnectionError):  # it may hang up before all was sent
        assert ask(endless()).status_code == 413
    assert psutil.Process(process.pid).memory_info().rss < before + 300e6
    assert ask(png(drawing())).status_code == 200


def test_it_listens_on_this_machine_alone(served):
    process, url = served
    places = {
        c.laddr for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"
    }
    assert places == {("127.0.0.1", int(url.split(":")[-1]))}


def test_a_page_of_another_name_is_not_answered(served):
    _, url = served
    reply = requests.get(url, headers={"Host": "evil.example"}, timeout=10)
    assert reply.status_code == 400
    policy = requests.get(url, timeout=10).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--dataset", "planted"], 2, "--dataset: expected one whose images were drawn by hand"),
        (["--dataset", "mnist"], 1, "`dvc repro train@mnist-attention` trains it"),
        (["--dataset", "tea"], 2, "tea"),
        (["--seed", "9"], 2, "--seed: expected one of 0, 1, 2"),
        (["--port", "taken"], 2, "--port: expected one that is free"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(project, arguments, code, said):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = [a.replace("taken", str(taken.getsockname()[1])) for a in arguments]
        ran = subprocess.run([*DEMO, *given], cwd=project, capture_output=True, text=True)
    assert ran.returncode == code, ran.stderr
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


# In a browser


@pytest.fixture
def page(served, browse):
    return browse(served[1])


def draw(page, *points):
    board = page.locator("#canvas").bounding_box()
    (x, y), *others = points
    page.mouse.move(board["x"] + x, board["y"] + y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(board["x"] + x, board["y"] + y, steps=5)
    page.mouse.up()
    page.get_by_text(re.compile(r"Answered in \d+ ms")).wait_for()


def test_a_stroke_is_answered_by_all_families(page):
    draw(page, (140, 40), (140, 240))
    for family in FAMILIES:
        card = page.locator(f"[data-family={family}]")
        assert re.fullmatch(r"\d", card.locator(".says").inner_text())
        meters = card.locator("meter").evaluate_all("all => all.map((meter) => meter.value)")
        assert sum(meters) == pytest.approx(1, abs=1e-5)
        assert card.locator(".says").inner_text() == str(int(np.argmax(meters)))
        assert card.locator(".map img").get_attribute("src").startswith("data:image/png")
    assert "not inverted" in page.locator("#done").inner_text()


def test_another_method_answers_anew(page):
    draw(page, (90, 60), (190, 60), (120, 230))
    card = page.locator("[data-family=cnn]")
    assert "rank 1 of 2: passes" in card.locator(".verdict").inner_text()
    before = card.locator(".map img").get_attribute("src")
    page.get_by_label("Explained by").select_option("gradient")
    card.get_by_text("⚠ not to be believed: not better than edges").wait_for()
    assert "doubtful" in card.get_attribute("class")
    assert card.locator(".map img").get_attribute("src") != before


def test_clearing_takes_the_answers_away(page):
    draw(page, (140, 40), (140, 240))
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Draw in the black square.").wait_for()
    assert page.locator("#seen").is_hidden()
    assert [s.inner_text() for s in page.locator(".says").all()] == [""] * 4
    ink = "document.getElementById('canvas').getContext('2d').getImageData(0, 0, 280, 280).data"
    assert not page.evaluate(f"{ink}.some((level, i) => i % 4 < 3 && level)")


def test_an_upload_is_answered_or_refused(page, project):
    page.get_by_label("Upload a picture", exact=True).set_input_files(project / "one.png")
    page.get_by_text("read as dark on light: inverted").wait_for()
    page.get_by_label("Upload a picture", exact=True).set_input_files(project / "params.yaml")
    page.get_by_text("the picture: expected a picture (PNG, JPEG").wait_for()
    assert [s.inner_text() for s in page.locator(".says").all()] == [""] * 4
    draw(page, (140, 40), (140, 240))


def test_a_finger_draws(served, browse):
    page = browse(served[1], width=360, has_touch=True)
    assert (
        page.evaluate("getComputedStyle(document.getElementById('canvas')).touchAction") == "none"
    )
    page.locator("#canvas").tap()
    page.get_by_text(re.compile(r"Answered in \d+ ms")).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_use_it(served, browse, serious_violations, scheme):
    page = browse(served[1], color_scheme=scheme)
    assert serious_violations(page) == []
    draw(page, (140, 40), (140, 240))
    assert serious_violations(page) == []
