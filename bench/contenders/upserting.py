"""What both comparison programs decide: one `order.upsert` makes or changes one order.

Plain pydantic over the public contract, as a first version of such a service has it: an order is
named by its number, no parcel is drafted, and parcels are only listed. Nothing here knows how a
program reads, stores or publishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from schemas import identity
from schemas.commands import OrderUpsert
from schemas.context import Context, Order, Tracking
from schemas.envelope import CloudEvent, rfc3339, write_headers
from schemas.events import OrderEvent, OrderEventData
from schemas.model import ContractModel
from schemas.orders import OrderTracking
from schemas.outcomes import APPLIED, COMMAND_DECIDED, NO_CHANGE, REJECTED, OutcomeRecord
from schemas.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_OUTCOMES

SOURCE = "orderflow/orders"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a command came: its key, its headers, and where it lay."""

    key: bytes
    envelope: CloudEvent
    partition: int
    offset: int

    @property
    def command_id(self) -> str:
        """The sender's id of the command, or where it lay."""
        return self.envelope.id or f"{ORDERS_COMMANDS}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Stored:
    """An order and how often it was changed, with the sender's version of it."""

    order: Order
    version: int
    source_version: int | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A Kafka record to publish; `topic` is the catalogue's name, without a prefix."""

    topic: str
    key: bytes
    body: ContractModel
    envelope: CloudEvent

    @property
    def headers(self) -> dict[str, str]:
        """The record's headers, as text."""
        return {name: value.decode() for name, value in write_headers(self.envelope)}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command came to; without `stored` nothing is written."""

    stored: Stored | None
    letters: Sequence[Letter]


def id_of(command: OrderUpsert) -> UUID:
    """The order a command is about."""
    return identity.order_id(command.shop_slug, _number_of(command))


def decide(command: OrderUpsert, delivery: Delivery, before: Stored | None) -> Decision:
    """Apply a command to the order as it is stored, or to none."""
    at = datetime.now(UTC)
    if before is None and command.order is None:
        detail = f"no order {command.id}"
        outcome = _outcome(command, delivery, at, REJECTED, reason="order_not_found", detail=detail)
        return Decision(None, [outcome])
    if before and _is_stale(command, before):
        detail = f"source_version {command.source_version} is not above {before.source_version}"
        outcome = _outcome(
            command, delivery, at, NO_CHANGE, reason="stale", detail=detail, version=before.version
        )
        return Decision(None, [outcome])
    after = _changed(command, before)
    event = _event(before, after, delivery, at)
    return Decision(after, [event, _outcome(command, delivery, at, APPLIED, version=after.version)])


def _number_of(command: OrderUpsert) -> str:
    return command.order.order_number if command.order else command.id


def _is_stale(command: OrderUpsert, before: Stored) -> bool:
    if command.source_version is None or before.source_version is None:
        return False
    return command.source_version <= before.source_version


def _changed(command: OrderUpsert, before: Stored | None) -> Stored:
    order = before.order.model_dump() if before else _blank(command)
    if command.order:
        order |= command.order.model_dump(mode="json", exclude_none=True)
    order["trackings"] = _with_parcels(before, id_of(command), command.trackings)
    order["status"] = _status(len(order["trackings"]), order["expected_number_of_shipments"])
    source_version = command.source_version
    if source_version is None and before:
        source_version = before.source_version
    version = before.version + 1 if before else 1
    return Stored(Order.model_validate(order), version, source_version)


def _blank(command: OrderUpsert) -> dict[str, Any]:
    return {
        "uuid": id_of(command),
        "shop_slug": command.shop_slug,
        "expected_number_of_shipments": 1,
    }


def _with_parcels(
    before: Stored | None, order_id: UUID, listed: Sequence[OrderTracking]
) -> list[Tracking]:
    """The order's parcels, and those of `listed` whose number it does not have yet."""
    parcels = list(before.order.trackings) if before else []
    known = {parcel.tracking_number for parcel in parcels}
    for tracking in listed:
        if tracking.tracking_number not in known:
            known.add(tracking.tracking_number)
            parcels.append(_parcel(order_id, len(parcels) + 1, tracking))
    return parcels


def _parcel(order_id: UUID, ordinal: int, listed: OrderTracking) -> Tracking:
    return Tracking(
        shipment_id=identity.shipment_id(order_id, ordinal),
        ordinal=ordinal,
        tracking_number=listed.tracking_number,
        carrier_reference=listed.carrier_reference,
        tracking_url=listed.tracking_url,
        phase="order_processed",
    )


def _status(parcels: int, expected: int) -> str:
    if parcels >= expected:
        return "fulfilled"
    return "partially_fulfilled" if parcels else "placed"


def _event(before: Stored | None, after: Stored, delivery: Delivery, at: datetime) -> Letter:
    """What happened, with the whole order."""
    order = after.order
    id_ = identity.event_id(order.uuid, ORDERS_EVENTS, after.version)
    name = "ORDER_UPDATED" if before else "ORDER_PLACED"
    data = OrderEventData(
        event_id=id_,
        event_name=name,
        status=order.status,
        previous_status=before.order.status if before else None,
        changed_fields=_changed_fields(before.order, order) if before else [],
        shipment_ids=[parcel.shipment_id for parcel in order.trackings],
    )
    body = OrderEvent(
        source="orders",
        ref=f"orders/{name}",
        event_name=name,
        triggered_at=at,
        shop_slug=order.shop_slug,
        event_id=id_,
        order_id=order.uuid,
        sequence=after.version,
        order_version=after.version,
        context=Context(order=order),
        event_data=data,
    )
    envelope = CloudEvent(
        type="order.updated" if before else "order.placed",
        source=SOURCE,
        id=str(id_),
        time=rfc3339(at),
        subject=str(order.uuid),
        traceparent=delivery.envelope.traceparent,
        causation_id=delivery.command_id,
        sequence=after.version,
        order_version=after.version,
    )
    return Letter(ORDERS_EVENTS, str(order.uuid).encode(), body, envelope)


def _changed_fields(before: Order, after: Order) -> list[str]:
    return [name for name in Order.model_fields if getattr(before, name) != getattr(after, name)]


def _outcome(
    command: OrderUpsert,
    delivery: Delivery,
    at: datetime,
    outcome: str,
    *,
    reason: str | None = None,
    detail: str | None = None,
    version: int | None = None,
) -> Letter:
    """The answer to the sender; an order it knows has a version."""
    envelope = delivery.envelope
    body = OutcomeRecord(
        command_id=delivery.command_id,
        command_source=envelope.source,
        index=0,
        command_type=envelope.type,
        outcome=outcome,
        reason=reason,
        detail=detail,
        shop_slug=command.shop_slug,
        order_id=id_of(command) if version else None,
        order_number=_number_of(command),
        order_version=version,
        topic=ORDERS_COMMANDS,
        partition=delivery.partition,
        offset=delivery.offset,
        decided_at=at,
    )
    answer = CloudEvent(
        type=COMMAND_DECIDED,
        source=SOURCE,
        id=str(uuid5(identity.NAMESPACE, f"{envelope.source}/{delivery.command_id}/outcome")),
        time=rfc3339(at),
        traceparent=envelope.traceparent,
        causation_id=delivery.command_id,
    )
    return Letter(ORDERS_OUTCOMES, delivery.key, body, answer)
