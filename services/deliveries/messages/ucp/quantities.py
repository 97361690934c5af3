"""Quantities of the lines of an order: how many are active and fulfilled, and in which parcel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from services.deliveries.messages.ucp.event import Context, Line, LineCounts, Order, Parcel

CANCELLED = "cancelled"
BACK = frozenset(
    {"return_created", "return_transit", "return_failed", "return_received", "returned"}
)
"""Phases in which the goods reach the customer no more, or left again."""
_NOT_MOVING = frozenset({"", "order_created", "order_processed"})


class LineQuantity(Struct, frozen=True, gc=False):
    """Pieces of a line: `id` is that of the line item."""

    id: str
    quantity: int


class Quantity(Struct, frozen=True, gc=False):
    """Pieces of a line: 0 <= fulfilled <= total <= ordered, remaining <= total."""

    ordered: int
    total: int
    fulfilled: int
    remaining: int
    """In no parcel with a number."""

    @property
    def status(self) -> str:
        """The status that the protocol derives from the quantities."""
        if not self.total:
            return "removed"
        if self.fulfilled == self.total:
            return "fulfilled"
        return "partial" if self.fulfilled else "processing"


def line_ids(lines: Sequence[Line]) -> list[str]:
    """An id for each line: the shop's own, else its variant or sku, else its place; no id twice."""
    found: list[str] = []
    for place, line in enumerate(lines, 1):
        wanted = line.line_id or line.variant_id or line.sku or line.product_id or f"line-{place}"
        while wanted in found:
            wanted = f"{wanted}#{place}"
        found.append(wanted)
    return found


def quantities_of(context: Context, order: Order) -> list[Quantity]:
    """The quantities of each line, by the order's ledger."""
    ledger = {each.line: each for each in order.ledger or ()}
    return [
        _quantity(line, ledger.get(place) or _counts(context, line), order.status == CANCELLED)
        for place, line in enumerate(order.products)
    ]


def _quantity(line: Line, counts: LineCounts, is_cancelled: bool) -> Quantity:
    ordered = line.quantity
    fulfilled, returned, remaining = _fulfilled(line, counts), counts.returned, counts.remaining
    total = fulfilled if is_cancelled else ordered - returned
    return Quantity(ordered, total, fulfilled, 0 if is_cancelled else remaining)


def _counts(context: Context, line: Line) -> LineCounts:
    """Counts of an order without a ledger: all is in the only parcel, or nothing is sent."""
    parcels = context.shipments
    if len(parcels) != 1 or parcels[0].draft:
        return LineCounts(line=0, ordered=line.quantity, remaining=line.quantity)
    (parcel,) = parcels
    is_moving = parcel.first_scan_at or parcel.delivered_at or parcel.phase not in _NOT_MOVING
    return LineCounts(line=0, ordered=line.quantity, shipped=line.quantity if is_moving else 0)


def _fulfilled(line: Line, counts: LineCounts) -> int:
    """Pieces on the way or delivered; of a bundle those of which every part is."""
    if not counts.parts:
        return counts.shipped + counts.delivered
    sizes = _sizes(line)
    return min((each.shipped + each.delivered) // sizes[each.part] for each in counts.parts)


def _sizes(line: Line) -> dict[int, int]:
    """Pieces of each part in one bundle."""
    return {place: max(1, part.quantity) for place, part in enumerate(line.bundled_products or ())}


def contents_of(context: Context, parcel: Parcel, ids: Sequence[str]) -> tuple[LineQuantity, ...]:
    """What is in a parcel, as line items; of bundles whole ones."""
    lines = context.order.products if context.order else []
    if parcel.lines is None:
        found = _everything(lines) if _holds_everything(context, parcel) else {}
    else:
        found = _packed(lines, parcel)
    return tuple(
        LineQuantity(ids[place], quantity)
        for place, quantity in sorted(found.items())
        if quantity > 0
    )


def _everything(lines: Sequence[Line]) -> dict[int, int]:
    return {place: line.quantity for place, line in enumerate(lines)}


def _holds_everything(context: Context, parcel: Parcel) -> bool:
    """Without `lines` a parcel holds what was ordered, unless its list of products is empty."""
    return bool(parcel.products) and not (context.order and context.order.ledger)


def _packed(lines: Sequence[Line], parcel: Parcel) -> dict[int, int]:
    whole: Counter[int] = Counter()
    parts: dict[int, Counter[int]] = {}
    for each in parcel.lines or ():
        if each.line >= len(lines):
            continue
        if each.part is None:
            whole[each.line] += each.quantity
        else:
            parts.setdefault(each.line, Counter())[each.part] += each.quantity
    for place, counts in parts.items():
        sizes = _sizes(lines[place])
        whole[place] += min(counts[part] // size for part, size in sizes.items())
    return whole
