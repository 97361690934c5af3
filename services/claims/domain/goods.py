"""Goods: what was in a parcel, what claims hold of it, and what is left to claim.

A product is known by its key: its sku, else its variant, else its title. Lines of one key count
together. A bundle is one product: its parts are claimed as the bundle.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from services.claims.domain.claim import Claim, ClaimItem, Held
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import OrderCopy, Product, Shipment
from services.claims.domain.reasons import Refusal, Refused

ITEMS_MAX = 100
"""Most lines of one claim; with `evidence.LINKS_MAX` it keeps the claim's events sendable."""


def key_of(product: Product) -> str | None:
    """The product's key; None for a line that says nothing of what it is."""
    if product.sku:
        return f"sku/{product.sku}"
    if product.variant_id:
        return f"variant/{product.variant_id}"
    return f"title/{_folded(product.title)}" if product.title else None


def contents(order: OrderCopy, shipment: Shipment) -> tuple[Product, ...]:
    """What was sent in the parcel; a parcel that was given no products holds the order's."""
    return order.products if shipment.products is None else shipment.products


def quantities(products: Iterable[Product]) -> Counter[str]:
    """How many there are of each product."""
    counted: Counter[str] = Counter()
    for product in products:
        key = key_of(product)
        if key:
            counted[key] += product.quantity
    return counted


def left_to_claim(order: OrderCopy, shipment: Shipment, claims: Iterable[Claim]) -> Counter[str]:
    """How many of each product in the parcel no claim holds yet; never below zero.

    Shops that split an order often repeat its whole list of products for every parcel, so what
    the claims on all parcels hold together is also kept within what was ordered.
    """
    holding = [claim for claim in claims if claim.is_holding]
    of_shipment = _held(c for c in holding if _shipment_id(c) == shipment.shipment_id)
    of_order = _held(holding)
    ordered = quantities(order.products)
    left: Counter[str] = Counter()
    for key, shipped in quantities(contents(order, shipment)).items():
        left[key] = max(0, shipped - of_shipment[key])
        if key in ordered:
            left[key] = max(0, min(left[key], ordered[key] - of_order[key]))
    return left


def match(
    items: Sequence[ClaimItem], products: Sequence[Product], shipment: Shipment
) -> Counter[str]:
    """How many of which products the items are, by sku, variant or title.

    Raises:
        Refused: an item that is not in the parcel, or not told apart; or too many of them.
    """
    if len(items) > ITEMS_MAX:
        facts = {"count": len(items), "limit": ITEMS_MAX}
        raise Refused(Refusal.TOO_MANY_ITEMS, "/selected_items", **facts)
    wanted: Counter[str] = Counter()
    for position, item in enumerate(items):
        wanted[_key_of_item(item, products, shipment, f"/selected_items/{position}")] += (
            item.quantity
        )
    return wanted


def held(wanted: Counter[str]) -> tuple[Held, ...]:
    """Counted goods as a claim keeps them, in one order for equal contents."""
    return tuple(
        Held(product=key, quantity=count) for key, count in sorted(wanted.items()) if count > 0
    )


def selection_hash(items: Sequence[ClaimItem]) -> str:
    """Equal for equal selections, whatever the order of the lines and their pictures (SHA-256)."""
    counted: Counter[tuple[str, str]] = Counter()
    for item in items:
        counted[item.sku or "", "" if item.sku else _folded(item.title)] += item.quantity
    return hashlib.sha256(json.dumps(sorted(counted.items())).encode()).hexdigest()


def _key_of_item(
    item: ClaimItem, products: Sequence[Product], shipment: Shipment, pointer: str
) -> str:
    if not item.sku and not item.title:
        raise Refused(Refusal.ITEM_NOT_NAMED, pointer)
    keys = _candidates(item, products)
    if not keys:
        raise Refused(
            Refusal.ITEM_NOT_IN_SHIPMENT,
            pointer,
            item=item.sku or item.title,
            shipment=shipment.shipment_id,
        )
    if len(keys) > 1:
        raise Refused(Refusal.ITEM_AMBIGUOUS, pointer, item=item.sku or item.title)
    return keys.pop()


def _candidates(item: ClaimItem, products: Sequence[Product]) -> set[str]:
    """Keys of the products an item can mean; a product of another sku is never meant by title."""
    if item.sku:
        for same in ("sku", "variant_id"):
            found = {key_of(p) for p in products if getattr(p, same) == item.sku}
            if found:
                return {key for key in found if key}
    title = _folded(item.title)
    named = [p for p in products if title and _folded(p.title) == title]
    return {key for p in named if not (item.sku and p.sku) and (key := key_of(p))}


def _held(claims: Iterable[Claim]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for claim in claims:
        for goods in claim.holds:
            counted[goods.product] += goods.quantity
    return counted


def _shipment_id(claim: Claim) -> Uuid | None:
    return claim.shipment.shipment_id if claim.shipment else None


def _folded(title: str | None) -> str:
    return " ".join((title or "").split()).casefold()
