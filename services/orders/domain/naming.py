"""Naming: by which references an order can be found."""

from __future__ import annotations

from operator import attrgetter

from services.orders.domain.commands import Reference, ReferenceKind
from services.orders.domain.order import Order


def new_references(before: Order | None, after: Order) -> tuple[Reference, ...]:
    """The names that `after` has and `before` had not."""
    if before is not None and _said(before) == _said(after):
        return ()
    held = set(_names_of(before)) if before is not None else set()
    return tuple(reference for reference in _names_of(after) if reference not in held)


_said = attrgetter("placement.order_number", "placement.external_id", "placement.order_name")
"""All that an order's names are made of, beside its id."""


def _names_of(order: Order) -> tuple[Reference, ...]:
    placement = order.placement
    said = (
        (ReferenceKind.ORDER_NUMBER, placement.order_number),
        (ReferenceKind.EXTERNAL_ID, placement.external_id),
        (ReferenceKind.ORDER_NAME, placement.order_name),
        (ReferenceKind.UUID, order.order_id),
    )
    return tuple(Reference(order.shop, kind, value) for kind, value in said if value is not None)
