"""Do the stages depend on the code that they run: no file more, no file less?"""

import ast
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dvc.repo import Repo

from glassnets import artefacts
from glassnets.verify.outcome import Outcome


def closure() -> Outcome:
    """Names every stage of dvc.yaml whose deps are not just the files below src/ that it runs."""
    source = artefacts.root() / "src"
    faults = []
    with closing(Repo(str(artefacts.root()))) as repo:
        stages = repo.index.stages
        for stage in stages:
            paths = [artefacts.root() / dependency.def_path for dependency in stage.deps]
            named = {
                str(file.relative_to(source))
                for path in paths
                if path.is_relative_to(source)
                for file in (path.rglob("*.py") if path.is_dir() else [path])
            }
            needed = code_of(stage.cmd, source)
            faults += [
                f"{stage.addressing}: its deps lack {file}, which it runs"
                for file in sorted(needed - named)
            ]
            faults += [
                f"{stage.addressing}: its deps name {file}, which it does not run"
                for file in sorted(named - needed)
            ]
    return Outcome(tuple(faults), f"{len(stages)} stages")


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


def with_packages(name: str) -> list[str]:
    """a.b.c → a, a.b, a.b.c: what Python runs on the way."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1)]


def import_closure(start: list[str], source: Path) -> set[str]:
    """Names of all the modules below source that importing these imports."""
    files = {module_name(file, source): file for file in source.rglob("*.py")}
    closure: set[str] = set()
    waiting = [package for name in start for package in with_packages(name)]
    while waiting:
        name = waiting.pop()
        if name in files and name not in closure:
            closure.add(name)
            tree = ast.parse(files[name].read_text(encoding="utf-8"))
            waiting += [package for i in imports(tree) for package in with_packages(i)]
    return closure


def code_of(command: str, source: Path) -> set[str]:
    """Files below source that ``python -m glassnets.stages.<stage> <dataset> [<family>]`` runs.

    What is found by name is no import: of a room that the stage imports, the cell's own member.
    A file named like a module (page.html beside page.py) is a part of it.
    """
    stage, dataset, *family = command.removeprefix("python -m ").split()
    closure = import_closure([stage], source)
    members = [("glassnets.datasets", dataset), *(("glassnets.families", name) for name in family)]
    chosen = [f"{room}.{name}" for room, name in members if room in closure]
    files = {module_name(file, source): file for file in source.rglob("*.py")}
    return {
        str(file.relative_to(source))
        for name in import_closure([stage, *chosen], source)
        for file in files[name].parent.glob(f"{files[name].stem}.*")
    }
