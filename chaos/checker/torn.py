"""State without its event, or an event without its state: tables against the last event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chaos.checker import tables as sources
from chaos.checker.findings import TORN
from chaos.checker.ledger import Ledger
from chaos.checker.tables import Tables, document
from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS


async def compare(ledger: Ledger, tables: Tables, orders: Collection[str] | None) -> None:
    """Compare what is stored of `orders` (None: of all) with their events."""
    with_events = set(ledger.orders if orders is None else orders)
    await _orders(ledger, tables, orders, with_events)
    await _copies(ledger, tables, orders, with_events)
    await _claims(ledger, tables, orders)
    await _facts(ledger, tables, orders, with_events)
    check_states(ledger, with_events)


def check_states(ledger: Ledger, with_events: Collection[str]) -> None:
    """The newest state on `orders.state` is that after the order's last event."""
    for order in sorted(with_events):
        record, state = ledger.orders[order], ledger.states.get(order, {})
        if not record.version:
            continue
        last = (state.get("event_data") or {}).get("last_sequences") or {}
        shown = (state.get("context") or {}).get("order") or {}
        pairs: dict[str, tuple[Any, Any]] = {
            "version": (state.get("order_version", 0), record.version),
            "events on orders.events": (last.get("orders", 0), record.last[ORDERS_EVENTS]),
            "events on shipments.events": (last.get("shipments", 0), record.last[SHIPMENTS_EVENTS]),
        }
        event = record.context.get("order") or {}
        pairs |= {name: (shown.get(name), event.get(name)) for name in ("status", "trackings")}
        _unequal(ledger, order, "orders.state", pairs)


async def _orders(
    ledger: Ledger, tables: Tables, orders: Collection[str] | None, with_events: set[str]
) -> None:
    stored = {row["order_id"]: row for row in await tables.rows(sources.ORDERS, orders)}
    for order, row in stored.items():
        record, body = ledger.orders[order], document(row)
        shown = record.context.get("order") or {}
        address = (body["placement"].get("address") or {}).get("city")
        pairs = {
            "version": (row["version"], record.version),
            "events on orders.events": (body["order_sequence"], record.last[ORDERS_EVENTS]),
            "events on shipments.events": (
                body["shipment_sequence"],
                record.last[SHIPMENTS_EVENTS],
            ),
            "status": (body["status"], shown.get("status")),
            "city": (address, (shown.get("address") or {}).get("city")),
        }
        _unequal(ledger, order, "orders.shop_order", pairs)
    for order in sorted(with_events - set(stored)):
        if ledger.orders[order].version:
            ledger.findings.add(TORN, order, "has events and no row in orders.shop_order")


async def _copies(
    ledger: Ledger, tables: Tables, orders: Collection[str] | None, with_events: set[str]
) -> None:
    stored = {row["order_id"]: row for row in await tables.rows(sources.COPIES, orders)}
    for order in sorted(with_events | set(stored)):
        record, row = ledger.orders[order], stored.get(order, {})
        pairs = {
            "version": (row.get("order_version", 0), record.version),
            "events on claims.events": (row.get("claim_sequence", 0), record.last[CLAIMS_EVENTS]),
        }
        _unequal(ledger, order, "claims.order_copy", pairs)


async def _claims(ledger: Ledger, tables: Tables, orders: Collection[str] | None) -> None:
    stored = await tables.rows(sources.CLAIMS, orders)
    facts = {row["claim_id"]: row for row in await tables.rows(sources.CLAIM_FACTS, orders)}
    for row in stored:
        _, state = ledger.claims.get(row["claim_id"], (0, {}))
        fact = facts.get(row["claim_id"], {})
        subject = f"claim {row['claim_id']} of {row['order_id']}"
        pairs = {"status": (row["status"], state.get("status"))}
        _unequal(ledger, subject, "claims.claim", pairs)
        pairs = {"status": (fact.get("status"), state.get("status"))}
        _unequal(ledger, subject, "analytics.claim_fact", pairs)
    for claim in set(facts) - {row["claim_id"] for row in stored}:
        ledger.findings.add(TORN, f"claim {claim}", "is in analytics and not in claims")


async def _facts(
    ledger: Ledger, tables: Tables, orders: Collection[str] | None, with_events: set[str]
) -> None:
    stored = {row["order_id"]: row for row in await tables.rows(sources.ORDER_FACTS, orders)}
    phases = {row["shipment_id"]: row for row in await tables.rows(sources.PARCEL_FACTS, orders)}
    for order in sorted(with_events | set(stored)):
        record, row = ledger.orders[order], stored.get(order, {})
        if not record.version:
            continue
        shown = record.context.get("order") or {}
        pairs = {
            "version": (row.get("version"), record.version),
            "status": (row.get("status"), shown.get("status")),
            "parcels": (row.get("expected_parcels"), shown.get("expected_number_of_shipments")),
        }
        _unequal(ledger, order, "analytics.order_fact", pairs)
        for parcel in record.context.get("shipments") or ():
            # A draft is no parcel, also where it had a number that was taken off.
            right = parcel["phase"] if parcel.get("tracking_number") else None
            found = phases.get(parcel["shipment_id"], {}).get("phase")
            subject = f"{order}/{parcel['shipment_id']}"
            _unequal(ledger, subject, "analytics.parcel_fact", {"phase": (found, right)})


def _unequal(
    ledger: Ledger, subject: str, table: str, pairs: Mapping[str, tuple[object, object]]
) -> None:
    for name, (stored, published) in pairs.items():
        if stored != published:
            text = f"{table}: {name} is {stored} in the table and {published} by the events"
            ledger.findings.add(TORN, subject, text)
