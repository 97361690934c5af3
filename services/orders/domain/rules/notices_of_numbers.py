"""Notices of numbers: what an order notified of a tracking number, also while it lacks the number.

A shipment holds the notices of its number. When the number goes to another order they are kept with
the order, and given to the shipment that gets the number back (docs/decisions/0141).
"""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.order import SHIPMENTS_MAX, Order, ReleasedNumber, Shipment
from services.orders.domain.tracking.notifications import Notice, notices_until
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def notices_of(order: Order, number: str) -> tuple[Notice, ...]:
    """The notices that the order gave of a number before it lost it."""
    for each in order.released:
        if each.number == number:
            return each.notices
    return ()


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
