"""Snapshot: the present state of an order, for subscribers that start or lost their state."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.decision import (
    Event,
    EventType,
    LastSequences,
    SnapshotData,
    Topic,
)
from services.orders.domain.model.ids import event_id_of
from services.orders.domain.model.order import Order
from services.orders.domain.value import replace

CAUSE = "orderflow/republish"
STATE_CAUSE = "orderflow/state"
_TYPE = EventType.ORDER_SNAPSHOT
_NAME = _TYPE.value.replace(".", "_").upper()


def snapshot_of(order: Order, now: datetime) -> Event:
    """The snapshot event of an order: no new fact, so it has no new sequence number or version.

    The event id names the state: two snapshots of one state have the same id. A claim does not step
    the version, so the highest claim sequence is part of the id as well.
    """
    claims = _claim_sequence(order)
    return Event(
        topic=Topic.ORDERS,
        type=_TYPE,
        event_name=_NAME,
        event_group=None,
        event_id=event_id_of(order.order_id, None, _TYPE, f"snapshot/{order.version}/{claims}"),
        order_id=order.order_id,
        shop=order.shop,
        shipment_id=None,
        sequence=order.order_sequence,
        order_version=order.version,
        occurred_at=now,
        triggered_at=now,
        causation_id=CAUSE,
        data=SnapshotData(
            status=order.status,
            last_sequences=LastSequences(
                orders=order.order_sequence, shipments=order.shipment_sequence, claims=claims
            ),
        ),
    )


def state_of(order: Order, now: datetime) -> Event:
    """The snapshot of an order on the topic of states; its value is that of `snapshot_of`."""
    return replace(snapshot_of(order, now), topic=Topic.STATE, causation_id=STATE_CAUSE)


def is_same_state(before: Order | None, after: Order) -> bool:
    """Whether the snapshots of an order before and after a change have the same id."""
    if before is None or before.version != after.version:
        return False
    return before.claims is after.claims or _claim_sequence(before) == _claim_sequence(after)


def _claim_sequence(order: Order) -> int:
    return max((claim.sequence for claim in order.claims), default=0)
