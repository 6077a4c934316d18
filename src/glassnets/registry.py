"""Datasets and families are found by name: a file in the room is a member of the room.

So a new family is one new file, and no other family's stages depend on it.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import glassnets


def names(room: str) -> tuple[str, ...]:
    """Names of the modules in ``glassnets/<room>/``, sorted, without importing them."""
    folders = [f"{folder}/{room}" for folder in glassnets.__path__]
    return tuple(sorted(module.name for module in iter_modules(folders)))


def package(room: str) -> ModuleType:
    """The package ``glassnets.<room>``."""
    return import_module(f"glassnets.{room}")


def member(room: str, name: str) -> ModuleType:
    """The module ``glassnets.<room>.<name>``."""
    return import_module(f"glassnets.{room}.{name}")
