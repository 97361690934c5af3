"""The public values of a service's domain."""

import importlib
import pkgutil
from enum import Enum
from types import ModuleType


def public_values(package: ModuleType) -> list[type]:
    """The public classes of a package's modules, without enums and exceptions."""
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return [
        kind
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
        and not issubclass(kind, Enum | Exception)
    ]
