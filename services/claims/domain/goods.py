"""Goods of a parcel: what was sent, what claims hold, and what can still be claimed.

A product is identified by its key: its sku, else its variant, title or line id. Quantities of lines
with the same key are added. A bundle is claimed as a whole or in parts: both use up its pieces,
which are the products that are no bundles.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from services.claims.domain.claim import Claim, ClaimItem, HeldGoods
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment

_PREFIXES = {"sku": "sku", "variant": "variant_id", "title": "title", "line": "line_id"}
"""The member of a product that each kind of key has."""


def key_of(product: Product) -> str | None:
    """The product's key; None for a line without sku, variant, title and line id."""
    for prefix, member in _PREFIXES.items():
        value = identifier(product, member)
        if value:
            return f"{prefix}/{value}"
    return None


def contents(order: OrderCopy, shipment: Shipment) -> tuple[Product, ...]:
    """The products in a parcel: as lines of the order where they are known.

    Otherwise those that the shop said, and those of the order if it said none.
    """
    if shipment.shares_with is not None:
        head = order.shipment(shipment.shares_with, None)
        if head is not None and head.shares_with is None:
            return contents(order, head)
    if shipment.lines is not None:
        return shipment.lines
    return order.products if shipment.products is None else shipment.products


def quantities(products: Iterable[Product]) -> Counter[str]:
    """The quantity of each product, by key; a bundle is one product."""
    counted: Counter[str] = Counter()
    for product in products:
        key = key_of(product)
        if key:
            counted[key] += product.quantity
    return counted


def pieces(products: Iterable[Product]) -> Counter[str]:
    """The quantity of each product that is no bundle, by key; those in bundles are counted."""
    counted: Counter[str] = Counter()
    for product in products:
        for key, count in _pieces_of_one(product).items():
            counted[key] += count * product.quantity
    return counted


def left_to_claim(order: OrderCopy, shipment: Shipment, claims: Iterable[Claim]) -> Counter[str]:
    """The pieces in the parcel that no claim holds; never below zero.

    The claims on all parcels together are limited to what was ordered: a shop may send goods
    again, or give several parcels the whole list of the order. Parcels that share their contents
    are one parcel here.
    """
    holding = [claim for claim in claims if claim.is_holding]
    place = _place(shipment)
    of_parcel = _count_held(order, (c for c in holding if _place_of(order, c) == place))
    of_order = _count_held(order, holding)
    ordered = pieces(order.products)
    left: Counter[str] = Counter()
    for key, shipped in pieces(contents(order, shipment)).items():
        left[key] = max(0, shipped - of_parcel[key])
        if key in ordered:
            left[key] = max(0, min(left[key], ordered[key] - of_order[key]))
    return left


def take(
    key: str, count: int, products: Sequence[Product], left: Counter[str]
) -> tuple[int, Counter[str]]:
    """Take up to `count` of a product out of the pieces that are left.

    Returns how many there are, and their pieces. A bundle comes before a single product of its
    key. `left` is not changed.
    """
    taken: Counter[str] = Counter()
    wanted = count
    for product in (each for each in products if each.parts and key_of(each) == key):
        one = _pieces_of_one(product)
        fits = [(left[name] - taken[name]) // needed for name, needed in one.items()]
        whole = max(0, min([wanted, product.quantity, *fits]))
        for name, needed in one.items():
            taken[name] += whole * needed
        wanted -= whole
    single = max(0, min(wanted, left[key] - taken[key]))
    taken[key] += single
    return count - wanted + single, +taken


def everything(products: Sequence[Product], left: Counter[str]) -> Counter[str]:
    """All that is left of the products, by key: whole bundles first, then pieces of bundles."""
    found: Counter[str] = Counter()
    rest = Counter(left)
    for product in sorted(with_parts(products), key=lambda each: not each.parts):
        key = key_of(product)
        if key:
            count, taken = take(key, product.quantity, (product,), rest)
            found[key] += count
            rest -= taken
    return +found


def held_goods(wanted: Counter[str]) -> tuple[HeldGoods, ...]:
    """Counted goods as a claim stores them, sorted by key."""
    return tuple(
        HeldGoods(product=key, quantity=count) for key, count in sorted(wanted.items()) if count > 0
    )


def selection_hash(items: Sequence[ClaimItem]) -> str:
    """SHA-256 of a selection; the order of the lines and their pictures do not matter."""
    counted: Counter[tuple[str, str]] = Counter()
    for item in items:
        counted[item.sku or "", "" if item.sku else folded(item.title)] += item.quantity
    return hashlib.sha256(json.dumps(sorted(counted.items())).encode()).hexdigest()


def with_parts(products: Iterable[Product]) -> Iterator[Product]:
    """Products, each followed by the parts of all its bundles."""
    for product in products:
        yield product
        for part in product.parts:
            yield replace(part, quantity=part.quantity * product.quantity)


def _pieces_of_one(product: Product) -> Counter[str]:
    """The pieces of one product; of a bundle those of its parts."""
    if product.parts:
        return quantities(product.parts)
    key = key_of(product)
    return Counter({key: 1}) if key else Counter()


def _count_held(order: OrderCopy, claims: Iterable[Claim]) -> Counter[str]:
    """The pieces that claims hold."""
    counted: Counter[str] = Counter()
    for claim in claims:
        for goods in claim.holds:
            counted.update(_pieces_held(order, goods))
    return counted


def _pieces_held(order: OrderCopy, goods: HeldGoods) -> Counter[str]:
    """The pieces of held goods; the order may name the product otherwise than it did then."""
    prefix, _, value = goods.product.partition("/")
    member = _PREFIXES.get(prefix, "sku")
    for line in with_parts(order.products):
        if identifier(line, member) == value:
            return Counter(
                {key: count * goods.quantity for key, count in _pieces_of_one(line).items()}
            )
    return Counter({goods.product: goods.quantity})


def _place(shipment: Shipment) -> Uuid:
    return shipment.shares_with or shipment.shipment_id


def _place_of(order: OrderCopy, claim: Claim) -> Uuid | None:
    """The parcel whose contents a claim is about."""
    if claim.shipment is None:
        return None
    shipment = order.shipment(claim.shipment.shipment_id, None)
    return _place(shipment) if shipment else claim.shipment.shipment_id


def identifier(product: Product, member: str) -> str | None:
    """A member that names the product, as it is compared."""
    value: str | None = getattr(product, member)
    return folded(value) if member == "title" else value


def folded(title: str | None) -> str:
    """A title without regard to case and spaces."""
    return " ".join((title or "").split()).casefold()
