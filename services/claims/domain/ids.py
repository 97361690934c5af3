"""Ids computed from what they identify, as in the public contract (`schemas.identity`)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1, sha256
from typing import TypeAlias
from uuid import NAMESPACE_URL, uuid5

Uuid: TypeAlias = str
"""A UUID as text: lower case, with dashes, as `str(UUID)` writes it."""

NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/ids")
_NAMESPACE_BYTES = NAMESPACE.bytes


# Cached: a batch computes the ids of an order and of a claim several times.
@lru_cache(maxsize=8192)
def order_id(shop: str, order_number: str) -> Uuid:
    """Id of the order with this number in a shop; also of an order that was not received yet."""
    return _named(f"{shop}/{order_number}")


@lru_cache(maxsize=8192)
def claim_id(order: Uuid, item_id: Uuid) -> Uuid:
    """Id of the claim that a command item opens; an item delivered twice opens one claim."""
    return _named(f"{order}/claim/{item_id}")


def event_id(order: Uuid, sequence: int) -> Uuid:
    """Id of the order's event number `sequence` on `claims.events`."""
    return _named(f"{order}/event/claims.events/{sequence}")


def _named(name: str) -> Uuid:
    """`str(uuid5(NAMESPACE, name))` without an object in between (RFC 9562, 5.5)."""
    digest_ = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    first, second, third = digest_[:8], digest_[8:12], digest_[13:16]
    return f"{first}-{second}-5{third}-{_VARIANTS[digest_[16]]}{digest_[17:20]}-{digest_[20:32]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def digest(item_id: Uuid) -> int:
    """A command item's id as a signed 64-bit number, stored on the claims it was applied to."""
    octets = bytes.fromhex(item_id.replace("-", ""))
    return int.from_bytes(sha256(octets).digest()[:8], "big", signed=True)


def digest_text(digest_: int) -> str:
    """A digest in events: 16 hexadecimal digits, because JSON readers may round large numbers."""
    return f"{digest_ & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def parse_digest(text: str) -> int:
    """The digest in a text that `digest_text` wrote.

    Raises:
        ValueError: the text is not hexadecimal.
    """
    return int.from_bytes(bytes.fromhex(text.zfill(16)), "big", signed=True)
