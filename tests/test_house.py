"""The rules of the house that a machine can check, each one shown to fail on a small example."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from glassnets.verify import closure
from glassnets.verify.closure import code_of, imports, module_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
BASE = ("glassnets.artefacts", "glassnets.errors", "glassnets.params", "glassnets.registry")
# Where files, clocks and the environment may be met beside and below the stages.
MAY_TOUCH_THE_WORLD = re.compile(
    r"glassnets\.(stages|datasets|explain|demo|serving|mirror|verify)(\..+)?|glassnets\.(artefacts|params|runtime|tracking)"
)
WORLDLY = re.compile(
    "datetime|glob|os|pathlib|requests|shutil|socket|subprocess|tempfile|time|urllib"
)


MODULES = {module_name(file, SOURCE): file for file in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8"), file) for name, file in MODULES.items()}
STAGES = sorted(
    name.removeprefix("glassnets.stages.")
    for name in MODULES
    if name.startswith("glassnets.stages.") and name != "glassnets.stages.command"
)


# Each rule: module name and syntax tree → what breaks it.


def imports_against_the_stream(name: str, tree: ast.AST) -> list[str]:
    """stages → library rooms → the base; nothing imports a stage."""
    ours = [i for i in imports(tree) if i.split(".")[0] == "glassnets"]
    found = [i for i in ours if i.startswith("glassnets.stages")]
    if name.startswith("glassnets.stages"):
        shared = re.compile(r"glassnets\.stages(\.command(\..+)?)?")
        found = [i for i in found if not shared.fullmatch(i)]
    if name in BASE:
        found += [i for i in ours if i != "glassnets" and not i.startswith(BASE)]
    return found


def touches_the_world(name: str, tree: ast.AST) -> list[str]:
    """No file, clock or environment variable below the stages, save in the rooms named for it."""
    if MAY_TOUCH_THE_WORLD.fullmatch(name):
        return []
    found = [i for i in imports(tree) if WORLDLY.fullmatch(i.split(".")[0])]
    calls = (
        r"open|.*\.(open|read_text|write_text|read_bytes|write_bytes|mkdir|unlink|to_csv|read_csv)"
        r"|.*\.(save_weights|load_weights)|np\.(load|save|savez|savez_compressed|loadtxt|savetxt)"
    )
    found += [called for called in calls_of(tree) if re.fullmatch(calls, called)]
    return found


def calls_of(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imports_mlflow(name: str, tree: ast.AST) -> list[str]:
    """Only tracking and serving know MLflow."""
    if name == "glassnets.tracking" or name.startswith("glassnets.serving."):
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
    return [called for called in calls_of(tree) if re.fullmatch(setters, called)]


def is_a_drawer_of_odds_and_ends(name: str, tree: ast.AST) -> list[str]:
    """Every room and class is named for what it holds."""
    odd = r"(.*_)?(utils?|helpers?|common|misc|tools?|managers?|handlers?)"
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = [part for part in name.split(".") if re.fullmatch(odd, part)]
    return found + [c for c in classes if re.search(r"(Utils?|Helper|Manager|Handler)$", c)]


RULES: list[Callable[[str, ast.AST], list[str]]] = [
    imports_against_the_stream,
    touches_the_world,
    imports_mlflow,
    sets_global_state,
    is_a_drawer_of_odds_and_ends,
]


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("rule", RULES)
def test_the_rule_holds(rule, name):
    assert rule(name, TREES[name]) == []


@pytest.mark.parametrize(
    ("rule", "name", "code"),
    [
        (imports_against_the_stream, "splits", "from glassnets.stages import command"),
        (imports_against_the_stream, "splits", "def f():\n    import glassnets.stages.fetch"),
        (imports_against_the_stream, "stages.train", "from glassnets.stages.fetch import fetch"),
        (imports_against_the_stream, "stages.train", "from glassnets.stages import fetch"),
        (imports_against_the_stream, "params", "from glassnets import families"),
        (imports_against_the_stream, "artefacts", "from glassnets.report.tables import Setting"),
        (touches_the_world, "evaluation", "import os"),
        (touches_the_world, "evaluation", "from pathlib import Path"),
        (touches_the_world, "training", "def f():\n    from time import perf_counter"),
        (touches_the_world, "report.tables", "def f(p):\n    return open(p)"),
        (touches_the_world, "report.tables", "def f(p, t):\n    t.to_csv(p)"),
        (touches_the_world, "splits", "import numpy as np\nx = np.load('x.npz')"),
        (touches_the_world, "families.cnn", "def f(m):\n    m.save_weights('w')"),
        (imports_mlflow, "stages.train", "def f():\n    from mlflow import log_metric"),
        (imports_mlflow, "training", "import mlflow.keras"),
        (sets_global_state, "training", "import keras\nkeras.utils.set_random_seed(1)"),
        (sets_global_state, "stages.train", "tf.config.threading.set_x(1)"),
        (sets_global_state, "splits", "np.random.seed(1)"),
        (sets_global_state, "families.cnn", "keras.config.set_floatx('float16')"),
        (is_a_drawer_of_odds_and_ends, "report.plot_utils", ""),
        (is_a_drawer_of_odds_and_ends, "helpers.arrays", ""),
        (is_a_drawer_of_odds_and_ends, "tracking", "class RunManager: ..."),
    ],
)
def test_the_rule_can_fail(rule, name, code):
    assert rule(f"glassnets.{name}", ast.parse(code)) != []


@pytest.mark.parametrize(
    ("rule", "name", "code"),
    [
        (imports_against_the_stream, "stages.train", "from glassnets.stages.command import run"),
        (imports_against_the_stream, "stages", "from glassnets import runtime"),
        (imports_against_the_stream, "splits", "from glassnets.params import Dataset"),
        (touches_the_world, "artefacts", "import os\nopen('x')"),
        (touches_the_world, "report.figures", "import io\nx = io.BytesIO()"),
        (sets_global_state, "stages.train", "runtime.set_seed(1)"),
        (sets_global_state, "training", "tf.random.stateless_uniform(1)"),
    ],
)
def test_the_rule_does_not_fail_for_nothing(rule, name, code):
    assert rule(f"glassnets.{name}", ast.parse(code)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_starts_at_the_one_command_line(stage):
    """So what is tested of stages.command holds of every stage."""
    *_, last = TREES[f"glassnets.stages.{stage}"].body
    assert ast.unparse(last) in [
        f"if __name__ == '__main__':\n    {run}({stage})" for run in ("run_dataset", "run_cell")
    ]


@pytest.mark.parametrize("stage", ["fetch", "preprocess", "compare"])
def test_a_stage_that_needs_no_network_does_not_pay_for_tensorflow(stage):
    # params.load imports every family.
    code = f"""
