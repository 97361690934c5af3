"""Told: what was published of an order after the moment its database was restored to.

Numbers that were told are not given out again, and a fact that was told is not told again: it only
changes the state, and so steps the order's version (docs/decisions/0071).
"""

from __future__ import annotations

from services.orders.domain.model.order import Order
from services.orders.domain.value import Value, replace


class Published(Value, frozen=True, kw_only=True):
    """The highest numbers told, and digests of the ids of the events that told them."""

    order_sequence: int
    shipment_sequence: int
    version: int
    events: frozenset[int] = frozenset()


def raised(order: Order, told: Published | None) -> Order:
    """The order with counts that are not below what was told of it, and a version above it.

    Above, for another state may have been told under that very version.
    """
    if told is None or order.version > told.version:
        return order
    return replace(
        order,
        version=told.version + 1,
        order_sequence=max(order.order_sequence, told.order_sequence),
        shipment_sequence=max(order.shipment_sequence, told.shipment_sequence),
    )
