"""Histories of orders as events, and the rows of the fact tables after them."""

from uuid import UUID

from services.analytics.domain.decide import newest_facts
from services.analytics.messages.decode import read_facts
from services.analytics.store import _claim_row, _order_row, _parcel_row
from tests.unit.analytics.builders import (
    a_claim_event,
    a_parcel,
    a_record,
    an_order_event,
    delivered,
)

ARRIVED = delivered("2026-03-02T08:00:00Z", "2026-03-04T10:00:00Z")
KEYS = {"order_fact": "order_id", "parcel_fact": "shipment_id", "claim_fact": "claim_id"}


async def stored(connection):
    """All facts as the tables hold them."""
    return {
        table: [
            tuple(map(_plain, row))
            for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY {key}")
        ]
        for table, key in KEYS.items()
    }


def _plain(value):
    """A value as a statement is given it."""
    if isinstance(value, list):
        return f"{{{','.join(map(str, value))}}}"
    return str(value) if isinstance(value, UUID) else value


def history(number, claims=True):
    """The life of one order: placed, fulfilled in two parcels, one taken away, one delivered.

    Its last event is cut for size and has no item value.
    """
    yield an_order_event(number, 1, expected_number_of_shipments=2)
    yield an_order_event(number, 2, [a_parcel(number), a_parcel(number, 2)])
    moving = a_parcel(number, phase="in_transit", first_scan_at="2026-03-02T08:00:00Z")
    yield an_order_event(number, 3, [moving, a_parcel(number, 2)], topic="shipments.events")
    free = a_parcel(number, 2, draft=True, tracking_number=None)
    yield an_order_event(number, 4, [moving, free], topic="shipments.events")
    arrived = a_parcel(number, **ARRIVED)
    arriving = {"topic": "shipments.events", "promised_delivery_date": "2026-03-03"}
    yield an_order_event(number, 5, [arrived, free], **arriving)
    cut = {"truncated": True, "sub_total_price": None, "products": []}
    yield an_order_event(number, 6, [arrived, free], **arriving, **cut)
    if claims:
        yield a_claim_event(number, 1)
        yield a_claim_event(number, 2, status="accepted", event_name="updated")


def expected_rows(events):
    """The rows that the tables should hold, from the pure functions of the domain."""
    facts = newest_facts(read_facts(a_record(event)) for event in events)
    return {
        "order_fact": [_order_row(f) for _, f in sorted(facts.orders.items())],
        "parcel_fact": [_parcel_row(f) for _, f in sorted(facts.parcels.items())],
        "claim_fact": [_claim_row(f) for _, f in sorted(facts.claims.items())],
    }


def without_complete_version(tables):
    orders = [row[:2] + row[3:] for row in tables["order_fact"]]
    return {**tables, "order_fact": orders}
