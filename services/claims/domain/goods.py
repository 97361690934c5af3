"""Goods of a parcel: its products, and the pieces that they are claimed in.

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

from services.claims.domain.claim import ClaimItem
from services.claims.domain.order_copy import OrderCopy, Product, Shipment

KEY_MEMBERS = {"sku": "sku", "variant": "variant_id", "title": "title", "line": "line_id"}
"""The member of a product that each kind of key has."""
IDENTIFIERS = ("line_id", "variant_id", "sku", "title")
"""What a product is matched to a line by, as in the orders service."""


def key_of(product: Product) -> str | None:
    """The product's key; None for a line without sku, variant, title and line id."""
    for prefix, member in KEY_MEMBERS.items():
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
        for key, count in pieces_of_one(product).items():
            counted[key] += count * product.quantity
    return counted


def pieces_of_one(product: Product) -> Counter[str]:
    """The pieces of one product; of a bundle those of its parts."""
    if product.parts:
        return quantities(product.parts)
    key = key_of(product)
    return Counter({key: 1}) if key else Counter()


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
        one = pieces_of_one(product)
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


def identifier(product: Product, member: str) -> str | None:
    """A member that names the product, as it is compared."""
    value: str | None = getattr(product, member)
    return folded(value) if member == "title" else value


def folded(title: str | None) -> str:
    """A title without regard to case and spaces."""
    return " ".join((title or "").split()).casefold()
