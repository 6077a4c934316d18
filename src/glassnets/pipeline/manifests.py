"""What each stage depends on beside data: its parameters, its code, the packages that compute.

A stage of dvc.yaml depends on ``manifests/<dataset>/[<family>/]<stage>.json``, so that DVC reruns
it where one of them changes, and not where a comment, a docstring or a message does.
"""

import ast
import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from glassnets import config, registry
from glassnets.config.schema import Dataset, Params
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts

STAGES = "glassnets.pipeline.stages"
OF_DATASET = ("fetch", "preprocess", "sample", "baseline", "additive", "compare")
OF_CELL = ("train", "evaluate", "memorise", "attribute", "judge", "verdict")
OF_SHORTCUT = ("shortcut",)  # of the cells of a dataset that has a group for it
# Of datasets that are listed as such.
OF_STUDIED = ("dynamics", "learning_rules", "learning", "units", "similarity")
OF_STUDIED_CELL = ("probe", "lesion")

# Project modules that change no output, and are left out: they listen (MLflow), tell a person what
# went wrong, or turn params.yaml into the parameters that the manifest names.
LISTENING = ("glassnets.tracking", "glassnets.errors", "glassnets.config", f"{STAGES}.command")
# Imports Keras and TensorFlow for those stages alone that import them elsewhere too.
RUNTIME = "glassnets.runtime"
# Packages that change no output: progress bars, the command line, validation, MLflow and DVC.
LISTENING_PACKAGES = {"tqdm", "typer", "pydantic", "ruamel", "mlflow", "dvc"}
# Packages that compute within another: weights are written by h5py.
IMPLIED = {
    "keras": ("h5py", "tensorflow"),
    "pandas": ("numpy",),
    "sklearn": ("scipy",),
    "statsmodels": ("scipy",),
}
# Distributions that are not named as the package that is imported.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow-cpu",
    "vl_convert": "vl-convert-python",
}
_NOT_PINNED = {*sys.stdlib_module_names, "glassnets"}

_MESSAGE = re.compile("print|tqdm|.*Error")  # what these functions are given, a person reads

Content = dict[str, Any]


class Code(NamedTuple):
    """The code below src/, modules by their names, other files of the package by their paths."""

    imports: dict[str, tuple[str, ...]]  # of each module
    owners: dict[str, str]  # of each other file, the package that it lies in
    digests: dict[str, str]  # of each module and other file


def of_project() -> dict[Path, Content]:
    """All manifests of the project's params.yaml, src/ and requirements.txt."""
    root = artefacts.root()
    requirements = (root / "requirements.txt").read_text(encoding="utf-8")
    return all_manifests(config.load(artefacts.params_file()), root / "src", requirements)


def all_manifests(params: Params, source: Path, requirements: str) -> dict[Path, Content]:
    """Every stage's manifest, by its path below manifests/.

    source: the folder src/. requirements: the text of requirements.txt. Raises GlassnetsError
    where a package that computes is not pinned there.
    """
    code = read(source)
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.!+-]+)", requirements, re.MULTILINE))
    contents = {}
    for dataset in params.datasets:
        data = params.dataset(dataset)
        sources = [dataset, data.planting.source] if data.planting else [dataset]
        versions: Content = {}
        studied = dataset in params.studied_datasets
        of_cell = OF_CELL + (OF_SHORTCUT if data.shortcut else ())
        of_cell += OF_STUDIED_CELL if studied else ()
        of_dataset = (OF_STUDIED if studied else ()) + OF_DATASET  # compare last: it names versions
        cells = [(stage, family) for family in data.families for stage in of_cell]
        for stage, family in (*cells, *((stage, None) for stage in of_dataset)):
            modules, packages = closure(code, stage, sources, family)
            for name in sorted(packages - pinned.keys()):
                raise GlassnetsError(
                    f"requirements.txt: expected {name} pinned to a version, as stages compute "
                    "with it, got none: add it to requirements.in and run make lock"
                )
            own = {name: pinned[name] for name in packages}
            versions |= own
            contents[Path(dataset, family or "", f"{stage}.json")] = {
                "parameters": parameters(params, stage, dataset, family),
                "code": {name: code.digests[name] for name in sorted(modules)},
                # The pages of compare name the versions that everything was computed with.
                "packages": dict(sorted((versions if stage == "compare" else own).items())),
            }
    return contents


