"""Shipment count: how many shipments an order has, and the status that follows.

An order has max(asked, handed over) shipments; those without a tracking number are drafts.
"""

from __future__ import annotations

from services.orders.domain.model.ids import shipment_id_of
from services.orders.domain.model.order import (
    BY_ORDINAL,
    SHIPMENTS_MAX,
    Order,
    OrderStatus,
    Shipment,
)
from services.orders.domain.model.reasons import CommandRefused, Reason
from services.orders.domain.value import replace


def check_expected(expected: int | None, pointer: str) -> None:
    """Refuse an expected number of shipments that no order can have; None means not given."""
    if expected is None:
        return
    if expected > SHIPMENTS_MAX:
        raise CommandRefused(
            Reason.TOO_MANY_SHIPMENTS,
            f"{expected} shipments are expected; an order can have at most {SHIPMENTS_MAX}; split "
            "the order.",
            pointer,
        )
    if expected < 0:
        raise CommandRefused(
            Reason.TOO_FEW_SHIPMENTS,
            f"{expected} shipments are expected; an order that needs no parcel expects 0.",
            pointer,
        )


def recount(order: Order) -> Order:
    """Recompute expected number, drafts and status from the shipments asked and handed over."""
    handed_over = sum([shipment.number is not None for shipment in order.shipments])
    expected = max(order.expected_asked, handed_over)
    is_cancelled = order.status is OrderStatus.CANCELLED
    return replace(
        order,
        expected_number_of_shipments=expected,
        shipments=_filled(order, expected, archived=is_cancelled),
        status=order.status if is_cancelled else _status(handed_over, expected),
    )


def _status(handed_over: int, expected: int) -> OrderStatus:
    if handed_over >= expected:
        return OrderStatus.FULFILLED  # Also where no parcel is needed: nothing is left to be sent.
    return OrderStatus.PARTIALLY_FULFILLED if handed_over else OrderStatus.PLACED


def _filled(order: Order, expected: int, *, archived: bool) -> tuple[Shipment, ...]:
    """Drop surplus drafts, highest ordinal first, or add missing ones at the lowest free."""
    kept = [_marked(shipment, archived=archived) for shipment in order.shipments]
    if len(kept) > expected:
        drafts = [shipment.ordinal for shipment in kept if shipment.is_draft]
        dropped = drafts[-(len(kept) - expected) :]
        return tuple([shipment for shipment in kept if shipment.ordinal not in dropped])
    if len(kept) < expected:
        taken = {shipment.ordinal for shipment in kept}
        free = [ordinal for ordinal in range(1, expected + 1) if ordinal not in taken]
        missing = free[: expected - len(kept)]
        kept += [draft(order, ordinal, archived=archived) for ordinal in missing]
        kept.sort(key=BY_ORDINAL)
    return tuple(kept)


def draft(order: Order, ordinal: int, *, archived: bool = False) -> Shipment:
    """A shipment without a number: the order's n-th, with the id that goes with it."""
    return Shipment(
        shipment_id=shipment_id_of(order.order_id, ordinal), ordinal=ordinal, archived=archived
    )


def _marked(shipment: Shipment, *, archived: bool) -> Shipment:
    is_archived = archived and shipment.is_draft
    return shipment if shipment.archived == is_archived else replace(shipment, archived=is_archived)


def lowest_draft(order: Order) -> Shipment:
    """The draft that the next tracking number takes, or a new shipment beyond the expected."""
    for shipment in order.shipments:
        if shipment.is_draft:
            return shipment
    if len(order.shipments) >= SHIPMENTS_MAX:
        raise CommandRefused(
            Reason.TOO_MANY_SHIPMENTS,
            f"The order has {SHIPMENTS_MAX} parcels already, the most an order can have; split "
            "the order.",
            "/trackings",
        )
    taken = {shipment.ordinal for shipment in order.shipments}
    return draft(order, next(n for n in range(1, SHIPMENTS_MAX + 1) if n not in taken))
