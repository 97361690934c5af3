"""Goods of a parcel: what was sent, what claims hold, and what can still be claimed.

A product is identified by its key: its sku, else its variant, else its title. Quantities of lines
with the same key are added. A bundle is one product: it is claimed as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from services.claims.domain.claim import Claim, ClaimItem, HeldGoods
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.claims.domain.reasons import RejectionReason, RuleBroken

ITEMS_MAX = 100
"""Most lines of one claim; with `limits` it keeps the claim's events small enough to publish."""


def key_of(product: Product) -> str | None:
    """The product's key; None for a line without sku, variant and title."""
    if product.sku:
        return f"sku/{product.sku}"
    if product.variant_id:
        return f"variant/{product.variant_id}"
    return f"title/{_folded(product.title)}" if product.title else None


def contents(order: OrderCopy, shipment: Shipment) -> tuple[Product, ...]:
    """The products in a parcel; those of the order, if the parcel has none of its own."""
    return order.products if shipment.products is None else shipment.products


def quantities(products: Iterable[Product]) -> Counter[str]:
    """The quantity of each product, by key."""
    counted: Counter[str] = Counter()
    for product in products:
        key = key_of(product)
        if key:
            counted[key] += product.quantity
    return counted


def left_to_claim(order: OrderCopy, shipment: Shipment, claims: Iterable[Claim]) -> Counter[str]:
    """The quantity of each product in the parcel that no claim holds; never below zero.

    Shops that split an order often repeat the order's whole list of products for every parcel, so
    the claims on all parcels together are also limited to what was ordered.
    """
    holding = [claim for claim in claims if claim.is_holding]
    of_shipment = _count_held(c for c in holding if _shipment_id(c) == shipment.shipment_id)
    of_order = _count_held(holding)
    ordered = quantities(order.products)
    left: Counter[str] = Counter()
    for key, shipped in quantities(contents(order, shipment)).items():
        left[key] = max(0, shipped - of_shipment[key])
        if key in ordered:
            left[key] = max(0, min(left[key], ordered[key] - of_order[key]))
    return left


def match_products(
    items: Sequence[ClaimItem], products: Sequence[Product], shipment: Shipment
) -> Counter[str]:
    """The quantity of each product that the items mean, found by sku, variant or title.

    Raises:
        RuleBroken: too many items, or one has no name, is not in the parcel, or means several
            products.
    """
    if len(items) > ITEMS_MAX:
        facts = {"count": len(items), "limit": ITEMS_MAX}
        raise RuleBroken(RejectionReason.TOO_MANY_ITEMS, "/selected_items", **facts)
    wanted: Counter[str] = Counter()
    for position, item in enumerate(items):
        wanted[_key_of_item(item, products, shipment, f"/selected_items/{position}")] += (
            item.quantity
        )
    return wanted


def held_goods(wanted: Counter[str]) -> tuple[HeldGoods, ...]:
    """Counted goods as a claim stores them, sorted by key."""
    return tuple(
        HeldGoods(product=key, quantity=count) for key, count in sorted(wanted.items()) if count > 0
    )


def selection_hash(items: Sequence[ClaimItem]) -> str:
    """SHA-256 of a selection; the order of the lines and their pictures do not matter."""
    counted: Counter[tuple[str, str]] = Counter()
    for item in items:
        counted[item.sku or "", "" if item.sku else _folded(item.title)] += item.quantity
    return hashlib.sha256(json.dumps(sorted(counted.items())).encode()).hexdigest()


def _key_of_item(
    item: ClaimItem, products: Sequence[Product], shipment: Shipment, pointer: str
) -> str:
    if not item.sku and not item.title:
        raise RuleBroken(RejectionReason.ITEM_NOT_NAMED, pointer)
    keys = _candidates(item, products)
    if not keys:
        raise RuleBroken(
            RejectionReason.ITEM_NOT_IN_SHIPMENT,
            pointer,
            item=item.sku or item.title,
            shipment=shipment.shipment_id,
        )
    if len(keys) > 1:
        raise RuleBroken(RejectionReason.ITEM_AMBIGUOUS, pointer, item=item.sku or item.title)
    return keys.pop()


def _candidates(item: ClaimItem, products: Sequence[Product]) -> set[str]:
    """Keys of the products that an item can mean; a title does not match another sku."""
    if item.sku:
        for same in ("sku", "variant_id"):
            found = {key_of(p) for p in products if getattr(p, same) == item.sku}
            if found:
                return {key for key in found if key}
    title = _folded(item.title)
    named = [p for p in products if title and _folded(p.title) == title]
    return {key for p in named if not (item.sku and p.sku) and (key := key_of(p))}


def _count_held(claims: Iterable[Claim]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for claim in claims:
        for goods in claim.holds:
            counted[goods.product] += goods.quantity
    return counted


def _shipment_id(claim: Claim) -> Uuid | None:
    return claim.shipment.shipment_id if claim.shipment else None


def _folded(title: str | None) -> str:
    return " ".join((title or "").split()).casefold()
