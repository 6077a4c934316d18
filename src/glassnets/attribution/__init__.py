"""Attribution methods, the metrics that judge them, and the verdicts. Needs no DVC, MLflow or
params.yaml. ``judge`` applies them to a model of any library: see `judging.judge`.
"""

from importlib import import_module
from typing import Any

__all__ = ["JudgedModel", "judge"]


def __getattr__(name: str) -> Any:
    # Loaded when it is used, since most modules here need none of it.
    if name in __all__:
        return getattr(import_module(f"{__name__}.judging"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
