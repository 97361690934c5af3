"""Goods that claims hold, and what they leave to claim.

Held goods are of an order line. The line is found by its line id, else its variant, else the name
that it had: goods stay held when the shop gives the line another sku, variant or title.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.claims.domain.claim import Claim, HeldGoods
from services.claims.domain.goods import (
    KEY_MEMBERS,
    contents,
    pieces,
    pieces_of_one,
    with_parts,
)
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.claims.domain.order_lines import OrderLines, fill


def left_to_claim(order: OrderCopy, shipment: Shipment, claims: Iterable[Claim]) -> Counter[str]:
    """The pieces in the parcel that no claim holds; never below zero.

    The claims on all parcels together are limited to what was ordered: a shop may send goods
    again, or give several parcels the whole list of the order. Parcels that share their contents
    are one parcel here.
    """
    lines = OrderLines.of(order.products)
    held = _held(lines, claims)
    of_parcel = _pieces(lines, _in_parcel(held, order, shipment))
    of_order = _pieces(lines, held)
    ordered = pieces(order.products)
    left: Counter[str] = Counter()
    for key, shipped in pieces(contents(order, shipment)).items():
        left[key] = max(0, shipped - of_parcel[key])
        if key in ordered:
            left[key] = max(0, min(left[key], ordered[key] - of_order[key]))
    return left


def hold(
    wanted: Counter[str], order: OrderCopy, shipment: Shipment | None, claims: Iterable[Claim]
) -> tuple[HeldGoods, ...]:
    """Products of a parcel as a claim stores them: each of the lines that other claims leave.

    Several lines may have the key of one product. Lines in the parcel come first.
    """
    if shipment is None or not wanted:
        return ()
    lines = OrderLines.of(order.products)
    rooms = _rooms(lines, order, shipment, claims)
    counted: Counter[tuple[str, str, str]] = Counter()
    for key, quantity in wanted.items():
        fitting = [at for at, known in enumerate(lines.keys) if known == key]
        taken = fill(quantity, fitting, *rooms)
        for at, count in taken.items():
            line = lines.products[at]
            counted[key, line.line_id or "", line.variant_id or ""] += count
        counted[key, "", ""] += quantity - taken.total()
    return _as_stored(counted)


def held_by_key(wanted: Counter[str]) -> tuple[HeldGoods, ...]:
    """Products as a claim holds them of which the lines are not known."""
    return _as_stored(Counter({(key, "", ""): count for key, count in wanted.items()}))


def present_products(claim: Claim, order: OrderCopy) -> Counter[str]:
    """The quantity of each product that a claim is about, by the present key of its line."""
    lines = OrderLines.of(order.products)
    found: Counter[str] = Counter()
    for goods, dealt in zip(claim.holds, lines.deal(_named(claim.holds)), strict=True):
        for at, count in dealt.items():
            found[lines.keys[at] or goods.product] += count
        if not dealt:
            found[goods.product] += goods.quantity
    return found


class _Held(Struct, frozen=True):
    """Goods that a claim holds, and how many of them are of each line."""

    claim: Claim
    goods: HeldGoods
    lines: Counter[int]


def _held(lines: OrderLines, claims: Iterable[Claim]) -> list[_Held]:
    held = [(claim, goods) for claim in claims if claim.is_holding for goods in claim.holds]
    dealt = lines.deal(_named(goods for _, goods in held))
    return [_Held(claim, goods, of) for (claim, goods), of in zip(held, dealt, strict=True)]


def _rooms(
    lines: OrderLines, order: OrderCopy, shipment: Shipment, claims: Iterable[Claim]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """How much of each line claims leave: of what is in the parcel, and of what was ordered."""
    held = _held(lines, claims)
    in_parcel = _total(lines.deal(tuple(with_parts(contents(order, shipment)))))
    in_parcel.subtract(_total(each.lines for each in _in_parcel(held, order, shipment)))
    in_order = Counter({at: each.quantity for at, each in enumerate(lines.products)})
    in_order.subtract(_total(each.lines for each in held))
    return {at: min(left, in_parcel[at]) for at, left in in_order.items()}, in_order


def _named(held: Iterable[HeldGoods]) -> list[Product]:
    """Held goods as products that have the names of their line."""
    found = []
    for goods in held:
        prefix, _, value = goods.product.partition("/")
        names: dict[str, Any] = {"line_id": goods.line_id, "variant_id": goods.variant_id}
        names[KEY_MEMBERS.get(prefix, "sku")] = value
        found.append(Product(quantity=goods.quantity, **names))
    return found


def _pieces(lines: OrderLines, held: Iterable[_Held]) -> Counter[str]:
    """The pieces of held goods, by the keys of the order at present."""
    counted: Counter[str] = Counter()
    for each in held:
        if not each.lines:
            counted[each.goods.product] += each.goods.quantity
        for at, count in each.lines.items():
            for key, needed in pieces_of_one(lines.products[at]).items():
                counted[key] += needed * count
    return counted


def _total(dealt: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for each in dealt:
        total.update(each)
    return total


def _as_stored(counted: Counter[tuple[str, str, str]]) -> tuple[HeldGoods, ...]:
    return tuple(
        HeldGoods(
            product=key, quantity=count, line_id=line_id or None, variant_id=variant_id or None
        )
        for (key, line_id, variant_id), count in sorted(counted.items())
        if count > 0
    )


def _in_parcel(held: Sequence[_Held], order: OrderCopy, shipment: Shipment) -> list[_Held]:
    """What is held of a parcel, or of those that share its contents."""
    place = _place(shipment)
    claims = {each.claim.claim_id: each.claim for each in held}
    there = {known for known, claim in claims.items() if _place_of(order, claim) == place}
    return [each for each in held if each.claim.claim_id in there]


def _place(shipment: Shipment) -> Uuid:
    return shipment.shares_with or shipment.shipment_id


def _place_of(order: OrderCopy, claim: Claim) -> Uuid | None:
    """The parcel whose contents a claim is about."""
    if claim.shipment is None:
        return None
    shipment = order.shipment(claim.shipment.shipment_id, None)
    return _place(shipment) if shipment else claim.shipment.shipment_id
