"""Each Chinese page says what its English one says: the same parts, commands, figures and links, in
the terms of docs/zh/terms.md."""

import re
from collections import Counter
from pathlib import Path
from posixpath import dirname, normpath

import pytest

ROOT = Path(__file__).resolve().parents[1]
# By path in the repository: English to Chinese.
PAGES = {"README.md": "README.zh.md"} | {
    f"docs/tutorials/{path.name}": f"docs/zh/tutorials/{path.name}"
    for path in sorted((ROOT / "docs" / "tutorials").glob("*.md"))
}
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)*")
WORDS = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
SPELT = {word: number for number, word in enumerate(WORDS.split(), start=2)} | {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
}
NUMERALS = dict(zip("一二两三四五六七八九", (1, 2, *range(2, 10)), strict=True))


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text):
    """Headings, paragraphs, lists, tables and blocks of code, in order, without the line below the
    title, which links to the page in the other language."""
    code = CODE.findall(text)
    title, languages, *others = re.split(r"\n{2,}", CODE.sub("\n\n```\n\n", text).strip())
    assert re.match(r"\[(中文|English)\]\(", languages), f"expected a link, got {languages}"
    return [code.pop(0) if block == "```" else block for block in (title, *others)]


def kind(block):
    """Of a heading its level, of a table and a list how many lines or entries it has."""
    begins = re.match(r"#+ |```|[|!]|- |", block)[0]
    if begins not in ("|", "- "):
        return begins, 1
    return begins, len(re.findall(rf"^{re.escape(begins)}", block, re.MULTILINE))


def commands(block):
    """A block of code; of bash, its lines without their comments."""
    if not block.startswith("```bash\n"):
        return block
    return [line.partition("#")[0].rstrip() for line in block.splitlines()]


def targets(block, page):
    """Where links lead, as paths in the repository; of a page with both languages, the English."""
    english = {chinese: page for page, chinese in PAGES.items()}
    found = Counter()
    for target in LINK.findall(block):
        path, hash_, anchor = target.partition("#")
        if ":" not in path:
            path = normpath(f"{dirname(page) or '.'}/{path}")
        found[english.get(path, path) + hash_ + anchor] += 1
    return found


def in_chinese(text):
    """The values of the numerals up to 99 in a text; of 十二 12, and 2 as well."""
    found = Counter(NUMERALS[sign] for sign in text if sign in NUMERALS)
    for tens, units in re.findall("([二三四五六七八九]?)十([一二三四五六七八九]?)", text):
        found[10 * NUMERALS.get(tens, 1) + NUMERALS.get(units, 0)] += 1
    return found


def wrong_figures(english, chinese):
    """Figures that are in one of the texts alone. What English spells, three, is 3 or 三."""
    own, other = (Counter(FIGURE.findall(LINK.sub("]", text))) for text in (english, chinese))
    words = re.findall("[a-z]+", english.lower())
    spelt = Counter(str(SPELT[word]) for word in words if word in SPELT)
    added = other - own
    numerals = Counter({str(value): count for value, count in in_chinese(chinese).items()})
    return sorted((own - other) + (added - spelt) + (spelt - added - numerals))


def differences(english, chinese, page, translation):
    """A line for each thing that the translation has otherwise."""
    ours, theirs = blocks(english), blocks(chinese)
    kinds = [*map(kind, ours)], [*map(kind, theirs)]
    if kinds[0] != kinds[1]:
        first = next((i for i, (a, b) in enumerate(zip(*kinds, strict=False)) if a != b), -1)
        yield f"parts: expected {len(ours)}, got {len(theirs)}, other ones from {ours[first]!r} on"
        return
    for own, other in zip(ours, theirs, strict=True):
        if own.startswith("```"):
            if commands(own) != commands(other):
                yield f"code: expected {own!r}, got {other!r}"
            continue
        table = own.startswith("|")
        for line, said in zip(
            *((b.splitlines() if table else [b]) for b in (own, other)), strict=True
        ):
            if figures := wrong_figures(line, said):
                yield f"figures: {', '.join(figures)} in {said!r}"
        if Counter(re.findall("`[^`]+`", own)) != Counter(re.findall("`[^`]+`", other)):
            yield f"names: other ones in {other!r}"
        if targets(own, page) != targets(other, translation):
            yield f"links: other ones in {other!r}"


