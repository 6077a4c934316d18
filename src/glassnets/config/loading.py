"""params.yaml → typed, validated, frozen objects. The only reader of params.yaml.

Keys that a dataset's group leaves out come from the group ``defaults``; of a family's ``training``
from the dataset's, then from ``defaults.training``; of its ``network`` from
``defaults.<family>.network``. Groups are merged key by key, lists and numbers replaced.
"""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from glassnets import registry
from glassnets.config.schema import NETWORK, PRESET, Dataset, Params
from glassnets.errors import ParameterError

DEFAULTS = "defaults"
_SHARED = ("runtime", "evaluation")  # groups that are no dataset's

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
    for key, problem in _problems(params):
        raise ParameterError(f"{path.name}: {key}.{problem}")
    return params


def with_defaults(raw: Any) -> Any:
    """The content of params.yaml with its defaults in every group that leaves a key out."""
    if not isinstance(raw, Mapping):
        return raw
    defaults = raw.get(DEFAULTS, {})
    if not isinstance(defaults, Mapping):
        got = _printable(defaults)
        raise ParameterError(f"params.yaml: {DEFAULTS}: expected a group of keys, got {got}")
    whole = {}
    for name, group in raw.items():
        if name == DEFAULTS:
            continue
        if name in _SHARED or not isinstance(group, Mapping):
            whole[name] = group
            continue
        families = registry.names(registry.FAMILIES)
        absent = {family for family in families if family not in group}
        whole[name] = _merged({k: v for k, v in defaults.items() if k not in absent}, group)
        training = {"training": whole[name].pop("training", {})}
        for family in families:
            if isinstance(cell := whole[name].get(family), Mapping):
                whole[name][family] = _merged(training, cell)
    return whole


def _merged(defaults: Mapping[Any, Any], own: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = dict(defaults)
    for key, value in own.items():
        default = merged.get(key)
        both = isinstance(default, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(cast(Any, default), value) if both else value
    return merged


def _problems(params: Params) -> list[tuple[str, str]]:
    """What no single value shows: (key of the group, what is wrong in it)."""
    each: list[tuple[str, str | None]] = []
    for dataset_name in params.datasets:
        dataset = params.dataset(dataset_name)
        each.append((dataset_name, dataset.problem()))
        each.append((f"{dataset_name}.planting", _source_problem(params, dataset)))
        for name in dataset.families:
            cell = dataset.family(name)
            key = f"{dataset_name}.{name}"
            each.append((f"{key}.training", cell.training.problem()))
            each.append((f"{key}.network", cell.network.problem(dataset.image_shape)))
    return [(key, problem) for key, problem in each if problem is not None]


def _source_problem(params: Params, dataset: Dataset) -> str | None:
    if dataset.planting is None:
        return None
    known = [name for name in params.datasets if params.dataset(name).planting is None]
    if dataset.planting.source in known:
        return None
    return f"source: expected one of {', '.join(known)}, got {_printable(dataset.planting.source)}"


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
    loc = [step for step in problem["loc"] if step not in (NETWORK, PRESET)]
    key = ".".join(_printable(step).strip('"') for step in _as_written(raw, loc)) or "the file"
    if problem["type"] == "extra_forbidden":
        known = sorted({*_group(schema, loc[:-1]).model_fields, *([DEFAULTS] * (len(loc) == 1))})
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"{key}: expected one of {', '.join(known)}, got an unknown key{hint}"
    came = "nothing" if problem["type"] == "missing" else _printable(problem["input"])
    return f"{key}: expected {_expected(problem)}{_or_null(schema, loc)}, got {came}"


def _as_written(raw: Any, loc: Location) -> Location:
    """Where the file has the key: in the dataset's own group or, if that has none, in defaults."""
    if len(loc) < 2:
        return loc
    dataset, *rest = loc
    shared = rest[1:] if rest[1:2] == ["training"] else rest
    places = [loc, [DEFAULTS, *rest], [dataset, *shared], [DEFAULTS, *shared]]
    return next((place for place in places if _has(raw, place)), loc)


def _has(raw: Any, loc: Location) -> bool:
    for step in loc:
        try:
            raw = raw[step]
        except (LookupError, TypeError):
            return False
    return True


def _expected(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Input should be ")
    return _EXPECTED.get(problem["type"], message).format(**problem.get("ctx", {}))


def _or_null(schema: type[BaseModel], loc: Location) -> str:
    if not loc or isinstance(loc[-1], int):  # the file, or an item of a list
        return ""
    annotation = _group(schema, loc[:-1]).model_fields[loc[-1]].annotation
    return " or null" if type(None) in get_args(annotation) else ""


def _group(schema: type[BaseModel], loc: Location) -> type[BaseModel]:
    """The schema of the group of keys at this place."""
    for step in loc:
        (schema,) = _groups(schema.model_fields[str(step)].annotation)
    return schema


def _groups(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in get_args(annotation) for group in _groups(part)]


def _printable(value: Any) -> str:
    """A key or a value as it could stand in the file, printable and not too long."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _message(error: Exception) -> str:
    """What a parser complains of, in one line."""
    message = str(error)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        line = f"line {error.problem_mark.line + 1}"
        message = ", ".join(filter(None, (error.context, error.problem, line)))
    return " ".join(message.split())[:300]
