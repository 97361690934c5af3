"""Payloads as shop systems send them: what only describes never costs the order."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.repair import RepairCode
from services.orders.domain.model.order import Address
from services.orders.domain.model.warnings import WarningCode
from services.orders.messages.decode import DecodedItem, alone, read_item
from services.runtime.rejections import Rejection
from tests.unit.orders.payloads import (
    NOW,
    PLACEMENT,
    placed,
    read_all,
    refused,
    taken,
    warned,
)

WOOCOMMERCE = {
    "order_number": "4711",
    "external_id": "727",
    "order_placed_at": "2026-02-28T18:04:11",
    "currency": "EUR",
    "total_order_price": "29.35",
    "discount_price": "0.00",
    "shipping_price": "",
    "email_id": "",
    "external_customer_id": "0",
    "address": {
        "name": "Ada Example",
        "company": "",
        "address_line_1": "Beispielweg 1",
        "address_line_2": "",
        "city": "Wien",
        "zip_code": "1010",
        "province": "",
        "province_code": "",
        "country_code": "AT",
        "phone": "",
    },
    "products": [
        {
            "line_id": "315",
            "product_id": "93",
            "variant_id": "0",
            "sku": "",
            "title": "Becher",
            "quantity": 2,
            "price": Decimal("14.309999999999999"),
            "weight": "",
            "images": [{"src": "", "alt": ""}],
            "tax_lines": [{"title": "", "rate": "0.08875", "price": "2.5431", "currency": ""}],
        },
        {"line_id": "316", "title": "Gratis", "quantity": 0, "price": "0.00"},
    ],
    "segments": [""],
}
SHOPIFY = {
    "order_number": "#1001",
    "order_name": "#1001",
    "external_id": 450789469,
    "order_placed_at": "2026-02-28T13:04:11-05:00",
    "currency": "USD",
    "total_order_price": "598.94",
    "email_id": "bob@mail.example",
    "address": {
        "name": "Bob Example",
        "zip_code": "40202",
        "city": "Louisville",
        "country": "United States",
        "country_code": "US",
        "province": "Kentucky",
        "province_code": "KY",
    },
    "products": [
        {
            "line_id": 466157049,
            "product_id": 632910392,
            "variant_id": 39072856,
            "sku": "IPOD2008GREEN",
            "title": "IPod Nano",
            "quantity": 1,
            "price": "199.00",
            "weight": "453.59237",
            "images": [{"src": "//cdn.shop.example/ipod nano.png"}],
            "tax_lines": [{"title": "State Tax", "rate": Decimal("0.06"), "price": "3.98"}],
        }
    ],
    "segments": "vip, newsletter",
}
WAREHOUSE = {
    "order_number": "SO/2026/0042",
    "external_id": "  ",
    "order_placed_at": "2026-02-28",
    "promised_delivery_date": "2026-03-05T00:00:00",
    "total_order_price": "1.234,50",
    "weight": "12,5",
    "address": {"name": "Maße AG", "city": "Hong Kong", "zip_code": None, "country_code": "HKG"},
    "products": [{"sku": "K-7 ", "quantity": "3.000"}, {"sku": "K-8", "quantity": "0"}],
}


def test_warning_codes_of_repairs_are_warning_codes():
    assert {code.value for code in RepairCode} <= {code.value for code in WarningCode}


# Whole payloads.


def test_order_of_woocommerce_is_taken():
    command = taken("order.upsert", {"shop_slug": "qa", "id": "4711", "order": WOOCOMMERCE})

    order, (line,) = command.order, command.order.products
    assert (order.email_id, order.shipping_price, order.segments) == (None, None, ())
    assert order.order_placed_at == datetime(2026, 2, 28, 18, 4, 11, tzinfo=UTC)
    assert order.address == Address(
        name="Ada Example",
        address_line_1="Beispielweg 1",
        city="Wien",
        zip_code="1010",
        country_code="AT",
    )
    assert (line.sku, line.weight, line.images) == (None, None, ())
    assert (line.price, line.tax_lines[0].rate) == (
        Decimal("14.309999999999999"),
        Decimal("0.08875"),
    )
    assert warned(command) == [
        ("value_read_as", "/order/order_placed_at"),
        ("entry_left_out", "/order/products/0/images/0"),
        ("line_left_out", "/order/products/1"),
    ]


def test_order_of_shopify_is_taken():
    command = taken("order.upsert", {"shop_slug": "qa", "id": "#1001", "order": SHOPIFY})

    order, (line,) = command.order, command.order.products
    assert (order.external_id, order.segments) == ("450789469", ("vip", "newsletter"))
    assert (line.line_id, line.product_id, line.variant_id) == (
        "466157049",
        "632910392",
        "39072856",
    )
    assert line.weight == Decimal("453.59237")
    assert line.images[0].src == "https://cdn.shop.example/ipod%20nano.png"
    assert warned(command) == [
        ("value_read_as", "/order/products/0/images/0/src"),
        ("value_read_as", "/order/segments"),
    ]


def test_order_of_a_warehouse_is_taken():
    body = {"shop_slug": "qa", "id": "SO/2026/0042", "order": WAREHOUSE}

    command = taken("order.upsert", body)

    order, (line,) = command.order, command.order.products
    assert (order.order_number, order.external_id) == ("SO/2026/0042", None)
    assert (order.total_order_price, order.weight) == (Decimal("1234.50"), Decimal("12.5"))
    assert order.promised_delivery_date == date(2026, 3, 5)
    assert (order.address.country_code, order.address.zip_code) == ("HK", None)
    assert (line.sku, line.quantity) == ("K-7", 3)
    assert ("value_read_as", "/order/address/country_code") in warned(command)
    assert ("line_left_out", "/order/products/1") in warned(command)


def test_clean_order_has_no_warnings():
    assert warned(placed(products=[{"sku": "a", "quantity": 2, "price": "12.95"}])) == []


# What stays malformed.


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"id": 7}, ["/id"]),
        ({"id": ""}, ["/id"]),
        ({"id": "  "}, ["/id"]),
        ({"id": None}, ["/id"]),
        ({"id_type": "isbn"}, ["/id_type"]),
        ({"shop_slug": ""}, ["/shop_slug"]),
        ({"order": [1]}, ["/order"]),
        ({"order": False}, ["/order"]),
        ({"order": {}}, ["/order/order_number", "/order/address"]),
        ({"order": {**PLACEMENT, "order_number": 1}}, ["/order/order_number"]),
        ({"order": {**PLACEMENT, "address": "Berlin"}}, ["/order/address"]),
        ({"order": {**PLACEMENT, "products": {}}}, ["/order/products"]),
        ({"order": {**PLACEMENT, "products": {"0": {}}}}, ["/order/products"]),
        ({"order": {**PLACEMENT, "products": False}}, ["/order/products"]),
        ({"order": {**PLACEMENT, "order_analytics": False}}, ["/order/order_analytics"]),
        ({"order": {**PLACEMENT, "address": []}}, ["/order/address"]),
        ({"trackings": [[]]}, ["/trackings/0"]),
        ({"order": {**PLACEMENT, "products": ["MUG"]}}, ["/order/products/0"]),
        ({"order": {**PLACEMENT, "currency": 7}}, ["/order/currency"]),
        ({"order": {**PLACEMENT, "weight": {"value": 3}}}, ["/order/weight"]),
        ({"order": {**PLACEMENT, "weight": True}}, ["/order/weight"]),
        (
            {"order": {**PLACEMENT, "expected_number_of_shipments": "many"}},
            ["/order/expected_number_of_shipments"],
        ),
        (
            {"order": {**PLACEMENT, "products": [{"quantity": 0}, {"quantity": "two"}]}},
            ["/order/products/1/quantity"],
        ),
        (
            {"order": {**PLACEMENT, "products": [{}, {"quantity": -1}]}},
            ["/order/products/1/quantity"],
        ),
        ({"trackings": [{"carrier_reference": "ups"}]}, ["/trackings/0/tracking_number"]),
        ({"trackings": [{"tracking_number": ""}]}, ["/trackings/0/tracking_number"]),
    ],
)
def test_what_is_malformed_is_refused_at_its_place_as_it_was_sent(members, pointers):
    body = {"shop_slug": "qa", "id": "1", "order": {**PLACEMENT}, **members}

    assert refused("order.upsert", body) == pointers


def test_refusal_names_only_what_is_malformed():
    lines = [{"quantity": 0}, {"quantity": "x", "price": "y"}]
    order = {**PLACEMENT, "products": lines, "weight": "heavy", "email_id": ""}

    assert refused("order.place", {"shop_slug": "qa", "order": order}) == [
        "/order/products/1/quantity"
    ]


def test_carrier_that_is_no_key_is_left_out_where_a_parcel_is_attached():
    tracking = {"tracking_number": "1Z999", "carrier_reference": "DHL Paket", "tracking_url": "x"}

    command = taken("order.upsert", {"shop_slug": "qa", "id": "1", "trackings": [tracking]})

    assert command.trackings[0].carrier_reference is None
    assert warned(command) == [
        ("value_left_out", "/trackings/0/carrier_reference"),
        ("value_left_out", "/trackings/0/tracking_url"),
    ]
    assert refused(
        "shipment.update",
        {"shop_slug": "qa", "id": "1", "tracking_number": "1Z9", "carrier_reference": "DHL P"},
    ) == ["/carrier_reference"]


# Bulk commands.


def test_bulk_item_that_is_malformed_is_refused_alone():
    items = [
        {"id": "1", "order": {**PLACEMENT, "weight": "heavy"}},
        "no object",
        None,
        {"id": "4", "order": {"order_number": "4"}},
        {"id": "5", "trackings": [{"tracking_number": "1Z999"}]},
    ]

    entries = read_all("orders.fulfill_bulk", {"shop_slug": "qa", "items": items})

    assert [type(each) for each in entries] == [
        DecodedItem,
        Rejection,
        Rejection,
        Rejection,
        DecodedItem,
    ]
    assert [each.errors[0].pointer for each in entries if isinstance(each, Rejection)] == [
        "/items/1",
        "/items/2",
        "/items/3/order/address",
    ]
    assert warned(entries[0].command) == [("value_left_out", "/order/weight")]
    assert warned(entries[4].command) == []


def test_bulk_command_whose_age_is_unreadable_is_taken_with_a_warning_for_each_item():
    body = {"shop_slug": "qa", "updated_at": "?", "items": [{"id": "1"}, {"id": "2"}]}

    entries = read_all("orders.fulfill_bulk", body)

    assert [warned(each.command) for each in entries] == [[("value_left_out", "/updated_at")]] * 2


def test_item_that_waits_is_read_again_with_the_same_warnings():
    items = [{"id": "1"}, {"id": "2", "order": {**PLACEMENT, "weight": "x", "order_number": "2"}}]
    *_, entry = read_all("orders.fulfill_bulk", {"shop_slug": "qa", "items": items})

    again = read_item(alone(entry), 1, NOW)

    assert repr(again.command) == repr(entry.command)
    assert warned(again.command) == [("value_left_out", "/order/weight")]
