"""Everyday payloads for `orderflow send`: sent where the services take them, with the warnings."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orderflow.send.prepare import Lines, prepare
from schemas.claims import CLAIM_OPEN, CLAIM_UPDATE
from schemas.commands import (
    ORDER_PLACE,
    ORDER_UPDATE,
    ORDER_UPSERT,
    ORDERS_FULFILL_BULK,
    SHIPMENT_UPDATE,
)
from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS
from schemas.tracking import TRACKING_REPORTED
from services.claims.messages.decode import read_command
from services.orders.domain.model.reasons import CommandRefused
from services.orders.domain.rules.check_number import check_numbers
from services.orders.messages.decode import DecodedItem, Entry, read
from services.runtime.messages.records import Coordinates, Malformed, Original
from tests.unit.orders.mutations import example_messages, mutated, synthetic_messages

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
GOOD_SCAN = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-05-04T09:00:00Z"}
SHOP = {"shop_slug": "qa", "id": "1"}
CLAIM = {**SHOP, "reason": "damage", "tracking_number": "1Z999"}
CLAIM_ID = "7ce7c1e0-0000-5000-8000-000000000001"


def placed(**members: Any) -> tuple[str, dict[str, Any]]:
    order = {"order_number": "1", "address": {"zip_code": "10115"}, **members}
    return ORDER_PLACE, {"shop_slug": "qa", "order": order}


def address(**members: Any) -> tuple[str, dict[str, Any]]:
    return placed(address=members)


def line(**members: Any) -> tuple[str, dict[str, Any]]:
    return placed(products=[{"sku": "MUG", "quantity": 1, **members}])


def report(*scans: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return TRACKING_REPORTED, {"tracking_number": "1Z999", "scans": [GOOD_SCAN, *scans]}


def scan(**members: Any) -> tuple[str, dict[str, Any]]:
    return report({**GOOD_SCAN, "event_name": "SORTED", **members})


def bulk(*items: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return ORDERS_FULFILL_BULK, {"shop_slug": "qa", "items": list(items)}


def prepared(*sent: tuple[str, dict[str, Any]]) -> Lines:
    return prepare([json.dumps({"type": t, "value": v}).encode() for t, v in sent], NOW)


TAKEN_SILENTLY = {
    "empty texts": placed(email_id="", external_id="", discount_price="", currency=""),
    "no postal code": address(city="Hong Kong", country_code="HK"),
    "slash in the order number": placed(order_number="SO/2026/0042"),
    "display name": placed(order_name="#1001"),
    "no parcel expected": placed(expected_number_of_shipments=0),
    "country in lower case": address(country_code="de"),
    "Unicode form D": placed(order_number="Mu\u0308tze"),
    "tax rates and weights": line(
        tax_lines=[{"rate": "0.08875"}], weight="453.59237", price="5.504587"
    ),
    "numbers for texts": line(sku=123, variant_id=39072856),
    "never ordered": (
        SHIPMENT_UPDATE,
        {**SHOP, "tracking_number": "1Z999", "products": [{"sku": "GIFT", "quantity": 1}]},
    ),
    "claim with empty texts": (CLAIM_OPEN, {**CLAIM, "description": "", "image_urls": [""]}),
    "scan without a picture": scan(proof={"image_url": ""}),
    "integer of more than 64 bits": (ORDER_UPDATE, {**SHOP, "unknown": 10**30}),
}


@pytest.mark.parametrize("sent", TAKEN_SILENTLY.values(), ids=TAKEN_SILENTLY)
def test_everyday_line_is_sent_without_a_warning(sent: tuple[str, dict[str, Any]]) -> None:
    read = prepared(sent)

    assert (len(read.messages), read.flaws, read.doubts) == (1, [], [])


WARNED = {
    "line of quantity 0": (line(quantity=0), "line_left_out", "/order/products/0"),
    "UK": (address(country_code="UK"), "value_read_as", "/order/address/country_code"),
    "EL": (address(country_code="EL"), "value_read_as", "/order/address/country_code"),
    "DEU": (address(country_code="DEU"), "value_read_as", "/order/address/country_code"),
    "Germany": (address(country_code="Germany"), "value_read_as", "/order/address/country_code"),
    "no country": (address(country_code="Narnia"), "value_left_out", "/order/address/country_code"),
    "grouped amount": (
        placed(total_order_price="1,234.50"),
        "value_read_as",
        "/order/total_order_price",
    ),
    "time without offset": (
        placed(order_placed_at="2026-02-28T18:04:11"),
        "value_read_as",
        "/order/order_placed_at",
    ),
    "segments as one text": (placed(segments="vip, new"), "value_read_as", "/order/segments"),
    "address of an update": (
        (ORDER_UPDATE, {**SHOP, "address": {"zip_code": "1", "country_code": "UK"}}),
        "value_read_as",
        "/address/country_code",
    ),
    "link of a parcel": (
        (ORDER_UPSERT, {**SHOP, "trackings": [{"tracking_number": "1Z9", "tracking_url": "-"}]}),
        "value_left_out",
        "/trackings/0/tracking_url",
    ),
    "scan of the year 0001": (
        scan(occurred_at="0001-01-01T00:00:00Z"),
        "entry_left_out",
        "/scans/1",
    ),
    "scan with a long reason": (scan(reason="r" * 80), "text_cut", "/scans/1/reason"),
    "scan with a bad picture": (
        scan(proof={"image_url": "no link"}),
        "value_left_out",
        "/scans/1/proof/image_url",
    ),
    "ETA that ends before it begins": (
        scan(eta={"from": "2026-05-06", "to": "2026-05-04"}),
        "value_left_out",
        "/scans/1/eta",
    ),
    "item of a bulk command": (
        bulk({"id": "1", "trackings": [{"tracking_number": "1Z9", "tracking_url": "-"}]}),
        "value_left_out",
        "/trackings/0/tracking_url",
    ),
    "long description of a claim": (
        (CLAIM_OPEN, {**CLAIM, "description": "d" * 5000}),
        "text_cut",
        "/description",
    ),
    "price in a claim": (
        (
            CLAIM_OPEN,
            {**CLAIM, "selected_items": [{"sku": "a", "quantity": 1, "net_price": "10,88"}]},
        ),
        "value_read_as",
        "/selected_items/0/net_price",
    ),
    "picture of a claim": (
        (CLAIM_UPDATE, {"shop_slug": "qa", "claim_id": CLAIM_ID, "image_urls": ["no link"]}),
        "entry_left_out",
        "/image_urls/0",
    ),
}


@pytest.mark.parametrize(("sent", "code", "pointer"), WARNED.values(), ids=WARNED)
def test_everyday_line_is_sent_with_the_warning(
    sent: tuple[str, dict[str, Any]], code: str, pointer: str
) -> None:
    read = prepared(("order.cancel", SHOP), sent)

    assert [message.line for message in read.messages] == [1, 2]
    assert read.flaws == []
    found = [
        (each.line, each.found.warning.code, each.found.warning.pointer) for each in read.doubts
    ]
    assert found == [(2, code, pointer)]


def test_warning_of_a_bulk_command_names_its_item() -> None:
    parcel = {"tracking_number": "1Z9", "tracking_url": "-"}

    read = prepared(bulk({"id": "1"}, {"id": "2", "trackings": [parcel]}))

    (doubt,) = read.doubts
    start = "line 1, item 1: /trackings/0/tracking_url: warning value_left_out: a text of 1 "
    assert str(doubt).startswith(start)


def test_bad_line_has_no_warnings() -> None:
    read = prepared(
        bulk({"id": "1", "trackings": [{"tracking_number": "1Z9", "tracking_url": "-"}]}, {})
    )

    assert (read.messages, read.doubts) == ([], [])
    assert [flaw.pointer for flaw in read.flaws] == ["/items/1/id"]


def _is_taken(topic: str, headers: tuple[tuple[str, bytes], ...], value: bytes) -> bool:
    original = Original(Coordinates(topic, 0, 0), b"k", headers, value, NOW)
    if topic != CLAIMS_COMMANDS:
        return all(map(_is_decidable, read(original, NOW)))
    try:
        read_command(original)
    except Malformed:
        return False
    return True


def _is_decidable(entry: Entry) -> bool:
    """Whether a decision is not sure to refuse the item for its tracking numbers."""
    if not isinstance(entry, DecodedItem):
        return False
    try:
        check_numbers(entry.command)
    except CommandRefused:
        return False
    return True


def test_line_is_sent_exactly_where_the_service_takes_its_message() -> None:
    sources = [*example_messages(), *synthetic_messages(), *example_messages((CLAIMS_COMMANDS,))]
    counts = {True: 0, False: 0}
    for topic, type_, value in mutated(11, 1500, sources):
        try:
            body = json.loads(value)
        except ValueError:
            continue  # Not to be written as a line.
        if not isinstance(body, dict):
            continue
        written = b'{"type":"%b","value":%b}' % (type_.encode(), value)
        prepared_line = prepare([written], NOW)
        is_taken = _is_taken(topic, (("ce_type", type_.encode()),), value)
        assert bool(prepared_line.messages) == is_taken, (written, prepared_line.flaws)
        counts[is_taken] += 1
    assert min(counts.values()) > 100, counts
    assert CARRIER_TRACKING in {topic for topic, _, _ in sources}
