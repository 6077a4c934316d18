"""params.yaml → typed, validated, frozen objects. The only reader of params.yaml.

Keys that a dataset's group leaves out come from the group ``defaults``; of a family's ``training``
from the dataset's, then from ``defaults.training``; of its ``network`` from
``defaults.<family>.network``. Groups are merged key by key, lists and numbers replaced.
"""

import difflib
import json
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from glassnets import registry
from glassnets.config.schema import Params
from glassnets.errors import ParameterError

DEFAULTS = "defaults"

Location = list[str | int]


def load(path: Path) -> Params:
    """params.yaml as typed objects, defaults merged in; the whole file is validated. Raises
    ParameterError, one line that names the key, what was expected and what came."""
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(
            f"{path.name}: expected a readable file, got: {error.strerror}"
        ) from error
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ParameterError(f"{path.name}: expected valid YAML, got: {_message(error)}") from error
    schema = Params.schema_of_all()
    try:
        # By way of JSON, where pydantic's strict mode still takes a list for a tuple.
        params = schema.model_validate_json(
            json.dumps(with_defaults(raw, _groups(schema)), default=str)
        )
    except ValidationError as error:
        raise ParameterError(f"{path.name}: {_first(error, schema, raw)}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ParameterError(
            f"{path.name}: expected plain keys and values, got: {_message(error)}"
        ) from error
    for problem in _problems(params):
        raise ParameterError(f"{path.name}: {problem}")
    return params


def check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raises ParameterError, which begins with `what`, for the first name that is not known."""
    for name in names:
        if name not in known:
            raise ParameterError(f"{what}: expected one of {', '.join(known)}, got {name!r}")


def with_defaults(raw: Any, groups: Container[str]) -> Any:
    """The content of params.yaml with its defaults in every group that leaves a key out, and the
    networks of presets in the place of their names. groups: the keys under which a group is
    expected; raises ParameterError where a default is none, which the merging would drop."""
    if not isinstance(raw, Mapping):
        return raw
    if not isinstance(defaults := raw.get(DEFAULTS, {}), Mapping):
        raise _no_group(raw, [DEFAULTS], defaults)

    def merged(defaults: Mapping[Any, Any], own: Mapping[Any, Any], loc: Location) -> Any:
        whole = dict(defaults)
        for key, value in own.items():
            default = whole.get(key)
            if isinstance(default, Mapping) and isinstance(value, Mapping):
                whole[key] = merged(default, value, [*loc, key])
                continue
            preset = key == "network" and isinstance(default, str)
            if isinstance(value, Mapping) and key in groups and default is not None and not preset:
                raise _no_group(raw, [*loc, key], default)
            whole[key] = value
        return whole

    families = registry.names(registry.FAMILIES)
    content = {name: group for name, group in raw.items() if name != DEFAULTS}
    for name, group in content.items():
        if name not in registry.names(registry.SOURCES) or not isinstance(group, Mapping):
            continue
        absent = {family for family in families if family not in group}
        own = {key: value for key, value in defaults.items() if key not in absent}
        whole = content[name] = merged(own, group, [DEFAULTS])
        training = {"training": whole.pop("training", {})}
        for family in families:
            if isinstance(cell := whole.get(family), Mapping):
                cell = whole[family] = merged(training, cell, [name])
                presets = registry.member(registry.FAMILIES, family).PRESETS
                if isinstance(preset := cell.get("network"), str) and preset in presets:
                    cell["network"] = presets[preset].model_dump(mode="json")
    return content


def _no_group(raw: Any, loc: Location, got: Any) -> ParameterError:
    key = _as_written(raw, loc)
    return ParameterError(f"params.yaml: {key}: expected a group of keys, got {_printable(got)}")


def _problems(params: Params) -> Iterator[str]:
    """What no single value shows, each with the key of its group."""
    datasets = {name: params.dataset(name) for name in params.datasets}
    sources = [name for name, dataset in datasets.items() if dataset.planting is None]
    for name, dataset in datasets.items():
        problems = {name: dataset.problem()}
        if dataset.planting is not None and (source := dataset.planting.source) not in sources:
            known = ", ".join(sources)
            problems[f"{name}.planting"] = (
                f"source: expected one of {known}, got {_printable(source)}"
            )
        if getattr(dataset.attribution.metrics, "deletion_insertion", None) is None:
            problems[f"{name}.attribution"] = (
                "metrics: expected deletion_insertion, by which methods are ranked, got none"
            )
        problems[f"{name}.additive"] = dataset.additive.problem(dataset.image_shape)
        if dataset.shortcut is not None:
            problems[f"{name}.shortcut"] = dataset.shortcut.problem(
                dataset.image_shape, dataset.classes
            )
        for family in dataset.families:
            cell = dataset.family(family)
            problems[f"{name}.{family}.training"] = cell.training.problem()
            problems[f"{name}.{family}.network"] = cell.network.problem(dataset.image_shape)
        yield from (f"{key}.{problem}" for key, problem in problems.items() if problem)


# pydantic's types of complaint in the words of someone who writes YAML; the others are so already.
_EXPECTED = {
    "bool_type": "true or false",
    "float_type": "a number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_type": "a whole number",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "missing": "a value",
    "model_type": "a group of keys",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_type": "text",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}


def _first(error: ValidationError, schema: type[BaseModel], raw: Any) -> str:
    """One of pydantic's complaints as one line: key, what was expected, what came."""
    problems = error.errors(include_url=False)
    # A misspelt key is missing too: report the one that stands there.
    problem = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    loc = [*problem["loc"]]
    key = _as_written(raw, loc) or "the file"
    if problem["type"] == "extra_forbidden":
        known = sorted({*_group(schema, loc[:-1]).model_fields, *([DEFAULTS] * (len(loc) == 1))})
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"{key}: expected one of {', '.join(known)}, got an unknown key{hint}"
    message = problem["msg"].removeprefix("Input should be ")
    expected = _EXPECTED.get(problem["type"], message).format(**problem.get("ctx", {}))
    if loc and isinstance(name := loc[-1], str):  # neither the file nor an item of a list
        annotation = _group(schema, loc[:-1]).model_fields[name].annotation
        expected += " or null" if type(None) in get_args(annotation) else ""
    if problem["type"] == "model_type" and loc[-1:] == ["network"]:
        presets = registry.member(registry.FAMILIES, str(loc[-2])).PRESETS
        expected += f" or a preset: {', '.join(presets)}"
    came = "nothing" if problem["type"] == "missing" else _printable(problem["input"])
    return f"{key}: expected {expected}, got {came}"