import sys
import glassnets.stages.{stage}
from pathlib import Path
from glassnets import params, registry
params.load(Path("params.yaml"))
for name in registry.names("datasets"):
    registry.member("datasets", name)
print(*sorted({{name.split(".")[0] for name in sys.modules}} & {{"tensorflow", "keras", "mlflow"}}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""


# dvc.yaml names the code that a stage imports: no more, no less.


def test_every_stage_depends_on_just_the_code_it_imports():
    assert closure.closure().faults == ()


def test_every_stage_module_is_a_stage_of_the_pipeline():
    with Repo(str(ROOT)) as repo:
        assert {stage.addressing.split("@")[0] for stage in repo.index.stages} == set(STAGES)


def test_the_closure_of_a_small_house(tmp_path):
    files = {
        "glassnets/__init__.py": "",
        "glassnets/stages/__init__.py": "from glassnets import runtime",
        "glassnets/stages/train.py": "from typing import TYPE_CHECKING\n"
        "from glassnets import families\n"
        "if TYPE_CHECKING:\n    from glassnets import splits\n",
        "glassnets/stages/fetch.py": "import glassnets.datasets",
        "glassnets/runtime.py": "import os\ndef f():\n    from glassnets.params import Runtime",
        "glassnets/params.py": "import pydantic",
        "glassnets/splits.py": "",
        "glassnets/families/__init__.py": "",
        "glassnets/families/cnn.py": "from glassnets.layers.pooling import pool",
        "glassnets/families/lstm.py": "",
        "glassnets/layers/__init__.py": "",
        "glassnets/layers/pooling.py": "from glassnets import families",
        "glassnets/layers/pooling.html": "",
        "glassnets/datasets/__init__.py": "",
        "glassnets/datasets/digits.py": "",
    }
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    always = {"__init__.py", "stages/__init__.py", "runtime.py", "params.py"}
    expected = {
        "fetch digits": {"stages/fetch.py", "datasets/__init__.py", "datasets/digits.py"},
        "train digits lstm": {"stages/train.py", "families/__init__.py", "families/lstm.py"},
        "train digits cnn": {"stages/train.py", "families/__init__.py", "families/cnn.py"}
        | {"layers/__init__.py", "layers/pooling.py", "layers/pooling.html"},
    }
    for command, own in expected.items():
        needed = code_of(f"python -m glassnets.stages.{command}", tmp_path)
        assert needed == {f"glassnets/{name}" for name in always | own}
