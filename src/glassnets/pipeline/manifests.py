"""What each stage depends on beside data: its parameters, its code, the packages that compute.

``manifests/<dataset>/[<family>/]<stage>.json`` names them; a stage of dvc.yaml depends on its
manifest alone, so that DVC reruns it where one of them changes, and not where a comment, a
docstring, a message or the code of MLflow does.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from glassnets import registry
from glassnets.config.schema import Dataset, Params
from glassnets.errors import GlassnetsError

STAGES = "glassnets.pipeline.stages"
OF_DATASET = ("fetch", "preprocess", "sample", "compare")
OF_CELL = ("train", "evaluate", "memorise", "attribute", "judge", "verdict")

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


def all_manifests(params: Params, source: Path, requirements: str) -> dict[Path, Content]:
    """Every stage's manifest, by its path below manifests/.

    source is the folder src/; requirements the text of requirements.txt. Raises GlassnetsError
    where a package that computes is not pinned there.
    """
    for cached in (_files, _imports, _digests):
        cached.cache_clear()  # the code may have changed since
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.!+-]+)", requirements, re.MULTILINE))
    contents = {}
    for dataset in params.datasets:
        planting = params.dataset(dataset).planting
        sources = [dataset, planting.source] if planting else [dataset]
        for stage in OF_DATASET:
            contents[Path(dataset, f"{stage}.json")] = _content(
                stage, parameters(params, stage, dataset), sources, None, source, pinned
            )
        of_all: Content = {}
        for family in params.dataset(dataset).families:
            for stage in OF_CELL:
                own = parameters(params, stage, dataset, family)
                content = _content(stage, own, [], family, source, pinned)
                contents[Path(dataset, family, f"{stage}.json")] = content
                of_all |= content["packages"]
        # Its pages name the versions that everything was computed with.
        of_compare = contents[Path(dataset, "compare.json")]
        of_compare["packages"] = dict(sorted((of_all | of_compare["packages"]).items()))
    return contents


# Parameters


def parameters(params: Params, stage: str, dataset: str, family: str | None = None) -> Content:
    """The parameters that a stage reads, presets and defaults resolved, sorted by key."""
    data = params.dataset(dataset)
    shared = {"runtime": _dump(params.runtime), "evaluation": _dump(params.evaluation)}
    seeds = list(data.seeds)
    network: Content = {"classes": data.classes, "shape": list(data.image_shape), "seeds": seeds}
    training: Content = {}
    if family is not None:
        cell = data.family(family)
        network |= {"network": _dump(cell.network), "runtime": shared["runtime"]}
        training = {"training": _dump(cell.training)}
    attribution = _dump(data.attribution)
    methods = {key: attribution[key] for key in ("methods", "random_state")}
    match stage:
        case "fetch":
            own = _fetched(params, data)
        case "preprocess":
            split = ("split", "official_test_images", "test_size", "validation_size")
            keys = (*split, "random_state", "stratify", "max_images", "classes")
            own = {key: value for key, value in _dump(data).items() if key in keys}
        case "sample":
            own = _dump(data.sample)
        case "train":
            own = network | training
        case "evaluate":
            own = network | {"evaluation": shared["evaluation"]}
        case "memorise":
            own = network | {"memorise": _dump(data.memorise)}
        case "attribute":
            own = network | methods
        case "judge":
            own = network | attribution
        case "verdict":
            verdict = {"verdict": _dump(data.verdict), "seeds": seeds}
            own = verdict | {"evaluation": shared["evaluation"]}
        case "compare":
            own = shared | resolved(data)
        case _:
            raise GlassnetsError(f"expected a stage of {OF_DATASET + OF_CELL}, got {stage!r}")
    return dict(sorted(own.items()))


def _fetched(params: Params, data: Dataset) -> Content:
    keys = ("shape", "classes", "sha256", "planting")
    own = {key: value for key, value in _dump(data).items() if key in keys}
    if data.planting is not None:
        own["source"] = _fetched(params, params.dataset(data.planting.source))
    return own


def resolved(data: Dataset) -> Content:
    """A dataset's whole group, presets resolved."""
    cells = {family: _dump(data.family(family)) for family in data.families}
    return _dump(data) | cells


def _dump(model: Any) -> Content:
    # A dataset's schema is a union that pydantic dumps well, but with a warning.
    dumped: Content = model.model_dump(mode="json", exclude_none=False, warnings=False)
    return dumped


# Code and packages


def _content(
    stage: str,
    own: Content,
    sources: list[str],
    family: str | None,
    source: Path,
    pinned: Mapping[str, str],
) -> Content:
    modules, packages = closure(source, stage, sources, family)
    return {
        "parameters": own,
        "code": {name: _digests(source)[name] for name in sorted(modules)},
        "packages": {name: _version(name, pinned) for name in sorted(packages)},
    }


def _version(name: str, pinned: Mapping[str, str]) -> str:
    if name not in pinned:
        raise GlassnetsError(
            f"requirements.txt: expected {name} pinned to a version, as stages compute with it, "
            "got none: add it to requirements.in and run make lock"
        )
    return pinned[name]


def closure(
    source: Path, stage: str, sources: list[str], family: str | None
) -> tuple[set[str], set[str]]:
    """Names of the project's modules that a stage's output depends on, and of the packages.

    What is found by name is no import: of the families the cell's own, of the sources the
    dataset's (and that of its images). A file that is no module is part of each module beside it.
    """
    modules = _imports(source)
    members = {
        f"glassnets.{registry.SOURCES}": sources,
        f"glassnets.{registry.FAMILIES}": [] if family is None else [family],
    }
    found: set[str] = set()
    packages: set[str] = set()
    waiting = _with_packages(f"{STAGES}.{stage}")
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(LISTENING):
            continue
        if name in modules:
            found.add(name)
            if name != RUNTIME:
                waiting += [each for i in modules[name] for each in _with_packages(i)]
            waiting += [f"{name}.{each}" for each in members.get(name, ())]
        elif (top := name.split(".")[0]) not in _NOT_PINNED | LISTENING_PACKAGES:
            packages |= {DISTRIBUTIONS.get(each, each) for each in (top, *IMPLIED.get(top, ()))}
    return found | {file for file, owner in _files(source).items() if owner in found}, packages


@lru_cache(maxsize=4)
def _files(source: Path) -> dict[str, str]:
    """Each file of the package that is no module, by its path, and the package that it lies in."""
    owners = {}
    for file in sorted((source / "glassnets").rglob("[!.]*")):
        if file.is_file() and file.suffix not in (".py", ".pyc"):
            folder = next(f for f in file.parents if (f / "__init__.py").is_file())
            owners[str(file.relative_to(source))] = ".".join(folder.relative_to(source).parts)
    return owners


def _with_packages(name: str) -> list[str]:
    """a.b.c → a, a.b, a.b.c: what Python runs on the way."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1)]


@lru_cache(maxsize=4)
def _imports(source: Path) -> dict[str, tuple[str, ...]]:
    """Of each module below source, all that it imports, in functions too."""
    return {
        name: tuple(imports(ast.parse(file.read_text(encoding="utf-8"))))
        for name, file in _modules(source).items()
    }


@lru_cache(maxsize=4)
def _digests(source: Path) -> dict[str, str]:
    """A digest of each module below source, and of each other file by its path in the package."""
    digests = {
        name: digest(file.read_text(encoding="utf-8")) for name, file in _modules(source).items()
    }
    return digests | {file: _short((source / file).read_bytes()) for file in _files(source)}


def _modules(source: Path) -> dict[str, Path]:
    return {module_name(file, source): file for file in sorted(source.rglob("*.py"))}


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
