"""Values of the domain are frozen msgspec Structs, all with the same settings."""

import importlib
import inspect
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from services.orders import domain
from services.orders.domain.model.order import Address
from services.orders.domain.value import Value, fields, replace

TEXTS = st.none() | st.text(max_size=5)
CHANGES = st.dictionaries(st.sampled_from([field.name for field in fields(Address)]), TEXTS)


def _modules():
    for found in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        yield importlib.import_module(found.name)


VALUES = sorted(
    {
        kind
        for module in _modules()
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Struct) and kind is not Struct
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", VALUES)
def test_structs_of_the_domain_are_values_with_its_settings(kind):
    found = kind.__struct_config__

    assert issubclass(kind, Value)
    assert (found.frozen, found.gc, found.omit_defaults) == (True, False, True)


def test_structs_are_found_in_every_module_of_values():
    assert len(VALUES) > 30


@given(CHANGES, CHANGES)
def test_replace_changes_what_is_named_and_keeps_the_rest(held, changes):
    address = Address(**held)

    assert replace(address, **changes) == Address(**(held | changes))
    assert address == Address(**held)


def test_replace_refuses_a_field_that_is_not_there():
    with pytest.raises(TypeError, match="zip"):
        replace(Address(), zip="10115")


def test_field_cannot_be_set():
    with pytest.raises(AttributeError):
        Address().zip_code = "10115"
