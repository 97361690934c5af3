"""Order events: the events for the difference between two values of an order, one per fact.

Within a decision the event of the order comes first, then events of shipments by ordinal, then
scans by time. A decision has at most one order event: for a creation or a cancellation, else for a
change of status, else for other changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import compress
from operator import attrgetter, ne

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import CancelOrder, VoidShipment
from services.orders.domain.model.decision import EventType, OrderEventData
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import (
    DeliveryState,
    Order,
    OrderStatus,
    Placement,
    Shipment,
)
from services.orders.domain.tracking.catalogue import PRE_TRANSIT_GROUP, SHIPMENT_FULFILLED
from services.orders.domain.tracking.notifications import is_fresh, is_fresh_cancellation
from services.orders.domain.value import Value, fields


class _Fields:
    """Members of a value that are compared; at least two."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._read = attrgetter(*names)

    def that_differ(self, before: Value, after: Value) -> tuple[str, ...]:
        """The names of members that differ, in the order given."""
        return tuple(compress(self._names, map(ne, self._read(before), self._read(after))))


_ORDER_FIELDS = _Fields("cancelled_at", "expected_number_of_shipments", "order_analytics", "status")
_PLACEMENT_FIELDS = _Fields(*(each.name for each in fields(Placement)))
_SHIPMENT_FIELDS = _Fields(
    "carrier_reference",
    "external_shipment_id",
    "products",
    "tracking_placed_at",
    "tracking_url",
)
_STATUS_EVENTS = {
    OrderStatus.CANCELLED: EventType.ORDER_CANCELLED,
    OrderStatus.FULFILLED: EventType.ORDER_FULFILLED,
    OrderStatus.PARTIALLY_FULFILLED: EventType.ORDER_PARTIALLY_FULFILLED,
    # The only parcel lost its number: no event type exists for that.
    OrderStatus.PLACED: EventType.ORDER_UPDATED,
}
_ALONE: dict[tuple[str, ...], EventType] = {
    ("expected_number_of_shipments",): EventType.ORDER_EXPECTED_SHIPMENTS_CHANGED,
    ("order_analytics",): EventType.ORDER_ANALYTICS_UPDATED,
}
_NUMBER = attrgetter("number")
_GROUPS = {
    EventType.ORDER_PLACED: PRE_TRANSIT_GROUP,
    EventType.ORDER_CANCELLED: "shipment_order_cancelled",
}


def emit_changes(recorder: Recorder, before: Order | None, after: Order) -> None:
    """Put `after`, and add events for its differences to `before`; scans are not among them."""
    recorder.put(after)
    changed = changed_fields(before, after) if before is not None else ()
    if before is None or changed:
        _emit_order(recorder, before, after, changed)
    if before is not None:
        if before.shipments == after.shipments:
            return
        emit_delivery(recorder, before, after)
    former = {s.shipment_id: s for s in before.shipments} if before is not None else {}
    for shipment in after.shipments:
        _emit_shipment(recorder, after, former.pop(shipment.shipment_id, None), shipment)
    if former:
        _emit_gone(recorder, after, former.values())


def _emit_gone(recorder: Recorder, after: Order, gone: Iterable[Shipment]) -> None:
    """Add the events of shipments that are not expected any more, and had a number."""
    for shipment in gone:
        if shipment.number is not None:
            _emit_released(recorder, after, shipment)


def changed_fields(before: Order, after: Order) -> tuple[str, ...]:
    """Public names of members that differ, in alphabetical order; without the shipments."""
    changed = _ORDER_FIELDS.that_differ(before, after)
    if before.placement != after.placement:
        changed += _PLACEMENT_FIELDS.that_differ(before.placement, after.placement)
    return tuple(sorted(changed))


def _emit_order(
    recorder: Recorder, before: Order | None, after: Order, changed: tuple[str, ...]
) -> None:
    kind = _order_event(before, after, changed)
    group = _group(kind, after)
    is_cancelled = kind is EventType.ORDER_CANCELLED
    recorder.emit_order(
        after.order_id,
        kind,
        OrderEventData(
            status=after.status,
            previous_status=before.status if before is not None else None,
            changed_fields=changed,
            shipment_ids=tuple(s.shipment_id for s in _moved(before, after)),
            reason=after.cancel_reason if is_cancelled else None,
            notify=group is not None and _notifies(recorder, kind, after),
        ),
        occurred_at=_occurred_at(recorder, kind, after),
        group=group,
    )


def _order_event(before: Order | None, after: Order, changed: tuple[str, ...]) -> EventType:
    if before is None:
        return EventType.ORDER_PLACED
    if before.status is not after.status:
        return _STATUS_EVENTS[after.status]
    return _ALONE.get(changed, EventType.ORDER_UPDATED)


def _moved(before: Order | None, after: Order) -> tuple[Shipment, ...]:
    """Shipments that got or lost a number, appeared, vanished or were archived, by ordinal."""
    if before is None:
        return after.shipments
    if before.shipments == after.shipments:
        return ()
    former = {s.shipment_id: s for s in before.shipments}
    present = {s.shipment_id: s for s in after.shipments}
    moved = [s for s in present.values() if _standing(former.get(s.shipment_id)) != _standing(s)]
    gone = [s for s in former.values() if s.shipment_id not in present]
    return tuple(sorted((*moved, *gone), key=lambda shipment: shipment.ordinal))


