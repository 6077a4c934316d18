"""The site's reference, of the code: command line, params.yaml, methods, metrics, families, Python.

python docs/reference.py        # prints the pages as JSON, by their place in the site
"""

import ast
import inspect
import itertools
import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from glassnets import config, registry
from glassnets.apps import command, judge
from glassnets.attribution import judging
from glassnets.attribution.methods import METHODS, Explained, explain
from glassnets.attribution.methods.method import Method
from glassnets.attribution.metrics import METRICS, Judged
from glassnets.config.schema import Params, Strict

PARAMS = Path(__file__).parents[1] / "params.yaml"


def pages() -> dict[str, str]:
    """Markdown of each page, by its place."""
    return {
        "reference/command-line.md": command_line(),
        "reference/params.md": params(),
        "reference/methods.md": methods(),
        "reference/metrics.md": metrics(),
        "reference/families.md": families(),
        "reference/python.md": python(),
    }


def command_line() -> str:
    """What each command's ``--help`` prints."""
    parts = ["# Command line", command.HELP]
    for name, (module, _) in command.COMMANDS.items():
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(import_module(module).command)
        made = typer.main.get_command(app)
        context = made.make_context(f"glassnets {name}", [], resilient_parsing=True)
        parts += [f"## {name}", f"```text\n{made.get_help(context)}\n```"]
    return _joined(parts)


def params() -> str:
    datasets = config.load(PARAMS).datasets
    schema = Params.schema_of_all(datasets)
    parts = [
        "# params.yaml",
        "Every key, with what it may be. Unknown keys and values out of these limits are refused "
        "in one line, before any work. What a dataset leaves out comes from `defaults`, and for "
        "data of your own from `kinds`: groups are merged key by key. Networks of families, and "
        "options of methods and metrics, have their own pages.",
    ]
    for name, group in _groups(schema, datasets).items():
        parts += [f"## {name}", _doc(group), _fields(group)]
    return _joined(parts)


def _groups(schema: type[BaseModel], datasets: tuple[str, ...]) -> dict[str, type[BaseModel]]:
    """The classes of groups, by what they are called, outer ones first; of the datasets one, and
    neither networks nor options of methods and metrics."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [schema]
    while waiting:
        group = waiting.pop(0)
        called = group.__name__.split(".")[-1]
        if called in found:
            continue
        found[called] = group
        for name, field in group.model_fields.items():
            if name not in (*datasets[1:], "methods", "metrics"):
                inner = [c for c in _classes(field.annotation) if issubclass(c, BaseModel)]
                waiting += [c for c in inner if c.__name__ != "Network"]
    return found


def _classes(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _classes(each)


def methods() -> str:
    parts = [
        "# Attribution methods",
        "What stands in the place of an absent pixel is a method's *reference*; one without absent "
        "pixels has none. *Complete*: the map sums to f(x) − f(reference), f the logit that is "
        "explained. *Sensitivity*: in logits a grey level; all other maps are in logits.",
    ]
    for control in (False, True):
        parts.append(
            "## Controls: maps that never look at the network" if control else "## Methods"
        )
        for method in METHODS.values():
            if method.control == control:
                parts += [f"### {method.name}", _prose(method.function.__doc__), _about(method)]
                parts.append(_fields(method.options))
    return _joined(parts)


def _about(method: Method) -> str:
    facts = [f"references: {', '.join(method.references) or 'none'}"]
    facts += [f"needs {method.need.value}"] if method.need else []
    facts += [word for word in ("complete", "sensitivity") if getattr(method, word)]
    return f"*{'; '.join(facts)}.* In `{_file(method.function.__module__)}`."


def metrics() -> str:
    parts = ["# Metrics of attributions", "Whether high or low is good, each says."]
    for name, metric in METRICS.items():
        parts += [f"## {name}", _prose(metric.function.__doc__), _scores(metric.function)]
        parts += [f"In `{_file(metric.function.__module__)}`.", _fields(metric.options)]
    return _joined(parts)


def _scores(function: Any) -> str:
    """Of the scores that a metric's docstring names, those that functions of their own compute."""
    named = re.findall(r"``(\w+)``", function.__doc__)
    members = {name: function.__globals__.get(name) for name in named}
    items = [f"- `{n}`: {_cell(_prose(m.__doc__))}" for n, m in members.items() if m and m.__doc__]
    return "\n".join(items)


def families() -> str:
    parts = ["# Families of networks", "Of each, the keys of its group `network` in `params.yaml`."]
    for name in registry.names(registry.FAMILIES):
        module = registry.member(registry.FAMILIES, name)
        parts += [f"## {name}", _prose(module.__doc__), _fields(module.Network)]
        presets = ", ".join(f"`{preset}`" for preset in module.PRESETS)
        parts.append(f"Presets, as `network: NAME`: {presets}. In `{_file(module.__name__)}`.")
    return _joined(parts)


def _file(module: str) -> str:
    return f"src/{module.replace('.', '/')}.py"


