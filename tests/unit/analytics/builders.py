"""Builders of events of the orders and claims services, with the members analytics reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.identity import claim_id, event_id, order_id, shipment_id
from services.runtime.messages.records import Coordinates, Original

SHOP = "demo-shop"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_parcel(number: str = "1001", ordinal: int = 1, **changes: Any) -> dict[str, Any]:
    """A parcel as in `context.shipments`, without a scan."""
    parcel = {
        "shipment_id": str(shipment_id(order_id(SHOP, number), ordinal)),
        "ordinal": ordinal,
        "draft": False,
        "tracking_number": f"{number}-{ordinal}",
        "carrier_reference": "dhl",
        "phase": "order_processed",
        "flag": "normal",
        "direction": "merchant_customer",
        "attempts": 0,
    }
    return parcel | changes


def delivered(first_scan_at: str, delivered_at: str, **changes: Any) -> dict[str, Any]:
    """Changes that make a parcel a delivered one."""
    times = {"first_scan_at": first_scan_at, "delivered_at": delivered_at}
    return {"phase": "delivered", "state": "delivered"} | times | changes


def an_order_event(
    number: str = "1001",
    version: int = 1,
    parcels: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """An event with the whole order in its context; `changes` are members of the order."""
    order = order_id(SHOP, number)
    parcels = parcels or []
    topic = changes.pop("topic", "orders.events")
    truncated = changes.pop("truncated", False)
    shop = changes.pop("shop", SHOP)
    placed = {
        "uuid": str(order),
        "shop_slug": shop,
        "order_number": number,
        "status": "placed",
        "expected_number_of_shipments": max(1, len(parcels)),
        "placed_at": "2026-03-01T09:30:00Z",
        "currency": "EUR",
        "sub_total_price": "25.90",
        "address": {"zip_code": "10115", "country_code": "DE"},
        "trackings": parcels,
    }
    return {
        "source": topic.partition(".")[0],
        "ref": "orders/ORDER_UPDATED",
        "event_name": "ORDER_UPDATED",
        "version": 1,
        "triggered_at": "2026-03-01T09:30:01Z",
        "shop_slug": shop,
        "event_id": str(event_id(order, topic, version)),
        "order_id": str(order),
        "sequence": version,
        "order_version": version,
        "event_data": {},
        "context_truncated": truncated,
        "context": {"order": placed | changes, "shipments": parcels, "claims": []},
    }


def a_sale(campaign: str | None = None, price: str = "0", **changes: Any) -> dict[str, Any]:
    """Members of an order that cost `price`, credited to a campaign; `changes` go before them.

    `shown` is the campaign of its page, `test` the test that chose it, `session` the visit.
    """
    shown, test = changes.pop("shown", None), changes.pop("test", None)
    session, discount = changes.pop("session", None), changes.pop("discount", "0")
    currency = changes.get("currency", "EUR")
    credit = {
        "campaign_id": campaign,
        "method": "discount",
        "confidence": "medium",
        "revenue": price,
        "discount": discount,
        "currency": currency,
        "session_id": session,
    }
    touch = {"method": "discount", "confidence": "medium", "outcome": "credited"}
    choice = {
        "stage": "placement",
        "at": "2026-03-01T09:30:00Z",
        "rule": "ab_test" if test else "only_match",
        "campaign_id": shown,
        "test_id": test,
        "is_held_out": bool(test) and shown is None,
    }
    sale: dict[str, Any] = {"total_order_price": price, "discount_price": discount}
    if campaign is not None:
        sale["attribution"] = {"version": 1, "credit": credit, "touches": [touch]}
    elif session is not None:
        sale["order_analytics"] = {"session_id": session}
    if shown is not None or test is not None:
        sale["campaign"] = choice
    return sale | changes


def a_claim_event(
    number: str = "1001", sequence: int = 1, opened_by: str = "a", **changes: Any
) -> dict[str, Any]:
    """A claim event; `changes` are members of its data."""
    order = order_id(SHOP, number)
    event = an_order_event(number, 1)
    data = {
        "claim_id": str(claim_id(order, opened_by)),
        "event_name": "created",
        "shipment_id": str(shipment_id(order, 1)),
        "reason": "damage",
        "status": "pending",
        "created_at": "2026-03-08T08:00:00Z",
    }
    return event | {
        "source": "claims",
        "ref": "claims/created",
        "event_name": "created",
        "event_id": str(event_id(order, "claims.events", sequence)),
        "sequence": sequence,
        "event_data": data | changes,
    }


def a_snapshot(last: dict[str, Any], claims: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """A snapshot event: the order as in its last event, each claim as in the claim's last event."""
    newest: dict[str, dict[str, Any]] = {}
    for event in sorted(claims, key=lambda event: event["sequence"]):
        data = event["event_data"]
        newest[data["claim_id"]] = {
            "claim_id": data["claim_id"],
            "status": data["status"],
            "sequence": event["sequence"],
            "event_data": data,
        }
    return last | {
        "source": "orders",
        "ref": "orders/ORDER_SNAPSHOT",
        "event_name": "ORDER_SNAPSHOT",
        "triggered_at": "2026-05-01T00:00:00Z",
        "context": last["context"] | {"claims": list(newest.values())},
    }


def an_activity(number: str = "1001", **changes: Any) -> dict[str, Any]:
    """An impression of a campaign on the page of an order, in a visit that may be recognised."""
    activity = {
        "shop_slug": SHOP,
        "id": number,
        "activity_id": None,
        "kind": "impression",
        "widget": "basic",
        "campaign_id": "spring",
        "session_id": "session-1",
        "consent": True,
        "occurred_at": "2026-03-01T10:00:00Z",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
    }
    return activity | changes


def an_activity_record(
    body: Any, offset: int = 0, *, source: str | None = "/shops/demo-shop", **headers: str
) -> Original:
    """A record of `portal.activity`, sent at noon unless a header says otherwise."""
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {"ce_type": "portal.activity", **headers} | ({"ce_source": source} if source else {})
    sent = tuple((name, text.encode()) for name, text in named.items())
    return Original(Coordinates("portal.activity", 0, offset), b"key", sent, value, NOON)


def a_record(body: Any, topic: str | None = None, offset: int = 0) -> Original:
    """A record as the consumer passes it on; bytes are used as they are."""
    value = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
    source = body.get("source") if isinstance(body, dict) else "orders"
    at = Coordinates(topic or f"{source}.events", 0, offset)
    return Original(at, b"key", (), value, NOON)


def parcel_id(number: str, ordinal: int = 1) -> str:
    """The id of an order's parcel."""
    return str(shipment_id(order_id(SHOP, number), ordinal))
