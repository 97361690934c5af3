"""Notices of numbers: what an order notified of a tracking number, also while it lacks the number.

A shipment holds the notices of its number. When the number is taken off (`shipment.void`, or
another number in its place) they are kept with the order, and given to the shipment that gets the
number back. After a restore of the database, those that were published count as well
(docs/decisions/0141).
"""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.decision import EventType
from services.orders.domain.model.ids import event_id_of
from services.orders.domain.model.order import SHIPMENTS_MAX, Order, ReleasedNumber, Shipment
from services.orders.domain.tracking.notifications import Notice, merged, notices_until
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def given_before(recorder: Recorder, order: Order, number: str) -> tuple[Notice, ...]:
    """The notices that were given of a number that is attached now.

    Before the order lost it, or after the time that its database was restored to.
    """
    given = next((each.notices for each in order.released if each.number == number), ())
    published = recorder.world.published.get(order.order_id)
    return given if published is None else merged(given, published.notices_of(number))


def was_attached_before(recorder: Recorder, order: Order, attached: Shipment) -> bool:
    """Whether the event of this attachment was published before a restore.

    Then it has notified, which `given_before` says, or it has not, and does not now.
    """
    if order.order_id not in recorder.world.published:
        return False
    published = recorder.world.published[order.order_id]
    kind, item = EventType.SHIPMENT_FULFILLED, recorder.item.item_id
    return published.has(event_id_of(order.order_id, attached.shipment_id, kind, item))


def keep_notices(order: Order, shipment: Shipment, scans: tuple[Scan, ...], now: datetime) -> Order:
    """The order with the notices of a shipment that loses its number now; `scans` are its own."""
    notices = shipment.notices
    if notices is None:  # Not stored: all that its scans may have given.
        steps = replay(scans, now).steps
        notices = notices_until((step.scan, standing_of(step)) for step in steps)
    if shipment.number is None or not notices:
        return order
    others = [each for each in order.released if each.number != shipment.number]
    kept = ReleasedNumber(number=shipment.number, notices=notices)
    return replace(order, released=(*others, kept)[-SHIPMENTS_MAX:])
