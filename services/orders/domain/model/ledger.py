"""Ledger: where the pieces of each order line are, and what parcels without a list may hold.

Both are derived from the order, so they are exact after any correction. They are counted in
pieces: a line that is no bundle, or a part of a bundle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from services.orders.domain.model.contents import with_matches
from services.orders.domain.model.goods import PackedLine
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.matching import match
from services.orders.domain.model.order import ClaimCopy, Order, Product, Shipment
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.value import Value, replace

Piece: TypeAlias = tuple[int, int | None]
"""Position of a line, and of a part of its bundle; None for a line that is no bundle."""
Pieces: TypeAlias = "Counter[Piece]"

LIVE = ("packed", "shipped", "delivered")
"""Where pieces are in parcels that are not gone, in the order of their journey."""
_BEFORE_MOVING = frozenset({Phase.ORDER_CREATED, Phase.ORDER_PROCESSED})


class LedgerCounts(Value, frozen=True, kw_only=True):
    """How many pieces are where.

    `ordered` = `remaining` + `packed` + `shipped` + `delivered` + `lost` + `returned`. What is sent
    counts first for what was never sent, then for what was lost or came back and is sent again.
    `claimed` is beside these counts.
    """

    ordered: int = 0
    remaining: int = 0
    packed: int = 0
    shipped: int = 0
    delivered: int = 0
    lost: int = 0
    returned: int = 0
    claimed: int = 0


def with_assumed_contents(order: Order) -> Order:
    """The order with contents for parcels without a list: what the lists of the others leave.

    What remains is shown once: on the first parcel with a number, else on the first draft; other
    parcels without a list share it (`shares_with`). If nothing remains, a parcel with a number
    holds what was in parcels that are gone. A parcel that is gone keeps what was left for it by
    the parcels before it. An order with one parcel, no lists and no claims is returned as it is:
    it has no ledger. Where no parcel was sent or listed, the first draft holds everything, and has
    no `lines`.
    """
    if is_unsent(order):
        return _with_shared_drafts(order)
    order = with_matches(order)
    ordered = order.placement.products
    unlisted = [each for each in order.shipments if each.products is None]
    if not unlisted or not ordered:
        return order
    if len(order.shipments) == 1 and not unlisted[0].is_gone and not order.claims:
        return order
    changed: dict[Uuid, Shipment] = {}
    for each in unlisted:
        if each.is_gone:
            before = [other for other in order.shipments if other.ordinal < each.ordinal]
            left = _total(ordered) - _held(ordered, _live(before))
            changed[each.shipment_id] = _holding(each, ordered, left)
    pool = sorted((each for each in unlisted if not each.is_gone), key=_pool_place)
    if pool:
        head = pool[0]
        left = _pool(order, ordered, changed.values(), is_sent=not head.is_draft)
        changed[head.shipment_id] = _holding(head, ordered, left)
        for each in pool[1:]:
            shared = replace(each, products=(), lines=(), shares_with=head.shipment_id)
            changed[each.shipment_id] = shared
    shipments = [changed.get(each.shipment_id, each) for each in order.shipments]
    return replace(order, shipments=tuple(shipments))


def is_unsent(order: Order) -> bool:
    """Whether all parcels are drafts without lists: then everything remains."""
    for each in order.shipments:
        if each.number is not None or each.products is not None:
            return False
    return True


def _with_shared_drafts(order: Order) -> Order:
    head, *others = order.shipments or (None,)
    if head is None or not others:
        return order
    shared = [replace(each, products=(), shares_with=head.shipment_id) for each in others]
    return replace(order, shipments=(head, *shared))


def ledger_of(order: Order) -> Mapping[Piece, LedgerCounts]:
    """Where the pieces of an order `with_assumed_contents` are."""
    ordered = order.placement.products
    counts: dict[str, Pieces] = {}
    members: dict[Uuid, list[Shipment]] = {}
    for each in order.shipments:
        members.setdefault(each.shares_with or each.shipment_id, []).append(each)
    for each in order.shipments:
        stage = _stage(members.get(each.shipment_id, ()))
        if stage is not None:
            counts.setdefault(stage, Counter()).update(_held(ordered, [each]))
    counts["claimed"] = _claimed(order)
    return {
        piece: _counts(total, {name: found[piece] for name, found in counts.items()})
        for piece, total in _total(ordered).items()
    }


def parcels_of(order: Order, line: int) -> tuple[Uuid, ...]:
    """The parcels with a number that hold pieces of a line, also those that share contents."""
    holding = {
        each.shipment_id
        for each in order.shipments
        if any(packed.line == line for packed in each.lines or ())
    }
    return tuple(
        each.shipment_id
        for each in order.shipments
        if not each.is_draft and (each.shares_with or each.shipment_id) in holding
    )


def whole_bundles(product: Product, parts: Sequence[LedgerCounts]) -> LedgerCounts:
    """The counts of a bundle line: for each place the bundles of which all pieces are there."""
    sizes = [part.quantity for part in product.bundled_products]
    return LedgerCounts(
        **{
            name: min(getattr(part, name) // size for part, size in zip(parts, sizes, strict=True))
            for name in LedgerCounts.__struct_fields__
        }
    )


def _counts(ordered: int, found: Mapping[str, int]) -> LedgerCounts:
    live = {name: found.get(name, 0) for name in LIVE}
    left = max(0, ordered - sum(live.values()))
    lost = min(left, found.get("lost", 0))
    returned = min(left - lost, found.get("returned", 0))
    return LedgerCounts(
        ordered=ordered,
        remaining=left - lost - returned,
        lost=lost,
        returned=returned,
        claimed=min(ordered, found.get("claimed", 0)),
        **live,
    )


def _stage(members: Sequence[Shipment]) -> str | None:
    """Where the contents of parcels that share them are: where the last of them is."""
    sent = [each for each in members if not each.is_draft]
    live = [each for each in sent if not each.is_gone]
    if live:
        return min((_live_stage(each) for each in live), key=LIVE.index)
    if not sent:
        return None
    return "lost" if any(each.tracking.given_up for each in sent) else "returned"


def _live_stage(shipment: Shipment) -> str:
    tracking = shipment.tracking
    if tracking.phase is Phase.DELIVERED or tracking.delivered_at is not None:
        return "delivered"
    is_moving = tracking.first_scan_at is not None or tracking.phase not in _BEFORE_MOVING
    return "shipped" if is_moving else "packed"


def _pool_place(shipment: Shipment) -> tuple[bool, bool, int]:
    return shipment.is_draft, shipment.archived, shipment.ordinal


def _live(shipments: Iterable[Shipment]) -> list[Shipment]:
    return [each for each in shipments if not each.is_gone]


def _pool(
    order: Order, ordered: tuple[Product, ...], gone: Iterable[Shipment], *, is_sent: bool
) -> Pieces:
    """What parcels without a list can hold together."""
    free = _total(ordered) - _held(ordered, _live(order.shipments))
    listed = [each for each in order.shipments if each.is_gone and each.products]
    never_sent = free - _held(ordered, [*listed, *gone])
    return never_sent if never_sent or not is_sent else free


def _total(ordered: Sequence[Product]) -> Pieces:
    whole = [
        PackedLine(line=line, quantity=product.quantity) for line, product in enumerate(ordered)
    ]
    return Counter(dict(_pieces(ordered, whole)))


def _held(ordered: Sequence[Product], shipments: Iterable[Shipment]) -> Pieces:
    held: Pieces = Counter()
    for each in shipments:
        for piece, count in _pieces(ordered, each.lines or ()):
            held[piece] += count
    return held


def _pieces(ordered: Sequence[Product], lines: Iterable[PackedLine]) -> Iterator[tuple[Piece, int]]:
    for each in lines:
        parts = ordered[each.line].bundled_products
        if each.part is not None or not parts:
            yield (each.line, each.part), each.quantity
        else:
            for place, part in enumerate(parts):
                yield (each.line, place), each.quantity * part.quantity


def _holding(shipment: Shipment, ordered: Sequence[Product], left: Pieces) -> Shipment:
    """A parcel that is shown with pieces: whole bundles as such, other parts by themselves."""
    products: list[Product] = []
    lines: list[PackedLine] = []
    for line, product in enumerate(ordered):
        parts = product.bundled_products
        counts = [left[line, place] for place in range(len(parts))]
        sizes = [part.quantity for part in parts]
        fits = [count // size for count, size in zip(counts, sizes, strict=True)]
        whole = min(fits) if parts else left[line, None]
        if whole > 0:
            products.append(replace(product, quantity=whole))
            lines.append(PackedLine(line=line, quantity=whole))
        for place, (part, count, size) in enumerate(zip(parts, counts, sizes, strict=True)):
            rest = count - whole * size
            if rest > 0:
                said = {name: getattr(part, name) for name in part.__struct_fields__}
                products.append(Product(**said | {"quantity": rest}))
                lines.append(PackedLine(line=line, part=place, quantity=rest))
    return replace(shipment, products=tuple(products), lines=tuple(lines))


_KEYS = {"sku": "sku", "variant": "variant_id", "title": "title", "line": "line_id"}


def _claimed(order: Order) -> Pieces:
    """The pieces that claims hold, from the copies of their last events."""
    wanted = [product for claim in order.claims for product in _goods(claim)]
    ordered = order.placement.products
    found: Pieces = Counter()
    for each in match(ordered, wanted) if wanted else ():
        for piece, count in _pieces(ordered, each.lines):
            found[piece] += count
    return found


def _goods(claim: ClaimCopy) -> Iterator[Product]:
    """What a claim holds, by the names of its lines then; claims of older versions have one."""
    data: dict[str, Any] = claim.event_data or {}
    is_granted = claim.status == "closed" and data.get("is_granted")
    if claim.status not in ("pending", "accepted") and not is_granted:
        return
    for held in data.get("held_items") or ():
        prefix, _, value = held["product"].partition("/")
        if prefix in _KEYS:
            named = {name: held.get(name) for name in ("line_id", "variant_id")}
            named[_KEYS[prefix]] = value
            yield Product(quantity=int(held["quantity"]), **named)
