"""Names of what a command can wait for, and of the anchors that concurrent transactions lock."""

from __future__ import annotations

from services.claims.domain.commands import OrderReference
from services.claims.domain.ids import Uuid, order_id
from services.claims.domain.order_copy import OrderCopy

ORDER = "order/"
CLAIM = "claim/"
ANCHOR_MAX = 512
"""Longest name of an anchor in characters: more than any command can say, and indexable."""


def order_name(order: Uuid) -> str:
    """The name of an order whose id is known; its own row is its anchor."""
    return f"{ORDER}{order}"


def claim_name(claim: Uuid) -> str:
    """The name of a claim."""
    return f"{CLAIM}{claim}"


def anchor_name(reference: OrderReference) -> str:
    """The name of an order that is known by something its id cannot be computed from."""
    return f"{reference.kind}/{reference.shop}/{reference.value}"


def known_id(reference: OrderReference) -> Uuid | None:
    """The order's id where the reference tells it: by number, or by id. None: it must be found."""
    if reference.kind == "order_number":
        return order_id(reference.shop, reference.value)
    if reference.kind == "uuid":
        return reference.value
    return None


def anchors_of(copy: OrderCopy) -> list[str]:
    """The anchors an order answers to, beside its own row."""
    references = []
    if copy.external_id:
        references.append(OrderReference(copy.shop, "external_id", copy.external_id))
    if copy.order_name:
        references.append(OrderReference(copy.shop, "order_name", copy.order_name))
    names = map(anchor_name, references)
    return [name for name in names if len(name) <= ANCHOR_MAX]


def ids_in(names: set[str], prefix: str) -> set[Uuid]:
    """The ids behind the names of one kind (`ORDER` or `CLAIM`)."""
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
