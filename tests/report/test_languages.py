"""Text in two languages."""

import ast
import json
import re
from importlib import resources
from pathlib import Path

import pytest

import glassnets.report
from glassnets.attribution import verdicts as rules
from glassnets.attribution.methods import METHODS
from glassnets.attribution.references import REMOVALS
from glassnets.attribution.scores import SCORES
from glassnets.data.inputs import WORDS
from glassnets.report import charts, languages, page, terms, verdicts
from glassnets.report.languages import Said, Text, joined, say

REPORT = Path(glassnets.report.__file__).parent
CHINESE = re.compile("[\u4e00-\u9fff]")
# The same in both languages.
NAMES = {
    "{families}: {first}.",
    "{method}: {verdict}",
    "F1",
    "ECE",
    "A",
    "B",
    "p",
    "F1 %",
    "ECE %",
    "{low} %",
    "{why}{unstable}",
}


def template(name):
    path = resources.files("glassnets.report").joinpath("templates", name)
    return path.read_text(encoding="utf-8")


def in_template():
    """The texts of page.html: what t is called with, and the captions of tables."""
    html = template("page.html")
    text = r'("(?:[^"\\]|\\.)*")'
    calls = (
        rf"\bt(?:\.said)?\({text}",
        rf"\bt\({text} if .*? else {text}",
        rf't\.attribute\("[\w-]+", {text}',
        rf"laid_out\([^,]+, {text}",
    )
    found = {
        m
        for call in calls
        for each in re.findall(call, html)
        for m in ([each] if isinstance(each, str) else each)
    }
    return {json.loads(each) for each in found}


