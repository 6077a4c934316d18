"""report.html in Debian's Chromium: what a person sees and does."""

import functools
import re

import pytest

from glassnets import artefacts, params
from glassnets.stages.compare import compare

DRAW_ALL = "dispatchEvent(new Event('beforeprint'))"  # opens what is folded, too
WIDTHS = {"wide": 1280, "narrow": 360}


@pytest.fixture(scope="module")
def report(made_up_project, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made_up_project(tmp_path_factory.mktemp("report"), evidence=True))
        compare(params.load(artefacts.params_file()), "digits")
        return artefacts.results("digits") / "report.html"


@pytest.fixture
def opened(report, browse):
    return functools.partial(browse, report.as_uri())


def test_it_stands_alone_and_is_small(report):
    html = report.read_text(encoding="utf-8")
    assert len(html.encode()) < 5_000_000
    scripts = re.findall(r"<script[^>]*>", html)
    data = [f'<script type="application/json" id="{name}-data">' for name in ("charts", "explorer")]
    assert scripts == [*data, "<script>", "<script>"]
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', markup) == []
    assert "@import" not in html


def test_its_figures_are_those_of_the_results(report):
    html = report.read_text(encoding="utf-8")
    for family in ("attention", "cnn", "feedforward", "lstm"):
        metrics = artefacts.load_json(report.parent / family / "metrics.json")
        mean, sd = (100 * metrics["accuracy"][key] for key in ("mean", "sd"))
        assert f"<td>{mean:.2f} ± {sd:.2f}</td>" in html
        leaderboard = artefacts.load_table(report.parent / family / "leaderboard.csv")
        value = leaderboard["insertion_minus_deletion"][0]
        assert f"<td>{value:.2f} ({value - 0.05:.2f} to {value + 0.05:.2f})</td>" in html


def test_every_chart_is_drawn(opened):
    page = opened()
    places = page.locator("[data-chart]")
    assert places.count() >= 13
    for place in places.all():
        place.scroll_into_view_if_needed()
        place.locator("svg").wait_for()
    assert page.locator("[data-chart] svg .mark-symbol path").count() > 20


def test_another_image_and_another_method_are_shown(opened):
    page = opened()
    card = page.locator("[data-family=cnn]")
    assert "expected" not in card.inner_text()
    before = card.locator(".sheet").first.get_attribute("style")
    page.get_by_label("Method").select_option("rise")
    assert card.locator(".sheet").first.get_attribute("style") != before
    assert "⚠ not to be believed: not above edges" in card.locator(".verdict").inner_text()
    assert "doubtful" in card.get_attribute("class")
    page.get_by_label("Method").select_option("occlusion")
    assert "rank 1 of 2: passes" in card.locator(".verdict").inner_text()
    wrong = page.get_by_label("families disagree").first
    wrong.focus()
    page.keyboard.press("ArrowRight")  # the next image, without a mouse
    assert "Image 7, label 0: all are right" in page.locator("#chosen").inner_text()
    assert "answers 0" in card.inner_text()


def test_the_true_evidence_is_outlined_until_it_is_switched_off(opened):
    page = opened()
    over = page.locator("[data-family=cnn] .over")
    assert "data:image/png" in over.get_attribute("style")
    page.get_by_label("outline the true evidence").uncheck()
    assert "data:image/png" not in over.get_attribute("style")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_window(opened, width):
    page = opened(width=width)
    page.evaluate(DRAW_ALL)
    page.locator("#trust svg").last.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_use_it(opened, serious_violations, scheme):
    page = opened(color_scheme=scheme)
    page.evaluate(DRAW_ALL)
    page.locator("#trust svg").last.wait_for()
    assert serious_violations(page) == []
