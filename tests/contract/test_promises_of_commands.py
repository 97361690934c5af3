"""Promises about commands, held against the records that messages of shops end in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.orders.messages.decode import read
from services.runtime.messages.headers import read_headers
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection
from tests.contract.shop import ADDRESS, TRACE, Shop, bodies
from tests.unit.orders.builders import NOON

PRODUCTS = [{"sku": "MUG", "quantity": 2}, {"sku": "TEE", "quantity": 1}]
PLACEMENT = {"order_number": "1", "address": ADDRESS}


def test_empty_list_of_a_tracking_is_everything_and_never_takes_a_list_away() -> None:
    shop = Shop()
    shop.place(products=PRODUCTS)

    def contents(products: list[Any] | None, type_: str = "order.upsert") -> list[str] | None:
        """The skus in the parcel after a command says `products` of it."""
        parcel: dict[str, Any] = {"tracking_number": "1Z999", "products": products}
        said = {"trackings": [parcel]} if type_ == "order.upsert" else parcel
        events = bodies(shop.send(type_, **said))
        if not events:
            return None
        (shown,) = events[-1]["context"]["shipments"]
        return [each["sku"] for each in shown["products"]]

    assert contents([]) == ["MUG", "TEE"]
    assert contents([{"sku": "MUG", "quantity": 1}]) == ["MUG"]
    assert contents([]) is None
    assert contents(None) is None
    assert contents([], "shipment.update") == []


def test_items_of_a_bulk_command_about_one_order_are_applied_in_their_order() -> None:
    shop = Shop()
    items = [
        {"id": "1", "order": {**PLACEMENT, "address": {"city": city}}}
        for city in ("Bonn", "Berlin", "Bremen")
    ]

    records = shop.send("orders.fulfill_bulk", items=items)

    events = bodies(records)
    assert [event["event_name"] for event in events] == ["ORDER_PLACED", *["ORDER_UPDATED"] * 2]
    cities = [event["context"]["order"]["address"]["city"] for event in events]
    assert cities == ["Bonn", "Berlin", "Bremen"]
    outcomes = [json.loads(each.value) for each in records if each.topic == "orders.outcomes"]
    assert [each["index"] for each in outcomes] == [0, 1, 2]
    for event, outcome in zip(events, outcomes, strict=True):
        assert event["order_version"] <= outcome["order_version"] <= events[-1]["order_version"]


def test_outcome_has_the_key_of_the_command_and_the_version_that_shows_its_effect() -> None:
    shop = Shop()
    *events, outcome = shop.send(
        "order.upsert", order=PLACEMENT, trackings=[{"tracking_number": "1Z999"}]
    )

    body = json.loads(outcome.value)
    assert (outcome.topic, outcome.key) == ("orders.outcomes", b"qa/1")
    assert (body["command_id"], body["outcome"]) == ("1", "applied")
    assert [event["order_version"] for event in bodies(events)] == [1, 2]
    assert body["order_version"] == 2


def test_headers_of_what_a_command_causes_name_command_order_and_trace() -> None:
    shop = Shop()
    shop.place()

    records = shop.attach("1Z999")

    found = [dict(read_headers(each.headers)) for each in records]
    order_id = bodies(records)[0]["order_id"].encode()
    assert [each.topic for each in records] == [
        "orders.events",
        "shipments.events",
        "orders.outcomes",
    ]
    for headers in found:
        assert headers["ce_specversion"] == b"1.0"
        assert headers["content-type"] == b"application/json"
        assert headers["ce_causationid"] == b"2"
        assert headers["ce_subject"] == order_id
        assert headers["traceparent"] == TRACE.encode()
    numbers = [(each.get("ce_sequence"), each.get("ce_orderversion")) for each in found]
    assert numbers == [(b"2", b"2"), (b"1", b"3"), (None, None)]


@pytest.mark.parametrize(
    ("type_", "members", "pointer"),
    [
        ("order.update", {"id": 1}, "/id"),
        ("order.update", {"shop_slug": 1}, "/shop_slug"),
        ("order.update", {"id_type": "colour"}, "/id_type"),
        ("order.place", {"order": {**PLACEMENT, "order_number": 1}}, "/order/order_number"),
        ("order.place", {"order": {"order_number": "1"}}, "/order/address"),
        ("order.place", {"order": {**PLACEMENT, "currency": 978}}, "/order/currency"),
        ("order.place", {"order": {**PLACEMENT, "email_id": 1}}, "/order/email_id"),
        ("order.place", {"order": {**PLACEMENT, "weight": {}}}, "/order/weight"),
        (
            "order.place",
            {"order": {**PLACEMENT, "products": [{"sku": "MUG"}] * 501}},
            "/order/products",
        ),
        (
            "order.place",
            {"order": {**PLACEMENT, "products": [{"quantity": -1}]}},
            "/order/products/0/quantity",
        ),
        ("order.upsert", {"trackings": [{}]}, "/trackings/0/tracking_number"),
        (
            "order.upsert",
            {"trackings": [{"tracking_number": 12345}]},
            "/trackings/0/tracking_number",
        ),
        ("order.upsert", {"trackings": [{"tracking_number": "1Z999"}] * 201}, "/trackings"),
        (
            "order.upsert",
            {"trackings": [{"tracking_number": "1Z999", "tracking_url": 1}]},
            "/trackings/0/tracking_url",
        ),
        (
            "order.upsert",
            {"trackings": [{"tracking_number": "1Z999", "carrier_reference": 1}]},
            "/trackings/0/carrier_reference",
        ),
        (
            "shipment.update",
            {"tracking_number": "1Z999", "carrier_reference": "DHL Paket!"},
            "/carrier_reference",
        ),
    ],
)
def test_fact_that_is_missing_or_wrong_is_malformed(
    type_: str, members: dict[str, Any], pointer: str
) -> None:
    value = json.dumps({"shop_slug": "qa", "id": "1", **members}).encode()
    headers = (("ce_type", type_.encode()),)

    (entry,) = read(Original(Coordinates("orders.commands", 0, 0), b"", headers, value, NOON), NOON)

    assert isinstance(entry, Rejection)
    assert entry.reason == "invalid_fields"
    assert [each.pointer for each in entry.errors] == [pointer]
