"""Snapshot: the present state of an order, told again to those who were not there or lost it."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.decision import Event, EventType, OrderFact, Topic
from services.orders.domain.model.ids import event_id_of
from services.orders.domain.model.order import Order

CAUSE = "orderflow/republish"


def snapshot_of(order: Order, now: datetime) -> Event:
    """The order as it stands: no new fact, so it takes no number and steps no version.

    Its id names the state: two snapshots of the same state have the same id. Claims come without
    a version step, so the last number heard on their topic names the state beside the version.
    """
    claims_heard = max((claim.sequence for claim in order.claims), default=0)
    state = f"snapshot/{order.version}/{claims_heard}"
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
        data=OrderFact(status=order.status),
    )
