"""The board in Chinese: its catalogue has every text of its pages, scripts and messages, and no
other, and the page changes its language and keeps it."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from glassnets.apps import picture
from glassnets.apps.board import app, board, inside
from glassnets.attribution import scores, verdicts
from glassnets.attribution.methods import METHODS, method
from glassnets.data import inputs, pictures, rows
from glassnets.data.inputs import Inputs
from glassnets.data.own import images
from glassnets.pipeline import trained
from glassnets.report import leaderboards

pytestmark = pytest.mark.exhaustive

HERE = Path(board.__file__).parent
TEMPLATES = Path(leaderboards.__file__).parent / "templates"
CATALOGUE = json.loads((HERE / "zh.json").read_text(encoding="utf-8"))
SCRIPTS = [
    HERE / "board.html",
    HERE / "inputs.html",
    HERE / "inside.js",
    TEMPLATES / "variants.js",
    TEMPLATES / "draw.js",
]
# What the server says, and the functions in them that the board does not call.
SAID_BY = {
    app: (),
    board: (),
    inside: (),
    picture: ("contents",),
    pictures: ("check_size",),
    rows: (),
    leaderboards: (),
}
# Where else texts of the catalogue are.
ELSEWHERE = [scores, verdicts, method, inputs, images, trained]
NAMES = {"cnn", "feedforward", "lstm", "attention", "spiking", "digits", "English", "AUC"}
CHINESE = re.compile("[一-鿿]")


@pytest.fixture(scope="module")
def in_chinese(chromium, tmp_path_factory):
    """``in_chinese(texts)``: what the page's script makes of them."""
    script = app._ENVIRONMENT.get_template("language.js").render()
    file = tmp_path_factory.mktemp("language") / "page.html"
    file.write_text(f"<meta charset='utf-8'><script>{script}</script>", encoding="utf-8")
    page = chromium.new_page()
    page.goto(file.as_uri())
    yield lambda texts: page.evaluate("texts => texts.map(inChinese)", texts)
    page.close()


# What there is to translate


class Texts(HTMLParser):
    """The texts of a page, and those of its attributes, but of what is not to be translated."""

    def __init__(self, page):
        super().__init__()
        self.found, self.within = set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        as_it_is = tag in ("script", "style") or own.get("translate") == "no"
        if not self.as_it_is and not as_it_is:
            names = ("aria-label", "alt", "title", "placeholder")
            self.found |= {own[name] for name in names if own.get(name)}
        if tag not in ("meta", "link", "img", "input", "br"):
            self.within.append((tag, as_it_is))

    def handle_endtag(self, tag):
        while self.within.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not self.as_it_is:
            self.found.add(" ".join(data.split()))

    @property
    def as_it_is(self):
        return any(as_it_is for _, as_it_is in self.within)


def of_page(template, kind):
    """The texts of a page as it is sent, with made-up names."""
    columns = {"age": "number", "colour": ("blue", "(missing)", "(other)")}
    values = {
        "inputs": Inputs(kind, None if template == "board.html" else ("no", "yes"), columns),
        "networks": [SimpleNamespace(family="cnn", dataset="digits", seed=0)],
        "examples": [{"index": 3, "label": "yes", "record": {}}],
        "methods": [],
        "classes": 2,
        "max_bytes": pictures.MAX_BYTES,
        "max_units": inside.MAX_UNITS,
        "pen": 0.2,
    }
    return Texts(app._ENVIRONMENT.get_template(template).render(values)).found


def literals(script):
    """The strings of a script, with {} for what is put into them."""
    script = re.sub(r"^\s*//.*$|\s// .*$", "", script, flags=re.MULTILINE)
    script = re.sub(r"\{\{.*?\}\}", "${_}", re.sub(r"\{[#%].*?[#%]\}", "", script))
    found = re.findall(r'"([^"\n]*)"', script)
    script, changed = re.sub(r'"[^"\n]*"', '""', script), True
    while changed:  # the innermost first
        script, changed = re.subn(r"\$\{[^{}`]*\}", "\0", script)
        for template in re.findall("`([^`$]*)`", script):
            found.append(template.replace("\0", "{}"))
            script, changed = script.replace(f"`{template}`", '""'), True
    return found


