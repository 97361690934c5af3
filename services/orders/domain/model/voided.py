"""Voided numbers: tracking numbers that a shop took off an order, which keeps the last of them."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.model.ids import Uuid
from services.orders.domain.value import Value

VOIDED_MAX = 20
"""How many an order keeps: twice as many corrections as a large order has parcels."""


class VoidedNumber(Value, frozen=True, kw_only=True):
    """A number that is no longer the order's, and what named it."""

    number: str
    """Normalised."""
    shipment_id: Uuid
    external_shipment_id: str | None = None
    voided_at: datetime
    """When it was decided."""
    source_version: int | None = None
    """The age of the command, as its sender gave it."""
    updated_at: datetime | None = None


def with_voided(held: tuple[VoidedNumber, ...], voided: VoidedNumber) -> tuple[VoidedNumber, ...]:
    """The kept numbers with one more, the newest last; each number once."""
    others = [each for each in held if each.number != voided.number]
    return (*others, voided)[-VOIDED_MAX:]
