"""The examples of docs/own-model.md run as they stand."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
# After the language, an example names the packages that it needs; "skip" is no example.
EXAMPLES = dict(re.findall(r"```python ([\w ]+)\n(.*?)```", PAGE, re.DOTALL))


def test_the_page_has_an_example_of_each_library():
    assert {words.split()[0] for words in EXAMPLES} == {
        "skip",
        "keras",
        "sklearn",
        "torch",
        "onnxruntime",
    }


@pytest.mark.release
@pytest.mark.parametrize("words", [words for words in EXAMPLES if words != "skip"])
def test_an_example_runs(words, tmp_path):
    for package in words.split():
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed, which this example needs")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "default"}
    ran = subprocess.run(
        [sys.executable, "-c", EXAMPLES[words]],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert "tests" in ran.stdout
    if "write(" in EXAMPLES[words]:
        assert (tmp_path / "verdicts" / "verdicts.md").is_file()
