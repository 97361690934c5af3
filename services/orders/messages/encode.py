"""Events and outcomes as Kafka records: Karla's body, CloudEvents headers."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Raw, Struct

from schemas.envelope import rfc3339
from schemas.outcomes import WARNINGS_MAX
from schemas.topics import ORDERS_OUTCOMES
from services.orders.domain.model.commands import ChangeCampaigns, Command, names
from services.orders.domain.model.decision import Decision, Event, ShipmentEventData
from services.orders.domain.model.order import Order
from services.orders.domain.model.references import ReferenceKind
from services.orders.domain.model.warnings import FactWarning
from services.orders.domain.value import replace
from services.orders.messages.decode import pointer_of
from services.orders.messages.members import joined, to_json, with_all_members
from services.orders.messages.snapshot import Context
from services.runtime.messages.headers import headers_by_place
from services.runtime.messages.records import Item
from services.runtime.outbox.outbox import Outgoing
from services.runtime.outcomes import OutcomeBody, Outcomes

SOURCE = "orderflow/orders"
OUTCOMES = Outcomes(ORDERS_OUTCOMES, SOURCE)
BODY_VERSION = 1


def event_record(event: Event, snapshot: Context, traceparent: str | None) -> Outgoing:
    """One event, keyed by its order; `snapshot` is the order after the decision."""
    headers = headers_by_place(
        type=event.type,
        source=SOURCE,
        id=event.event_id,
        time=rfc3339(event.occurred_at),
        subject=event.order_id,
        traceparent=traceparent,
        causation_id=event.causation_id,
        sequence=event.sequence,
        order_version=event.order_version,
    )
    key = event.order_id
    return Outgoing(event.topic, key.encode(), _body(event, snapshot), headers, key)


class _EventBody(Struct, gc=False):
    source: str
    ref: str
    event_name: str
    event_group: str | None
    version: int
    triggered_at: datetime
    shop_slug: str
    event_id: str
    order_id: str
    sequence: int
    order_version: int
    event_data: Raw
    context_truncated: bool
    context: Raw


class _DataStart(Struct, gc=False):
    """What `event_data` of every event says first."""

    event_id: str
    event_name: str
    event_group: str | None


class _ShipmentDataStart(_DataStart, gc=False, omit_defaults=True):
    """The day is left out where an instant is known."""

    shipment_id: str | None
    occurred_on: date | None = None


def _body(event: Event, snapshot: Context) -> bytes:
    name, group = event.event_name, event.event_group
    start: _DataStart
    if isinstance(event.data, ShipmentEventData):
        source, ref = "shipments", f"shipments/{event.data.phase}/{name}"
        start = _ShipmentDataStart(
            event.event_id, name, group, event.shipment_id, event.occurred_on
        )
    else:
        source, ref = "orders", f"orders/{name}"
        start = _DataStart(event.event_id, name, group)
    return to_json(
        _EventBody(
            source,
            ref,
            name,
            group,
            BODY_VERSION,
            event.triggered_at,
            event.shop,
            event.event_id,
            event.order_id,
            event.sequence,
            event.order_version,
            Raw(joined(to_json(start), to_json(with_all_members(event.data)))),
            snapshot.is_truncated,
            Raw(snapshot.json),
        )
    )


def outcome_record(
    item: Item, command: Command, decision: Decision, order: Order | None, now: datetime
) -> Outgoing:
    """What one command item became; `order` is the order it names, after the decision."""
    original, envelope = item.original, item.envelope
    at = original.coordinates
    body = OutcomeBody(
        command.causation_id,
        envelope.source,
        item.index,
        envelope.type,
        decision.outcome,
        decision.reason,
        decision.detail,
        getattr(command, "shop", None),
        decision.order_id,
        order.placement.order_number if order else _number_named(command),
        order.version if order else None,
        at.topic,
        at.partition,
        at.offset,
        now,
    )
    if order is None and isinstance(command, ChangeCampaigns):
        body.campaign_id = command.entry_id
    if decision.warnings:
        body.warnings = _in_message(decision.warnings[:WARNINGS_MAX], item)
        body.warnings_left_out = max(0, len(decision.warnings) - WARNINGS_MAX)
    return OUTCOMES.of_decision(original, envelope, body, now)


def _in_message(warnings: tuple[FactWarning, ...], item: Item) -> tuple[FactWarning, ...]:
    """Warnings with pointers from the root of the message."""
    root = pointer_of(item)
    return tuple(replace(each, pointer=root + each.pointer) for each in warnings)


def _number_named(command: Command) -> str | None:
    named = names(command).references
    return next((r.value for r in named if r.kind is ReferenceKind.ORDER_NUMBER), None)