def test_every_tutorial_has_a_chinese_page():
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "zh" / "tutorials").iterdir()}
    assert there == {*PAGES.values()} - {"README.zh.md"}


@pytest.mark.parametrize("page", PAGES)
def test_a_chinese_page_says_what_the_english_one_says(page):
    assert [*differences(read(page), read(PAGES[page]), page, PAGES[page])] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_link_to_each_other(page):
    for own, other in ((page, PAGES[page]), (PAGES[page], page)):
        languages = read(own).split("\n\n")[1]
        assert targets(languages, own)[page] == 1, f"{own} does not link to {other}"


@pytest.mark.parametrize(
    ("page", "old", "new", "found"),
    [
        ("README.md", "99.46 ± 0.09", "99.47 ± 0.09", "figures: 99.46, 99.47 in"),
        ("README.md", "360 幅", "三百多幅", "figures: 360 in"),
        ("README.md", "三个随机种子", "五个随机种子", "figures: 3 in"),
        ("README.md", "其中 6 种", "其中 7 种", "figures: 6, 7 in"),
        ("README.md", "一到五分钟", "一到三分钟", "figures: 5 in"),
        ("README.md", "## 开始\n\n", "", "parts: "),
        ("README.md", "## 开始", "### 开始", "parts: "),
        ("README.md", "make demo  ", "make run  ", "code: "),
        ("README.md", "`make serve`", "`make ui`", "names: "),
        ("README.md", "results/mnist/units.md", "results/digits/units.md", "links: "),
        ("README.md", "docs/zh/tutorials/own-table.md", "docs/own-data.md", "links: "),
        ("docs/tutorials/own-keras-model.md", "Dense(32", "Dense(64", "code: "),
        ("docs/tutorials/own-keras-model.md", "--scale 0..1 --other", "--other", "code: "),
        ("docs/tutorials/read-a-verdict.md", "| share |", "| share |\n| share |", "parts: "),
        ("docs/tutorials/read-a-verdict.md", "some 527", "some 725", "figures: 527, 725 in"),
    ],
)
def test_a_change_of_one_page_alone_is_found(page, old, new, found):
    changed = read(PAGES[page]).replace(old, new, 1)
    assert changed != read(PAGES[page])
    first, *others = differences(read(page), changed, page, PAGES[page])
    assert (first[: len(found)], others) == (found, [])


def test_a_comment_in_a_command_may_be_translated():
    pages = (
        "# T\n\n[中文](b)\n\n```bash\nls  # list\n```",
        "# T\n\n[English](a)\n\n```bash\nls # 列出\n```",
    )
    assert [*differences(*pages, "a", "b")] == []


def terms():
    """English terms, the longest first, and what each may be in Chinese."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", read("docs/zh/terms.md"), re.MULTILINE)
    found = {
        term: [word.strip() for word in re.split("[（），]", chinese) if word.strip()]
        for english, chinese in rows
        for term in english.split(", ")
        if term not in ("英文", "---")
    }
    assert len(found) > 50
    return sorted(found.items(), key=lambda term: -len(term[0]))


@pytest.mark.parametrize("page", PAGES)
def test_a_chinese_page_keeps_to_the_terms(page):
    english, chinese = (re.sub("`[^`]+`", "", CODE.sub("", read(p))) for p in (page, PAGES[page]))
    missing = []
    for term, translations in terms():
        pattern = rf"\b{re.sub('y$', '(?:y|ie)', term)}(?:s|es)?\b"
        english, count = re.subn(pattern.replace(" ", r"\s+"), " ", english, flags=re.IGNORECASE)
        if count and not any(word in chinese for word in translations):
            missing.append(f"{term}: {' or '.join(translations)}")
    assert missing == []