def _standing(shipment: Shipment | None) -> tuple[str | None, bool] | None:
    return (shipment.number, shipment.archived) if shipment is not None else None


def _occurred_at(recorder: Recorder, kind: EventType, order: Order) -> datetime:
    if kind is EventType.ORDER_PLACED:
        return order.placement.order_placed_at
    if kind is EventType.ORDER_CANCELLED and order.cancelled_at is not None:
        return order.cancelled_at
    return recorder.item.updated_at or recorder.now


def _group(kind: EventType, order: Order) -> str | None:
    """The notification group; None once a parcel has a number, since its events notify then.

    And for a new order that needs no parcel: nothing is under way to anybody.
    """
    if kind is EventType.ORDER_PLACED and not order.shipments:
        return None
    return None if any(map(_NUMBER, order.shipments)) else _GROUPS.get(kind)


def _notifies(recorder: Recorder, kind: EventType, order: Order) -> bool:
    """Whether to notify a customer of an order that was placed or cancelled now."""
    item = recorder.item
    if recorder.world.published:
        published = recorder.world.published.get(order.order_id)
        if published is not None and published.has_notified_of_order(_GROUPS[kind]):
            return False
    if kind is EventType.ORDER_CANCELLED and isinstance(item, CancelOrder):
        said = item.cancelled_at or item.updated_at
        may_be_old = order.is_imported or item.is_cancelled_at_unread
        return is_fresh_cancellation(said, recorder.now, may_be_old=may_be_old)
    return not order.is_imported and is_fresh(order.placement.order_placed_at, recorder.now)


def _emit_shipment(
    recorder: Recorder, order: Order, before: Shipment | None, after: Shipment
) -> None:
    former_number = before.number if before is not None else None
    if after.number is not None and former_number is None:
        _emit_fulfilled(recorder, order, before, after)
    elif before is not None and former_number is not None and after.number != former_number:
        _emit_released(recorder, order, before)
        if after.number is not None:
            _emit_fulfilled(recorder, order, _bare(before), after)
    elif before is not None:
        changed = _SHIPMENT_FIELDS.that_differ(before, after)
        if changed:
            emit_shipment_updated(recorder, order, before, after, changed)


def _emit_fulfilled(
    recorder: Recorder, order: Order, before: Shipment | None, after: Shipment
) -> None:
    placed_at = after.tracking_placed_at or recorder.now
    recorder.emit_shipment(
        order.order_id,
        before,
        after,
        EventType.SHIPMENT_FULFILLED,
        name=SHIPMENT_FULFILLED,
        group=PRE_TRANSIT_GROUP,
        occurred_at=placed_at,
        notify=after.shipment_id in recorder.notified,
    )


def _bare(shipment: Shipment) -> Shipment:
    return Shipment(shipment_id=shipment.shipment_id, ordinal=shipment.ordinal)


def _emit_released(recorder: Recorder, order: Order, before: Shipment) -> None:
    """Add the event of a shipment that lost its number: it is a draft, or gone, or has another."""
    void = recorder.item if isinstance(recorder.item, VoidShipment) else None
    recorder.emit_shipment(
        order.order_id,
        before,
        _bare(before),
        EventType.SHIPMENT_RELEASED,
        name="SHIPMENT_RELEASED",
        group=None,
        occurred_at=recorder.item.updated_at or recorder.now,
        shown=before,
        reason=void.reason if void else None,
        released_by="void" if void else "replace",
    )


def emit_shipment_updated(
    recorder: Recorder,
    order: Order,
    before: Shipment,
    after: Shipment,
    changed: tuple[str, ...],
    *,
    cause: str | None = None,
) -> None:
    """Add a `shipment.updated` event: `changed` names what differs without a new scan."""
    recorder.emit_shipment(
        order.order_id,
        before,
        after,
        EventType.SHIPMENT_UPDATED,
        name="SHIPMENT_UPDATED",
        group=None,
        occurred_at=recorder.item.updated_at or recorder.now,
        cause=cause,
        changed_fields=changed,
    )


_DELIVERIES = {
    DeliveryState.PARTIALLY_DELIVERED: EventType.ORDER_PARTIALLY_DELIVERED,
    DeliveryState.DELIVERED: EventType.ORDER_DELIVERED,
}


def emit_delivery(
    recorder: Recorder,
    before: Order,
    after: Order,
    *,
    occurred_at: datetime | None = None,
    cause: str = "delivery",
    shipment: Uuid | None = None,
) -> None:
    """Add the event of a changed `delivery_state`, if it changed.

    A delivery that was taken back is an `order.updated`. `cause` names the scan of `shipment`; else
    the command changed how many parcels are expected, or what the shipment's scans are.
    """
    was, now = before.delivery_state, after.delivery_state
    if was is now or (was not in _DELIVERIES and now not in _DELIVERIES):
        return
    recorder.emit_order(
        after.order_id,
        _DELIVERIES.get(now, EventType.ORDER_UPDATED),
        OrderEventData(
            status=after.status,
            previous_status=after.status,
            changed_fields=("delivery_state",),
            shipment_ids=() if shipment is None else (shipment,),
        ),
        occurred_at=occurred_at or recorder.item.updated_at or recorder.now,
        cause=cause if occurred_at else f"{recorder.item.item_id}/{cause}",
    )
