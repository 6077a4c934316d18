"""The board of a person's own data: a form, test series, pictures."""

import io
import json
import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import expect

from glassnets import config
from glassnets.apps.board.app import app
from glassnets.apps.board.board import Board
from glassnets.attribution.methods import METHODS
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, trained

pytestmark = pytest.mark.exhaustive

METHOD = "integrated_gradients:mean"
PREDICTED = re.compile("^Predicted in")


@pytest.fixture(scope="module")
def boards(tensorflow, own_project):
    """``boards(dataset)``: the board of a dataset's untrained network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(own_project)
        params = config.load(Path("params.yaml"))

        def build(dataset):
            data = params.dataset(dataset)
            train = trained.training(dataset, METHODS, data.kind)
            network = trained.of_project(data, dataset, "feedforward", 0, train)
            test = artefacts.load_arrays(artefacts.part(dataset, "test"))
            return Board([network], data, test)

        yield {dataset: build(dataset) for dataset in ("people", "photos", "waves")}


@pytest.fixture
def page(boards, browse):
    """``page(dataset)``: its board in a browser."""
    servers = []

    def build(dataset):
        server = uvicorn.Server(uvicorn.Config(app(boards[dataset]), log_level="warning"))
        sock = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        servers.append((server, sock, thread))
        return browse(f"http://127.0.0.1:{sock.getsockname()[1]}")

    yield build
    for server, sock, thread in servers:
        server.should_exit = True
        thread.join()
        sock.close()


def predict(board, value, **options):
    return board.predictions(json.dumps(value).encode(), METHOD, False, **options)


def test_a_row_is_predicted_and_explained_by_column(boards):
    board = boards["people"]
    first = board.examples[0]
    assert first["index"] == 48
    assert set(first["record"]) == {"age", "size", "colour"}
    result = predict(board, first["record"] | {"colour": "red"})
    assert result["values"][2] == "red"
    (network,) = result["networks"]
    assert network["predicted"] in ("no", "yes", "perhaps")
    assert sorted(column for column, _ in network["attribution"]) == [0, 1, 2]
    predicted = ["no", "yes", "perhaps"].index(network["predicted"])
    (other,) = predict(board, first["record"] | {"colour": "red"}, contrast=predicted)["networks"]
    assert other["attribution"] is None
    assert other["verdict"] == f"it predicts {network['predicted']} itself"


@pytest.mark.parametrize(
    ("dataset", "value", "message"),
    [
        ("people", {"age": 1, "size": "big", "colour": "red"}, "column 'size': expected a number"),
        ("people", [1, 2], "expected the values of a row by column"),
        ("waves", 3, "expected one of the test series offered, got 3"),
        ("waves", {"row": 50}, "expected one of the test series offered"),
    ],
)
def test_what_is_no_input_is_refused(boards, dataset, value, message):
    with pytest.raises(GlassnetsError, match=message):
        predict(boards[dataset], value)
    with pytest.raises(GlassnetsError, match="expected JSON"):
        boards[dataset].predictions(b"{", METHOD, False)


def test_the_form_begins_with_a_test_row_and_follows_changes(page, serious_violations):
    page = page("people")
    expect(page.locator("#status")).to_have_text(PREDICTED)
    assert page.locator(".bars .name").count() == 3
    page.select_option("[data-column=colour]", "red")
    expect(page.locator(".bars")).to_contain_text("colour = red")
    page.fill("[data-column=size]", "")
    expect(page.locator("#status.error")).to_contain_text("column 'size': expected a number")
    assert serious_violations(page) == []


def test_in_chinese_a_persons_own_names_stay(page, serious_violations):
    page = page("people")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("people：网络预测什么，为什么？")
    assert page.locator("#form label").all_inner_texts() == ["age", "size", "colour"]
    levels = page.locator("[data-column=colour] option")
    assert levels.all_inner_texts() == ["blue", "red", "（缺失）"]
    page.select_option("[data-column=colour]", "（缺失）")
    expect(page.locator(".bars")).to_contain_text("colour = (missing)")
    expect(page.locator("#status")).to_have_text(re.compile(r"预测用时 \d+ 毫秒。"))
    assert page.locator(".shares .of").all_inner_texts() == ["no", "yes", "perhaps"]
    assert page.locator(".predicted").inner_text() in ("no", "yes", "perhaps")
    assert serious_violations(page) == []


def test_a_test_series_is_chosen(page, serious_violations):
    page = page("waves")
    expect(page.locator("#status")).to_have_text(PREDICTED)
    assert page.locator("#line polyline").count() == 2
    assert page.locator(".map polyline").count() == 2
    page.select_option("#example", "1")
    expect(page.locator("#steps")).to_have_text("test series 49")
    assert "is not defined here" in page.inner_text("header")
    assert serious_violations(page) == []


def test_a_picture_is_uploaded(page, tmp_path, serious_violations):
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    (tmp_path / "one.png").write_bytes(file.getvalue())
    page = page("photos")
    page.set_input_files("#file", tmp_path / "one.png")
    expect(page.locator("#status")).to_have_text(PREDICTED)
    assert page.inner_text("#steps") == "resized from 12×12 to 6×6 pixels"
    assert "url(" in page.locator(".map .sheet").evaluate("e => e.style.backgroundImage")
    assert serious_violations(page) == []


@pytest.mark.parametrize("dataset", ["people", "photos", "waves"])
def test_one_looks_inside_a_network_of_any_kind(boards, own_project, monkeypatch, dataset):
    monkeypatch.chdir(own_project)
    board = boards[dataset]
    if dataset == "photos":
        file = io.BytesIO()
        Image.fromarray(np.full((6, 6, 3), 90, np.uint8)).save(file, "PNG")
        content = file.getvalue()
    else:
        first = board.examples[0]
        content = json.dumps(first["record"] or first["index"]).encode()
    (layer,) = board.inside(content, "feedforward", False)["layers"]
    assert (layer["name"], layer["units"], len(layer["most"])) == ("block_0", 4, 4)
    assert {unit["prefers"] for unit in layer["most"]} == {None}  # which nothing has measured
    lesion = board.inside(content, "feedforward", False, "block_0", 0)["lesion"]
    assert lesion["answer"] == lesion["intact"]["predicted"]
    assert lesion["answer"] in ("no", "yes", "perhaps")


def test_the_page_switches_a_unit_off(page, own_project, monkeypatch, serious_violations):
    monkeypatch.chdir(own_project)
    page = page("people")
    expect(page.locator("#status")).to_have_text(PREDICTED)
    page.locator("#inside summary").click()
    page.locator("#layers button").first.click()
    expect(page.locator("#inside-status")).to_contain_text("Without unit")
    assert page.locator("#lesion .of").all_inner_texts() == ["no", "yes", "perhaps"]
    assert serious_violations(page) == []
