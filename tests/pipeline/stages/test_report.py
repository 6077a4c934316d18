"""report.html in Debian's Chromium, as a person uses it."""

import re

import pytest

from glassnets.pipeline import artefacts

pytestmark = pytest.mark.exhaustive

FAMILIES = ("attention", "cnn", "feedforward", "lstm", "spiking")
WIDTHS = {"wide": 1280, "narrow": 360}
LANGUAGES = ("en", "zh")
# Pages that it links to, and holds nothing of.
STUDIES = ["units.md", "similarity.md", "learning.md", "learning_rules.md"]
CHARTS = "html[data-charts=drawn]"  # once all are


@pytest.fixture
def report(compared):
    return compared.results / "report.html"


@pytest.fixture
def opened(report, browse):
    """``opened(fragment="", width=1280, …)``: the report in a window of its own."""

    def build(fragment="", **options):
        return browse(f"{report.as_uri()}{fragment}", **options)

    return build


def visible(page, selector):
    """The text that a person sees of an element."""
    return page.locator(selector).inner_text()


def side(page, family="cnn", which="a"):
    return page.locator(f"[data-family={family}] [data-side={which}]")


def style(page, family="cnn", which="a"):
    return side(page, family, which).locator(".attribution").get_attribute("style")


def test_it_stands_alone_and_is_small(report):
    html = report.read_text(encoding="utf-8")
    assert len(html.encode()) < 5_000_000
    scripts = re.findall(r"<script[^>]*>", html)
    names = ("charts", "explorer", "texts")
    data = [f'<script type="application/json" id="{name}-data">' for name in names]
    assert scripts == [*data, "<script>", "<script>"]
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)', markup) == STUDIES
    assert "@import" not in html


def test_its_numbers_are_those_of_the_results(report):
    html = report.read_text(encoding="utf-8")
    cells = report.parent / "cells"
    for family in FAMILIES:
        metrics = artefacts.load_json(cells / family / "metrics.json")
        mean, sd = (100 * metrics["accuracy"][key] for key in ("mean", "sd"))
        assert f"<td>{mean:.2f} ± {sd:.2f}</td>" in html
        leaderboard = artefacts.load_table(cells / family / "leaderboard.csv")
        value = leaderboard["insertion_minus_deletion"][0]
        ends = f"[{value - 0.05:.2f}, {value + 0.05:.2f}]"
        assert f"<td>{value:.2f} <small>{ends}</small></td>" in html


def test_no_zero_is_negative(report):
    html = re.sub(r"<script.*?</script>", "", report.read_text("utf-8"), flags=re.DOTALL)
    assert not re.search(r"[−-]0(\.0+)?(?![.\d])", re.sub(r"<style.*?</style>|<pre.*", "", html))


# The first screen


def test_the_first_screen_answers(opened):
    page = opened()
    answers = page.locator(".answered .answer").all_inner_texts()
    assert answers[0] == "Yes: CNN is the most accurate."
    assert answers[1] == "occlusion (mean), in every family."
    assert answers[2] == "On what stands for an absent pixel, more than on the method."
    for answer in page.locator(".answered").all():
        box = answer.bounding_box()
        assert box["y"] + box["height"] < 900
    last = page.locator("[data-line]").last.bounding_box()
    assert last["y"] + last["height"] < 900  # the picture, too


def test_the_picture_has_each_familys_accuracy_verdicts_and_what_to_believe(opened, report):
    page = opened()
    for family in FAMILIES:
        line = page.locator(f"[data-line={family}]")
        metrics = artefacts.load_json(report.parent / "cells" / family / "metrics.json")
        text = line.inner_text()
        assert f"{100 * metrics['accuracy']['mean']:.2f} %" in text
        assert re.search(r"✓ 1\s*\? 1\s*✗ 1", text)
        assert "1 unstable" in text
        assert "occlusion (mean)" in text
        assert "data:image/png" in line.locator("[data-thumb]").get_attribute("style")


def test_what_to_believe_stands_before_all_else(opened):
    page = opened()
    ids = page.locator("main > section").evaluate_all("all => all.map((each) => each.id)")
    assert ids[:3] == ["answer", "explorer", "verdicts"]


@pytest.mark.parametrize("how", ["mouse", "keyboard", "finger"])
def test_a_term_explains_itself(opened, how):
    page = opened(has_touch=True)
    tip = page.locator("#term-reference")
    term = page.locator("#explorer .term:visible", has_text="reference").first
    assert not tip.is_visible()
    if how == "mouse":
        term.click()
    elif how == "finger":
        term.tap()
    else:
        term.focus()
        page.keyboard.press("Enter")
    assert tip.is_visible()
    assert "What stands in the place of an absent pixel" in tip.inner_text()
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_every_term_that_is_pointed_to_is_there(opened):
    page = opened()
    missing = page.evaluate(
        "[...document.querySelectorAll('[popovertarget]')].map((e) => e.getAttribute("
        "'popovertarget')).filter((id) => !document.getElementById(id))"
    )
    assert missing == []


# Charts


