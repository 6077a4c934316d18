"""Plug-ins found by name: each module of `models.families` is a family, of `data.sources` a source.

So a new family is one new file, and no other family's stages depend on it.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import glassnets

FAMILIES = "models.families"
SOURCES = "data.sources"


def names(package_name: str) -> tuple[str, ...]:
    """Names of the modules of ``glassnets.<package_name>``, sorted, without importing them."""
    folders = [f"{folder}/{package_name.replace('.', '/')}" for folder in glassnets.__path__]
    return tuple(sorted(module.name for module in iter_modules(folders)))


def package(package_name: str) -> ModuleType:
    """The package ``glassnets.<package_name>``."""
    return import_module(f"glassnets.{package_name}")


def member(package_name: str, name: str) -> ModuleType:
    """The module ``glassnets.<package_name>.<name>``."""
    return import_module(f"glassnets.{package_name}.{name}")
