"""Which goods of a parcel the items of a claim name.

An item names a product by sku, variant, line id or title. A name that several products share means
those of them that are left when the other items have theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.claims.domain.claim import ClaimItem
from services.claims.domain.goods import (
    IDENTIFIERS,
    contents,
    folded,
    identifier,
    quantities,
    with_parts,
)
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.claims.domain.reasons import RejectionReason, RuleBroken

ITEMS_MAX = 100
"""Most lines of one claim; with `limits` it keeps the claim's events small enough to publish."""


def match_products(
    items: Sequence[ClaimItem], order: OrderCopy, shipment: Shipment
) -> Counter[str]:
    """The quantity of each product in the parcel that the items mean.

    Found by sku, variant, line id or title: of the order's lines in the parcel, then of the
    products as the shop listed them for the parcel.

    Raises:
        RuleBroken: too many items, or one has no name, is not in the parcel, was not ordered, may
            mean one or another product, or asks for more than all products of its name.
    """
    if len(items) > ITEMS_MAX:
        facts = {"count": len(items), "limit": ITEMS_MAX}
        raise RuleBroken(RejectionReason.TOO_MANY_ITEMS, "/selected_items", **facts)
    products = contents(order, shipment)
    wanted: Counter[str] = Counter()
    shared: dict[tuple[str | None, str], _Shared] = {}
    for position, item in enumerate(items):
        pointer = f"/selected_items/{position}"
        named = _named_by(item, products, shipment, pointer)
        if len(named) == 1:
            wanted.update(dict.fromkeys(named, item.quantity))
        else:
            asked = _Shared(item.sku or item.title or "", pointer, named)
            shared.setdefault((item.sku, folded(item.title)), asked).quantity += item.quantity
    if shared:
        wanted += _of_shared_names(list(shared.values()), quantities(with_parts(products)), wanted)
    return wanted


@dataclass(slots=True)
class _Shared:
    """A name that several products share, and how many pieces are asked for by it."""

    name: str
    pointer: str
    named: Counter[str]
    """The quantity of each product in the parcel that has the name, by key."""
    quantity: int = 0

    def left(self, there: Counter[str], wanted: Counter[str]) -> Counter[str]:
        """What the name can mean: what is in the parcel and not wanted by another name."""
        left = {key: min(count, there[key] - wanted[key]) for key, count in self.named.items()}
        return +Counter(left)

    def meant(self, left: Counter[str]) -> Counter[str] | None:
        """The products that the name means; None where it may mean one or another of them.

        Raises:
            RuleBroken: more pieces are asked for than are left.
        """
        if self.quantity > left.total():
            raise RuleBroken(
                RejectionReason.QUANTITY_ABOVE_SHIPPED,
                "/selected_items",
                wanted=self.quantity,
                item=self.name,
                left=left.total(),
                shipped=self.named.total(),
            )
        if len(left) == 1:
            return Counter(dict.fromkeys(left, self.quantity))
        return left if self.quantity == left.total() else None


def _of_shared_names(
    shared: list[_Shared], there: Counter[str], wanted: Counter[str]
) -> Counter[str]:
    """What shared names mean, each after those that leave it only one meaning."""
    found: Counter[str] = Counter()
    while shared:
        for at, each in enumerate(shared):
            meant = each.meant(each.left(there, wanted + found))
            if meant is not None:
                found += meant
                del shared[at]
                break
        else:
            first = shared[0]
            raise RuleBroken(RejectionReason.ITEM_AMBIGUOUS, first.pointer, item=first.name)
    return found


def _named_by(
    item: ClaimItem, products: Sequence[Product], shipment: Shipment, pointer: str
) -> Counter[str]:
    """The quantity of each product in the parcel that an item can mean, by key."""
    if not item.sku and not item.title:
        raise RuleBroken(RejectionReason.ITEM_NOT_NAMED, pointer)
    facts = {"item": item.sku or item.title, "shipment": shipment.shipment_id}
    listed = _candidates(item, with_parts(shipment.products or ()))
    found = _candidates(item, with_parts(products))
    if not found:
        found = [line for each in listed if (line := _line_of(each, products))]
    named = quantities(found)
    if not named and listed:
        raise RuleBroken(RejectionReason.ITEM_NOT_ORDERED, pointer, **facts)
    if not named:
        raise RuleBroken(RejectionReason.ITEM_NOT_IN_SHIPMENT, pointer, **facts)
    return named


def _candidates(item: ClaimItem, products: Iterator[Product]) -> list[Product]:
    """The products that an item can mean; a title does not match another sku."""
    known = list(products)
    if item.sku:
        for same in ("sku", "variant_id", "line_id"):
            found = [each for each in known if getattr(each, same) == item.sku]
            if found:
                return found
    title = folded(item.title)
    named = [each for each in known if title and folded(each.title) == title]
    return [each for each in named if not (item.sku and each.sku)]


def _line_of(listed: Product, products: Iterable[Product]) -> Product | None:
    """The line of the order that a product of the parcel's list was matched to."""
    for member in IDENTIFIERS:
        said = identifier(listed, member)
        for line in with_parts(products):
            if said and said == identifier(line, member):
                return line
    return None
