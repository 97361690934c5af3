"""The public values of the domain are frozen Structs."""

import msgspec
import pytest

from services.claims import domain
from tests.unit.values import public_values

VALUES = public_values(domain)


def test_domain_has_values():
    assert VALUES


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__qualname__)
def test_value_is_a_frozen_struct(kind):
    assert issubclass(kind, msgspec.Struct)
    assert kind.__struct_config__.frozen
