"""Replacing fields of what is frozen is what `dataclasses.replace` does."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.frozen import replace
from services.orders.domain.order import Address

TEXTS = st.none() | st.text(max_size=5)
CHANGES = st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Address)]), TEXTS)


@settings(deadline=None)
@given(CHANGES, CHANGES)
def test_it_replaces_what_is_named_and_keeps_the_rest(held, changes):
    address = Address(**held)

    assert replace(address, **changes) == dataclasses.replace(address, **changes)
    assert address == Address(**held)


def test_a_field_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="zip"):
        replace(Address(), zip="10115")