def parameters(params: Params, stage: str, dataset: str, family: str | None = None) -> Content:
    """The parameters that a stage reads, presets and defaults resolved, sorted by key."""
    data = params.dataset(dataset)
    whole = resolved(data)
    shared = {"runtime": params.runtime.model_dump(), "evaluation": params.evaluation.model_dump()}

    def some(*keys: str) -> Content:
        return {key: (whole | shared)[key] for key in keys}

    cell = whole[family] if family else {"network": None, "training": None}
    network = some("classes", "seeds", "runtime")
    network |= {"shape": list(data.input_shape), "kind": data.kind, "masked": data.masked}
    network["network"] = cell["network"]
    explaining = ("methods", "random_state", "references", "removal")
    methods = {key: whole["attribution"][key] for key in explaining}
    match stage:
        case "fetch":
            raw = ("shape", "classes", "sha256", "planting", "source", "class_names")
            own = some(*raw)
            if data.planting is not None:
                source = resolved(params.dataset(data.planting.source))
                own["source"] = {key: source[key] for key in raw}
        case "preprocess":
            split = ("split", "official_test_images", "test_size", "validation_size")
            own = some(*split, "random_state", "stratify", "max_images", "classes")
            own["kind"] = data.kind
        case "sample":
            own = whole["sample"]
        case "baseline":
            own = some("classes", "baselines", "seeds", "evaluation")
        case "additive":
            own = some("classes", "seeds", "runtime", "additive", "evaluation") | methods
            own |= {key: network[key] for key in ("shape", "kind", "masked")}
        case "dynamics":
            own = some("classes", "dynamics", "evaluation")
        case "learning":
            own = some("dynamics", "evaluation", "learning_rules")
        case "train":
            own = network | {"training": cell["training"]}
        case "evaluate":
            own = network | some("evaluation") | {"own": data.own}
        case "memorise":
            own = network | some("memorise")
        case "attribute":
            own = network | methods
        case "judge":
            own = network | whole["attribution"]
        case "shortcut":
            own = network | methods | some("shortcut", "evaluation")
            own["training"] = cell["training"]
        case "learning_rules":
            own = some("classes", "seeds", "runtime", "evaluation", "memorise", "learning_rules")
            own |= {key: network[key] for key in ("shape", "kind")}
            own["random_state"] = methods["random_state"]
        case "probe":
            own = network | some("memorise", "probe")
        case "lesion":
            own = network | some("memorise", "lesion", "probe")
        case "units":
            own = some("classes", "class_names", "source", "seeds", "evaluation")
            own |= some("probe", "lesion") | {"families": [*data.families]}
        case "similarity":
            own = some("seeds", "evaluation", "similarity") | {"families": [*data.families]}
        case "verdict":
            own = some("verdict", "seeds", "evaluation")
            own |= {name: methods[name] for name in ("references", "random_state")}
            metrics = whole["attribution"]["metrics"]
            own["faithfulness_correlation"] = metrics.get("faithfulness_correlation")
        case "compare":
            own = shared | whole | {"studied": dataset in params.studied_datasets}
        case _:
            known = OF_DATASET + OF_CELL + OF_SHORTCUT + OF_STUDIED + OF_STUDIED_CELL
            raise GlassnetsError(f"expected a stage of {known}, got {stage!r}")
    return dict(sorted(own.items()))


def goals(params: Params, dataset: str) -> list[str]:
    """The stages after which everything of a dataset is built."""
    studied = ("learning", "units", "similarity") if dataset in params.studied_datasets else ()
    return [f"{stage}@{dataset}" for stage in ("compare", *studied)]


