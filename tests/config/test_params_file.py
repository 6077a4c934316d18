"""params.yaml has the form in which DVC writes it, so that an experiment changes one line."""

import difflib
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
