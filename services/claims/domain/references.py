"""Keys of what a command can wait for, and of the anchors that concurrent transactions lock."""

from __future__ import annotations

from services.claims.domain.commands import OrderReference
from services.claims.domain.ids import Uuid, order_id
from services.claims.domain.order_copy import OrderCopy

ORDER = "order/"
CLAIM = "claim/"
ORDER_NAME = "order_name/"
ANCHOR_MAX = 512
"""The longest key of an anchor in characters: longer than any command can say, and indexable."""


def order_key(order: Uuid) -> str:
    """The key of an order whose id is known; its own row is its anchor."""
    return f"{ORDER}{order}"


def claim_key(claim: Uuid) -> str:
    """The key of a claim."""
    return f"{CLAIM}{claim}"


def anchor_key(reference: OrderReference) -> str:
    """The key of an order that is known by something its id cannot be computed from."""
    return f"{reference.kind}/{reference.shop}/{reference.value}"


def known_id(reference: OrderReference) -> Uuid | None:
    """The order's id, if it follows from the reference (number or uuid); None: see its anchor."""
    if reference.kind == "order_number":
        return order_id(reference.shop, reference.value)
    if reference.kind == "uuid":
        return reference.value
    return None


def anchor_keys(copy: OrderCopy) -> list[str]:
    """The keys by which an order is known, other than its id."""
    references = []
    if copy.external_id:
        references.append(OrderReference(copy.shop, "external_id", copy.external_id))
    if copy.order_name:
        references.append(OrderReference(copy.shop, "order_name", copy.order_name))
    keys = map(anchor_key, references)
    return [key for key in keys if len(key) <= ANCHOR_MAX]


def ids_in(keys: set[str], prefix: str) -> set[Uuid]:
    """The ids in the keys of one kind (`ORDER` or `CLAIM`)."""
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}