def python() -> str:
    parts = [
        "# Python",
        "What is meant to be imported. Examples with scikit-learn, PyTorch and ONNX Runtime: "
        "[Your own model](../own-model.md).",
    ]
    for name, each in {
        "glassnets.attribution.judge": judging.judge,
        "glassnets.attribution.JudgedModel": judging.JudgedModel,
        "glassnets.apps.judge.write": judge.write,
        "glassnets.attribution.methods.explain": explain,
        "glassnets.attribution.methods.Explained": Explained,
        "glassnets.attribution.metrics.Judged": Judged,
    }.items():
        parts += [f"## {name}", _definition(each), _prose(each.__doc__)]
        if isinstance(each, type):
            for own, member in vars(each).items():
                function = member.fget if isinstance(member, property) else member
                if not own.startswith("_") and inspect.isfunction(function) and function.__doc__:
                    parts += [f"### {own}", _definition(function), _prose(function.__doc__)]
    return _joined(parts)


def _definition(each: Any) -> str:
    """A function's or a class' code as far as its docstring, and a class' public fields."""
    lines = inspect.cleandoc("\n" + inspect.getsource(each)).splitlines()
    [node] = ast.parse("\n".join(lines)).body
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    kept = lines[node.lineno - 1 : node.body[0].lineno - 1]
    for field in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(field, ast.AnnAssign) and not ast.unparse(field.target).startswith("_"):
            kept += lines[field.lineno - 1 : field.end_lineno]
    return "\n".join(["```python", *kept, "```"])


def _fields(group: type[BaseModel]) -> str:
    """A table of the group's keys; nothing where it has none."""
    comments = {k: v for base in reversed(group.__mro__) for k, v in _comments(base).items()}
    rows = []
    for name, field in group.model_fields.items():
        annotation = field.annotation
        for extra in field.metadata:
            annotation = Annotated[annotation, extra]
        default = "" if field.default is PydanticUndefined else f"`{_written(field.default)}`"
        rows.append((f"`{name}`", _allowed(annotation), default, _cell(comments.get(name, ""))))
    return _table(("key", "may be", "default", "meaning"), rows) if rows else "No options."


def _written(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def _comments(group: type) -> dict[str, str]:
    """What the comments above and beside a class' fields say, by field."""
    try:
        lines = inspect.cleandoc("\n" + inspect.getsource(group)).splitlines()
    except (OSError, TypeError):  # made by `create_model`, or built in
        return {}
    found = {}
    [tree] = ast.parse("\n".join(lines)).body
    assert isinstance(tree, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            first = node.lineno - 1
            while lines[first - 1].strip().startswith("#"):
                first -= 1
            own = lines[first : node.end_lineno]
            texts = [match[1] for line in own if (match := re.search(r"(?:^|\s)# (.*)$", line))]
            found[node.target.id] = " ".join(texts)
    return found


def _allowed(annotation: Any) -> str:
    schema = TypeAdapter(annotation).json_schema()
    return _cell(_words(schema, schema.get("$defs", {})))


def _words(schema: dict[str, Any], groups: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        return _group(groups[schema["$ref"].split("/")[-1]]["title"])
    if "anyOf" in schema:
        return " or ".join(_words(each, groups) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{_written(v)}`" for v in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "array":
        inner = schema.get("items") or {}
        if "prefixItems" in schema:
            return "[" + ", ".join(_words(each, groups) for each in schema["prefixItems"]) + "]"
        return f"a list: {_words(inner, groups)}"
    if kind == "object" and "properties" in schema:
        return _group(schema["title"])
    if kind == "object":
        [inner] = schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()
        return f"by name: {_words(inner, groups)}"
    limits = [
        f"{sign} {schema[key]:,}"
        for key, sign in (
            ("exclusiveMinimum", ">"),
            ("minimum", "≥"),
            ("exclusiveMaximum", "<"),
            ("maximum", "≤"),
        )
        if key in schema
    ]
    if "pattern" in schema:
        limits.append(f"as `{schema['pattern']}`")
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true, false",
    }
    return " ".join([words.get(str(kind), str(kind or "anything")), ", ".join(limits)]).strip()


def _group(title: str) -> str:
    """A link to a group's heading, if it is on the page of params.yaml."""
    name = title.split(".")[-1]
    return "a group" if name in ("Network", "Requested") else f"a group: [{name}](#{name.lower()})"


def _doc(group: type[BaseModel]) -> str:
    """Its docstring, or that of what it is made of."""
    own = itertools.takewhile(lambda base: base is not Strict, group.__mro__)
    return _prose(next((base.__doc__ for base in own if base.__dict__.get("__doc__")), ""))


def _prose(text: str | None) -> str:
    """A docstring as Markdown: code as code, ``name: what it is`` an item of a list."""
    text = re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(text or ""))
    return re.sub(r"^([a-z_]\w*(?:, [a-z_]\w*)*): ", r"\n- `\1`: ", text, flags=re.MULTILINE)


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    json.dump(pages(), sys.stdout)
