"""params.yaml has the form in which DVC writes it, so that an experiment changes one line."""

import difflib
import json
import re
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

OURS = Path(__file__).parents[2] / "params.yaml"


@pytest.mark.parametrize(
    "override",
    [
        "digits.cnn.training.epochs=7",
        "defaults.verdict.max_correlation=0.4",
        "mnist.training.augmentation.ramp_epochs=2",
        "planted.lstm.network.units=[32]",
        "mnist.split=official",
    ],
)
def test_an_override_changes_one_line(tmp_path, override):
    copy = shutil.copy(OURS, tmp_path)
    path = Path(copy)
    before = path.read_text(encoding="utf-8").splitlines()
    apply_overrides(path, [override] if "split" not in override else ["+" + override])
    after = path.read_text(encoding="utf-8").splitlines()
    changed = [line[:2] for line in difflib.ndiff(before, after) if line[:2] in ("+ ", "- ")]
    assert changed in (["- ", "+ "], ["+ "])


def test_above_each_recipe_stands_the_accuracy_of_its_results():
    content = OURS.read_text(encoding="utf-8")
    for name in ("digits", "planted", "mnist"):
        accuracies = json.loads((OURS.parent / "results" / name / "accuracy.json").read_text())
        group = re.search(rf"^{name}:$.*?(?=^\w|\Z)", content, re.DOTALL | re.MULTILINE)[0]
        expected = re.findall(
            r"^  # (\S+) % of test images; a seed .*\n  (\w+):$", group, re.MULTILINE
        )
        assert {family: value for value, family in expected} == {
            family: f"{100 * accuracy:.2f}" for family, accuracy in accuracies.items()
        }
