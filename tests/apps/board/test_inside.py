"""The look inside the board's networks: lesions whose effect is known, over HTTP, and a browser."""

import json

import numpy as np
import pandas as pd
import pytest
import requests
from playwright.sync_api import expect
from scipy.special import logsumexp

from glassnets.apps import picture
from glassnets.apps.board.board import Board
from glassnets.apps.board.inside import MAX_UNITS
from glassnets.errors import GlassnetsError
from glassnets.models import families
from glassnets.pipeline import artefacts, studies

pytestmark = pytest.mark.exhaustive

LAYERS = {  # by family
    "attention": ["mlp_0_0", "mlp_1_0"],
    "cnn": ["block_0", "block_1"],
    "feedforward": ["block_0", "block_1"],
    "lstm": ["block_0"],
    "spiking": ["block_0"],
}


@pytest.fixture
def look(url, stroke):
    """``look(family, …)``: the answer to a request."""

    def look(family, content=stroke, **query):
        query = {"family": family, "drawn": True, **query}
        return requests.post(f"{url}/inside", data=content, params=query, timeout=300)

    return look


@pytest.fixture
def images(stroke):
    return picture.fit(stroke, "drawing", "digits", (8, 8), invert=False).pixels[np.newaxis]


@pytest.fixture
def model(networks):
    """``model(family)``: its Keras model."""
    return {network.family: network.network.model for network in networks}.__getitem__


def responses(model, activations, name, images):
    """Of each unit of a layer the mean over the places that it stands at."""
    import keras

    tensor = activations.get(name)
    if tensor is None:
        tensor = model.get_layer(name).output
    values = keras.Model(model.inputs, tensor)([images.astype(np.float32)], training=False)
    return np.asarray(values).reshape(-1, tensor.shape[-1]).mean(axis=0)


@pytest.mark.parametrize("name", LAYERS)
def test_the_units_that_answer_most_are_listed(look, networks, images, name):
    (network,) = [each.network for each in networks if each.family == name]
    layers = look(name).json()["layers"]
    assert [layer["name"] for layer in layers] == LAYERS[name]
    for layer in layers:
        expected = responses(network.model, network.activations, layer["name"], images)
        assert layer["units"] == len(expected)
        listed = [unit["unit"] for unit in layer["most"]]
        sizes = np.abs(expected)
        assert len(set(listed)) == MAX_UNITS
        assert sizes[listed].min() >= np.delete(sizes, listed).max() - 1e-6
        assert (np.diff(sizes[listed]) <= 1e-6).all()
        shown = [unit["activation"] for unit in layer["most"]]
        np.testing.assert_allclose(shown, expected[listed], atol=1e-5)


@pytest.mark.parametrize("name", ["feedforward", "lstm"])
def test_a_lesion_of_the_last_layer_takes_its_share_from_the_logits(look, model, images, name):
    """logits − h·w, to a constant, which probabilities do not tell."""
    (intact,) = families.predict(model(name), images)
    answer = int(intact.argmax())
    weights = model(name).get_layer("logits").get_weights()[0]
    for unit in look(name).json()["layers"][-1]["most"]:
        place = {"layer": LAYERS[name][-1], "unit": unit["unit"]}
        lesion = look(name, **place).json()["lesion"]
        assert place.items() <= lesion.items()
        expected = intact - unit["activation"] * weights[unit["unit"]]
        silenced = lesion["silenced"]
        logits = np.log(silenced["probabilities"])
        np.testing.assert_allclose(
            logits - logits.mean(), expected - expected.mean(), rtol=0, atol=1e-5
        )
        assert silenced["predicted"] == str(expected.argmax())
        for own, given in ((intact, lesion["intact"]), (expected, silenced)):
            loss = logsumexp(own.astype(float)) - own[answer]
            assert given["log_loss"] == pytest.approx(loss, abs=1e-5)
            assert given["probability"] == pytest.approx(np.exp(-loss), abs=1e-5)
        assert lesion["answer"] == str(answer)


@pytest.mark.parametrize("name", LAYERS)
def test_without_a_lesion_nothing_changes(look, networks, images, name):
    (network,) = [each for each in networks if each.family == name]
    plain = look(name).json()
    assert plain["lesion"] is None
    layer = plain["layers"][0]
    lesioned = look(name, layer=layer["name"], unit=layer["most"][0]["unit"]).json()
    assert lesioned["layers"] == plain["layers"]
    intact = lesioned["lesion"]["intact"]
    assert intact["probabilities"] != lesioned["lesion"]["silenced"]["probabilities"]
    expected = network.probabilities(images)[0]
    np.testing.assert_allclose(intact["probabilities"], expected, atol=1e-6)
    assert intact["predicted"] == str(expected.argmax())


def test_a_unit_that_gives_0_can_be_silenced_without_harm(look, networks, images):
    (network,) = [each.network for each in networks if each.family == "feedforward"]
    values = responses(network.model, network.activations, "block_0", images)
    silent = int(np.flatnonzero(values == 0)[0])
    lesion = look("feedforward", layer="block_0", unit=silent).json()["lesion"]
    assert lesion["silenced"] == lesion["intact"]


@pytest.fixture
def described(networks):
    """``described(rows)``: units.csv of the CNN, until the test ends."""
    folder = studies.units("digits", "cnn")
    folder.mkdir(parents=True)

    def write(table):
        artefacts.save_table(folder / "units.csv", table)

    yield write
    (folder / "units.csv").unlink()
    folder.rmdir()


