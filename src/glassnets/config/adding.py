"""params.yaml with one more dataset: what stands there already is left as it is, byte by byte."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, SequenceNode
from ruamel.yaml.resolver import implicit_resolvers
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from glassnets import registry
from glassnets.errors import ParameterError


def with_dataset(content: str, name: str, path: str, group: Mapping[str, Any]) -> str:
    """The content of params.yaml with the name in ``datasets``, its cells in ``cells`` (of the
    families that its kind or the group itself has), the path in ``sources``, and the group at its
    end. Raises ParameterError where the file has no such lists."""
    nodes = _nodes(content)
    for key, kind in (("datasets", SequenceNode), ("cells", MappingNode), ("sources", MappingNode)):
        if not isinstance(nodes.get(key), kind):
            raise ParameterError(f"params.yaml: {key}: expected a list of datasets, got none")
    additions = [
        (nodes["datasets"], [[name]]),
        (nodes["cells"], [_lines(_cell(name, each)) for each in _families(nodes, group)]),
        (nodes["sources"], [_lines({name: path})]),
    ]
    # From the end on, so that places before stay what they are.
    for node, items in sorted(additions, key=lambda each: -each[0].start_mark.index):
        content = _with_items(content, node, items)
    return f"{content.rstrip()}\n\n{group_text(name, group)}"


def _families(nodes: Mapping[str, Any], group: Mapping[str, Any]) -> list[str]:
    of_kind = _keys(_keys(nodes.get("kinds")).get(group.get("source", {}).get("kind")))
    families = registry.names(registry.FAMILIES)
    return [key for key in dict.fromkeys([*of_kind, *group]) if key in families]


def _cell(name: str, family: str) -> dict[str, CommentedMap]:
    """In braces, as the other cells."""
    cell = CommentedMap(dataset=name, family=family)
    cell.fa.set_flow_style()
    return {f"{name}-{family}": cell}


def group_text(name: str, group: Mapping[str, Any]) -> str:
    """The group as it stands in params.yaml."""
    return _text({name: _laid_out(group)})


def _laid_out(group: Mapping[str, Any]) -> CommentedMap:
    """Groups of a few plain values in braces, in one line; the others one key a line."""
    laid = CommentedMap()
    for key, value in group.items():
        laid[_quoted(key)] = _laid_out(value) if isinstance(value, Mapping) else _quoted(value)
    plain = all(isinstance(value, (int, float)) for value in group.values())
    if plain and len(group) <= 4:
        laid.fa.set_flow_style()
    return laid


def _quoted(value: Any) -> Any:
    """Texts, in lists too, that a reader of YAML 1.1 would take for something else (no, on, 12:30)
    in quotes; those of 1.2, which DVC and this project read, get theirs in any case."""
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    if isinstance(value, str) and any(rule.match(value) for _, _, rule, _ in implicit_resolvers):
        return SingleQuotedScalarString(value)
    return value


def _nodes(content: str) -> dict[str, Any]:
    """The value of each key of the file, with its place."""
    try:
        whole = YAML().compose(content)
    except YAMLError as error:
        message = " ".join(str(error).split())[:200]
        raise ParameterError(f"params.yaml: expected valid YAML, got: {message}") from error
    if not isinstance(whole, MappingNode) or whole.flow_style:
        raise ParameterError("params.yaml: expected a key a line, got something else")
    return _keys(whole)


def _keys(node: Any) -> dict[str, Any]:
    """The value of each key of a group, with its place; none of what is no group."""
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _with_items(content: str, node: CollectionNode, items: list[list[str]]) -> str:
    """The content with more items, each some lines, in a list or group: on lines of their own, or
    before the bracket that closes it."""
    if not items:
        return content
    if node.flow_style or not node.value:
        end = node.end_mark.index - 1  # the bracket
        comma = ", " if node.value else ""
        texts = ", ".join(" ".join(map(str.strip, item)) for item in items)
        return content[:end].rstrip() + comma + texts + content[end:]
    last: Any = node
    while isinstance(last, CollectionNode) and last.value and not last.flow_style:
        last = last.value[-1]
        if isinstance(last, tuple):  # key and value
            last = last[1]
    indent = " " * node.start_mark.column
    dash = "- " if isinstance(node, SequenceNode) else ""
    end = content.find("\n", last.end_mark.index)
    end = len(content) if end < 0 else end
    lines = "".join(f"\n{indent}{dash}" + f"\n{indent}".join(item) for item in items)
    return f"{content[:end]}{lines}{content[end:]}"


def _lines(item: Mapping[str, Any]) -> list[str]:
    """The lines of a key within a group: a long text is folded, one step deeper."""
    within = _text({"group": item}).splitlines()[1:]
    return [line.removeprefix("  ") for line in within]


def _text(value: Any) -> str:
    """As DVC writes it: lists one item a line, unless in braces."""
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
