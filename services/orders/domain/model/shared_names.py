"""Shared names: an `order_name` that several orders of a shop have or had (decision 0140).

An order name is for people, so two orders may have the same one. The orders that have or had a name
are its bearers. Which of them the name means follows from the names that they have at the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.references import ReferenceKind

BEARERS_MAX = 16
"""How many bearers of a name are kept. A name with so many is ambiguous for good."""

SHARED_KINDS = frozenset({ReferenceKind.ORDER_NAME})
"""The kinds of reference that several orders of a shop may have."""

Bearers: TypeAlias = tuple[Uuid, ...]
"""The orders that have or had a name, in the order in which they got it."""


def with_bearer(bearers: Bearers, order_id: Uuid) -> Bearers:
    """The bearers with one more, if it is not among them and is one of the first `BEARERS_MAX`."""
    if order_id in bearers or len(bearers) >= BEARERS_MAX:
        return bearers
    return (*bearers, order_id)


def meant_by(name: str, bearers: Iterable[Order]) -> tuple[Order, ...]:
    """The orders that a name can mean, by order number; several: the name is ambiguous.

    They are the bearers that have the name, else those that had it; all of them, where more orders
    may have the name than are kept.
    """
    known = sorted(bearers, key=_number)
    present = () if len(known) >= BEARERS_MAX else tuple(o for o in known if has_name(o, name))
    return present or tuple(known)


def has_name(order: Order, name: str) -> bool:
    """Whether the order has the name at present."""
    return order.placement.order_name == name


def _number(order: Order) -> str:
    return order.order_number
