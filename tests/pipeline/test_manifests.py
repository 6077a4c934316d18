"""What a manifest names: all that a stage's output depends on beside data, and nothing else."""

import ast
import io
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from glassnets import config, registry
from glassnets.config import schema
from glassnets.errors import GlassnetsError
from glassnets.pipeline import manifests
from glassnets.pipeline.stages import manifest as manifest_stage

ROOT = Path(__file__).parents[2]
REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
OF_STUDIED = (*manifests.OF_STUDIED_CELL, *manifests.OF_STUDIED)
STAGES = (*manifests.OF_DATASET, *manifests.OF_CELL, *manifests.OF_SHORTCUT, *OF_STUDIED)
OF_FAMILY = {"train", "evaluate", "memorise", "attribute", "judge", "shortcut", "probe", "lesion"}
WITH_NETWORKS = OF_FAMILY | {"additive", "learning_rules"}
OWN_FAMILY = {"learning_rules": "feedforward"}  # of stages that build networks of one, in any cell


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of src/, that nobody edits."""
    return copied(ROOT / "src", tmp_path_factory.mktemp("copy") / "src")


@pytest.fixture(scope="module")
def ours(parameters, source):
    """The manifests of this project, by path below manifests/."""
    return manifests.all_manifests(parameters, source, REQUIREMENTS)


def copied(source, to):
    # A folder anew each time: what is read of one is kept.
    return shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))


# Digests of code

CODE = '''
"""The module."""

import sys
from dataclasses import dataclass


@dataclass
class Point:
    """A point."""

    x: float = 1.0


def f(n, /, *more, key=None, **rest):
    """Does it."""
    print(f"working on {n:>{3}}", file=sys.stderr)  # says so
    for i in tqdm(range(n), desc="counting"):
        more = [*more, i if (j := i) else -j]
    match n:
        case 0 | 1:
            raise ValueError("wrong")
        case Point(x=y):
            return f"{y!r:.3f} of {{{n=}}}"
    return lambda: (yield)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# says so", "# tells a person"),
        ("  # says so", ""),
        ('"""The module."""', '"""A module."""\n\n# With a comment.'),
        ('"""The module."""\n', ""),
        ('"""A point."""', '"""A place."""'),
        ('"""Does it."""', '"""Does it\n\n    in two lines."""'),
        ('    """Does it."""\n', ""),
        ('f"working on {n:>{3}}"', '"at it", n'),
        ('f"working on {n:>{3}}", file=sys.stderr', 'f"working on {n}"'),
        ('desc="counting"', 'desc="numbers", unit="n"'),
        ('"wrong"', 'f"expected another number, got {n}"'),
        ("x: float = 1.0", "x: float = (1.0)"),
        ("return lambda: (yield)", "\n    return (\n        lambda: (yield))"),
    ],
)
def test_a_digest_leaves_out_comments_docstrings_messages_and_layout(old, new):
    assert old in CODE
    assert manifests.digest(CODE.replace(old, new)) == manifests.digest(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0", "1.5"),
        ("1.0", "None"),
        ("x: float", "y: float"),
        ("x: float", "x: int"),
        ("@dataclass\n", ""),
        ("key=None", "key=0"),
        ("n, /,", "n,"),
        ("range(n)", "range(n + 1)"),  # what tqdm counts
        ("case 0 | 1", "case 0 | 2"),
        ("ValueError", "TypeError"),
        ('raise ValueError("wrong")', "pass"),
        ("!r:.3f", "!s:.3f"),
        (":.3f", ":.4f"),
        (" of ", " in "),
        ("(yield)", "(yield n)"),
        ("file=sys.stderr", "file=more[0]"),
        ("import sys", "import sys as system"),
    ],
)
def test_a_digest_changes_with_anything_else(old, new):
    assert old in CODE
    assert manifests.digest(CODE.replace(old, new)) != manifests.digest(CODE)


def test_what_is_printed_to_a_file_is_no_message():
    codes = [f"print({text!r}, file=out)" for text in ("one", "other")]
    assert len(set(map(manifests.digest, codes))) == 2


def test_text_that_only_looks_like_a_docstring_is_code():
    assert manifests.digest("x = 1\n'text'") != manifests.digest("x = 1\n'other'")
    assert manifests.digest("def f():\n    return 'text'") != manifests.digest(
        "def f():\n    return 'other'"
    )


def test_a_digest_is_the_same_in_every_version_of_python():
    # What `ast.dump` gives is not: another Python would run every stage again.
    assert manifests.digest(CODE) == "e15bf3c850305b1f"


# Closures


class House(NamedTuple):
    source: Path
    always: set[str]

    def closure(self, stage: str, sources: Iterable[str] = (), family: str | None = None):
        modules, packages = manifests.closure(
            manifests.read(self.source), stage, list(sources), family
        )
        return modules - self.always, packages


@pytest.fixture
def house(tmp_path):
    """A small project of two families, two sources and four stages."""
    stages = "glassnets/pipeline/stages"
    files = {
        "glassnets/__init__.py": "",
        "glassnets/errors.py": "import secret",
        "glassnets/runtime.py": "import os\ndef f():\n    import tensorflow",
        "glassnets/config.py": "import pydantic\nfrom glassnets.models import families",
        "glassnets/tracking/__init__.py": "",
        "glassnets/tracking/runs.py": "import mlflow\nimport glassnets.report",
        "glassnets/pipeline/__init__.py": "",
        f"{stages}/__init__.py": "from glassnets import runtime",
        f"{stages}/command.py": "import typer\nfrom glassnets import config, errors",
        f"{stages}/fetch.py": "from glassnets.data import sources\nimport dvc.repo, tqdm",
        f"{stages}/train.py": "from typing import TYPE_CHECKING\n"
        "from glassnets.pipeline.stages.command import run_cell\n"
        "from glassnets.models import families\n"
        "from glassnets.tracking.runs import Run\n"
        "if TYPE_CHECKING:\n    from glassnets import report\n",
        f"{stages}/verdict.py": "import numpy as np\nfrom json import loads",
        f"{stages}/compare.py": "from glassnets.report.page import text\nfrom PIL import Image",
        "glassnets/models/__init__.py": "",
        "glassnets/models/layers.py": "from keras import layers",
        "glassnets/models/families/__init__.py": "import glassnets.data",
        "glassnets/models/families/cnn.py": "def f():\n    from glassnets.models.layers import l",
        "glassnets/models/families/lstm.py": "import scipy.stats",
        "glassnets/data/__init__.py": "",
        "glassnets/data/sources/__init__.py": "",
        "glassnets/data/sources/digits.py": "from sklearn.datasets import load_digits",
        "glassnets/data/sources/mnist.py": "import urllib.request",
        "glassnets/report/__init__.py": "",
        "glassnets/report/page.py": "from glassnets.report import text",
        "glassnets/report/templates/page.html": "<html>",
        "glassnets/report/.page.html.swp": "",
        "glassnets/report/__pycache__/page.pyc": "",
        "notes.txt": "",
    }
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    always = {"glassnets", "glassnets.pipeline", "glassnets.pipeline.stages", "glassnets.runtime"}
    return House(tmp_path, always)


@pytest.mark.parametrize(
    ("stage", "sources", "family", "modules", "packages"),
    [
        ("fetch", ["mnist"], None, "data data.sources data.sources.mnist", ""),
        (
            "fetch",
            ["mnist", "digits"],
            None,
            "data data.sources data.sources.mnist data.sources.digits",
            "scikit-learn scipy",
        ),
        (
            "train",
            [],
            "cnn",
            "models models.families models.families.cnn models.layers data",
            "keras tensorflow-cpu h5py",
        ),
        ("train", [], "lstm", "models models.families models.families.lstm data", "scipy"),
        ("verdict", [], "lstm", "", "numpy"),
        ("compare", [], None, "report report.page glassnets/report/templates/page.html", "pillow"),
    ],
)
def test_the_closure_of_a_small_house(house, stage, sources, family, modules, packages):
    needed = {f"pipeline.stages.{stage}", *modules.split()}
    expected = {name if "/" in name else f"glassnets.{name}" for name in needed}
    assert house.closure(stage, sources, family) == (expected, set(packages.split()))


def test_a_relative_import_is_refused(house):
    (house.source / "glassnets/data/digits.py").write_text("from . import sources")
    with pytest.raises(ValueError, match="absolute"):
        house.closure("fetch")


def of(manifest_by_path, stage):
    return {path: each for path, each in manifest_by_path.items() if path.stem == stage}


def test_a_familys_file_is_in_the_manifests_of_its_own_cells_alone(ours):
    for path, manifest in ours.items():
        named = {name for name in manifest["code"] if ".models.families." in name}
        own = path.parts[1] if path.stem in OF_FAMILY else OWN_FAMILY.get(path.stem)
        assert named == ({f"glassnets.models.families.{own}"} if own else set()), path


def test_a_sources_file_is_in_the_manifest_that_fetches_it_alone(ours):
    for path, manifest in ours.items():
        named = {name.rpartition(".")[2] for name in manifest["code"] if ".data.sources." in name}
        fetched = {"planted": {"planted", "digits"}}.get(path.parts[0], {path.parts[0]})
        assert named == (fetched if path.stem == "fetch" else set()), path


def test_methods_and_metrics_are_in_the_manifests_of_what_computes_them(ours):
    for path, manifest in ours.items():
        code = manifest["code"]
        methods = any(name.startswith("glassnets.attribution.methods.") for name in code)
        metrics = any(name.startswith("glassnets.attribution.metrics.") for name in code)
        attributing = ("attribute", "judge", "additive", "shortcut", "learning_rules")
        judging = ("judge", "shortcut", "learning_rules")
        assert (methods, metrics) == (path.stem in attributing, path.stem in judging)


def test_what_only_listens_is_in_no_manifest(ours, source):
    modules = {manifests.module_name(file, source) for file in source.rglob("*.py")}
    for listening in manifests.LISTENING:
        assert any(name.startswith(listening) for name in modules)
        for path, manifest in ours.items():
            assert not any(name.startswith(listening) for name in manifest["code"]), path
    packages = {name for manifest in ours.values() for name in manifest["packages"]}
    assert not packages & manifests.LISTENING_PACKAGES


def test_tensorflow_is_in_the_manifests_of_stages_with_networks_and_of_compare(ours):
    for stage in STAGES:
        for path, manifest in of(ours, stage).items():
            for package in ("tensorflow-cpu", "keras", "h5py"):
                expected = stage in WITH_NETWORKS or stage == "compare"
                assert (package in manifest["packages"]) == expected, path


def test_a_package_that_is_not_pinned_is_refused_in_one_line(parameters, source):
    without = re.sub(r"^scipy==", "scipy>=", REQUIREMENTS, flags=re.MULTILINE)
    with pytest.raises(GlassnetsError) as refusal:
        manifests.all_manifests(parameters, source, without)
    assert str(refusal.value) == (
        "requirements.txt: expected scipy pinned to a version, as stages compute with it, got "
        "none: add it to requirements.in and run make lock"
    )


def test_versions_are_those_of_the_requirements(ours):
    for manifest in ours.values():
        for name, version in manifest["packages"].items():
            assert re.search(rf"^{name}=={re.escape(version)}( |$)", REQUIREMENTS, re.MULTILINE)


# Parameters

# What each stage reads of params.yaml beside the network and the training of its cell.
CELL = {"runtime", "seeds", "classes", "shape"}
READS = {
    "fetch": {"shape", "classes", "class_names", "sha256", "planting", "source"},
    "preprocess": {"split", "official_test_images", "test_size", "validation_size", "random_state"}
    | {"stratify", "max_images", "classes"},
    "sample": {"sample"},
    "baseline": {"baselines", "classes", "evaluation", "seeds"},
    "train": CELL,
    "evaluate": CELL | {"evaluation"},
    "memorise": CELL | {"memorise"},
    "attribute": CELL | {"attribution"},
    "judge": CELL | {"attribution"},
    "verdict": {"verdict", "seeds", "evaluation", "attribution"},
    "additive": CELL | {"additive", "attribution", "evaluation"},
    "shortcut": CELL | {"shortcut", "attribution", "evaluation"},
    "learning_rules": CELL | {"learning_rules", "memorise", "attribution", "evaluation"},
    "dynamics": {"classes", "dynamics", "evaluation"},
    "learning": {"dynamics", "evaluation", "learning_rules"},
    "probe": CELL | {"memorise", "probe"},
    "lesion": CELL | {"memorise", "probe", "lesion"},
    "units": {
        "families",
        "source",
        "classes",
        "class_names",
        "seeds",
        "evaluation",
        "probe",
        "lesion",
    },
    "similarity": {"families", "seeds", "evaluation", "similarity"},
}


@pytest.mark.parametrize("stage", READS)
def test_no_stage_reads_a_parameter_that_its_manifest_has_not(stage, source):
    code = manifests.read(source)
    modules, _ = manifests.closure(code, stage, registry.names(registry.SOURCES), "cnn")
    fields = {*schema.Dataset.model_fields, *schema.Params.model_fields, "image_shape"}
    files = {manifests.module_name(file, source): file for file in source.rglob("*.py")}
    read = set()
    for name in modules & set(files):
        for node in ast.walk(ast.parse(files[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in fields:
                owner = ast.unparse(node.value)
                if owner in ("data", "dataset", "params", "params.dataset(dataset)"):
                    read.add(node.attr)
    assert {"shape" if name == "image_shape" else name for name in read} <= READS[stage]


@pytest.mark.parametrize(
    ("dataset", "family"),
    [
        (dataset, family)
        for dataset in ("digits", "planted", "mnist")
        for family in registry.names(registry.FAMILIES)
        if (dataset, family) != ("planted", "spiking")
    ],
)
def test_a_manifest_has_every_parameter_that_its_stage_reads(parameters, ours, dataset, family):
    data = parameters.dataset(dataset)
    whole = ours[Path(dataset, "compare.json")]["parameters"]
    # What compare prints is all there is, so what follows is asked of every parameter.
    assert whole["runtime"] == parameters.runtime.model_dump()
    others = {"runtime", "evaluation", "studied"}
    families = registry.names(registry.FAMILIES)  # null where the dataset has none of it
    assert set(whole) == {*schema.Dataset.model_fields, *families} | others
    assert whole["studied"] == (dataset in parameters.studied_datasets)
    of_pages = {"datasheet", "studied"}  # which compare alone reads
    assert set().union(*READS.values()) - {"families"} == set(whole) - {*families} - of_pages

    def own(stage):
        of_dataset = (*manifests.OF_DATASET, *manifests.OF_STUDIED)
        path = (dataset,) if stage in of_dataset else (dataset, family)
        return ours[Path(*path, f"{stage}.json")]["parameters"]

    cell = whole[family]
    assert set(cell["training"]) == set(schema.Training.model_fields)
    image_shape = [whole["shape"]["height"], whole["shape"]["width"]]
    of_cell = {**whole, "shape": image_shape}
    inputs = {"kind": "image", "masked": False}
    network = {name: of_cell[name] for name in CELL} | {"network": cell["network"]} | inputs
    attribution = whole["attribution"]
    explaining = ("methods", "random_state", "references", "removal")
    methods = {name: attribution[name] for name in explaining}
    source = {"source": own("fetch")["source"]} if dataset == "planted" else {}
    stages = READS.keys() - (set() if whole["shortcut"] else {"shortcut"})
    stages -= set() if dataset in parameters.studied_datasets else {*OF_STUDIED}
    some = {name: of_cell[name] for name in CELL | {"evaluation"}} | methods | inputs
    expected = {
        "fetch": {name: whole[name] for name in READS["fetch"]} | source,
        "preprocess": {name: whole[name] for name in READS["preprocess"]} | {"kind": "image"},
        "sample": whole["sample"],
        "baseline": {name: whole[name] for name in READS["baseline"]},
        "train": network | {"training": cell["training"]},
        "evaluate": network | {"evaluation": whole["evaluation"], "own": False},
        "memorise": network | {"memorise": whole["memorise"]},
        "attribute": network | methods,
        "judge": network | attribution,
        "verdict": {name: whole[name] for name in READS["verdict"] - {"attribution"}}
        | {name: attribution[name] for name in ("references", "random_state")}
        | {"faithfulness_correlation": attribution["metrics"]["faithfulness_correlation"]},
        "additive": some | {"additive": whole["additive"]},
        "probe": network | {name: whole[name] for name in ("memorise", "probe")},
        "lesion": network | {name: whole[name] for name in ("memorise", "probe", "lesion")},
        **{
            name: {key: (whole | {"families": [*data.families]})[key] for key in READS[name]}
            for name in ("units", "similarity")
        },
        "shortcut": some
        | {"shortcut": whole["shortcut"], "network": cell["network"], "training": cell["training"]},
        "learning_rules": {name: of_cell[name] for name in CELL | {"evaluation"}}
        | {name: whole[name] for name in ("memorise", "learning_rules")}
        | {"kind": "image", "random_state": attribution["random_state"]},
        "dynamics": {name: whole[name] for name in READS["dynamics"]},
        "learning": {name: whole[name] for name in READS["learning"]},
    }
    assert {stage: own(stage) for stage in stages} == {name: expected[name] for name in stages}


def test_planted_cues_name_the_source_of_their_images(parameters, ours):
    own, digits = (ours[Path(name, "fetch.json")]["parameters"] for name in ("planted", "digits"))
    assert own["source"] == digits
    assert digits["sha256"]["images"] == parameters.dataset("digits").sha256.images


def test_presets_and_defaults_are_resolved(tmp_path):
    params = edited_parameters(
        tmp_path,
        lambda p: p["digits"]["cnn"].update(
            network="article", training={"epochs": 3, "learning_rate": 0.1}
        ),
    )
    own = manifests.parameters(params, "train", "digits", "cnn")
    article = registry.member(registry.FAMILIES, "cnn").PRESETS["article"]
    assert own["network"] == article.model_dump(mode="json")
    assert set(own["training"]) == set(schema.Training.model_fields)
    assert own["training"]["epochs"] == 3
    assert own["training"]["warmup_epochs"] == 2.0  # from the dataset's training
    assert own["training"]["schedule"] == "cosine"  # from defaults
    assert manifests.resolved(params.dataset("digits"))["cnn"]["network"] == own["network"]


def test_a_stage_that_is_none_is_refused(parameters):
    with pytest.raises(GlassnetsError, match=r"expected a stage of .*, got 'explain'"):
        manifests.parameters(parameters, "explain", "digits")


# The pipeline


@pytest.fixture
def project(source, tmp_path, monkeypatch):
    """A project of the files that the stage reads; one works inside it."""
    for name in ("dvc.yaml", "params.yaml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_writes_every_manifest_and_removes_those_of_no_stage(project, ours, capsys):
    (project / "manifests" / "letters").mkdir(parents=True)
    manifest_stage.manifest()
    files = {
        path.relative_to(project / "manifests"): json.loads(path.read_text(encoding="utf-8"))
        for path in (project / "manifests").rglob("*.json")
    }
    assert files == ours
    assert not (project / "manifests" / "letters").exists()
    assert capsys.readouterr().out == f"params.yaml is valid; {len(ours)} manifests\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "exit_code"),
    [("params.yaml", "digits:", "digit:", 2), ("requirements.txt", "numpy==", "numpy>=", 1)],
)
def test_the_stage_refuses_in_one_line_and_writes_nothing(
    project, file, old, new, exit_code, capsys
):
    text = (project / file).read_text(encoding="utf-8")
    (project / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        manifest_stage.manifest()
    output = capsys.readouterr()
    assert left.value.code == exit_code
    assert re.fullmatch(rf"error: {file}: .*expected .*got .*\n", output.err), output.err
    assert output.out == ""
    assert not (project / "manifests").exists()


def test_every_stage_has_a_module_and_a_place_in_the_pipeline():
    modules = set(registry.names("pipeline.stages")) - {"command"}
    with Repo(str(ROOT)) as repo:
        in_pipeline = {stage.addressing.split("@")[0] for stage in repo.index.stages}
    assert modules == in_pipeline == {"manifest", *STAGES}


def test_a_stage_of_the_pipeline_depends_on_its_manifest_and_on_no_code(ours):
    with Repo(str(ROOT)) as repo:
        needed = {
            stage.addressing: [dependency.def_path for dependency in stage.deps]
            for stage in repo.index.stages
        }
    assert "src/glassnets" in needed.pop("manifest")
    named = {}
    for stage, paths in needed.items():
        source = f"src/glassnets/data/sources/{stage.partition('@')[2]}.py"
        others = [path for path in paths if path != source or not stage.startswith("fetch@")]
        assert not [path for path in others if path.startswith(("src", "params", "requirements"))]
        (named[stage],) = (path for path in paths if path.startswith("manifests/"))
    expected = {f"{path.stem}@{'-'.join(path.parts[:-1])}": f"manifests/{path}" for path in ours}
    assert named == expected


# What an edit reruns: the table is the test.

WHAT_RERUNS = """
| edit | stages that run again at once |
| --- | --- |
| a comment in training.py | none |
| a docstring in training.py | none |
| a message of train | none |
| the code of MLflow | none |
| the command line of the stages | none |
| a chart of the report | compare |
| a page of the report | learning, units, similarity, compare |
| the threshold of a verdict | verdict, compare |
| the threshold of a shortcut | shortcut, compare@planted |
| the depth in which gradients flow | dynamics, learning, compare |
| the code that measures gradients | dynamics, learning |
| the page of how networks learn | learning, units, similarity, compare |
| the patches of an additive network | additive@mnist, compare@mnist |
| the images of the baselines | baseline, compare |
| the images on which units are lesioned | lesion, units, compare |
| the file of the baselines | baseline |
| the images of a dataset's sample | sample@digits, compare@digits |
| the recipe of a cell | train@digits-cnn, compare@digits |
| an option of a method | attribute@digits-attention, attribute@digits-cnn, \
attribute@digits-feedforward, attribute@digits-lstm, attribute@digits-spiking, \
judge@digits-attention, judge@digits-cnn, judge@digits-feedforward, judge@digits-lstm, \
judge@digits-spiking, additive@digits, compare@digits |
| the references | attribute, judge, verdict, additive, shortcut, compare |
| the width of the blur that is a reference | attribute, judge, additive, shortcut, compare |
| a metric's file | judge, shortcut, learning_rules |
| a method's file | attribute, judge, additive, shortcut, learning_rules |
| the learning rules | learning_rules |
| a family's file | train of cnn, evaluate of cnn, memorise of cnn, attribute of cnn, \
judge of cnn, shortcut of cnn, probe of cnn, lesion of cnn |
| the training loop | train, memorise, additive, shortcut, learning_rules |
| the version of TensorFlow | train, evaluate, memorise, attribute, judge, additive, shortcut, \
probe, lesion, learning_rules, compare |
| the version of NumPy | fetch, preprocess, sample, train, evaluate, memorise, attribute, judge, \
verdict, baseline, additive, shortcut, probe, lesion, dynamics, learning_rules, learning, units, \
similarity, compare |
"""


def in_code(name: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    def edit(source: Path) -> None:
        file = source / "glassnets" / name
        code, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), count=1)
        assert count == 1
        file.write_text(code, encoding="utf-8")

    return edit


def in_requirements(package: str) -> str:
    text, count = re.subn(rf"^{package}==\S+", f"{package}==0.1", REQUIREMENTS, flags=re.MULTILINE)
    assert count == 1
    return text


END = r"\Z"
OF_CODE = {
    "a comment in training.py": in_code("models/training.py", END, "\n# A comment.\n"),
    "a docstring in training.py": in_code("models/training.py", '"""', '"""Here: '),
    "a message of train": in_code("pipeline/stages/train.py", r'(print\(\s*f")', r"\1now: "),
    "the code of MLflow": in_code("tracking/runs.py", END, "\nNEW = 1\n"),
    "the command line of the stages": in_code("pipeline/stages/command.py", END, "\nNEW = 1\n"),
    "a chart of the report": in_code("report/charts.py", END, "\nNEW = 1\n"),
    "a page of the report": in_code("report/templates/page.html", END, "\n<!-- -->\n"),
    "the file of the baselines": in_code("evaluation/baselines.py", END, "\nNEW = 1\n"),
    "the learning rules": in_code("learning/rules.py", END, "\nNEW = 1\n"),
    "a metric's file": in_code("attribution/metrics/faithfulness.py", END, "\nNEW = 1\n"),
    "a method's file": in_code("attribution/methods/gradients.py", END, "\nNEW = 1\n"),
    "a family's file": in_code("models/families/cnn.py", END, "\nNEW = 1\n"),
    "the code that measures gradients": in_code("learning/gradient_flow.py", END, "\nNEW = 1\n"),
    "the page of how networks learn": in_code("report/templates/learning.md", END, "\nNew.\n"),
    "the training loop": in_code("models/training.py", END, "\nNEW = 1\n"),
}
OF_PARAMETERS = {
    "the threshold of a verdict": lambda p: p["defaults"]["verdict"].update(max_correlation=0.6),
    "the threshold of a shortcut": lambda p: p["planted"]["shortcut"].update(min_auc=0.9),
    "the depth in which gradients flow": lambda p: p["defaults"]["dynamics"][
        "gradient_flow"
    ].update(depth=21),
    "the patches of an additive network": lambda p: p["mnist"]["additive"].update(patch_size=7),
    "the images of the baselines": lambda p: p["defaults"]["baselines"].update(images=5000),
    "the images on which units are lesioned": lambda p: p["defaults"]["lesion"].update(images=400),
    "the images of a dataset's sample": lambda p: p["digits"].update(sample={"images": 25}),
    "the recipe of a cell": lambda p: p["digits"]["cnn"]["training"].update(epochs=31),
    "an option of a method": lambda p: p["digits"]["attribution"]["methods"]["rise"].update(
        masks=101
    ),
    "the references": lambda p: p["defaults"]["attribution"].update(references=["black", "mean"]),
    "the width of the blur that is a reference": lambda p: p["defaults"]["attribution"][
        "removal"
    ].update(blur=0.3),
}
OF_REQUIREMENTS = {
    "the version of TensorFlow": in_requirements("tensorflow-cpu"),
    "the version of NumPy": in_requirements("numpy"),
}


def edited_parameters(folder, edit):
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(ROOT / "params.yaml")
    edit(content)
    text = io.StringIO()
    yaml.dump(content, text)
    (folder / "params.yaml").write_text(text.getvalue(), encoding="utf-8")
    return config.load(folder / "params.yaml")


CHANGED = ("baseline", "additive", "shortcut", *OF_STUDIED, "compare")


def changed(before, after):
    """Stages whose manifests changed, in their order: ``stage`` where all did, ``stage of family``
    where all of a family's did, else each."""
    assert list(before) == list(after)
    names = []
    for stage in STAGES[:3] + manifests.OF_CELL + CHANGED:
        every = of(before, stage)
        new = [path.parts[:-1] for path, each in every.items() if each != after[path]]
        families = {parts[1] for parts in new if len(parts) > 1}
        if new and len(new) == len(every):
            names.append(stage)
        elif len(families) == 1 and len(new) == len({path.parts[0] for path in every}):
            names.append(f"{stage} of {families.pop()}")
        else:
            names += sorted(f"{stage}@{'-'.join(parts)}" for parts in new)
    return ", ".join(names) or "none"


@pytest.mark.exhaustive
def test_what_an_edit_reruns(parameters, source, ours, tmp_path):
    rows = {}
    for i, (name, edit) in enumerate(OF_CODE.items()):
        edit(copy := copied(source, tmp_path / str(i)))
        rows[name] = manifests.all_manifests(parameters, copy, REQUIREMENTS)
    for name, edit in OF_PARAMETERS.items():
        params = edited_parameters(tmp_path, edit)
        rows[name] = manifests.all_manifests(params, source, REQUIREMENTS)
    for name, requirements in OF_REQUIREMENTS.items():
        rows[name] = manifests.all_manifests(parameters, source, requirements)
    head, line, *expected = WHAT_RERUNS.strip().splitlines()
    lines = {f"| {name} | {changed(ours, after)} |" for name, after in rows.items()}
    print(head, line, *sorted(lines), sep="\n")
    assert lines == set(expected)
