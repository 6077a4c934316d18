"""Pages from the templates in templates/, by one Jinja environment."""

import math
from typing import Any

import jinja2
import pandas as pd

from glassnets.report import formats


def laid_out(table: pd.DataFrame) -> str:
    """A table of text in Markdown, all but the first column flush right. A bar within a text is no
    border of a cell."""
    align = ["left"] + ["right"] * (table.shape[1] - 1)
    escaped = table.map(_escaped).rename(columns=_escaped)
    return escaped.to_markdown(index=False, colalign=align, disable_numparse=True)


def _escaped(cell: Any) -> Any:
    return cell.replace("|", r"\|") if isinstance(cell, str) else cell


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("glassnets.report"),
    autoescape=jinja2.select_autoescape(("html",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
ENVIRONMENT.filters |= {
    "table": laid_out,
    "count": "{:,}".format,
    "listed": formats.listed,
    "number": formats.number,
    "percents": formats.percents,
    "plural": formats.plural,
}
ENVIRONMENT.tests["nan"] = math.isnan


def source(template: str) -> str:
    """A template as it is written."""
    assert ENVIRONMENT.loader is not None
    text, _, _ = ENVIRONMENT.loader.get_source(ENVIRONMENT, template)
    return text


def render(template: str, **values: Any) -> str:
    """The page that a template gives. Raises jinja2.UndefinedError where it lacks a value."""
    return ENVIRONMENT.get_template(template).render(values)