def _as_written(raw: Any, loc: Location) -> str:
    """The key as the file has it: in the dataset's own group or, if that has none, in defaults."""
    places = [loc]
    if len(loc) > 1:
        dataset, *rest = loc
        shared = rest[1:] if rest[1:2] == ["training"] else rest
        places += [[DEFAULTS, *rest], [dataset, *shared], [DEFAULTS, *shared]]
    for place in places:
        with suppress(LookupError, TypeError):
            reduce(getitem, place, raw)
            loc = place
            break
    return ".".join(_printable(step).strip('"') for step in loc)


def _group(schema: type[BaseModel], loc: Location) -> type[BaseModel]:
    """The schema of the group of keys at this place."""
    for step in loc:
        schema = _inner(schema)[str(step)]
    return schema


def _groups(schema: type[BaseModel]) -> set[str]:
    """The keys under which it has a group, in groups too."""
    inner = _inner(schema)
    return {*inner, *(key for group in inner.values() for key in _groups(group))}


def _inner(schema: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The schema of each group of keys, by its key."""
    return {
        name: part
        for name, field in schema.model_fields.items()
        for part in (field.annotation, *get_args(field.annotation))
        if isinstance(part, type) and issubclass(part, BaseModel)
    }


def _printable(value: Any) -> str:
    """A key or a value as it could stand in the file, printable and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _message(error: Exception) -> str:
    """What a parser complains of, in one line."""
    message = str(error)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        line = f"line {error.problem_mark.line + 1}"
        message = ", ".join(filter(None, (error.context, error.problem, line)))
    return " ".join(message.split())[:300]
