"""params.yaml → typed, validated, frozen objects. The only reader of params.yaml.

Keys that a dataset's group leaves out come, where it is a person's own data, from the group of its
kind in ``kinds``, then from the group ``defaults``; of a family's ``training`` from the dataset's,
then from ``defaults.training``; of its ``network`` from ``defaults.<family>.network``. Groups are
merged key by key, lists and numbers replaced.
"""

import difflib
import json
import re
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
from glassnets.config.schema import Attribution, Dataset, Kind, Params
from glassnets.errors import ParameterError

DEFAULTS, KINDS = "defaults", "kinds"
SWEEPS = "sweeps"  # what MLflow has of these stands beside what it has of datasets

_INVALID = (YAMLError, ValueError, LookupError, RecursionError)  # what parsers raise
_MAX_NESTING = 10_000  # levels that libyaml may read: 50,000 overflow the stack, 20,000 do not

Location = list[str | int]


def load(path: Path) -> Params:
    """params.yaml as typed objects, defaults merged in; the whole file is validated. Raises
    ParameterError, one line that names the key, what was expected and what came."""
    try:
        raw = _parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(
            f"{path.name}: expected a readable file, got: {error.strerror}"
        ) from error
    except _INVALID as error:
        raise ParameterError(f"{path.name}: expected valid YAML, got: {_message(error)}") from error
    schema = Params.schema_of_all(_datasets(raw))
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


def _parsed(text: str) -> Any:
    """The content of a YAML file: by libyaml, which is four times as fast, or else by ruamel's own
    parser, whose errors say more. Each level of nesting needs one of the characters counted."""
    if sum(map(text.count, "[{-?:")) < _MAX_NESTING:
        with suppress(*_INVALID):
            return YAML(typ="safe").load(text)
    return YAML(typ="safe", pure=True).load(text)


