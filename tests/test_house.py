"""Rules of the code that no linter checks, each one shown to fail on a small example.

Which package may import which is checked by import-linter: pyproject.toml has the layers.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glassnets.pipeline import manifests
from glassnets.pipeline.manifests import imports, module_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
# Where files, clocks and the environment may be used.
MAY_TOUCH_THE_WORLD = re.compile(
    r"glassnets\.(apps|data\.(own|pictures|sources)|pipeline|sweeps|tracking)(\..+)?"
    r"|glassnets\.(config\.loading|runtime)"
)
WORLDLY = re.compile(
    "datetime|glob|os|pathlib|requests|shutil|socket|subprocess|tempfile|time|urllib"
)

MODULES = {module_name(file, SOURCE): file for file in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8"), file) for name, file in MODULES.items()}


# Each rule: module name and syntax tree → what breaks it.


def touches_the_world(name: str, tree: ast.AST) -> list[str]:
    """Libraries compute: no file, clock or environment variable but where that is the task."""
    if MAY_TOUCH_THE_WORLD.fullmatch(name):
        return []
    found = [i for i in imports(tree) if WORLDLY.fullmatch(i.split(".")[0])]
    calls = (
        r"open|.*\.(open|read_text|write_text|read_bytes|write_bytes|mkdir|unlink|to_csv|read_csv)"
        r"|.*\.(save_weights|load_weights)|np\.(load|save|savez|savez_compressed|loadtxt|savetxt)"
    )
    return found + [call for call in calls_of(tree) if re.fullmatch(calls, call)]


def calls_of(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imports_mlflow(name: str, tree: ast.AST) -> list[str]:
    """Only tracking imports MLflow."""
    if name.startswith("glassnets.tracking"):
        return []
    return [i for i in imports(tree) if i.split(".")[0] == "mlflow"]


def sets_global_state(name: str, tree: ast.AST) -> list[str]:
    """Only runtime sets TensorFlow's, Keras', NumPy's and Python's global state."""
    if name == "glassnets.runtime":
        return []
    setters = (
        r"(tf|tensorflow)\.(config\..+|random\.set_seed)"
        r"|(keras|tf\.keras)\.(config|mixed_precision)\..+"
        r"|.*\b(set_random_seed|clear_session|enable_op_determinism)"
        r"|(np|numpy)\.random\.seed|random\.seed"
    )
    return [call for call in calls_of(tree) if re.fullmatch(setters, call)]


def is_named_for_nothing(name: str, tree: ast.AST) -> list[str]:
    """Every module and class is named for what it holds."""
    odd = r"(.*_)?(utils?|helpers?|common|misc|tools?|managers?|handlers?)"
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = [part for part in name.split(".") if re.fullmatch(odd, part)]
    return found + [c for c in classes if re.search(r"(Utils?|Helper|Manager|Handler)$", c)]


RULES: list[Callable[[str, ast.AST], list[str]]] = [
    touches_the_world,
    imports_mlflow,
    sets_global_state,
    is_named_for_nothing,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_holds(rule):
    broken = {name: found for name, tree in TREES.items() if (found := rule(name, tree))}
    assert broken == {}


@pytest.mark.parametrize(
    ("rule", "name", "code"),
    [
        (touches_the_world, "evaluation.metrics", "import os"),
        (touches_the_world, "evaluation.metrics", "from pathlib import Path"),
        (touches_the_world, "models.training", "def f():\n    from time import perf_counter"),
        (touches_the_world, "report.tables", "def f(p):\n    return open(p)"),
        (touches_the_world, "report.tables", "def f(p, t):\n    t.to_csv(p)"),
        (touches_the_world, "data.splits", "import numpy as np\nx = np.load('x.npz')"),
        (touches_the_world, "models.families.cnn", "def f(m):\n    m.save_weights('w')"),
        (imports_mlflow, "pipeline.stages.train", "def f():\n    from mlflow import log_metric"),
        (imports_mlflow, "models.training", "import mlflow.keras"),
        (sets_global_state, "models.training", "import keras\nkeras.utils.set_random_seed(1)"),
        (sets_global_state, "pipeline.stages.train", "tf.config.threading.set_x(1)"),
        (sets_global_state, "data.splits", "np.random.seed(1)"),
        (sets_global_state, "models.families.cnn", "keras.config.set_floatx('float16')"),
        (is_named_for_nothing, "report.plot_utils", ""),
        (is_named_for_nothing, "helpers.arrays", ""),
        (is_named_for_nothing, "tracking.runs", "class RunManager: ..."),
    ],
)
def test_the_rule_can_fail(rule, name, code):
    assert rule(f"glassnets.{name}", ast.parse(code)) != []


@pytest.mark.parametrize(
    ("rule", "name", "code"),
    [
        (touches_the_world, "pipeline.artefacts", "import os\nopen('x')"),
        (touches_the_world, "report.figures", "import io\nx = io.BytesIO()"),
        (imports_mlflow, "tracking.runs", "import mlflow"),
        (sets_global_state, "pipeline.stages.train", "runtime.set_seed(1)"),
        (sets_global_state, "models.training", "tf.random.stateless_uniform(1)"),
    ],
)
def test_the_rule_does_not_fail_for_nothing(rule, name, code):
    assert rule(f"glassnets.{name}", ast.parse(code)) == []


OF_DATASET = (*manifests.OF_DATASET, *manifests.OF_STUDIED)
OF_CELL = (*manifests.OF_CELL, *manifests.OF_SHORTCUT, *manifests.OF_STUDIED_CELL)


@pytest.mark.parametrize("stage", [*OF_DATASET, *OF_CELL])
def test_every_stage_starts_at_the_one_command_line(stage):
    """So what is tested of stages.command holds of every stage."""
    *_, last = TREES[f"{manifests.STAGES}.{stage}"].body
    run = "run_dataset" if stage in OF_DATASET else "run_cell"
    assert ast.unparse(last) == f"if __name__ == '__main__':\n    {run}({stage})"


def imported_by(code: str) -> set[str]:
    """Top-level packages that a Python process has imported once it has run the code."""
    code += "\nimport sys\nprint(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("stages", "logs"),
    [
        (("manifest", "fetch", "preprocess", "sample", "compare", "dynamics", "units"), set()),
        (("verdict", "learning", "similarity"), {"mlflow"}),
    ],
)
def test_stages_without_networks_do_not_import_tensorflow(stages, logs):
    # config.load imports every family.
    imported = imported_by(f"""
from glassnets.pipeline.stages import {", ".join(stages)}
from pathlib import Path
from glassnets import config, registry
config.load(Path("params.yaml"))
for name in registry.names(registry.SOURCES):
    registry.member(registry.SOURCES, name)
""")
    assert imported & {"tensorflow", "keras", "mlflow"} == logs


def test_attribution_is_imported_without_pipeline_and_tracking():
    imported = imported_by("from glassnets.attribution import methods, metrics, verdicts")
    assert imported & {"dvc", "mlflow", "tensorflow", "keras", "typer"} == set()
