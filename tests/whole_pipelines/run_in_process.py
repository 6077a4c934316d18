"""Runs a small pipeline of digits in this one process, without DVC and MLflow, and prints a hash of
every file that it writes.

    python run_in_process.py FOLDER whole FAMILY…
    python run_in_process.py FOLDER cells FAMILY…    # without the stages of a dataset, and studies

FOLDER holds dvc.yaml, params.yaml, requirements.txt and src/. It is a script of its own because an
emulated processor runs it: imports that take a second natively take half a minute there.
"""

import faulthandler
import hashlib
import os
import sys
import types
from pathlib import Path


def without_tracking() -> None:
    """Puts modules that do nothing in the place of those that log to MLflow."""

    class Nothing(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            return Anything()

    class Anything:
        def __call__(self, *arguments: object, **keywords: object) -> "Anything":
            return self

        def __getattr__(self, name: str) -> "Anything":
            return self

        def __enter__(self) -> "Anything":
            return self

        def __exit__(self, *exception: object) -> None: ...

    import glassnets

    for name in ("tracking", "tracking.runs", "tracking.from_files", "tracking.studies"):
        sys.modules[f"glassnets.{name}"] = Nothing(f"glassnets.{name}")
    glassnets.tracking = sys.modules["glassnets.tracking"]
    glassnets.tracking.__path__ = []


def with_stable_sorts() -> None:
    """Lets NumPy and pandas sort distinct keys by NumPy's stable sort, which gives the order of its
    vectorised quicksort: with that one QEMU 7.2 gives a wrong order or crashes."""
    import numpy as np
    from pandas.core import sorting
    from pandas.core.arrays import base

    class Stable(np.ndarray):
        def argsort(self, *_: object, **__: object) -> np.ndarray:
            return np.asarray(self).argsort(kind="stable")

    argsort, nargsort, reorder = np.argsort, sorting.nargsort, sorting._reorder_by_uniques
    np.argsort = lambda a, axis=-1, kind="stable", **keywords: argsort(
        a, axis, "stable", **keywords
    )
    sorting.nargsort = base.nargsort = lambda items, kind="stable", *arguments, **keywords: (
        nargsort(items, "stable", *arguments, **keywords)
    )
    sorting._reorder_by_uniques = lambda uniques, labels: tuple(
        map(np.asarray, reorder(uniques.view(Stable), labels))
    )


def main(folder: Path, families: list[str], whole: bool) -> None:
    faulthandler.enable()
    os.chdir(folder)
    without_tracking()
    from glassnets import config, runtime

    runtime.pin_processor()  # as a stage does: before anything imports NumPy
    with_stable_sorts()
    from importlib import import_module

    from glassnets.pipeline import artefacts
    from glassnets.pipeline.stages.manifest import manifest

    manifest()
    params = config.load(artefacts.params_file())

    def run(stage: str, *of: str) -> None:
        print("stage", stage, *of, flush=True)
        module = import_module(f"glassnets.pipeline.stages.{stage}")
        getattr(module, stage)(params, *of)

    for stage in ("fetch", "preprocess", "sample", *(("baseline", "dynamics") if whole else ())):
        run(stage, "digits")
    for family in families:
        for stage in ("train", "evaluate", "memorise", "attribute", "judge", "verdict"):
            run(stage, "digits", family)
        for stage in ("probe", "lesion") if whole else ():
            run(stage, "digits", family)
    for stage in ("additive", "units", "similarity", "compare") if whole else ():
        run(stage, "digits")
    for name in ("data", "manifests", "models", "results"):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                print(f"output {path.relative_to(folder)} {content}")


if __name__ == "__main__":
    folder, what, *families = sys.argv[1:]
    main(Path(folder).resolve(), families, what == "whole")
