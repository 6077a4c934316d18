"""The board of untrained networks, over HTTP and in a browser; and glassnets board,
which serves it."""

import base64
import contextlib
import io
import re
import signal
import socket
import subprocess
import sys

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from glassnets.apps import picture
from glassnets.apps.board import __main__ as entry
from glassnets.apps.board.board import Board
from glassnets.report.explorer import heat

pytestmark = pytest.mark.exhaustive

FAMILIES = ["attention", "cnn", "feedforward", "lstm", "spiking"]
COMMAND = [sys.executable, "-m", "glassnets.apps.board", "--dataset", "digits"]
PREDICTED = re.compile(r"Predicted in \d+ ms")


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


def post(url, content, method="integrated_gradients", **query):
    query = {"method": method, **query}
    return requests.post(f"{url}/predictions", data=content, params=query, timeout=300)


def check_predictions(result, networks, method, contrast=None):
    """That they are those of the networks, for the drawing as drawn."""
    image = picture.fit(png(drawing()), "drawing", "digits", (8, 8), invert=False)
    assert np.array_equal(pixels(result["image"])[..., 0], image.pixels)
    assert result["steps"] == list(image.steps)
    assert [network["family"] for network in result["networks"]] == FAMILIES
    images = image.pixels[np.newaxis]
    for network, prediction in zip(networks, result["networks"], strict=True):
        probabilities = network.probabilities(images)
        np.testing.assert_allclose(prediction["probabilities"], probabilities[0], atol=1e-6)
        assert prediction["predicted"] == probabilities.argmax()
        predicted = probabilities.argmax(axis=1)
        if contrast == predicted[0]:
            assert prediction["attribution"] is None
            assert prediction["verdict"] == f"it predicts {contrast} itself"
            continue
        other = None if contrast is None else np.array([contrast])
        expected = pixels(heat(network.attribute(method, images, predicted, other)))
        # Levels of colour: a rounding of the last bit may lie between two of them.
        assert np.abs(pixels(prediction["attribution"]).astype(int) - expected).max() <= 4


@pytest.mark.parametrize("method", ["integrated_gradients:draws", "occlusion:blur", "gradient"])
def test_the_predictions_are_those_of_the_networks(url, networks, method):
    response = post(url, png(drawing()), method, drawn=True)
    assert response.status_code == 200
    check_predictions(response.json(), networks, method)


def test_a_map_may_be_of_why_the_predicted_class_and_not_another(url, networks):
    plain = post(url, png(drawing()), "gradient", drawn=True).json()["networks"]
    of_cnn = plain[FAMILIES.index("cnn")]
    for contrast in (of_cnn["predicted"], (of_cnn["predicted"] + 1) % 10):
        result = post(url, png(drawing()), "gradient", drawn=True, contrast=contrast).json()
        check_predictions(result, networks, "gradient", contrast)
    assert result["networks"][FAMILIES.index("cnn")]["attribution"] != of_cnn["attribution"]


def test_the_best_supported_come_first_each_with_every_reference(networks):
    methods = Board(networks).methods
    assert methods[:3] == ["integrated_gradients:mean", "gradient", "integrated_gradients:black"]
    assert len(methods) == len(set(methods))
    references = {name.partition(":")[2] for name in methods if name.startswith("rise")}
    assert references == {"black", "mean", "blur", "draws"}
    assert "attention_rollout" in methods  # of one family alone


def test_a_method_without_a_reference_has_the_best_supported_one(url):
    for method, text in (
        ("integrated_gradients", "holds, and under 80 %"),
        ("integrated_gradients:black", "fails: not above edges"),
    ):
        networks = post(url, png(drawing()), method).json()["networks"]
        assert text in networks[FAMILIES.index("cnn")]["verdict"]


