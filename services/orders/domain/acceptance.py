"""Acceptance: what an order remembers of the commands it took (repeats and guards)."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.commands import Item
from services.orders.domain.frozen import replace
from services.orders.domain.order import Order

REMEMBERED = 64
"""Items remembered on an order; farther back the shop's versions guard."""


def accept(order: Order, item: Item) -> Order:
    """Remember an item, and how new its sender said it is."""
    return replace(
        order,
        applied=(*order.applied, item.item_digest)[-REMEMBERED:],
        source_version=newest(order.source_version, item.source_version),
        updated_at=newest_time(order.updated_at, item.updated_at),
    )


def newest(held: int | None, said: int | None) -> int | None:
    """The higher version; guards never go back."""
    if held is None or said is None:
        return said if held is None else held
    return max(held, said)


def newest_time(held: datetime | None, said: datetime | None) -> datetime | None:
    """The later time; guards never go back."""
    if held is None or said is None:
        return said if held is None else held
    return max(held, said)