def differs(params: Params, stage: str, dataset: str, family: str) -> bool:
    """Whether the parameters of a cell's stage are not those of its manifest."""
    written = artefacts.load_json(artefacts.manifest(stage, dataset, family))
    return bool(written["parameters"] != parameters(params, stage, dataset, family))


def resolved(data: Dataset) -> Content:
    """A dataset's whole group, presets resolved."""
    cells = {family: data.family(family).model_dump(mode="json") for family in data.families}
    return data.model_dump(mode="json") | cells


def closure(
    code: Code, stage: str, sources: list[str], family: str | None
) -> tuple[set[str], set[str]]:
    """Names of the project's modules that a stage's output depends on, and of the packages.

    What is found by name is no import: of the families the cell's own, of the sources the
    dataset's (and that of its images). A file that is no module is part of each module beside it.
    """
    members = {
        f"glassnets.{registry.SOURCES}": sources,
        f"glassnets.{registry.FAMILIES}": [] if family is None else [family],
    }
    found: set[str] = set()
    packages: set[str] = set()
    waiting = [f"{STAGES}.{stage}"]
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(LISTENING):
            continue
        top, _, inner = name.partition(".")
        if name in code.imports:
            found.add(name)
            if name != RUNTIME:
                waiting += code.imports[name]
            waiting += [f"{name}.{each}" for each in members.get(name, ())]
        elif top not in _NOT_PINNED | LISTENING_PACKAGES:
            packages |= {DISTRIBUTIONS.get(each, each) for each in (top, *IMPLIED.get(top, ()))}
        if inner:
            waiting.append(name.rpartition(".")[0])  # Python runs a.b on the way to a.b.c
    return found | {file for file, owner in code.owners.items() if owner in found}, packages


def read(source: Path) -> Code:
    """The code below the folder source."""
    code = Code({}, {}, {})
    for file in sorted((source / "glassnets").rglob("[!.]*")):
        if file.suffix == ".py":
            name, text = module_name(file, source), file.read_text(encoding="utf-8")
            code.imports[name], code.digests[name] = _of_module(text)
        elif file.is_file() and file.suffix != ".pyc":
            name = str(file.relative_to(source))
            folder = next(f for f in file.parents if (f / "__init__.py").is_file())
            code.owners[name] = module_name(folder, source)
            code.digests[name] = _short(file.read_bytes())
    return code


@functools.cache
def _of_module(text: str) -> tuple[tuple[str, ...], str]:
    return tuple(imports(ast.parse(text))), digest(text)


def module_name(file: Path, source: Path) -> str:
    parts = file.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[str]:
    """Names of all that is imported, in functions too, but not for types alone.

    ``from a import b`` gives both ``a`` and ``a.b``, for b may be a module.
    """
    match tree:
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return
        case ast.Import(names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module, names, level):
            if module is None or level:
                raise ValueError("expected absolute imports")
            yield module
            yield from (f"{module}.{alias.name}" for alias in names)
    for child in ast.iter_child_nodes(tree):
        yield from imports(child)


def digest(code: str) -> str:
    """A digest of Python code without its comments, docstrings and messages for a person."""
    return _short(_dumped(_WithoutWords().visit(ast.parse(code))).encode())


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _dumped(tree: Any) -> str:
    """As `ast.dump` has it, but the same in every version of Python: what is empty is left out."""
    if isinstance(tree, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(tree) if value not in (None, [])]
        inner = ", ".join(f"{name}={_dumped(value)}" for name, value in fields)
        return f"{type(tree).__name__}({inner})"
    return f"[{', '.join(map(_dumped, tree))}]" if isinstance(tree, list) else repr(tree)


class _WithoutWords(ast.NodeTransformer):
    """Takes docstrings away, and what is given to `_MESSAGE`."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False) is not None:
                    node.body = node.body[1:]
            case ast.Call(func, args, keywords) if _MESSAGE.fullmatch(ast.unparse(func)):
                if any(k.arg == "file" and ast.unparse(k.value) != "sys.stderr" for k in keywords):
                    return node
                # What tqdm counts is code.
                return ast.Call(func, args if ast.unparse(func) == "tqdm" else [], [])
        return node