def test_the_verdict_stands_beside_every_attribution(url):
    by_method = {
        method: {n["family"]: n for n in post(url, png(drawing()), method).json()["networks"]}
        for method in ("gradient", "integrated_gradients:mean", "grad_cam", "edges")
    }
    cnn = {method: networks["cnn"] for method, networks in by_method.items()}
    assert cnn["gradient"]["verdict"].startswith("undecided whether above edges")
    assert (cnn["gradient"]["value"], cnn["gradient"]["doubtful"]) == ("undecided", True)
    held = cnn["integrated_gradients:mean"]
    assert held["scores"] == [["infidelity ↓", "0.10 (0.05 to 0.20)"]]
    assert (held["value"], held["doubtful"]) == ("holds", False)
    lstm = {method: networks["lstm"] for method, networks in by_method.items()}
    assert "make run DATASET=digits" in lstm["gradient"]["verdict"]
    assert lstm["grad_cam"]["attribution"] is None
    assert lstm["grad_cam"]["verdict"].startswith("not defined for this family: it needs feature")
    assert "control" in lstm["edges"]["verdict"]


def test_an_upload_may_be_dark_on_light(url):
    steps = post(url, png(255 - drawing())).json()["steps"]
    assert steps[0] == "read as dark on light: inverted"


def test_a_drawing_unlike_the_training_images_is_said_to_be(url, project):
    assert post(url, png(drawing()), drawn=True).json()["unlike"] is True
    with np.load(project / "data" / "processed" / "digits" / "train.npz") as train:
        like = post(url, png(train["images"][1]), drawn=True).json()
    assert like["unlike"] is False


@pytest.mark.parametrize(
    ("content", "query", "message"),
    [
        (png(np.zeros((280, 280), np.uint8)), {"drawn": True}, "the drawing: expected ink"),
        (png(np.full((280, 280), 255, np.uint8)), {"drawn": True}, "blank picture"),
        (png(255 - drawing()), {"drawn": True}, "keep the border clear"),  # all but a stroke inked
        (b"", {}, "expected a picture"),
        (b"hello", {}, "the picture: expected a picture (PNG, JPEG"),
        (png(drawing())[:100], {}, "broken"),
        (png(np.zeros((9000, 8000), np.uint8)), {}, "at most 64 million pixels"),
        (png(drawing()), {"method": "tea_leaves"}, "expected one of gradient, "),
        (png(drawing()), {"method": "rise:tea"}, "rise: expected a reference among black, "),
        (png(drawing()), {"method": "gradient:mean"}, "gradient: expected a reference among none"),
        (png(drawing()), {"contrast": 10}, "contrast: expected a class, 0 to 9, got 10"),
        (png(drawing()), {"contrast": -1}, "contrast: expected a class, 0 to 9, got -1"),
    ],
)
def test_what_is_no_picture_or_method_is_refused_in_a_line(url, content, query, message):
    response = post(url, content, **query)
    assert response.status_code == 422
    assert message in response.json()["detail"]
    assert "\n" not in response.json()["detail"]
    assert post(url, png(drawing())).status_code == 200  # and the next request is not


def test_a_scribble_is_predicted(url):
    scribble = np.random.default_rng(0).integers(0, 2, (280, 280)).astype(np.uint8) * 255
    scribble[:20] = scribble[-20:] = 0
    scribble[:, :20] = scribble[:, -20:] = 0
    assert post(url, png(scribble), drawn=True).status_code == 200


def test_a_request_by_another_host_name_is_refused(url):
    response = requests.get(url, headers={"Host": "evil.example"}, timeout=300)
    assert response.status_code == 400
    policy = requests.get(url, timeout=300).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy


# In a browser


@pytest.fixture
def page(url, browse):
    return browse(url)


def test_all_families_predict_a_stroke(page, draw):
    statuses = []
    page.on("response", lambda response: statuses.append(response.status))
    draw(page, (140, 40), (140, 240))
    assert set(statuses) == {200}  # from its first point on
    for family in FAMILIES:
        card = page.locator(f"[data-family={family}]")
        # Both at once: the stroke's last point may not be predicted yet.
        predicted, meters = card.evaluate(
            "card => [card.querySelector('.predicted').innerText,"
            " [...card.querySelectorAll('meter')].map((meter) => meter.value)]"
        )
        assert sum(meters) == pytest.approx(1, abs=1e-5)
        assert predicted == str(int(np.argmax(meters)))
        assert card.locator(".map img").get_attribute("src").startswith("data:image/png")
    assert "not inverted" in page.locator("#steps").inner_text()
    wait_until(page, "!requested && !waiting")
    assert page.locator("#unlike").is_visible()  # of training images that are noise


