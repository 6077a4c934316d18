"""report.html in Debian's Chromium, as a person uses it."""

import functools
import re

import pytest

from glassnets.pipeline import artefacts

DRAW_ALL = "dispatchEvent(new Event('beforeprint'))"  # opens what is folded, too
WIDTHS = {"wide": 1280, "narrow": 360}
# Pages that it links to, and holds nothing of.
STUDIES = ["units.md", "similarity.md", "learning.md", "learning_rules.md"]


@pytest.fixture
def report(compared):
    return compared.results / "report.html"


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
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', markup) == STUDIES
    assert "@import" not in html


def test_its_numbers_are_those_of_the_results(report):
    html = report.read_text(encoding="utf-8")
    cells = report.parent / "cells"
    for family in ("attention", "cnn", "feedforward", "lstm", "spiking"):
        metrics = artefacts.load_json(cells / family / "metrics.json")
        mean, sd = (100 * metrics["accuracy"][key] for key in ("mean", "sd"))
        assert f"<td>{mean:.2f} ± {sd:.2f}</td>" in html
        leaderboard = artefacts.load_table(cells / family / "leaderboard.csv")
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


def test_another_image_and_another_method_can_be_chosen(opened):
    page = opened()
    card = page.locator("[data-family=cnn]")
    assert "expected" not in card.inner_text()
    before = card.locator(".sheet").first.get_attribute("style")
    page.get_by_label("Method").select_option("rise")
    assert card.locator(".sheet").first.get_attribute("style") != before
    assert "⚠ fails: not above edges" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["card", "doubtful"]
    page.get_by_label("Method").select_option("occlusion")
    assert "holds, and under 80 % of" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["card"]
    disagreed = page.get_by_label("families disagree").first
    disagreed.focus()
    page.keyboard.press("ArrowRight")  # the next image, without a mouse
    assert "Image 7, label 0: all are right" in page.locator("#chosen").inner_text()
    assert "predicts 0" in card.inner_text()


def test_another_reference_can_be_chosen(opened):
    page = opened()
    card = page.locator("[data-family=cnn]")
    method, reference = page.get_by_label("Method"), page.locator("select#reference")
    assert reference.locator("option").all_inner_texts() == ["mean", "blur"]
    before = card.locator(".sheet").first.get_attribute("style")
    reference.select_option("blur")
    assert card.locator(".sheet").first.get_attribute("style") != before
    assert "⚠ undecided whether above edges" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["card", "doubtful", "undecided"]
    assert "Method: occlusion, reference blur." in page.locator("#chosen").inner_text()
    method.select_option("rise")  # which has no blur
    assert reference.locator("option").all_inner_texts() == ["mean"]
    assert "⚠ fails" in card.locator(".verdict").inner_text()
    method.select_option("edges")
    assert reference.is_disabled()
    assert "a control" in card.locator(".verdict").inner_text()


def test_every_verdict_that_does_not_hold_has_its_mark_and_reason(report):
    html = report.read_text(encoding="utf-8")
    assert html.count('<span class="why">✗ not above edges</span>') == 5
    assert html.count('<span class="why">? undecided whether above edges') == 5


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
    page.locator("#verdicts svg").last.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_rule_is_broken(opened, serious_violations, scheme):
    page = opened(color_scheme=scheme)
    page.evaluate(DRAW_ALL)
    page.locator("#verdicts svg").last.wait_for()
    assert serious_violations(page) == []
