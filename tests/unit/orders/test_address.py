"""The delivery address: the place is one thing, name, phone and company stand for themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.model.commands import PlaceOrder, UpdateOrder, UpsertOrder
from services.orders.domain.model.order import Address
from services.orders.domain.rules.address import merge_address
from services.orders.domain.value import fields as members_of
from services.orders.messages.decode import DecodedItem, read
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.builders import Desk, fields, place, ref, update, upsert

PERSON = ("name", "phone", "company")
MEMBERS = tuple(each.name for each in members_of(Address))
PLACE = tuple(name for name in MEMBERS if name not in PERSON)
HELD = Address(
    zip_code="10115",
    address_line_1="A 1",
    street="A 1",
    city="Berlin",
    country_code="DE",
    name="Ada Example",
    phone="+49 30 1",
    company="Example GmbH",
)

words = st.sampled_from(["a", "b", None])
addresses = st.builds(Address, **dict.fromkeys(MEMBERS, words))
nulls = st.sets(st.sampled_from(MEMBERS))


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (
            {"phone": "+49 30 2"},
            {"phone": "+49 30 2"},
        ),
        (
            {"zip_code": "80331"},
            {"zip_code": "80331", "address_line_1": None, "street": None, "city": None}
            | {"country_code": None},
        ),
        (
            {"city": "Bonn", "name": "Bob Example"},
            {"city": "Bonn", "zip_code": None, "address_line_1": None, "street": None}
            | {"country_code": None, "name": "Bob Example"},
        ),
        ({"phone": None}, {"phone": None}),
        ({"city": None}, {"city": None}),
        (
            {"city": "Bonn", "zip_code": None, "company": None},
            {"city": "Bonn", "zip_code": None, "address_line_1": None, "street": None}
            | {"country_code": None, "company": None},
        ),
        ({}, {}),
    ],
    ids=str,
)
def test_address_of_a_command_over_the_one_that_is_held(said, becomes):
    wanted = {name: getattr(HELD, name) for name in MEMBERS} | becomes
    cleared = tuple(name for name, value in said.items() if value is None)

    assert merge_address(HELD, Address(**said), cleared) == Address(**wanted)


@given(held=addresses, said=addresses, nulls=nulls)
def test_merged_address_is_one_place_and_each_persons_member_by_itself(
    held: Address, said: Address, nulls: set[str]
) -> None:
    found = merge_address(held, said, tuple(nulls))

    is_said = {name: getattr(said, name) for name in MEMBERS if name not in nulls}
    is_new_place = any(is_said.get(name) for name in PLACE)
    for name in PLACE:
        kept = None if name in nulls or is_new_place else getattr(held, name)
        assert getattr(found, name) == (is_said.get(name) or kept)
    for name in PERSON:
        kept = None if name in nulls else getattr(held, name)
        assert getattr(found, name) == (is_said.get(name) or kept)


@given(held=addresses, said=addresses, nulls=nulls)
def test_merging_the_same_address_again_changes_nothing(
    held: Address, said: Address, nulls: set[str]
) -> None:
    once = merge_address(held, said, tuple(nulls))

    assert merge_address(once, said, tuple(nulls)) == once


def test_upsert_and_update_change_an_address_alike():
    ends = []
    said = {"address": Address(phone="+49 30 2"), "address_nulls": ("company",)}
    for command in (lambda: update(**said), lambda: upsert(ref(), fields(**said))):
        desk = Desk()
        desk.send(place(address=HELD))
        desk.send(command())
        ends.append(desk.order().placement.address)

    assert ends[0] == ends[1]
    assert ends[0].phone == "+49 30 2"
    assert ends[0].company is None
    assert ends[0].city == "Berlin"


def _decoded(type_: str, body: dict[str, Any]) -> Any:
    at = Coordinates("orders.commands", 0, 0)
    headers = (("ce_type", type_.encode()),)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    (entry,) = read(Original(at, b"k", headers, json.dumps(body).encode(), now), now)
    assert isinstance(entry, DecodedItem), entry
    return entry.command


ADDRESS = {"zip_code": "10115", "phone": None, "company": "", "city": "Berlin"}
NULLS = {"company", "phone"}
ORDER = {"order_number": "1", "address": ADDRESS, "order_analytics": {"source": None, "a": 1}}


@pytest.mark.parametrize("more", [{}, {"unknown": 1}], ids=["twin", "contract"])
def test_null_members_of_addresses_are_read_in_every_command(more):
    placed = _decoded("order.place", {"shop_slug": "s", "order": ORDER, **more})
    upserted = _decoded("order.upsert", {"shop_slug": "s", "id": "1", "order": ORDER, **more})
    updated = _decoded("order.update", {"shop_slug": "s", "id": "1", "address": ADDRESS, **more})
    items = [{"id": "1", "order": ORDER, **more}]
    in_bulk = _decoded("orders.fulfill_bulk", {"shop_slug": "s", "items": items})

    assert isinstance(placed, PlaceOrder)
    assert isinstance(upserted, UpsertOrder)
    assert isinstance(updated, UpdateOrder)
    assert isinstance(in_bulk, UpsertOrder)
    assert set(updated.address_nulls) == NULLS
    for command in (placed, upserted, in_bulk):
        assert set(command.order.address_nulls) == NULLS
        assert command.order.analytics_nulls == ("source",)
        assert command.order.order_analytics.extras == {"a": 1}


def test_null_keys_of_attribution_are_read_beside_the_order_and_alone():
    said = {"source": None, "medium": "cpc", "own": None}
    beside = _decoded("order.upsert", {"shop_slug": "s", "id": "1", "order_analytics": said})
    body = {"shop_slug": "s", "id": "1", "order_analytics": said}
    alone = _decoded("order.analytics.upsert", body)
    whole = _decoded("order.analytics.upsert", {**body, "replace": True})

    assert set(beside.analytics_nulls) == set(alone.analytics_nulls) == {"source", "own"}
    assert alone.order_analytics.extras == {}
    assert (alone.is_whole, whole.is_whole) == (False, True)
