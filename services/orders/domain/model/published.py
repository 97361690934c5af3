"""Published: what was published of an order after the moment its database was restored to.

Numbers that were published are not given out again. An event that was published is not published
again: the decision changes the state and steps the order's version (docs/decisions/0071).
"""

from __future__ import annotations

from services.orders.domain.model.order import Order
from services.orders.domain.value import Value, replace


class Published(Value, frozen=True, kw_only=True):
    """The highest numbers that were published, and digests of the ids of the events."""

    order_sequence: int
    shipment_sequence: int
    version: int
    events: frozenset[int] = frozenset()


def raised(order: Order, published: Published | None) -> Order:
    """The order with counts not below the published ones, and a version above the published one.

    Above, because another state may have been published under the same version.
    """
    if published is None or order.version > published.version:
        return order
    return replace(
        order,
        version=published.version + 1,
        order_sequence=max(order.order_sequence, published.order_sequence),
        shipment_sequence=max(order.shipment_sequence, published.shipment_sequence),
    )
