"""What ``pip install .`` brings: all that judging a model needs, and nothing of the pipeline."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Held to a version, or taken, for the sake of another package that is named.
HELD = {"contourpy", "ruamel-yaml-clib", "setuptools"}
# Imported by the extras alone, under these names.
OF_EXTRAS = ("dvc", "mlflow", "altair", "vl_convert", "fastapi", "uvicorn", "psutil", "onnxruntime")


def names(requirements):
    found = [re.match(r"[\w.-]+", line) for line in requirements if not line.startswith("#")]
    return {each[0].lower().replace(".", "-").replace("_", "-") for each in found if each}


def test_all_that_is_declared_is_pinned():
    pinned = names(re.findall("^[\\w.-]+(?===)", (ROOT / "requirements.txt").read_text(), re.M))
    declared = names(PROJECT["dependencies"]).union(
        *(names(EXTRAS[e]) for e in EXTRAS if e != "onnx")
    )
    assert declared - pinned == set()


def test_all_that_the_environment_names_is_declared():
    wanted = names((ROOT / "requirements.in").read_text(encoding="utf-8").splitlines())
    declared = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    assert wanted - declared - HELD == set()


def test_the_pipeline_is_an_extra():
    assert names(PROJECT["dependencies"]) & {"dvc", "mlflow", "fastapi", "onnxruntime"} == set()


def test_a_model_is_judged_without_the_extras():
    code = (
        "import sys, importlib\n"
        f"sys.modules |= dict.fromkeys({OF_EXTRAS})\n"
        "for module in ('attribution.judging', 'apps.judge', 'apps.judged_data'):\n"
        "    importlib.import_module(f'glassnets.{module}')\n"
        "from glassnets.attribution import judge\n"
        "import numpy as np\n"
        "rng = np.random.default_rng(0)\n"
        "x = rng.normal(size=(40, 3))\n"
        "y = (x[:, 0] > 0).astype(int)\n"
        "print(judge(lambda x: 1 / (1 + np.exp(-x[:, 0])), x[:20], y[:20], x[20:], y[20:]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "could be made" in ran.stdout
