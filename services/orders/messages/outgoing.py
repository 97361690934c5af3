"""Events and outcomes as Kafka records: Karla's body, CloudEvents headers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from schemas.envelope import CloudEvent, rfc3339, write_headers
from schemas.outcomes import COMMAND_DECIDED
from services.orders.domain.commands import Command, ReferenceKind, names
from services.orders.domain.decision import Decision, Event, OrderFact, ShipmentFact, Topic
from services.orders.domain.order import Order
from services.orders.messages import context
from services.orders.messages.context import Context, dumps
from services.runtime.outbox import Outgoing
from services.runtime.records import KEY_MAX_BYTES, Item, named_uuid

SOURCE = "orderflow/orders"
OUTCOMES = "orders.outcomes"
BODY_VERSION = 1

_SOURCES = {Topic.ORDERS: "orders", Topic.SHIPMENTS: "shipments"}


def event_record(event: Event, snapshot: Context, traceparent: str | None) -> Outgoing:
    """One event, keyed by its order; `snapshot` is the order after the decision."""
    headers = CloudEvent(
        type=event.type.value,
        source=SOURCE,
        id=str(event.event_id),
        time=rfc3339(event.occurred_at),
        subject=str(event.order_id),
        traceparent=traceparent,
        causation_id=event.causation_id,
        sequence=event.sequence,
        order_version=event.order_version,
    )
    key = str(event.order_id)
    return Outgoing(
        event.topic.value, key.encode(), _body(event, snapshot), tuple(write_headers(headers)), key
    )


def _body(event: Event, snapshot: Context) -> bytes:
    return dumps(
        {
            "source": _SOURCES[event.topic],
            "ref": _ref(event),
            "event_name": event.event_name,
            "event_group": event.event_group,
            "version": BODY_VERSION,
            "triggered_at": event.triggered_at,
            "shop_slug": event.shop,
            "event_id": event.event_id,
            "order_id": event.order_id,
            "sequence": event.sequence,
            "order_version": event.order_version,
            "event_data": _event_data(event),
            "context_truncated": snapshot.is_truncated,
            "context": orjson.Fragment(snapshot.json),
        }
    )


def _ref(event: Event) -> str:
    if isinstance(event.data, ShipmentFact):
        return f"shipments/{event.data.phase}/{event.event_name}"
    return f"orders/{event.event_name}"


def _event_data(event: Event) -> dict[str, Any]:
    common = {
        "event_id": event.event_id,
        "event_name": event.event_name,
        "event_group": event.event_group,
    }
    match event.data:
        case OrderFact():
            return common | context.members(event.data)
        case ShipmentFact():
            told = context.members(event.data)
            windows = {name: context.eta(told[name]) for name in ("eta", "previous_eta")}
            return common | {"shipment_id": event.shipment_id} | told | windows


def outcome_record(
    item: Item, command: Command, decision: Decision, order: Order | None, now: datetime
) -> Outgoing:
    """What one command item became; `order` is the order it names, after the decision."""
    shard_by = str(decision.order_id) if decision.order_id else (item.original.key or b"").hex()
    body = {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value if decision.reason else None,
        "detail": decision.detail,
        "shop_slug": getattr(command, "shop", None),
        "order_id": decision.order_id,
        "order_number": order.order_number if order else _number_named(command),
        "order_version": order.version if order else None,
    }
    return _outcome(item, body, shard_by, now)


def refusal_record(item: Item, reason: str, detail: str, now: datetime) -> Outgoing:
    """The outcome of an item that could not be read, or waited too long."""
    body = {"outcome": "rejected", "reason": reason, "detail": detail}
    return _outcome(item, body, (item.original.key or b"").hex(), now)


def _number_named(command: Command) -> str | None:
    named = names(command).references
    return next((r.value for r in named if r.kind is ReferenceKind.ORDER_NUMBER), None)


def _outcome(item: Item, body: dict[str, Any], shard_by: str, now: datetime) -> Outgoing:
    at = item.original.coordinates
    headers = CloudEvent(
        type=COMMAND_DECIDED,
        source=SOURCE,
        id=str(named_uuid(f"outcome/{at}#{item.index}")),
        time=rfc3339(now),
        subject=str(body["order_id"]) if body.get("order_id") else None,
        traceparent=item.envelope.traceparent,
        causation_id=item.causation_id,
    )
    value = dumps(
        {
            "command_id": item.causation_id,
            "command_source": item.envelope.source,
            "index": item.index,
            "command_type": item.envelope.type,
            **body,
            "topic": at.topic,
            "partition": at.partition,
            "offset": at.offset,
            "decided_at": now,
        }
    )
    key = (item.original.key or b"")[:KEY_MAX_BYTES]
    return Outgoing(OUTCOMES, key, value, tuple(write_headers(headers)), shard_by)
