"""params.yaml → typed, validated, frozen objects. The only reader of params.yaml.

Keys that a dataset's group leaves out come from the group ``defaults``; of a family's ``training``
from the dataset's, then from ``defaults.training``; of its ``network`` from
``defaults.<family>.network``. Groups are merged key by key, lists and numbers replaced.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from glassnets import registry
from glassnets.config.schema import Network, Params
from glassnets.errors import ParameterError

DEFAULTS = "defaults"
_SHARED = ("runtime", "evaluation")  # groups that are no dataset's
_GROUPS = ("training", "sample", "memorise", "attribution", "verdict")  # of defaults, and families

Location = list[str | int]


def load(path: Path) -> Params:
    """params.yaml as typed objects, defaults merged in.

    The whole file is validated, whatever part of it is wanted. Raises ParameterError, one line
    that names the key, what was expected and what came.
    """
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
        params = schema.model_validate_json(json.dumps(with_defaults(raw), default=str))
    except ValidationError as error:
        raise ParameterError(f"{path.name}: {_first(error, schema, raw)}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ParameterError(
            f"{path.name}: expected plain keys and values, got: {_message(error)}"
        ) from error
    for problem in _problems(params):
        raise ParameterError(f"{path.name}: {problem}")
    return params


def check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises ParameterError, which begins with `what`, for the first name that is not known."""
    for name in names:
        if name not in known:
            raise ParameterError(f"{what}: expected one of {', '.join(known)}, got {name!r}")


def with_defaults(raw: Any) -> Any:
    """The content of params.yaml with its defaults in every group that leaves a key out, and the
    networks of presets in the place of their names."""
    if not isinstance(raw, Mapping):
        return raw
    families = registry.names(registry.FAMILIES)
    _check_groups(raw, [DEFAULTS])
    defaults = raw.get(DEFAULTS, {})
    _check_groups(defaults, [*_GROUPS, *families], f"{DEFAULTS}.")
    whole = {name: group for name, group in raw.items() if name != DEFAULTS}
    for name, group in whole.items():
        if name in _SHARED or not isinstance(group, Mapping):
            continue
        _check_groups(group, ["training"], f"{name}.")
        absent = {family for family in families if family not in group}
        merged = _merged({k: v for k, v in defaults.items() if k not in absent}, group)
        training = {"training": merged.pop("training", {})}
        for family in families:
            if isinstance(cell := merged.get(family), Mapping):
                cell = merged[family] = _merged(training, cell)
                preset = cell.get("network")
                if isinstance(preset, str) and preset in _presets(family):
                    cell["network"] = _presets(family)[preset].model_dump(mode="json")
        whole[name] = merged
    return whole


def _presets(family: str) -> dict[str, Network]:
    presets: dict[str, Network] = registry.member(registry.FAMILIES, family).PRESETS
    return presets


def _check_groups(content: Mapping[Any, Any], names: Iterable[str], place: str = "") -> None:
    """Refuses what stands in the place of one of these groups, which merging would drop."""
    for name in names:
        if not isinstance(got := content.get(name, {}), Mapping):
            raise ParameterError(
                f"params.yaml: {place}{name}: expected a group of keys, got {_printable(got)}"
            )


def _merged(defaults: Mapping[Any, Any], own: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = dict(defaults)
    for key, value in own.items():
        default = merged.get(key)
        both = isinstance(default, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(cast(Any, default), value) if both else value
    return merged


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
    key = ".".join(_printable(step).strip('"') for step in _as_written(raw, loc)) or "the file"
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
        expected += f" or a preset: {', '.join(_presets(str(loc[-2])))}"
    came = "nothing" if problem["type"] == "missing" else _printable(problem["input"])
    return f"{key}: expected {expected}, got {came}"


def _as_written(raw: Any, loc: Location) -> Location:
    """Where the file has the key: in the dataset's own group or, if that has none, in defaults."""
    if len(loc) < 2:
        return loc
    dataset, *rest = loc
    shared = rest[1:] if rest[1:2] == ["training"] else rest
    for place in (loc, [DEFAULTS, *rest], [dataset, *shared], [DEFAULTS, *shared]):
        with suppress(LookupError, TypeError):
            reduce(getitem, place, raw)
            return place
    return loc


def _group(schema: type[BaseModel], loc: Location) -> type[BaseModel]:
    """The schema of the group of keys at this place."""
    for step in loc:
        annotation = schema.model_fields[str(step)].annotation
        parts = (annotation, *get_args(annotation))
        schema = next(p for p in parts if isinstance(p, type) and issubclass(p, BaseModel))
    return schema


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
