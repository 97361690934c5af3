"""Goods of a parcel as order lines: what they were matched to, and what fits no line."""

from __future__ import annotations

from services.orders.domain.value import Value


class PackedLine(Value, frozen=True, kw_only=True):
    """Pieces of one order line, or of one part of a bundle."""

    line: int
    """Position in the order's products, from 0."""
    part: int | None = None
    """Position in the line's `bundled_products`, from 0; None: the line itself."""
    quantity: int


class NotOrdered(Value, frozen=True, kw_only=True):
    """Pieces in a parcel for which the order has no line, or no line with so many pieces left."""

    product: int
    """Position in the parcel's products, from 0."""
    quantity: int
    is_known: bool
    """Whether the order has a line for the product: then more was packed than was ordered."""
