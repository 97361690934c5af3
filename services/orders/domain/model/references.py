"""References: the names by which an order can be found."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from operator import attrgetter

from services.orders.domain.model.ids import Uuid, uuid_text
from services.orders.domain.model.order import (
    Order,
)
from services.orders.domain.value import Value, replace


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


# One batch spells each of its ids several times, and parsing one is the expensive part.
@lru_cache(maxsize=8192)
def _spelled(text: str) -> str:
    try:
        return uuid_text(text)
    except ValueError:
        return text


def reference_key(reference: Reference) -> str:
    """The key that an item waits for while the order it names does not exist."""
    spelled = canonical(reference)
    return f"order/{spelled.shop}/{spelled.kind}/{spelled.value}"


def uuid_key(shop: str, order_id: Uuid) -> str:
    """The same key for an order that is named by its id."""
    return f"order/{shop}/{ReferenceKind.UUID}/{order_id}"


def number_key(number: str) -> str:
    """The key that tracking waits for while no order has its (normalised) number."""
    return f"number/{number}"
