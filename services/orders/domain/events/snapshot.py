"""Snapshot: the present state of an order, for subscribers that start or lost their state."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.decision import Event, EventType, OrderEventData, Topic
from services.orders.domain.model.ids import event_id_of
from services.orders.domain.model.order import Order

CAUSE = "orderflow/republish"


def snapshot_of(order: Order, now: datetime) -> Event:
    """The snapshot event of an order: no new fact, so it has no new sequence number or version.

    The event id names the state: two snapshots of one state have the same id. A claim does not step
    the version, so the highest claim sequence is part of the id as well.
    """
    claim_sequence = max((claim.sequence for claim in order.claims), default=0)
    state = f"snapshot/{order.version}/{claim_sequence}"
    return Event(
        topic=Topic.ORDERS,
        type=EventType.ORDER_SNAPSHOT,
        event_name=EventType.ORDER_SNAPSHOT.value.replace(".", "_").upper(),
        event_group=None,
        event_id=event_id_of(order.order_id, None, EventType.ORDER_SNAPSHOT, state),
        order_id=order.order_id,
        shop=order.shop,
        shipment_id=None,
        sequence=order.order_sequence,
        order_version=order.version,
        occurred_at=now,
        triggered_at=now,
        causation_id=CAUSE,
        data=OrderEventData(status=order.status),
    )
