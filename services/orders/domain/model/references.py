"""References: the names by which an order can be found."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from operator import attrgetter

from services.orders.domain.model.ids import Uuid, order_id_of, uuid_text
from services.orders.domain.model.order import Order
from services.orders.domain.value import Value, replace


class ReferenceKind(StrEnum):
    """How a command names an order."""

    ORDER_NUMBER = "order_number"
    EXTERNAL_ID = "external_id"
    ORDER_NAME = "order_name"
    UUID = "uuid"


class Reference(Value, frozen=True):
    """A name of an order within its shop."""

    shop: str
    kind: ReferenceKind
    value: str


def canonical(reference: Reference) -> Reference:
    """The one spelling of a reference: UUIDs in lower case with dashes, the rest as it is."""
    if reference.kind is not ReferenceKind.UUID:
        return reference
    spelled = _spelled(reference.value)
    return reference if spelled == reference.value else replace(reference, value=spelled)


def direct_id(reference: Reference) -> Uuid | None:
    """The order id that a reference contains by itself, None where a row must be asked."""
    if reference.kind is ReferenceKind.ORDER_NUMBER:
        return order_id_of(reference.shop, reference.value)
    if reference.kind is ReferenceKind.UUID:
        try:
            return uuid_text(reference.value)
        except ValueError:
            return None
    return None


# One batch spells each of its ids several times, and parsing one is the expensive part.
@lru_cache(maxsize=8192)
def _spelled(text: str) -> str:
    try:
        return uuid_text(text)
    except ValueError:
        return text


def order_key(shop: str, kind: ReferenceKind, value: str) -> str:
    """The key that an item waits for until the shop has an order named by `value`, as canonical."""
    return f"order/{shop}/{kind}/{value}"


def reference_key(reference: Reference) -> str:
    """The key that an item waits for until the order that it names is known."""
    spelled = canonical(reference)
    return order_key(spelled.shop, spelled.kind, spelled.value)


def number_key(number: str) -> str:
    """The key that tracking waits for until an order owns its (normalised) number."""
    return f"number/{number}"


def new_references(before: Order | None, after: Order) -> tuple[Reference, ...]:
    """The references of `after` that `before` did not have."""
    if before is not None and _said(before) == _said(after):
        return ()
    held = set(_names_of(before)) if before is not None else set()
    return tuple(reference for reference in _names_of(after) if reference not in held)


_said = attrgetter("placement.order_number", "placement.external_id", "placement.order_name")
"""All that an order's names are made of, beside its id."""


def _names_of(order: Order) -> tuple[Reference, ...]:
    placement = order.placement
    said = (
        (ReferenceKind.ORDER_NUMBER, placement.order_number),
        (ReferenceKind.EXTERNAL_ID, placement.external_id),
        (ReferenceKind.ORDER_NAME, placement.order_name),
        (ReferenceKind.UUID, order.order_id),
    )
    return tuple(Reference(order.shop, kind, value) for kind, value in said if value is not None)
