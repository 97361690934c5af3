"""What a shop said: of its campaigns, discounts and tests, of its orders, and of their pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.identity import order_id


@dataclass(frozen=True, slots=True)
class Campaign:
    """What decides of a campaign. `start` None: not said, see `book.Held`."""

    name: str
    segment: str | None = None
    enabled: bool = True
    start: datetime | None = None
    end: datetime | None = None
    priority: int = 0
    discount_id: str | None = None


@dataclass(frozen=True, slots=True)
class Discount:
    """What decides of a discount. `start` None: not said, see `book.Held`."""

    code: str
    start: datetime | None = None
    end: datetime | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class AbTest:
    """What decides of a test: `shares` are campaign ids with per cents, the rest is held out."""

    name: str
    segment: str | None
    shares: tuple[tuple[str, int], ...]
    start: datetime | None = None
    end: datetime | None = None
    enabled: bool = True


Content = Campaign | Discount | AbTest


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing said of a campaign, a discount or a test, and since when it holds.

    `content` is that of an upsert; a pause or a removal has none.
    """

    id: str
    act: str
    effective_at: datetime
    content: Content | None = None
    source_version: int = 0


@dataclass(frozen=True, slots=True)
class Referral:
    """A link that led to an order, however it was written."""

    campaign_id: str | None = None
    campaign_code: str | None = None
    clicked_at: datetime | None = None
    session_id: str | None = None


@dataclass(slots=True)
class OrderFacts:
    """All that a shop said of an order, as far as campaigns are concerned.

    `segments` have the `updated_at` of the command that said them. `parcels` are the times of
    hand-over. `analytics` is what the order has in the end.
    """

    shop: str
    number: str
    placed_at: datetime
    customer: str | None = None
    currency: str = "EUR"
    total: Decimal | None = None
    discount_price: Decimal = Decimal(0)
    codes: tuple[str, ...] = ()
    segments: list[tuple[datetime | None, tuple[str, ...]]] = field(default_factory=list)
    parcels: list[datetime] = field(default_factory=list)
    referrals: list[Referral] = field(default_factory=list)
    analytics: dict[str, Any] = field(default_factory=dict)
    is_cancelled: bool = False

    @property
    def key(self) -> str:
        """The order's name in messages."""
        return f"{self.shop}/{self.number}"

    @property
    def uuid(self) -> UUID:
        """The order's id, as the contract makes it."""
        return order_id(self.shop, self.number)

    @property
    def fulfilled_at(self) -> datetime | None:
        """When the first parcel was handed over."""
        return min(self.parcels, default=None)

    @property
    def sessions(self) -> frozenset[str]:
        """The visits that led to the order."""
        named = [referral.session_id for referral in self.referrals]
        named.append(self.analytics.get("session_id"))
        return frozenset(session for session in named if session)


@dataclass(frozen=True, slots=True)
class PageActivity:
    """What a page said: `identity` is the same for a repeat; `is_bot` by its user agent."""

    identity: str
    shop: str
    order: str
    kind: str
    campaign_id: str | None
    session_id: str | None
    consent: bool
    is_bot: bool