def test_every_chart_is_drawn_without_scrolling(opened):
    page = opened()
    page.wait_for_selector(CHARTS)
    places = page.locator("[data-chart]")
    assert places.count() >= 13
    assert page.locator("[data-chart] > svg, [data-chart] > * > svg").count() == places.count()
    assert page.locator("[data-chart] svg .mark-symbol path").count() > 20


def test_a_family_has_one_colour_everywhere(opened):
    page = opened()
    page.wait_for_selector(CHARTS)
    colours = {
        family: page.locator(f"[data-line={family}] .mark").evaluate(
            "e => getComputedStyle(e, '::before').color"
        )
        for family in FAMILIES
    }
    assert len({*colours.values()}) == len(FAMILIES)
    used = page.locator("[data-chart=accuracy] svg path").evaluate_all(
        "all => all.map((e) => getComputedStyle(e).fill)"
    )
    assert {*colours.values()} <= {*used}
    assert page.locator("#accuracy .key li").all_inner_texts() == [
        *("CNN", "LSTM", "spiking", "attention", "feedforward")
    ]


def test_on_paper_all_is_open_and_all_charts_are_there(opened):
    page = opened()
    page.wait_for_selector(CHARTS)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not(.long):not([open])").count() == 0
    assert all(chart.is_visible() for chart in page.locator("[data-chart] svg").all())
    wide = page.locator(".wide").evaluate_all(
        "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert wide == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


# The explorer


def test_another_image_and_another_method_can_be_chosen(opened):
    page = opened()
    card = side(page)
    assert "expected" not in card.inner_text()
    before = style(page)
    page.locator("select#method").select_option("rise")
    assert style(page) != before
    assert "✗ fails: not above edges" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["side", "doubtful"]
    page.locator("select#method").select_option("occlusion")
    assert "✓ holds, and under 80 % of" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["side"]
    page.get_by_label("families disagree").first.focus()
    page.keyboard.press("ArrowRight")  # the next image, without a mouse
    assert "Image 7, label 0: all are right" in visible(page, "#chosen")
    assert "predicts 0" in card.inner_text()


def test_another_reference_can_be_chosen(opened):
    page = opened()
    card = side(page)
    method, reference = (page.locator(f"select#{each}") for each in ("method", "reference"))
    assert reference.locator("option").all_inner_texts() == ["mean", "blur"]
    before = style(page)
    reference.select_option("blur")
    assert style(page) != before
    assert "? undecided whether above edges" in card.locator(".verdict").inner_text()
    assert card.get_attribute("class").split() == ["side", "doubtful", "undecided"]
    assert "Method: occlusion (blur)." in visible(page, "#chosen")
    assert visible(page, "#command").endswith("--method occlusion --reference blur")
    method.select_option("rise")  # which has no blur
    assert reference.locator("option").all_inner_texts() == ["mean"]
    assert "✗ fails" in card.locator(".verdict").inner_text()
    method.select_option("edges")
    assert reference.is_disabled()
    assert "a control" in card.locator(".verdict").inner_text()


def test_the_likeliest_classes_have_their_probabilities(opened, report):
    page = opened("#image=3")
    table = artefacts.load_table(report.parent / "cells" / "cnn" / "predictions.csv")
    (prediction,) = table.query("seed == 0 and index == 3")["prediction"]
    bars = side(page).locator(".likeliest li").all_inner_texts()
    assert len(bars) == 3
    assert bars[0].split() == [str(prediction), "91.0", "%"]


def test_a_wrong_prediction_says_so(opened):
    page = opened("#image=8")
    page.get_by_label("families disagree").first.check()
    assert "wrongly (label 4)" in side(page).locator(".predicted").inner_text()
    assert "wrongly" not in side(page, "lstm").locator(".predicted").inner_text()


def test_the_map_stands_beside_its_image_or_over_it(opened):
    page = opened()
    card = side(page)
    image, map_ = card.locator(".given-sheet"), card.locator(".attribution")
    assert image.bounding_box()["y"] == map_.bounding_box()["y"]
    assert image.bounding_box()["x"] < map_.bounding_box()["x"]
    page.get_by_label("lay the map over the image").check()
    assert not image.is_visible()
    under = card.locator(".under")
    assert under.bounding_box() == map_.bounding_box()
    assert "data:image/png" in under.get_attribute("style")
    assert float(map_.evaluate("e => getComputedStyle(e).opacity")) < 1


def test_two_methods_can_be_compared(opened):
    page = opened()
    assert not side(page, which="b").is_visible()
    page.locator("select#compare").select_option("method")
    page.locator("select#method-b").select_option("rise")
    own, other = side(page), side(page, which="b")
    assert "✓ holds" in own.inner_text()
    assert "✗ fails: not above edges" in other.inner_text()
    assert own.bounding_box()["y"] == other.bounding_box()["y"]
    page.locator("select#method").select_option("rise")
    assert style(page) == style(page, which="b")


def test_two_images_can_be_compared(opened):
    page = opened("#image=7&compare=image&image2=5")
    own, other = side(page), side(page, which="b")
    assert "Image 7, label 0" in own.inner_text()
    assert "Image 5, label 2" in other.inner_text()
    assert style(page) != style(page, which="b")
    page.locator("select#image-b").select_option("7")
    assert style(page) == style(page, which="b")


def test_one_family_can_be_chosen(opened):
    page = opened()
    page.locator("select#family").select_option("lstm")
    assert page.locator("[data-family]:visible").count() == 1
    assert "--family lstm" in visible(page, "#command")


def test_a_link_shows_the_same(opened):
    page = opened()
    page.locator("select#method").select_option("rise")
    page.get_by_label("families disagree").first.check()
    page.locator("select#family").select_option("spiking")
    page.get_by_label("lay the map over the image").check()
    page.locator("select#compare").select_option("method")
    page.locator("select#method-b").select_option("edges")
    page.get_by_role("button", name="中文").click()
    address = page.evaluate("location.hash")
    other = opened(address)
    for selector in ("#chosen", "#explorer .cards", "#command"):
        assert visible(other, selector) == visible(page, selector)
    assert style(other, "spiking", "b") == style(page, "spiking", "b")
    assert other.evaluate("location.hash") == address
    assert other.locator("#overlay").is_checked()


@pytest.mark.parametrize(
    "fragment",
    ["#image=999&method=none&family=x&compare=z&lang=fr&overlay=7", "#=", "#image=&method", "#%"],
)
def test_a_link_that_is_wrong_shows_what_no_link_does(opened, fragment):
    page, plain = opened(fragment), opened()
    for selector in ("#chosen", "#explorer .cards", "#command"):
        assert visible(page, selector) == visible(plain, selector)


def test_a_link_to_a_section_leads_there_and_keeps_what_was_chosen(opened):
    page = opened("#method=rise:mean")
    page.get_by_role("link", name="Calibration").click()
    page.wait_for_function("location.hash.includes('at=calibration')")
    assert "method=rise%3Amean" in page.evaluate("location.hash")
    other = opened(page.evaluate("location.hash"))
    other.wait_for_function("scrollY > 1000")


def test_every_verdict_that_does_not_hold_has_its_mark_and_reason(report):
    html = report.read_text(encoding="utf-8")
    failed = '<span class="en" lang="en">✗ not above edges</span>'
    assert html.count(failed) == len(FAMILIES)
    open_ = '<span class="en" lang="en">? undecided whether above edges'
    assert html.count(open_) == len(FAMILIES)


def test_the_true_evidence_is_outlined_until_it_is_switched_off(opened):
    page = opened()
    over = side(page).locator(".over")
    assert "data:image/png" in over.get_attribute("style")
    page.get_by_label("outline the true evidence").uncheck()
    assert "data:image/png" not in over.get_attribute("style")


# Languages


def test_it_can_be_read_in_chinese_and_stays_so(opened):
    page = opened()
    page.get_by_role("button", name="中文").click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert visible(page, ".answered:first-child .answer") == "有：卷积神经网络 CNN最准确。"
    assert "图像 7，标签 0：全部正确" in visible(page, "#chosen")
    assert "成立" in side(page).locator(".verdict").inner_text()
    page.wait_for_selector(CHARTS)
    assert "准确率" in page.locator("[data-chart=accuracy]").inner_text()
    page.goto(page.url.partition("#")[0] + "?again")  # without the fragment
    assert page.locator("html").get_attribute("lang") == "zh-Hans"


def test_in_chinese_no_english_is_left(opened):
    page = opened("#lang=zh")
    page.wait_for_selector(CHARTS)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    names = "English|CNN|LSTM|RISE|Brier|ECE|Holm|McNemar|bootstrap|dropout|JavaScript|logit"
    text = re.sub(names, "", page.locator("body").inner_text())
    text = text.partition("运行信息\n")[0] + text.rpartition("术语")[2]  # parameters are code
    text = re.sub(r"glassnets explain .*|scikit-learn|digits|test_size|random_state|F1", "", text)
    assert re.findall(r"[A-Za-z]{2,}", text) == []


def test_in_english_no_chinese_is_left(opened):
    page = opened()
    page.wait_for_selector(CHARTS)
    text = page.locator("body").inner_text().replace("中文", "")
    assert re.findall("[\u4e00-\u9fff]+", text) == []


def test_a_reader_of_chinese_meets_chinese(opened):
    assert opened(locale="zh-CN").locator("html").get_attribute("lang") == "zh-Hans"
    assert opened("#lang=en", locale="zh-CN").locator("html").get_attribute("lang") == "en"


# Every window, every reader


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_window(opened, width, language):
    page = opened(f"#lang={language}&compare=method", width=width)
    page.wait_for_selector(CHARTS)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_rule_is_broken(opened, serious_violations, scheme, language):
    page = opened(f"#lang={language}&compare=method", color_scheme=scheme)
    page.wait_for_selector(CHARTS)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert serious_violations(page) == []


def test_without_a_script_the_answers_and_the_tables_are_there(report, browse):
    page = browse(report.as_uri(), java_script_enabled=False)
    assert "Yes: CNN is the most accurate." in visible(page, "#answer")
    assert "needs JavaScript" in visible(page, "noscript") or "need JavaScript" in visible(
        page, "noscript"
    )
