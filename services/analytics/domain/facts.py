"""Facts: one value for each order, parcel and claim, as the newest event told it.

Every fact carries the version of the news it is from, so that facts can be merged in any order
and any number of times (see `folding`). Days are local to the destination.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from services.analytics.domain.zones import Zone, local_day

Uuid: TypeAlias = str
"""A UUID as text: lower case, with dashes, as `str(UUID)` spells it."""


class OnTime(StrEnum):
    """A delivery's day against the promised day."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"
    UNKNOWN = "unknown"
    """Not delivered yet, or no day was promised."""


class OrderFact(Struct, frozen=True, kw_only=True):
    """One order. `version` is the `order_version` of the event it is from."""

    order_id: Uuid
    version: int
    shop: str
    order_number: str
    status: str
    placed_at: datetime
    placed_on: date
    cancelled_at: datetime | None
    cancelled_on: date | None
    promised_on: date | None
    country: str | None
    """ISO 3166-1 alpha-2, in capitals."""
    zone: Zone
    currency: str
    item_value: Decimal | None
    """Items before shipping and discounts, in `currency`; None when prices are missing."""
    value_version: int
    """Version of the event that told `item_value`; 0 for none. Events cut for size tell no value,
    and an older event's must not be lost by them."""
    expected_parcels: int


class ParcelFact(Struct, frozen=True, kw_only=True):
    """One parcel with a tracking number. `version` is its order's, of the event it is from."""

    shipment_id: Uuid
    order_id: Uuid
    version: int
    shop: str
    carrier: str | None
    country: str | None
    is_return: bool
    """From the customer back to the shop: in no figure about deliveries."""
    phase: str
    flag: str
    attempts: int
    placed_at: datetime
    """When the order was placed."""
    promised_on: date | None
    handed_over_at: datetime | None
    """First physical scan: a label alone is no parcel in a carrier's hands (rule 12)."""
    handed_over_on: date | None
    delivered_at: datetime | None
    delivered_on: date | None
    on_time: OnTime


class ClaimFact(Struct, frozen=True, kw_only=True):
    """One claim. `version` is the `sequence` of the claim event it is from."""

    claim_id: Uuid
    order_id: Uuid
    version: int
    shop: str
    shipment_id: Uuid | None
    reason: str
    status: str
    resolution_preference: str | None
    country: str | None
    opened_at: datetime
    opened_on: date
    is_withdrawn: bool


class OrderNews(Struct, frozen=True):
    """What one event says of an order and its parcels."""

    order: OrderFact
    parcels: tuple[ParcelFact, ...]
    is_complete: bool
    """Whether `parcels` are all of the order's; not so when its context was cut for size."""
    claims: tuple[ClaimFact, ...] = ()
    """Only a snapshot tells them: each as the last event of the claim told it."""


class ClaimNews(Struct, frozen=True):
    """What one event says of a claim."""

    claim: ClaimFact


News = OrderNews | ClaimNews


def judge_on_time(delivered_on: date | None, promised_on: date | None) -> OnTime:
    """Compare days, both of the destination's calendar; the hour of delivery plays no part."""
    if delivered_on is None or promised_on is None:
        return OnTime.UNKNOWN
    if delivered_on == promised_on:
        return OnTime.ON_TIME
    return OnTime.EARLY if delivered_on < promised_on else OnTime.LATE


def value_of_items(
    sub_total: Decimal | None, lines: tuple[tuple[int, Decimal | None], ...]
) -> Decimal | None:
    """The shop's own sub-total, else the sum of (quantity, unit price); None if one is missing."""
    if sub_total is not None:
        return sub_total
    priced = [quantity * price for quantity, price in lines if price is not None]
    return sum(priced, Decimal()) if priced and len(priced) == len(lines) else None


def day_of(instant: datetime | None, zone: Zone) -> date | None:
    """The local day of an instant that may be missing."""
    return local_day(instant, zone) if instant else None
