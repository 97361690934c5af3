"""Ids that follow from what they name; the same one-liners as the public contract's."""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/ids")


def order_id(shop: str, order_number: str) -> UUID:
    """Id of the order a shop knows by this number; known before the order is."""
    return uuid5(NAMESPACE, f"{shop}/{order_number}")


def claim_id(order: UUID, item_id: UUID) -> UUID:
    """Id of the claim that the command item opened: delivered twice, it opens one claim."""
    return uuid5(NAMESPACE, f"{order}/claim/{item_id}")


def event_id(order: UUID, sequence: int) -> UUID:
    """Id of the order's event number `sequence` on `claims.events`."""
    return uuid5(NAMESPACE, f"{order}/event/claims.events/{sequence}")


def digest(item_id: UUID) -> int:
    """A command item's id in 64 signed bits, kept on the claims it was applied to."""
    return int.from_bytes(hashlib.sha256(item_id.bytes).digest()[:8], "big", signed=True)


def written_digest(digest_: int) -> str:
    """A digest as events show it: 16 hexadecimal digits, which every reader of JSON keeps."""
    return f"{digest_ & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def read_digest(text: str) -> int:
    """The inverse of `written_digest`.

    Raises:
        ValueError: the text is none.
    """
    return int.from_bytes(bytes.fromhex(text.zfill(16)), "big", signed=True)
