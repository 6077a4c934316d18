"""The documentation: its reference says all that the code has, its site opens without a network."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from glassnets import registry
from glassnets.apps.command import COMMANDS
from glassnets.attribution.methods import CONTROLS, METHODS
from glassnets.attribution.metrics import METRICS
from glassnets.config.schema import Params

ROOT = Path(__file__).parents[1]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(generator):
    return {Path(place).stem: page for place, page in generator.pages().items()}


def sections(page):
    """Text by heading, of whatever level."""
    parts = re.split(r"^#+ (.+)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("command-line", COMMANDS),
        ("methods", METHODS),
        ("metrics", METRICS),
        ("families", registry.names(registry.FAMILIES)),
    ],
)
def test_every_member_has_a_section(reference, name, members):
    assert set(members) <= set(sections(reference[name]))


def test_every_method_and_family_names_its_source(reference):
    own = sections(reference["methods"]) | sections(reference["families"])
    named = {*METHODS, *registry.names(registry.FAMILIES)} - {*CONTROLS}
    source = r"\((19|20)\d\d\)|The mean of `kernel_shap`"
    assert {name for name in named if not re.search(source, own[name])} == set()


def test_every_key_of_params_yaml_is_explained(reference):
    groups = Params.schema_of_all(["digits"]).model_json_schema()["$defs"].values()
    keys = {key for group in groups for key in group.get("properties", ())}
    text = "".join(reference[page] for page in ("params", "methods", "metrics", "families"))
    named = set(re.findall(r"^(?:\| `|#+ )(\w+)", text, re.MULTILINE))
    assert keys - named == set()


def test_what_a_comment_says_of_a_key_is_its_meaning(reference):
    assert "| `rotation` | number ≥ 0, ≤ 180 |  | degrees |" in reference["params"]
    assert "one for all, or one for each" in sections(reference["families"])["attention"]


def test_a_docstring_becomes_markdown(generator):
    text = generator._prose("Maps of ``x``.\n\n    model: any\n    one.\n    a, b: both.")
    assert text == "Maps of `x`.\n\n\n- `model`: any\none.\n\n- `a, b`: both."


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not MKDOCS.exists():
        pytest.skip("no MkDocs here (make docs installs it)")
    folder = tmp_path_factory.mktemp("site")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "src")}
    build = [MKDOCS, "build", "--strict", "--quiet", "--site-dir", folder]
    ran = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.mark.exhaustive
def test_the_site_asks_for_nothing_outside(site):
    assert len(list(site.rglob("*.html"))) > 30
    outside = (
        r"""<(?:script|img|iframe)[^>]+src=["']?(?:https?:)?//|<link[^>]+href=["']?(?:https?:)?//"""
    )
    for page in site.rglob("*.html"):
        assert not re.search(outside, page.read_text(encoding="utf-8")), page


@pytest.mark.exhaustive
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "tour", "reference/params", "results/digits/verdicts"])
def test_the_site_is_accessible(site, browse, serious_violations, name, scheme):
    page = browse((site / f"{name}.html").as_uri(), color_scheme=scheme)
    assert serious_violations(page) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("text", "title", "address"),
    [
        ("occlusion", "Attribution methods", "reference/methods.html"),
        ("自己的表格", "你自己的表格", "zh/tutorials/own-table.html"),
    ],
)
def test_the_site_is_searched_from_its_folder(site, browse, text, title, address):
    page = browse((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.keyboard.insert_text(text)
    page.keyboard.press("End")  # the search waits for a key
    found = page.locator(".md-search-result__link", has_text=title)
    found.first.wait_for()
    assert address in found.first.get_attribute("href")


@pytest.mark.exhaustive
def test_pages_say_their_language(site):
    for page in site.rglob("*.html"):
        chinese = page.name == "README.zh.html" or site / "zh" in page.parents
        text = page.read_text(encoding="utf-8")
        assert f'<html lang="{"zh-Hans" if chinese else "en"}"' in text, page