def check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raises ParameterError, which begins with `what`, for the first name that is not known."""
    for name in names:
        if name not in known:
            raise ParameterError(f"{what}: expected one of {', '.join(known)}, got {name!r}")


def _datasets(raw: Any) -> list[str]:
    """Names of datasets, those that have a module and those of the list that may be names."""
    listed = raw.get("datasets") if isinstance(raw, Mapping) else None
    others = [
        name
        for name in (listed if isinstance(listed, list) else ())
        if isinstance(name, str) and re.fullmatch("[a-z][a-z0-9_]*", name) and free(name)
    ]
    return list(dict.fromkeys([*registry.names(registry.SOURCES), *others]))


def free(name: str) -> bool:
    """Whether a dataset may have this name: no key of params.yaml, nothing that the schema has."""
    return (
        name not in (DEFAULTS, KINDS, SWEEPS)
        and not hasattr(Params, name)
        and (name not in Params.model_fields)
    )


def with_defaults(raw: Any, groups: Container[str]) -> Any:
    """The content of params.yaml with its defaults in every group that leaves a key out, and the
    networks of presets in the place of their names. groups: the keys under which a group is
    expected; raises ParameterError where a default is none, which the merging would drop."""
    if not isinstance(raw, Mapping):
        return raw
    if not isinstance(defaults := raw.get(DEFAULTS, {}), Mapping):
        raise _no_group(raw, [DEFAULTS], defaults)
    if not isinstance(kinds := raw.get(KINDS, {}), Mapping):
        raise _no_group(raw, [KINDS], kinds)

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
    content = {name: group for name, group in raw.items() if name not in (DEFAULTS, KINDS)}
    datasets = _datasets(raw)
    for name, group in content.items():
        if name not in datasets or not isinstance(group, Mapping):
            continue
        if isinstance(source := group.get("source"), Mapping):
            kind = str(source.get("kind"))
            if not isinstance(of_kind := kinds.get(kind, {}), Mapping):
                raise _no_group(raw, [KINDS, kind], of_kind)
            group = merged(of_kind, group, [KINDS, kind])
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
        own = name not in registry.names(registry.SOURCES)
        if own != (dataset.source is not None):
            expected = "a group, got none" if own else "null, got a group"
            yield f"{name}.source: expected {expected}"
        if dataset.planting is not None and (source := dataset.planting.source) not in sources:
            known = ", ".join(sources)
            problems[f"{name}.planting"] = (
                f"source: expected one of {known}, got {_printable(source)}"
            )
        if getattr(dataset.attribution.metrics, "deletion_insertion", None) is None:
            problems[f"{name}.attribution"] = (
                "metrics: expected deletion_insertion, by which methods are ranked, got none"
            )
        if dataset.kind == "table" and (blurred := _of_neighbours(dataset.attribution)):
            problems[f"{name}.attribution"] = (
                "references, metrics: expected of a table, whose columns are in no order, black, "
                f"mean or draws, got {blurred}"
            )
        problems[f"{name}.dynamics"] = dataset.dynamics.problem()
        problems[f"{name}.additive"] = dataset.additive.problem(dataset.image_shape)
        known = registry.package("attribution.methods").METHODS
        if unknown := [m for m in dataset.learning_rules.methods if m not in known]:
            problems[f"{name}.learning_rules"] = (
                f"methods: expected some of {', '.join(known)}, got {_printable(unknown[0])}"
            )
        problems[f"{name}.learning_rules.training"] = dataset.learning_rules.training.problem()
        if dataset.shortcut is not None:
            problems[f"{name}.shortcut"] = dataset.shortcut.problem(
                dataset.image_shape, dataset.classes
            )
        for family in dataset.families:
            cell = dataset.family(family)
            training = cell.training
            problems[f"{name}.{family}.training"] = training.problem()
            if dataset.kind != "image" and training.augmentation is not None:
                problems[f"{name}.{family}.training.augmentation"] = (
                    f"rotation: expected no augmentation of a {dataset.kind}, got one"
                )
            problems[f"{name}.{family}.network"] = cell.network.problem(dataset.image_shape)
        yield from (f"{key}.{problem}" for key, problem in problems.items() if problem)
    yield from _wrong_lists(params, datasets)


def _of_neighbours(attribution: Attribution) -> str | None:
    """The reference or the removal that is made of neighbouring players, None where none is."""
    used: set[Any] = {*attribution.references}
    for _, options in attribution.metrics:
        used |= {*getattr(options, "removals", ()), getattr(options, "removal", None)}
    return next((name for name in ("blur", "noisy_linear") if name in used), None)


def _wrong_lists(params: Params, datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """Where the lists from which DVC takes its stages do not agree with the groups."""
    groups = {name for name in type(params).model_fields if name not in Params.model_fields}
    present = {name for name in groups if getattr(params, name) is not None}
    for key, names in (("datasets", params.datasets), ("sources", params.sources)):
        if len(names) != len(present) or set(names) != present:
            yield (
                f"{key}: expected the datasets that have a group, each once "
                f"({', '.join(sorted(present)) or 'none'}), got {_printable([*names])}"
            )
    images = [name for name, dataset in datasets.items() if dataset.kind == "image"]
    studied = params.studied_datasets
    if len(set(studied)) < len(studied) or not set(studied) <= set(images):
        yield (
            f"studied_datasets: expected some of the datasets of images, each once "
            f"({', '.join(images) or 'none'}), got {_printable([*studied])}"
        )
    shortcuts = [name for name, dataset in datasets.items() if dataset.shortcut is not None]
    for key, whose, cells in (
        ("cells", params.datasets, params.cells),
        ("shortcut_cells", shortcuts, params.shortcut_cells),
        ("studied_cells", studied, params.studied_cells),
    ):
        expected = {
            f"{name}-{family}": {"dataset": name, "family": family}
            for name in whose
            for family in datasets[name].families
        }
        for cell in (*expected, *cells):
            wanted, got = expected.get(cell), cells.get(cell)
            if got != wanted:
                place = _printable(cell).strip('"')
                others = f"only cells of {', '.join(whose)} that have a group" if whose else "none"
                yield (
                    f"{key}.{place}: expected {_printable(wanted) if wanted else others}, "
                    f"got {'nothing' if got is None else _printable(got)}"
                )


# pydantic's types of complaint in the words of someone who writes YAML; the others are so already.
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a group of keys",
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
    loc = [step for step in problem["loc"] if step != "[key]"]  # pydantic's, of a key that is wrong
    key = _as_written(raw, loc) or "the file"
    if problem["type"] == "extra_forbidden":
        known = sorted({*_group(schema, loc[:-1]).model_fields, *([DEFAULTS] * (len(loc) == 1))})
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"{key}: expected one of {', '.join(known)}, got an unknown key{hint}"
    message = problem["msg"].removeprefix("Input should be ")
    expected = _EXPECTED.get(problem["type"], message).format(**problem.get("ctx", {}))
    if loc and isinstance(name := loc[-1], str):  # neither the file nor an item of a list
        with suppress(LookupError):  # of what a person names, as sources: it is no field
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
        kinds: list[Location] = [[KINDS, kind] for kind in get_args(Kind)]
        groups: list[Location] = [[dataset], *kinds, [DEFAULTS]]
        places = [group + keys for keys in (rest, shared) for group in groups]
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