def test_another_method_gives_another_attribution_and_its_verdict(page, draw):
    draw(page, (90, 60), (190, 60), (120, 230))
    card = page.locator("[data-family=cnn]")
    card.get_by_text("holds, and under 80 % of the choices; rank 2 of 3 by score").wait_for()
    assert card.get_attribute("class").split() == ["card"]
    before = card.locator(".map img").get_attribute("src")
    page.get_by_label("Method").select_option("gradient")
    card.get_by_text("⚠ undecided whether above edges").wait_for()
    assert card.get_attribute("class").split() == ["card", "doubtful", "undecided"]
    assert card.locator(".map img").get_attribute("src") != before
    assert page.locator("#reference").is_disabled()


@pytest.fixture
def uploaded(page, project):
    """The page after a picture was uploaded and predicted, once."""
    page.get_by_label("Upload a picture", exact=True).set_input_files(project / "one.png")
    page.get_by_text(PREDICTED).wait_for()
    return page


def test_another_reference_gives_another_attribution_and_its_verdict(uploaded):
    page = uploaded
    card, reference = page.locator("[data-family=cnn]"), page.locator("#reference")
    assert set(reference.locator("option").all_inner_texts()) == {"black", "mean", "blur", "draws"}
    before = card.locator(".map img").get_attribute("src")
    reference.select_option("black")
    card.get_by_text("⚠ fails: not above edges").wait_for()
    assert card.get_attribute("class").split() == ["card", "doubtful"]
    assert card.locator(".map img").get_attribute("src") != before
    assert "integrated gradients, reference black" in card.locator(".map img").get_attribute("alt")
    page.get_by_label("Method").select_option("occlusion")  # the reference stays
    card.get_by_text("no verdict yet").wait_for()
    assert reference.input_value() == "black"


def test_another_question_gives_another_attribution(uploaded):
    from playwright.sync_api import expect

    page = uploaded
    card, contrast = page.locator("[data-family=cnn]"), page.get_by_label("Why not")
    map_ = card.locator(".map img")
    before, predicted = map_.get_attribute("src"), int(card.locator(".predicted").inner_text())
    contrast.select_option(str((predicted + 1) % 10))
    expect(map_).not_to_have_attribute("src", before)
    expect(map_).to_have_attribute("src", re.compile("^data:image/png"))
    contrast.select_option(str(predicted))
    card.get_by_text(f"it predicts {predicted} itself").wait_for()
    assert map_.get_attribute("src") is None
    contrast.select_option("any other class")
    expect(map_).to_have_attribute("src", before)


def test_clearing_removes_the_predictions(page, draw):
    draw(page, (140, 40), (140, 240))
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Draw in the black square.").wait_for()
    assert page.locator("#input").is_hidden()
    assert page.locator("#unlike").is_hidden()
    assert [p.inner_text() for p in page.locator(".predicted").all()] == [""] * 5
    assert not on_canvas(page).any()


def on_canvas(page):
    """Grey levels (280, 280) of the canvas."""
    ink = "document.getElementById('canvas').getContext('2d').getImageData(0, 0, 280, 280).data"
    levels = page.evaluate(f"Array.from({ink}).filter((level, i) => i % 4 === 0)")
    return np.array(levels, np.uint8).reshape(280, 280)


