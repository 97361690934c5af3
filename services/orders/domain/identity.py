"""Ids: each is made from what it names, so that a replay makes the same ones."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1, sha256
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/ids")
"""The same as the public contract's (`schemas.identity`); a contract test compares them."""


# One batch names each of its orders several times.
@lru_cache(maxsize=8192)
def order_id_of(shop: str, order_number: str) -> UUID:
    """Id of the order that a shop calls `order_number`."""
    return _named(f"{shop}/{order_number}")


def shipment_id_of(order_id: UUID, ordinal: int) -> UUID:
    """Id of an order's n-th shipment; a draft that gets a tracking number keeps it."""
    return _named(f"{order_id}/shipment/{ordinal}")


def event_id_of(order_id: UUID, shipment_id: UUID | None, event_type: str, cause: str) -> UUID:
    """Id of an event: what happened (`event_type`) to what, and what caused it."""
    return _named(f"{order_id}/{shipment_id or ''}/{event_type}/{cause}")


def _named(name: str) -> UUID:
    """`uuid5(NAMESPACE, name)`, in half the time: ids are a good part of a decision's."""
    digest = sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def digest_of(item_id: UUID) -> int:
    """An item's id as a signed 64-bit integer, small enough to keep 64 of on every order."""
    return int.from_bytes(item_id.bytes[:8], "big", signed=True)


def scan_key(
    *,
    number: str,
    carrier: str | None,
    scan_id: str | None,
    event_name: str,
    code: str | None,
    occurred_at: datetime,
    retracts: str | None = None,
) -> str:
    """Identity of a scan (rule 2): the carrier's own scan id, else what happened at which instant.

    Never its place or text: carriers reword both, which would double the history.
    `number` is normalised.
    """
    if scan_id is not None:
        told = f"id/{scan_id}"
    else:
        what = f"back/{retracts}" if retracts is not None else code or event_name
        told = f"at/{what}/{occurred_at.astimezone(UTC).isoformat()}"
    return sha256(f"{carrier or ''}/{number}/{told}".encode()).hexdigest()[:24]