def in_code():
    """The texts that Python says: those written in the call, and those of a name ``form``."""
    texts = set()
    for path in (*REPORT.glob("*.py"), REPORT.parent / "pipeline" / "stages" / "compare.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="say"), args=[ast.Constant(value=str(text)), *_]):
                    texts.add(text)
                case ast.Assign(targets=[ast.Name(id="form")], value=ast.Constant(value=str(text))):
                    texts.add(text)
    return texts


SOURCES = {
    "the template": in_template(),
    "the script": {*page.spoken(template("report.js"))},
    "the code": in_code(),
    "the terms": {text for term in terms.TERMS.values() for text in term},
    "the scores": {score.heading for score in SCORES.values()},
    "the questions": {*verdicts.QUESTIONS.values()},
    "the headings of charts": {*charts._HEADINGS.values()},
    "the reasons": {*languages._REASONS, *languages._CLAIMS, *languages._COUNTS},
    "what tests lack": {*rules.LACKS.values()},
    "the values": {*rules.VALUES, "unstable", "control"},
    "the methods": {f"method: {name}" for name in METHODS},
    "the references": {f"reference: {name}" for name in REMOVALS},
}


@pytest.mark.parametrize(
    ("names", "english", "chinese"),
    [
        (["lstm"], "LSTM", "长短期记忆网络 LSTM"),
        (["cnn", "lstm", "spiking"], "CNN, LSTM or spiking", None),
    ],
)
def test_alternatives_end_with_or(names, english, chinese):
    text = languages.either(map(languages.family, names))
    assert text.en == english
    assert text.zh == (chinese or "、".join(languages.family(name).zh for name in names))


@pytest.mark.parametrize("source", SOURCES)
def test_no_fixed_text_lacks_its_chinese(source):
    texts = SOURCES[source]
    assert texts
    assert sorted(text for text in texts if text not in languages.CHINESE) == []


@pytest.mark.parametrize("source", ["the template", "the script", "the code", "the terms"])
def test_what_is_said_to_be_chinese_is(source):
    same = {t for t in SOURCES[source] if not CHINESE.search(languages.CHINESE[t])}
    assert same <= NAMES


def test_both_languages_have_the_same_places_and_terms():
    for english, chinese in languages.CHINESE.items():
        for pattern in (r"\{\w+\}", r"\|[\w-]+\]"):
            places = [{*re.findall(pattern, text)} - {"{Image}"} for text in (english, chinese)]
            assert places[0] == places[1], english


def test_all_terms_that_texts_point_to_are_explained():
    pointed = {m for text in languages.CHINESE for m in re.findall(r"\|([\w-]+)\]", text)}
    assert pointed
    assert pointed <= {*terms.TERMS}
    assert {*terms.OF_COLUMNS.values()} <= {*terms.TERMS}


def test_the_template_has_no_text_that_is_in_one_language():
    html = template("page.html")
    html = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", html, flags=re.DOTALL)
    left = {*re.findall(r"[^\W\d_]{2,}", text)}
    assert left <= {"English", "中文", "networks", "compared", "attributions", "tested"}  # <title>


def test_the_script_writes_no_text_that_is_in_one_language():
    script = re.sub(r"//.*|\bsay\((\"[^\"]*\")", "", template("report.js"))
    written = re.findall(r'textContent[:=] *["`]([^"`$]*[a-z]{3,}[^"`$]*)', script)
    assert written == []


def test_a_sentence_has_its_values_in_every_language():
    sentence = say(
        "{ahead} is more accurate than {behind} in every seed ({p}).",
        ahead=languages.family("cnn"),
        behind=languages.family("lstm"),
        p=say("Holm-adjusted p {p}", p="= 0.01"),
    )
    assert sentence == "cnn is more accurate than lstm in every seed (Holm-adjusted p = 0.01)."
    assert sentence.en.startswith("CNN is more accurate than LSTM in")
    assert sentence.zh == (
        "在每个随机种子下，卷积神经网络 CNN都比长短期记忆网络 LSTM更准确（Holm 校正后 p = 0.01）。"
    )


def test_what_the_catalogue_lacks_stays_english():
    assert say("Nobody wrote {this}.", this=1).zh == "Nobody wrote 1."
    own = languages.family("my_family")
    assert (own, own.en, own.zh) == ("my_family", "my family", "my family")


def test_lists_are_joined_as_each_language_does():
    assert joined([Said("a"), "b"]).en == "a, b"
    assert joined([Said("a"), "b"]).zh == "a、b"


def test_methods_are_written_one_way():
    assert languages.variant("integrated_gradients:draws").en == "integrated gradients (draws)"
    assert languages.variant("integrated_gradients:draws").zh == "积分梯度（抽样）"
    assert languages.variant("kernel_shap").en == "KernelSHAP"
    assert not [name for name in METHODS if "_" in languages.method(name).en]


def reasons():
    """Every reason that `attribution.verdicts` can write, by its own words."""
    row = {"against": "class_template:mean", "test": "label randomization"}
    for claim, failure in rules._WORDS.values():
        yield failure.format_map(row)
        yield f"undecided whether {claim.format_map(row)} (some 1,234 images would tell)"
        yield f"undecided whether {claim.format_map(row)} (more than 100,000 images would tell)"
    for test in (*rules.TESTS, rules.LOCALIZATION):
        lack = rules.LACKS.get(test)
        yield f"not tested: {test}" + (f", for want of {lack}" if lack else "")


@pytest.mark.parametrize("kind", WORDS)
def test_every_reason_of_a_verdict_is_said_in_chinese(kind):
    for written in reasons():
        reason = WORDS[kind].of(written)
        read = languages.reasons(reason)
        assert read == reason
        assert not re.search("[a-z]{3,}", read.zh), (reason, read.zh)


def test_several_reasons_are_said_one_after_another():
    read = languages.reasons("fails label randomization; not above class_template:mean")
    assert read.en == "fails label randomization; not above class template (mean)"
    assert read.zh == "未通过标签随机化检验；不高于类别模板（均值）"


def test_texts_are_said_of_the_kind_of_inputs():
    t = Text(WORDS["table"])
    said = t.said("Choose an image. Pixels of {count} images.", count="7 images")
    assert said.en == "Choose a row. Columns of 7 images rows."
    assert languages.of_kind("Training images", WORDS["series"]).zh == "训练序列"


def test_html_has_both_languages_and_buttons_for_terms():
    html = Text(WORDS["image"])("[control|control]")
    assert html.count('popovertarget="term-control"') == 2
    assert '<span class="zh" lang="zh-Hans">' in html
    assert Text(WORDS["image"])(Said("12 %")) == "12 %"


def test_values_are_no_markup():
    html = Text(WORDS["image"])("of {count}", count="<b>[x|control]")
    assert "<b>" not in html
    assert "popovertarget" not in html
