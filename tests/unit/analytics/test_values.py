"""The public values of the domain are frozen Structs."""

import importlib
import pkgutil
from enum import Enum

import msgspec
import pytest

from services.analytics import domain

NAMES = [f"{domain.__name__}.{module.name}" for module in pkgutil.iter_modules(domain.__path__)]
MODULES = list(map(importlib.import_module, NAMES))
VALUES = [
    kind
    for module in MODULES
    for name, kind in vars(module).items()
    if isinstance(kind, type)
    and kind.__module__ == module.__name__
    and not name.startswith("_")
    and not issubclass(kind, Enum | Exception)
]


def test_domain_has_values():
    assert VALUES


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__qualname__)
def test_value_is_a_frozen_struct(kind):
    assert issubclass(kind, msgspec.Struct)
    assert kind.__struct_config__.frozen
