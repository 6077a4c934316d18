"""The report's text in English and Chinese, and how it names families, methods and references.

A sentence is written once, in English, where it is used: ``say("{a} is ahead of {b}.", a=a, b=b)``.
templates/zh.json has it in Chinese, by the English with its places for values. Text that it lacks
stays English; that it lacks none is a test's to see.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Self

from markupsafe import Markup, escape

from glassnets.data.inputs import WORDS, Words
from glassnets.report import rendering

LANGUAGES = ("en", "zh")
TAGS = {"en": "en", "zh": "zh-Hans"}  # as HTML has them
CHINESE: Mapping[str, str] = json.loads(rendering.source("zh.json"))

# Names of methods that are more than the code's with spaces for underscores.
_METHODS = {
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "gradient_x_input": "gradient × input",
    "kernel_shap": "KernelSHAP",
    "kernel_shap_shifted": "KernelSHAP on shifted grids",
    "rise": "RISE",
    "smoothgrad": "SmoothGrad",
}
_FAMILIES = {"cnn": "CNN", "lstm": "LSTM"}
_REFERENCES = {"noisy_linear": "interpolation"}
# What `attribution.verdicts` writes as the reasons of a verdict.
_REASONS = (
    "undecided whether {claim} ({count} {images} would tell)",
    "not tested: {test}, for want of {lack}",
    "not tested: {test}",
    "not above {control}",
    "average precision not above {control}",
    "fails {test}",
    "the same for every class",
    "about the data, not about the network",
    "about the class, not about the {image}",
)
_CLAIMS = (
    "it passes {test}",
    "maps of two classes differ",
    "above {control}",
    "specific to the network",
    "specific to the {image}",
    "average precision above {control}",
)
_COUNTS = ("some {number}", "more than {number}")
# In Chinese, an input and its players by their kind.
_OF_KIND = {
    "row": {"图像": "行", "像素": "列"},
    "series": {"图像": "序列", "像素": "时间步"},
}


class Said(str):
    """Text in its languages. As a str it is what programs and Markdown pages have; ``en`` and
    ``zh`` are what the report displays."""

    en: str
    zh: str

    def __new__(cls, plain: str, en: str | None = None, zh: str | None = None) -> Self:
        said = super().__new__(cls, plain)
        said.en = plain if en is None else en
        said.zh = said.en if zh is None else zh
        return said

    def as_data(self) -> dict[str, str]:
        return {language: getattr(self, language) for language in LANGUAGES}


def said(value: Any) -> Said:
    """A value as text, the same in every language unless it is `Said` already."""
    return value if isinstance(value, Said) else Said(str(value))


def say(text: str, /, **values: Any) -> Said:
    """An English text of the catalogue with values in its places, ``{name}``, in every language."""
    each = {name: said(value) for name, value in values.items()}
    chinese = CHINESE.get(text, text)
    return Said(
        text.format(**each),
        text.format(**{name: value.en for name, value in each.items()}),
        chinese.format(**{name: value.zh for name, value in each.items()}),
    )


def joined(texts: Iterable[Any], between: str = ", ", chinese: str = "、") -> Said:
    """Texts one after another, with what stands between them."""
    each = [said(text) for text in texts]
    return Said(
        between.join(each),
        between.join(text.en for text in each),
        chinese.join(text.zh for text in each),
    )


def either(texts: Iterable[Any]) -> Said:
    """``a, b or c``."""
    *others, last = map(said, texts)
    return joined([joined(others), last], " or ") if others else last


def of_kind(text: str, words: Words) -> Said:
    """A text written of images and pixels, said of another kind of inputs: one of the catalogue,
    or `Said` already."""
    whole = text if isinstance(text, Said) else Said(text, zh=CHINESE.get(text))
    if words.one == "image":
        return whole
    english, chinese = words.of(whole.en), whole.zh
    for written, other in _OF_KIND[words.one].items():
        chinese = chinese.replace(written, other)
    each = {"Images": words.many, "Image": words.one, "Pixels": words.players}
    for written, other in each.items():
        english = re.sub(rf"\b{written}\b", other.capitalize(), english)
    english = re.sub(rf"\b([Aa])n (?={words.one}\b)", r"\1 ", english)
    return Said(english, zh=chinese)


# Names


def family(name: str) -> Said:
    """What the report calls a family."""
    english = _FAMILIES.get(name, name.replace("_", " "))
    return Said(name, english, CHINESE.get(f"family: {name}", english))


def method(name: str) -> Said:
    """What the report calls a method: ``integrated gradients``."""
    english = _METHODS.get(name, name.replace("_", " "))
    return Said(name, english, CHINESE.get(f"method: {name}", english))


def reference(name: str) -> Said:
    """What the report calls a reference, or a removal."""
    english = _REFERENCES.get(name, name.replace("_", " "))
    return Said(name, english, CHINESE.get(f"reference: {name}", english))


def baseline(name: str) -> Said:
    """What the report calls a classifier that is no network."""
    return Said(name, zh=CHINESE.get(f"baseline: {name}"))


def variant(name: str) -> Said:
    """What the report calls a variant: ``integrated gradients (mean)``."""
    own, _, of = name.partition(":")
    if not of:
        return method(own)
    one, other = method(own), reference(of)
    return Said(name, f"{one.en} ({other.en})", f"{one.zh}（{other.zh}）")


# Reasons


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", form)
    named = [
        f"(?P<{part}>{r'[^ ,]+' if part.startswith('image') else '.+?'})"
        if i % 2
        else re.escape(part)
        for i, part in enumerate(parts)
    ]
    return re.compile("".join(named))


def _read(text: str, forms: Iterable[str]) -> Said:
    for form in forms:
        if match := _pattern(form).fullmatch(text):
            return say(
                form, **{name: _value(name, each) for name, each in match.groupdict().items()}
            )
    return Said(text, zh=CHINESE.get(text))


def _value(name: str, text: str) -> Said:
    match name:
        case "control":
            return variant(text)
        case "claim" | "test" if text not in CHINESE:
            return _read(text, _CLAIMS)
        case "count":
            return _read(text, _COUNTS)
        case "image" | "images":
            return Said(text, zh=_chinese_word(text))
        case _:
            return Said(text, zh=CHINESE.get(text))


def _chinese_word(word: str) -> str:
    for words in WORDS.values():
        if word in (words.one, words.many):
            return of_kind("image", words).zh
    return word


def reasons(text: str) -> Said:
    """Why a verdict does not hold, as a leaderboard has it, "; " between the reasons."""
    return joined((_read(each, _REASONS) for each in text.split("; ")), "; ", "；")


# In HTML


class Text:
    """A template's ``t``: ``t("An image …")`` is the text in every language, of which the page
    displays one; ``t.attribute("aria-label", "…")`` an attribute, and ``t.data("…")`` the data of
    one. Within a text, ``[word|term]`` is a word that explains itself by the term when pressed.
    """

    def __init__(self, words: Words) -> None:
        self._words = words

    def said(self, text: Any, **values: Any) -> Said:
        """The text in every language, with values in its places."""
        if isinstance(text, Said):
            return text
        kind = of_kind(str(text), self._words)
        each = {name: said(value) for name, value in values.items()}
        return Said(
            kind.format(**each),
            kind.en.format(**{name: value.en for name, value in each.items()}),
            kind.zh.format(**{name: value.zh for name, value in each.items()}),
        )

    def __call__(self, text: Any, **values: Any) -> Markup:
        kind = text if isinstance(text, Said) else of_kind(str(text), self._words)
        whole = {}
        for language in LANGUAGES:
            own: str = getattr(kind, language)
            if isinstance(text, Said):
                whole[language] = escape(own)
                continue
            each = {name: getattr(said(value), language) for name, value in values.items()}
            whole[language] = _marked(own).format(**each)  # which escapes the values
        if whole["en"] == whole["zh"]:
            return whole["en"]
        span = Markup('<span class="{}" lang="{}">{}</span>')
        return Markup("").join(span.format(each, TAGS[each], whole[each]) for each in LANGUAGES)

    def attribute(self, name: str, text: Any, **values: Any) -> Markup:
        whole = self.said(text, **values)
        return Markup('{}="{}" data-{}-en="{}" data-{}-zh="{}"').format(
            name, _unmarked(whole.en), name, _unmarked(whole.en), name, _unmarked(whole.zh)
        )

    def data(self, text: Any, **values: Any) -> dict[str, str]:
        return self.said(text, **values).as_data()


_TERM = re.compile(r"\[([^|\]]+)\|([\w-]+)\]")


def _marked(text: str) -> Markup:
    marked, last = Markup(""), 0
    for match in _TERM.finditer(text):
        marked += escape(text[last : match.start()])
        marked += Markup(
            '<button type="button" class="term" popovertarget="term-{}">{}</button>'
        ).format(match[2], match[1])
        last = match.end()
    return marked + escape(text[last:])


def _unmarked(text: str) -> str:
    return _TERM.sub(r"\1", text)
