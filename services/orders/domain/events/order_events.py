"""News: the events that the difference between two values of an order makes, one per fact.

Within a decision the order's own event comes first, then its shipments' by ordinal, then scans by
time. At most one order-level event: a creation or cancellation says all, then a change of status,
then the rest.
"""

from __future__ import annotations

from datetime import datetime
from itertools import compress
from operator import attrgetter, ne

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.decision import EventType, OrderFact, ShipmentFact
from services.orders.domain.model.order import Order, OrderStatus, Placement, Shipment
from services.orders.domain.tracking.catalogue import PRE_TRANSIT_GROUP, SHIPMENT_FULFILLED
from services.orders.domain.tracking.notifications import is_fresh
from services.orders.domain.tracking.state import DRAFT
from services.orders.domain.value import Value, fields


class _Fields:
    """Members of a value that are compared by name; two at least."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._read = attrgetter(*names)

    def that_differ(self, before: Value, after: Value) -> tuple[str, ...]:
        """The names of those that are not equal, in their order."""
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
    # Its only parcel went to another order: there is no event of its own for that.
    OrderStatus.PLACED: EventType.ORDER_UPDATED,
}
_ALONE: dict[tuple[str, ...], EventType] = {
    ("expected_number_of_shipments",): EventType.ORDER_EXPECTED_SHIPMENTS_CHANGED,
    ("order_analytics",): EventType.ORDER_ANALYTICS_UPDATED,
}
_GROUPS = {
    EventType.ORDER_PLACED: PRE_TRANSIT_GROUP,
    EventType.ORDER_CANCELLED: "shipment_order_cancelled",
}


def tell(ledger: Recorder, before: Order | None, after: Order) -> None:
    """Put `after` and add the events that tell how it differs from `before`, scans excepted."""
    ledger.put(after)
    changed = changed_fields(before, after) if before is not None else ()
    if before is None or changed:
        _tell_order(ledger, before, after, changed)
    if before is not None and before.shipments == after.shipments:
        return
    former = {s.shipment_id: s for s in before.shipments} if before is not None else {}
    for shipment in after.shipments:
        _tell_shipment(ledger, after, former.get(shipment.shipment_id), shipment)


def changed_fields(before: Order, after: Order) -> tuple[str, ...]:
    """Public names of what differs, in alphabetical order; shipments tell for themselves."""
    changed = _ORDER_FIELDS.that_differ(before, after)
    if before.placement != after.placement:
        changed += _PLACEMENT_FIELDS.that_differ(before.placement, after.placement)
    return tuple(sorted(changed))


def _tell_order(
    ledger: Recorder, before: Order | None, after: Order, changed: tuple[str, ...]
) -> None:
    kind = _order_event(before, after, changed)
    is_cancelled = kind is EventType.ORDER_CANCELLED
    ledger.tell_order(
        after.order_id,
        kind,
        OrderFact(
            status=after.status,
            previous_status=before.status if before is not None else None,
            changed_fields=changed,
            shipment_ids=tuple(s.shipment_id for s in _moved(before, after)),
            reason=after.cancel_reason if is_cancelled else None,
        ),
        occurred_at=_occurred_at(ledger, kind, after),
        group=_group(kind, after),
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


def _occurred_at(ledger: Recorder, kind: EventType, order: Order) -> datetime:
    if kind is EventType.ORDER_PLACED:
        return order.placed_at
    if kind is EventType.ORDER_CANCELLED and order.cancelled_at is not None:
        return order.cancelled_at
    return ledger.item.updated_at or ledger.now


def _group(kind: EventType, order: Order) -> str | None:
    """Only what customers are told of an order before any parcel speaks for itself."""
    return None if order.fulfilled else _GROUPS.get(kind)


def _tell_shipment(
    ledger: Recorder, order: Order, before: Shipment | None, after: Shipment
) -> None:
    former_number = before.number if before is not None else None
    if after.number is not None and former_number is None:
        _tell_fulfilled(ledger, order, before, after)
    elif before is not None and after.number is None and former_number is not None:
        _tell_released(ledger, order, before, after)
    elif before is not None:
        changed = _SHIPMENT_FIELDS.that_differ(before, after)
        if changed:
            tell_updated(ledger, order, before, after, changed)


def _tell_fulfilled(
    ledger: Recorder, order: Order, before: Shipment | None, after: Shipment
) -> None:
    placed_at = after.tracking_placed_at or ledger.now
    previous = before.tracking if before is not None else DRAFT
    ledger.tell_shipment(
        order.order_id,
        after,
        EventType.SHIPMENT_FULFILLED,
        ShipmentFact(
            carrier_reference=after.carrier,
            tracking_number=after.tracking_number,
            tracking_url=after.tracking_url,
            direction=after.direction,
            phase=after.tracking.phase,
            shipment_phase=after.tracking.phase,
            previous_phase=previous.phase,
            flag=after.tracking.flag,
            previous_flag=previous.flag,
            eta=None,
            previous_eta=None,
            leg=after.tracking.leg,
            updated_at=ledger.now,
            recorded_at=ledger.now,
            occurred_at=placed_at,
            notify=is_fresh(placed_at, ledger.now),
        ),
        name=SHIPMENT_FULFILLED,
        group=PRE_TRANSIT_GROUP,
    )


def _tell_released(ledger: Recorder, order: Order, before: Shipment, after: Shipment) -> None:
    ledger.tell_shipment(
        order.order_id,
        after,
        EventType.SHIPMENT_RELEASED,
        ShipmentFact(
            carrier_reference=before.carrier,
            tracking_number=before.tracking_number,
            tracking_url=before.tracking_url,
            direction=before.direction,
            phase=after.tracking.phase,
            shipment_phase=after.tracking.phase,
            previous_phase=before.tracking.phase,
            flag=after.tracking.flag,
            previous_flag=before.tracking.flag,
            eta=None,
            previous_eta=before.tracking.eta,
            leg=after.tracking.leg,
            updated_at=ledger.now,
            recorded_at=ledger.now,
            occurred_at=ledger.item.updated_at or ledger.now,
        ),
        name="SHIPMENT_RELEASED",
        group=None,
    )


def tell_updated(
    ledger: Recorder,
    order: Order,
    before: Shipment,
    after: Shipment,
    changed: tuple[str, ...],
    *,
    cause: str | None = None,
) -> None:
    """Add the event that a parcel differs in something no scan told."""
    ledger.tell_shipment(
        order.order_id,
        after,
        EventType.SHIPMENT_UPDATED,
        ShipmentFact(
            carrier_reference=after.carrier,
            tracking_number=after.tracking_number,
            tracking_url=after.tracking_url,
            direction=after.direction,
            phase=after.tracking.phase,
            shipment_phase=after.tracking.phase,
            previous_phase=before.tracking.phase,
            flag=after.tracking.flag,
            previous_flag=before.tracking.flag,
            eta=after.tracking.eta,
            previous_eta=before.tracking.eta,
            leg=after.tracking.leg,
            updated_at=ledger.now,
            recorded_at=ledger.now,
            occurred_at=ledger.item.updated_at or ledger.now,
            changed_fields=changed,
        ),
        name="SHIPMENT_UPDATED",
        group=None,
        cause=cause,
    )
