"""Ids: each is made from what it names, so that a replay makes the same ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1, sha256
from typing import TypeAlias
from uuid import NAMESPACE_URL, UUID, uuid5

Uuid: TypeAlias = str
"""A UUID as text: lower case, with dashes. As objects, spelling and hashing them again and again
was a tenth of a decision."""

NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/ids")
"""The same as the public contract's (`schemas.identity`); a contract test compares them."""
_NAMESPACE_BYTES = NAMESPACE.bytes


# One batch names each of its orders several times.
@lru_cache(maxsize=8192)
def order_id_of(shop: str, order_number: str) -> Uuid:
    """Id of the order that a shop calls `order_number`."""
    return _named(f"{shop}/{order_number}")


def shipment_id_of(order_id: Uuid, ordinal: int) -> Uuid:
    """Id of an order's n-th shipment; a draft that gets a tracking number keeps it."""
    return _named(f"{order_id}/shipment/{ordinal}")


def event_id_of(order_id: Uuid, shipment_id: Uuid | None, event_type: str, cause: str) -> Uuid:
    """Id of an event: what happened (`event_type`) to what, and what caused it."""
    return _named(f"{order_id}/{shipment_id or ''}/{event_type}/{cause}")


def entry_id_of(shop: str, kind: str, entry_id: str) -> Uuid:
    """Id of a campaign, discount or test; never one of an order, as no shop's name is empty."""
    return _named(f"/campaigns/{shop}/{kind}/{entry_id}")


def version_id_of(entry: Uuid, said: str) -> Uuid:
    """Id of what was said of a campaign, discount or test."""
    return _named(f"{entry}/version/{said}")


def _named(name: str) -> Uuid:
    """`str(uuid5(NAMESPACE, name))` in a quarter of its time."""
    digest = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return uuid5_text(digest)


def uuid5_text(digest: str) -> Uuid:
    """The UUID of version 5 (RFC 9562, 5.5) with the first 128 bits of a SHA-1 in hexadecimal."""
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def uuid_text(text: str) -> Uuid:
    """The canonical text of a UUID: lower case, with dashes.

    Raises:
        ValueError: the text is no UUID.
    """
    return text if _SPELLED.fullmatch(text) else str(UUID(text))


_SPELLED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def digest_of(item_id: Uuid) -> int:
    """An item's id as a signed 64-bit integer, small enough to keep 64 of on every order."""
    unsigned = int(item_id[:8] + item_id[9:13] + item_id[14:18], 16)
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def short_digest(said: bytes) -> str:
    """The first 96 bits of a SHA-256, in hexadecimal."""
    return sha256(said).hexdigest()[:24]


def scan_key(
    *,
    number: str,
    carrier: str | None,
    scan_id: str | None,
    name: str | None,
    code: str | None,
    occurred_at: datetime,
    text: str | None = None,
    retracts: str | None = None,
) -> str:
    """Identity of a scan (docs/scan-rules.md, rule 2).

    The carrier's own scan id, or else what happened and the instant: the carrier's code, else the
    name that the sender gives it, else its text. Nothing that a code map or a detection made.

    Never its place, nor its text beside a code or name: carriers reword both, which would double
    the history. `number` is normalised, and `name` in the form in which names are compared.
    """
    if scan_id is not None:
        identity = f"id/{scan_id}"
    else:
        said = code or name or text or ""
        what = f"back/{retracts}" if retracts is not None else said
        identity = f"at/{what}/{occurred_at.astimezone(UTC).isoformat()}"
    return sha256(f"{carrier or ''}/{number}/{identity}".encode()).hexdigest()[:24]