def wait_until(page, expression):
    """As `wait_for_function`, which the page's policy refuses."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


SEVEN = np.array([(80, 60), (200, 60), (130, 235)])


def test_a_small_drawing_is_what_a_large_one_is(page, draw):
    seen = []
    for scale, left, top in ((1, 0, 0), (0.25, 10, 200), (0.25, 200, 10), (1.15, -30, -25)):
        page.get_by_role("button", name="Clear").click()
        draw(page, *(SEVEN * scale + (left, top)).tolist())
        wait_until(page, "!requested && !waiting")
        seen.append(pixels(page.locator("#image").get_attribute("src")).astype(int))
    for image in seen[1:]:
        assert np.abs(image - seen[0]).mean() < 12


def test_after_an_upload_the_canvas_shows_what_the_networks_see(uploaded):
    wait_until(uploaded, "ink.imageSmoothingEnabled === false")
    seen = pixels(uploaded.locator("#image").get_attribute("src"))[..., 0]
    np.testing.assert_array_equal(on_canvas(uploaded)[17::35, 17::35], seen)


def test_an_upload_is_predicted_or_refused(page, project, draw):
    upload = page.get_by_label("Upload a picture", exact=True)
    upload.set_input_files(project / "one.png")
    page.get_by_text("read as dark on light: inverted").wait_for()
    upload.set_input_files(project / "params.yaml")
    page.get_by_text("the picture: expected a picture (PNG, JPEG").wait_for()
    assert [p.inner_text() for p in page.locator(".predicted").all()] == [""] * 5
    draw(page, (140, 40), (140, 240))


def test_a_finger_draws(url, browse):
    page = browse(url, width=360, has_touch=True)
    assert (
        page.evaluate("getComputedStyle(document.getElementById('canvas')).touchAction") == "none"
    )
    page.locator("#canvas").tap()
    page.get_by_text(PREDICTED).wait_for()
    dot = on_canvas(page)
    assert 1000 < np.count_nonzero(dot) < 3000
    assert dot[140, 140] == 255
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(url, browse, draw, serious_violations, scheme):
    page = browse(url, color_scheme=scheme)
    assert serious_violations(page) == []
    draw(page, (140, 40), (140, 240))
    assert serious_violations(page) == []


# The command


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"dataset": "planted"},
            2,
            "--dataset: expected handwriting, mnist or digits, or data of your own, got planted",
        ),
        (
            {"dataset": "mnist"},
            1,
            "got none of attention, cnn, feedforward, lstm, spiking: `make run DATASET=mnist` "
            "trains them all",
        ),
        ({"dataset": "tea"}, 2, "'tea'"),
        ({"seed": 9}, 2, "--seed: expected one of 0, 1, 2"),
        ({"port": "taken"}, 2, "--port: expected one that is free"),
    ],
)
def test_wrong_arguments_are_refused_before_tensorflow_is_loaded(
    project, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.chdir(project)
    monkeypatch.setattr(entry.runtime, "start_tensorflow", None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = {"dataset": "digits", "seed": None, "port": 0} | arguments
        if arguments["port"]:
            arguments["port"] = taken.getsockname()[1]
        with pytest.raises(SystemExit) as left:
            entry.command(**arguments)
    error = capsys.readouterr().err
    assert left.value.code == code
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.fixture(scope="module")
def process(project):
    """A process of the command, and its address."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            match = re.fullmatch(r"Draw at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\n", line)
            assert match, (line, process.stderr.read() if process.poll() is not None else "")
            yield process, match[1]
        finally:
            process.kill()


@pytest.mark.parametrize(
    "method", ["integrated_gradients:mean", "integrated_gradients:draws", "rise:black"]
)
def test_the_command_serves_the_networks_of_the_project(process, networks, method):
    check_predictions(post(process[1], png(drawing()), method, drawn=True).json(), networks, method)


def test_a_huge_upload_is_cut_short(process):
    def endless():
        for _ in range(200):
            yield bytes(1_000_000)

    process, url = process
    before = psutil.Process(process.pid).memory_info().rss
    with contextlib.suppress(requests.ConnectionError):  # it may hang up before all was sent
        assert post(url, endless()).status_code == 413
    assert psutil.Process(process.pid).memory_info().rss < before + 300e6
    assert post(url, png(drawing())).status_code == 200


def test_it_listens_on_this_machine_alone_until_it_is_interrupted(process):
    process, url = process
    connections = psutil.Process(process.pid).net_connections()
    places = {c.laddr for c in connections if c.status == "LISTEN"}
    assert places == {("127.0.0.1", int(url.split(":")[-1]))}
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=300) == 0
    assert "Traceback" not in process.stderr.read()