def units_table():
    """Of two networks and seeds, of which one is the board's."""
    rows = [
        (network, seed, layer, unit, (unit + seed) % 10, selectivity, 0.9, 0.01 if unit else 0.5)
        for network, seed in (("trained", 1), ("memorised", 0), ("trained", 0))
        for layer, units, selectivity in (("block_0", 32, 0.25), ("block_1", 64, np.nan))
        for unit in range(units)
    ]
    names = ["network", "seed", "layer", "unit", "class", "selectivity", "auc", "p"]
    table = pd.DataFrame(rows, columns=names)
    return table[(table["layer"] == "block_0") | (table["unit"] < 63)]


def test_what_units_prefer_is_what_probe_wrote(networks, stroke, described):
    described(units_table())
    inside = Board(networks).inside
    first, last = inside(stroke, "cnn", True)["layers"]
    for layer, selectivity in ((first, 0.25), (last, None)):
        for unit in layer["most"]:
            number = unit["unit"]
            expected = {"class": str(number % 10), "selectivity": selectivity, "auc": 0.9}
            expected = None if number == 63 else expected | {"selective": number > 0}
            assert unit["prefers"] == expected
    for layer in inside(stroke, "lstm", True)["layers"]:  # which probe has not looked at
        assert {unit["prefers"] for unit in layer["most"]} == {None}


def test_of_a_class_that_was_not_measured_there_is_no_auc(networks, stroke, described):
    described(units_table().assign(auc=np.nan, p=1.0))
    seen = Board(networks).inside(stroke, "cnn", True)
    prefers = [unit["prefers"] for layer in seen["layers"] for unit in layer["most"]]
    assert {each["auc"] for each in prefers if each} == {None}
    assert not any(each["selective"] for each in prefers if each)
    json.dumps(seen, allow_nan=False)


def test_another_table_is_refused(networks, stroke, described):
    described(units_table().drop(columns="auc"))
    with pytest.raises(GlassnetsError, match=r"units\.csv, got another table: `make run DATASET="):
        Board(networks).inside(stroke, "cnn", True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"family": "tea"},
            "family: expected one of attention, cnn, feedforward, lstm, spiking, got 'tea'",
        ),
        ({"layer": "tea", "unit": 0}, "layer: expected one of block_0, block_1, got 'tea'"),
        ({"layer": "block_1", "unit": 64}, "unit: expected one of block_1, 0 to 63, got 64"),
        ({"layer": "block_1", "unit": -1}, "unit: expected one of block_1, 0 to 63, got -1"),
        ({"layer": "block_1"}, "expected a layer and a unit of it, got one of both"),
        ({"unit": 0}, "expected a layer and a unit of it, got one of both"),
        ({"content": b""}, "the drawing: expected a picture"),
    ],
)
def test_what_is_no_unit_is_refused_in_a_line(look, query, message):
    response = look(**{"family": "cnn"} | query)
    assert response.status_code == 422
    assert message in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


# In a browser


@pytest.fixture
def opened(url, browse, draw):
    """``opened(…)``: the page with something drawn and the CNN's units."""

    def open_(**options):
        page = browse(url, **options)
        page.locator("#inside summary").click()
        expect(page.locator("#inside-status")).to_contain_text(
            "Units answer once there are predictions."
        )
        page.get_by_label("Family").select_option("cnn")
        draw(page, (140, 40), (140, 240))
        expect(page.locator("#inside-status")).to_contain_text("All units are on.")
        return page

    return open_


def test_a_unit_is_switched_off_and_on_again_by_keyboard(opened):
    page = opened()
    assert page.locator("#layers h3").all_inner_texts() == [
        "block_0: 32 units",
        "block_1: 64 units",
    ]
    assert page.locator("#layers tbody tr").count() == 2 * MAX_UNITS
    assert page.locator("#lesion").is_hidden()
    button = page.locator("#layers button").nth(MAX_UNITS)
    name = button.get_attribute("aria-label").removeprefix("Switch off ")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#inside-status")).to_contain_text(f"Without {name}, cnn ")
    expect(page.locator("#inside-status")).to_contain_text("Log loss of ")
    meters = page.locator("#lesion meter").evaluate_all("all => all.map((each) => each.value)")
    assert sum(meters[::2]) == pytest.approx(1, abs=1e-5)
    assert sum(meters[1::2]) == pytest.approx(1, abs=1e-5)
    assert page.locator("tr.off").count() == 1
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == f"Switch on {name}"  # where it was before
    page.keyboard.press("Enter")
    expect(page.locator("#inside-status")).to_contain_text("All units are on.")
    assert page.locator("#lesion").is_hidden()
    assert page.locator("tr.off").count() == 0


def test_a_unit_stays_off_as_one_draws_and_another_family_has_all_on(opened, draw):
    page = opened()
    page.locator("#layers button").first.click()
    expect(page.locator("#inside-status")).to_contain_text("Without unit")
    draw(page, (80, 200), (200, 80))
    expect(page.locator("#inside-status")).to_contain_text("Without unit")
    page.get_by_label("Family").select_option("lstm")
    page.get_by_text("block_0: 128 units").wait_for()
    expect(page.locator("#inside-status")).to_contain_text("All units are on.")
    page.locator("#layers button").first.click()
    again = page.locator("#switch-on")
    again.wait_for()
    again.click()
    expect(page.locator("#inside-status")).to_contain_text("All units are on.")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#inside-status")).to_contain_text(
        "Units answer once there are predictions."
    )
    assert page.locator("#layers tr").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_no_wider_than_a_narrow_window(opened, serious_violations, scheme):
    page = opened(width=360, color_scheme=scheme)
    page.locator("#layers button").first.click()
    expect(page.locator("#inside-status")).to_contain_text("Without unit")
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    over = "all => all.map((each) => each.scrollWidth - each.clientWidth)"
    assert set(page.locator("#layers .wide").evaluate_all(over)) == {0}
