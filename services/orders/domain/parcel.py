"""Parcel: one tracking number with its scans and the orders that own it.

Scans belong to the number, not to an order: they are kept before an order claims the number and
after it let go, so that tracking and its order can never miss each other.
"""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.frozen import Value
from services.orders.domain.identity import Uuid
from services.orders.domain.scans import Scan
from services.orders.domain.trail import Trail

SCANS_MAX = 500
"""Most scans kept for one number; a real parcel has fewer than 60."""

_IGNORED = str.maketrans("", "", " \t\r\n\u00a0-._/")


class Owner(Value, frozen=True, kw_only=True):
    """A shipment that the number belongs to, or belonged to.

    Carriers reuse numbers, so ownership has a span: scans that occurred in [since, until) are the
    owner's. None leaves that end open.
    """

    order_id: Uuid
    shipment_id: Uuid
    shop: str
    carrier: str | None = None
    """The carrier the shop named, None when it named none: then scans of any carrier count."""
    since: datetime | None = None
    until: datetime | None = None


class Parcel(Value, frozen=True, kw_only=True):
    """Everything known of one tracking number, over all carriers and shops."""

    number: str
    """Normalised: see `normalise_number`."""
    scans: tuple[Scan, ...] = ()
    """A set, kept in ascending order of `Scan.key` so that equal sets are equal values."""
    owners: tuple[Owner, ...] = ()
    """In the order in which they took the number."""
    trail: Trail | None = None
    """None where the state must be added up from all scans. Each decision that changes the scans or
    the owners makes it again.
    """


def normalise_number(text: str) -> str:
    """Upper case without spaces, dashes, dots, underscores and slashes.

    A number made of nothing else is kept as it came (trimmed), so that it never becomes empty.
    """
    return text.translate(_IGNORED).upper() or text.strip()