def of_scripts():
    """Those of their strings that are sentences or more than a word."""
    text = re.compile(r"(?!use strict|[.#])(?=[A-Z][a-z]|.*[a-z][,:]? [a-z{(]|.*\} [a-z])")
    return {
        " ".join(literal.split())
        for path in SCRIPTS
        for literal in literals(path.read_text(encoding="utf-8").split("<script>")[-1])
        if text.match(literal)
    }


def of_server():
    """Messages of errors and steps towards the input, with {} for what is put into them."""
    found = set()
    for module, others in SAID_BY.items():
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in others:
                function.body = []
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and re.search(
                r"((Glassnets|Parameter|File)Error|Verdict|_refusal|steps\.append|another_table)$",
                ast.unparse(call.func),
            ):
                found |= {template(each) for each in call.args if template(each)}
    return found


def template(node):
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join("{}" if isinstance(v, ast.FormattedValue) else v.value for v in node.values)
    return ""


def of_names():
    """Methods, references and scores, as the page has them."""
    found = {name.replace("_", " ") for name in METHODS}
    found |= {reference for method in METHODS.values() for reference in method.references}
    return found | {
        leaderboards.heading(score)
        for score in scores.SCORES.values()
        if not score.needs_evidence  # which the board's datasets have not
    }


OF_PAGES = [("board.html", "image"), *(("inputs.html", k) for k in ("image", "table", "series"))]


@pytest.mark.parametrize(
    "texts",
    [*(lambda page=page: of_page(*page) for page in OF_PAGES), of_scripts, of_server, of_names],
    ids=[*map("-".join, OF_PAGES), "scripts", "server", "names"],
)
def test_every_text_has_its_chinese(in_chinese, texts):
    wanted = sorted(text for text in texts() if re.search("[A-Za-z]{2}", text))
    wanted = [text for text in wanted if text not in NAMES]
    assert len(wanted) > 15
    given = in_chinese(wanted)
    assert [text for text, chinese in zip(wanted, given, strict=True) if chinese == text] == []


def test_no_line_of_the_catalogue_is_unused():
    files = [*SCRIPTS, *HERE.glob("*.html"), *(Path(m.__file__) for m in (*SAID_BY, *ELSEWHERE))]
    used = "\n".join(path.read_text(encoding="utf-8") for path in files) + "\n".join(of_names())
    used = " ".join(re.sub(r'"\s*\n\s*f?"', "", used).split())
    unused = {
        english: clause
        for english in CATALOGUE
        for clause in re.split(r"\{\w+\}|[.,:;()'`]", english)
        if clause.strip() not in used
    }
    assert unused == {}


def test_what_is_put_into_a_line_is_in_both_languages():
    for english, chinese in CATALOGUE.items():
        names = re.findall(r"\{(\w+)\}", english)
        assert len(names) == len({*names})
        assert {*re.findall(r"\{(\w+)\*?\}", chinese)} <= {*names}, english


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Predicted in 12 ms.", "预测用时 12 毫秒。"),
        (
            "⚠ fails (unstable): not above edges; undecided whether it passes label randomization "
            "(some 300 rows would tell)",
            "⚠ 不成立（不稳定）：不高于 edges；未定：是否通过标签随机化检验（约 300 个行可以判明）",
        ),
        (
            "Attribution of cnn’s prediction 3 by integrated gradients, reference black",
            "cnn 预测为 3 的归因，方法：积分梯度（参照：黑色）",
        ),
        ("changed by −0.10 points", "变化 −0.10 个百分点"),
        (
            f"not defined for this family: it needs {method.Need.FEATURE_MAPS.value}",
            "对这类网络没有定义：它需要特征图，即一个有名称的激活值（n，行，列，通道）",
        ),
        ("the drawing: expected one of a, b, got 'c'", "画板：应为 a, b 之一，得到的是 'c'"),
        (
            "The networks’ input: not inverted, as requested; test series 3.",
            "网络的输入：按要求未反相；测试序列 3。",
        ),
        ("undecided whether new (some 3 images would tell)",) * 2,
        ("not above edges; something new",) * 2,
        ("some name of a person's own; another", "some name of a person's own; another"),
    ],
)
def test_a_message_keeps_what_was_put_into_it(in_chinese, english, chinese):
    assert in_chinese([english]) == [chinese]


