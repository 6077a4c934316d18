"""params.yaml with one more dataset: all that was there stays, and the form is DVC's."""

import difflib
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from glassnets.config.adding import with_dataset
from glassnets.errors import ParameterError

OURS = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
LONG = "/a long path/with spaces in it/" * 8 + "é.csv"
GROUP = {
    "source": {
        "kind": "table",
        "path": "data/mit Leerzeichen/é.csv",
        "columns": {
            "size": "number",
            "a: b": ["x", "1", "(missing)"],
            "{x": "number",
            "猫": "number",
        },
    },
    "shape": {"images": 178, "height": 1, "width": 4, "channels": 3},
    "class_names": ["1", "true", "null", "#x", "- y", "long " * 30],
    "attribution": {"methods": {"occlusion": {"patch_size": 2, "stride": 1}, "lime": {}}},
    "training": {"epochs": 30},
}


def load(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize(
    "path", ["data/external/mine.csv", "/a b/ü: #1", "C:/x", LONG, f"{LONG}: #"]
)
def test_what_was_there_stays_line_by_line(path):
    text = with_dataset(OURS, "mine", path, GROUP)
    diff = list(difflib.ndiff(OURS.splitlines(), text.splitlines()))
    assert [line for line in diff if line.startswith("- ")] == []
    before, after = load(OURS), load(text)
    assert after["mine"] == GROUP
    assert after["datasets"] == [*before["datasets"], "mine"]
    families = ("feedforward", "lstm", "cnn", "attention")  # of its kind, in their order there
    cells = {f"mine-{family}": {"dataset": "mine", "family": family} for family in families}
    assert [*after["cells"].items()] == [*before["cells"].items(), *cells.items()]
    assert after["sources"] == before["sources"] | {"mine": path}
    new = ("datasets", "cells", "sources", "mine")
    assert {k: v for k, v in after.items() if k not in new} == {
        k: v for k, v in before.items() if k not in new
    }


@pytest.mark.parametrize("name", ["mine", "of_twenty_characters", 64 * "m"])
def test_it_has_the_form_in_which_dvc_writes_it(tmp_path, name):
    text = with_dataset(OURS, name, "data/external/mine.csv", GROUP)
    text = with_dataset(text, "second", LONG, GROUP)
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    apply_overrides(path, [])
    assert path.read_text(encoding="utf-8") == text


# Of YAML 1.1, which other programs read: booleans, numbers of base 60 and 8, null, a date.
WORDS = [
    "no",
    "yes",
    "on",
    "off",
    "NO",
    "y",
    "1e3",
    "12:30",
    "010",
    "0o7",
    "~",
    "2024-01-02",
    "=",
    "",
]


def test_names_that_another_reader_takes_for_something_else_are_quoted(tmp_path):
    group = {"source": {"columns": {"no": "number", "12:30": WORDS}}, "class_names": WORDS}
    text = with_dataset(OURS, "mine", "p", group)
    assert "\n- 'no'\n" in text.replace("  ", "")
    assert load(text)["mine"] == yaml.safe_load(text)["mine"] == group
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    apply_overrides(path, [])  # takes quotes away that it does not need
    assert load(path.read_text(encoding="utf-8"))["mine"] == group


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "datasets: [a, b] # c\nsources: {a: x}\ncells: {a-cnn: {dataset: a}}\n",
            "datasets: [a, b, n] # c\nsources: {a: x, n: p}\n"
            "cells: {a-cnn: {dataset: a}, n-cnn: {dataset: n, family: cnn}, "
            "n-lstm: {dataset: n, family: lstm}}\n",
        ),
        (
            "datasets: []\ncells: {}\nsources: {}\n",
            "datasets: [n]\n"
            "cells: {n-cnn: {dataset: n, family: cnn}, n-lstm: {dataset: n, family: lstm}}\n"
            "sources: {n: p}\n",
        ),
        (
            "sources: # s\n    a: x # y\ncells:\n    a-cnn:\n        dataset: a # d\n"
            "datasets:\n  - a # z\n\n# end",
            "sources: # s\n    a: x # y\n    n: p\ncells:\n    a-cnn:\n        dataset: a # d\n"
            "    n-cnn: {dataset: n, family: cnn}\n    n-lstm: {dataset: n, family: lstm}\n"
            "datasets:\n  - a # z\n  - n\n\n# end\n",
        ),
        (
            "datasets:\n- a\ncells:\n  a-cnn: {dataset: a} # f\nsources:\n  a: x",
            "datasets:\n- a\n- n\ncells:\n  a-cnn: {dataset: a} # f\n"
            "  n-cnn: {dataset: n, family: cnn}\n  n-lstm: {dataset: n, family: lstm}\n"
            "sources:\n  a: x\n  n: p\n",
        ),
    ],
)
def test_however_the_lists_are_written(before, after):
    group = {"cnn": {"x": 1}, "lstm": {}, "other": {}}
    written = "n:\n  cnn: {x: 1}\n  lstm: {}\n  other: {}\n"
    assert with_dataset(before, "n", "p", group) == f"{after}\n{written}"


def test_a_family_is_of_its_kind_or_of_its_own_group():
    lists = "datasets: []\ncells: {}\nsources: {}\n"
    kinds = "kinds:\n  table: {lstm: {a: 1}, training: {a: 1}}\n  image: {attention: {a: 1}}\n"
    group = {"source": {"kind": "table"}, "cnn": {"a": 2}, "lstm": {"a": 2}}
    assert [*load(with_dataset(lists + kinds, "n", "p", group))["cells"]] == ["n-lstm", "n-cnn"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a\n",
        "{}",
        "datasets: [a]\n",
        "datasets: [a]\nsources: {a: x}\n",
        "datasets: {\n",
    ],
)
def test_a_file_without_the_lists_is_refused(content):
    with pytest.raises(ParameterError, match=r"params\.yaml: "):
        with_dataset(content, "n", "p", {})
