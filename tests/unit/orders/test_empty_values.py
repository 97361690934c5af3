"""What shop systems and carriers send for null: `[]`, 0, and texts of white space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas import commands as contract
from schemas.repair import FACT
from schemas.tracking import TRACKING_REPORTED, TrackingReport
from services.orders.domain.model.order import Address
from services.orders.messages.decode import DecodedItem, read
from services.runtime.messages.records import Coordinates, Original
from tests.unit.orders.payloads import (
    BODIES,
    NOW,
    PLACEMENT,
    placed,
    plain,
    refused,
    taken,
    with_value,
)

SCAN = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-03-01T09:00:00Z"}
WHITE = (" ", "   ", "\t", "\r\n", "\u00a0", "\u2003 ", "\u3000", "\u0085", " \u1680\u2028")

Path = tuple[str | int, ...]


def optional_members(model: type[BaseModel], at: Path = ()) -> Iterator[tuple[Path, str, bool]]:
    """Each optional member: its path, "list", "object" or "value", and whether it is a fact."""
    for name, info in model.model_fields.items():
        place: Path = (*at, info.alias or name)
        inner = list(_models_in(info.annotation))
        is_list = "list[" in str(info.annotation)
        if not info.is_required():
            kind = "list" if is_list else "object" if inner else "value"
            yield place, kind, FACT in info.metadata
        for each in inner:
            yield from optional_members(each, (*place, 0) if is_list else place)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


MEMBERS = [
    (type_, *member) for type_ in BODIES for member in optional_members(contract.MODELS[type_])
]
OBJECTS = [(t, path) for t, path, kind, is_fact in MEMBERS if kind == "object" and not is_fact]
LISTS = [(type_, path) for type_, path, kind, _ in MEMBERS if kind == "list"]
DESCRIBING = [
    (type_, path) for type_, path, kind, is_fact in MEMBERS if kind == "value" and not is_fact
]
IN_SCANS = [
    (path[2:], kind) for path, kind, _ in optional_members(TrackingReport) if path[0] == "scans"
]


def reported(scan: Any) -> Any:
    """The command, or the refusal, of a report with one scan."""
    body = {"tracking_number": "1Z999", "carrier_reference": "ups", "scans": [scan]}
    headers = (("ce_type", TRACKING_REPORTED.encode()), ("ce_id", b"r-1"), ("ce_source", b"/ups"))
    value = plain(body).encode()
    (entry,) = read(Original(Coordinates("carrier.tracking", 0, 1), None, headers, value, NOW), NOW)
    assert isinstance(entry, DecodedItem), entry
    return entry.command


def scan_with(path: Path, value: Any) -> dict[str, Any]:
    scan: dict[str, Any] = {**SCAN, "code": "PU"}
    holder = scan
    for step in path[:-1]:
        holder = holder.setdefault(step, {})
    holder[path[-1]] = value
    return scan


# `[]` for an object.


@pytest.mark.parametrize(("type_", "path"), OBJECTS, ids=str)
def test_empty_list_for_an_optional_object_is_null(type_, path):
    empty = taken(type_, with_value(type_, path, []))

    assert empty == taken(type_, with_value(type_, path, None))
    assert empty.warnings == ()


@pytest.mark.parametrize(("type_", "path"), LISTS, ids=str)
def test_empty_object_for_a_list_stays_malformed(type_, path):
    assert refused(type_, with_value(type_, path, {})) == ["".join(f"/{s}" for s in path)]


@pytest.mark.parametrize("path", [path for path, kind in IN_SCANS if kind == "object"], ids=str)
def test_empty_list_for_an_object_of_a_scan_is_null(path):
    empty = reported(scan_with(path, []))

    assert empty == reported(scan_with(path, None))
    assert empty.warnings == ()


@pytest.mark.parametrize(("type_", "path"), [*OBJECTS, *LISTS], ids=str)
@pytest.mark.parametrize("value", [False, True])
def test_false_for_an_object_or_a_list_stays_malformed(type_, path, value):
    assert refused(type_, with_value(type_, path, value)) == ["".join(f"/{s}" for s in path)]


def test_entry_of_a_describing_list_that_is_an_empty_list_is_no_entry():
    command = placed(products=[{"sku": "a", "images": [[]], "tax_lines": [[]]}], discounts=[[]])

    assert command == placed(products=[{"sku": "a"}], discounts=[])


@pytest.mark.parametrize(
    ("type_", "members", "pointer"),
    [
        ("order.place", {"order": []}, "/order"),
        ("order.place", {"order": {**PLACEMENT, "address": []}}, "/order/address"),
        ("order.upsert", {"id": "1", "order": []}, "/order"),
        ("order.update", {"id": "1", "address": []}, "/address"),
        ("order.analytics.upsert", {"id": "1", "order_analytics": []}, "/order_analytics"),
        ("orders.fulfill_bulk", {"items": {}}, "/items"),
    ],
)
def test_empty_value_for_a_needed_fact_stays_malformed(type_, members, pointer):
    assert refused(type_, {"shop_slug": "qa", **members}) == [pointer]


# 0 for an id.

IDS = [
    (type_, path)
    for type_, path, _, _ in MEMBERS
    if path[-1]
    in (
        "line_id",
        "product_id",
        "variant_id",
        "external_id",
        "external_customer_id",
        "external_shipment_id",
    )
]


@pytest.mark.parametrize(("type_", "path"), IDS, ids=str)
@pytest.mark.parametrize("none", [0, "0", " 0 "])
def test_id_of_0_in_the_shop_system_is_null(type_, path, none):
    empty = taken(type_, with_value(type_, path, none))

    assert empty == taken(type_, with_value(type_, path, None))
    assert empty.warnings == ()


@pytest.mark.parametrize("sku", ["0", 0])
def test_sku_of_0_is_a_sku(sku):
    command = placed(products=[{"sku": sku, "variant_id": 10, "line_id": "00"}])

    (line,) = command.order.products
    assert (line.sku, line.variant_id, line.line_id) == ("0", "10", "00")


def test_reference_to_an_order_of_0_is_a_reference():
    body = {"shop_slug": "qa", "id": "0", "id_type": "external_id"}

    assert taken("order.cancel", body).reference.value == "0"


# Texts of white space.


@pytest.mark.parametrize(("type_", "path"), DESCRIBING, ids=str)
def test_text_of_white_space_is_null_wherever_a_member_describes(type_, path):
    for blank in WHITE:
        empty = taken(type_, with_value(type_, path, blank))

        assert empty == taken(type_, with_value(type_, path, None)), blank
        assert empty.warnings == ()


@pytest.mark.parametrize("path", [path for path, kind in IN_SCANS if kind == "value"], ids=str)
def test_text_of_white_space_in_a_scan_is_null(path):
    for blank in WHITE:
        empty = reported(scan_with(path, blank))

        assert empty == reported(scan_with(path, None)), blank
        assert empty.warnings == ()


@given(blank=st.text([c for c in map(chr, range(0x10000)) if c.isspace()], min_size=1))
def test_city_of_white_space_is_no_place(blank):
    body = {"shop_slug": "qa", "id": "1", "address": {"city": blank, "phone": "+49"}}

    command = taken("order.update", body)

    assert command == taken("order.update", body | {"address": {"city": "", "phone": "+49"}})
    assert (command.address, command.address_nulls) == (Address(phone="+49"), ("city",))


def test_name_of_white_space_stays_malformed():
    assert refused("order.cancel", {"shop_slug": "qa", "id": " "}) == ["/id"]
