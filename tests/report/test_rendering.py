"""Templates: what is escaped in them, and what is refused."""

import jinja2
import pandas as pd
import pytest

from glassnets.report import rendering


def render(name, source, **values):
    environment = rendering.ENVIRONMENT.overlay(loader=jinja2.DictLoader({name: source}))
    return environment.get_template(name).render(values)


def test_html_is_escaped_and_markdown_is_not():
    assert render("x.html", "{{ text }}", text="p < 1") == "p &lt; 1"
    assert render("x.md", "{{ text }}", text="p < 1") == "p < 1"


def test_a_value_that_is_missing_is_refused():
    with pytest.raises(jinja2.UndefinedError, match="setting"):
        rendering.render("comparison.md")


def test_a_table_is_flush_right_after_its_first_column():
    table = pd.DataFrame({"a": ["x"], "b": ["1.50"]})
    assert rendering.laid_out(table).splitlines()[1:] == ["|:----|-----:|", "| x   | 1.50 |"]


def test_a_bar_in_a_text_parts_no_cells():
    table = pd.DataFrame({"a|b": ["x|y"], "c": ["1"]})
    assert rendering.laid_out(table).splitlines() == [
        *(r"| a\|b   |   c |", "|:-------|----:|", r"| x\|y   |   1 |")
    ]


@pytest.mark.parametrize("name", ["comparison.md", "verdicts.md", "model-card.md", "page.html"])
def test_every_template_compiles(name):
    assert rendering.ENVIRONMENT.get_template(name)