# In a browser

WHOLE = """() => [...document.querySelectorAll(":not(script, style, [translate=no])")].flatMap(
  (element) => [
    ...[...element.childNodes].filter((each) => each.nodeType === 3).map((each) => each.nodeValue),
    ...["aria-label", "alt", "title", "placeholder"].map((name) => element.getAttribute(name)),
  ]
).filter((text) => text && text.trim())"""  # the page's texts, but what has no children in others


def in_english(page):
    """Texts of the page with words in them but no Chinese ones."""
    left = [
        t for t in page.evaluate(WHOLE) if re.search("[A-Za-z]{2}", t) and not CHINESE.search(t)
    ]
    return {*left} - NAMES - {*CATALOGUE.values()}


def language(page):
    return page.evaluate("document.documentElement.lang")


def test_the_page_changes_its_language_with_all_that_it_displays(url, browse, draw):
    page = browse(url)
    page.locator("#inside summary").click()
    draw(page, (140, 40), (140, 240))
    page.locator("#layers button").first.click()
    page.locator("#inside-status", has_text="Without unit").wait_for()
    before = page.evaluate(WHOLE)
    assert language(page) == "en"
    page.get_by_role("button", name="中文").click()
    assert language(page) == "zh-Hans"
    assert in_english(page) == set()
    assert page.title() == "glassnets：写一个数字"
    assert page.evaluate(WHOLE) != before
    page.get_by_role("button", name="English").click()
    assert (page.evaluate(WHOLE), language(page)) == (before, "en")


def test_a_page_in_chinese_stays_so(url, browse, project, serious_violations):
    page = browse(f"{url}/?lang=zh", width=360)
    page.locator("#status", has_text="请在黑色方框中书写。").wait_for()
    page.goto(url)
    assert language(page) == "zh-Hans"
    page.get_by_label("上传图片", exact=True).set_input_files(project / "one.png")
    page.locator("#status", has_text=re.compile(r"预测用时 \d+ 毫秒。")).wait_for()
    page.locator("#steps", has_text="看作浅底深字：已反相；笔迹按原有的长宽比").wait_for()
    page.locator("#inside summary").click()
    page.locator("#layers button").first.click()
    page.locator("#inside-status", has_text=re.compile("^没有 .+ 的单元")).wait_for()
    for name, family, verdict in (
        ("gradient", "cnn", "⚠ 未定：是否高于 edges（约 300 个图像可以判明）（不稳定）"),
        ("grad_cam", "lstm", "对这类网络没有定义：它需要特征图"),
        ("edges", "attention", "⚠ 对照：它不依赖于网络"),
        ("integrated_gradients", "cnn", "成立，在 80 % 的选择下成立；按得分排名第 2（共 3）"),
    ):
        page.select_option("#method", name)
        page.locator(f"[data-family={family}]").get_by_text(verdict).wait_for()
        assert in_english(page) == set()
    page.get_by_label("上传图片", exact=True).set_input_files(project / "params.yaml")
    page.locator("#status.error", has_text="图片：应为图片（PNG, JPEG").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert serious_violations(page) == []


@pytest.mark.parametrize(
    ("locale", "query", "expected"),
    [("zh-CN", "", "zh-Hans"), ("zh-TW", "?lang=en", "en"), ("de-DE", "", "en")],
)
def test_at_first_the_page_has_the_language_of_the_browser(url, browse, locale, query, expected):
    assert language(browse(f"{url}/{query}", locale=locale)) == expected
