"""What an order counts for in the figures of campaigns: the campaign credited with it, and what the
customer paid; and where it stands in a test: the campaign that its page shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

SESSIONS_MAX = 50
_DIGEST_BYTES = 16

Session: TypeAlias = str
"""A UUID made of a shop and the id of a visit, as text; the id itself is not kept."""


class Sale(Struct, frozen=True, kw_only=True):
    """What an order counts for, as of the event that its fact is from."""

    campaign_id: str | None = None
    """The campaign that is credited with the order."""
    revenue: Decimal = Decimal()
    """What the customer pays, in the order's currency; 0 if the order has no price."""
    discount: Decimal = Decimal()
    """Of it the discounts, in the order's currency."""
    shown_campaign_id: str | None = None
    """The campaign that the order's page shows."""
    test_id: str | None = None
    """The test that decided what the page shows."""
    is_held_out: bool = False
    """The test shows this order no campaign."""
    sessions: tuple[Session, ...] = ()
    """The visits that led to the order, sorted; at most 50."""


def session_of(shop: str, session_id: str) -> Session:
    """The digest of a visit: equal for equal ids of one shop, different between shops."""
    digest = sha256(f"{shop}/{session_id}".encode()).digest()
    return str(UUID(bytes=digest[:_DIGEST_BYTES]))


def sessions_of(shop: str, session_ids: Iterable[str | None]) -> tuple[Session, ...]:
    """The digests of the first 50 different ids, sorted."""
    known = dict.fromkeys(id_ for id_ in session_ids if id_)
    return tuple(sorted(session_of(shop, id_) for id_ in [*known][:SESSIONS_MAX]))
