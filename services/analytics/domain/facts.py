"""Facts: one value for each order, parcel and claim, as in the newest event about it.

Every fact has the version of the event it is from, so that facts can be merged in any order and
any number of times (see `decide`). Days are local to the destination.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from services.analytics.domain.sales import Sale
from services.analytics.domain.zones import Zone, local_day

Uuid: TypeAlias = str
"""A UUID as text: lower case, with dashes, as `str(UUID)` writes it."""


class OnTime(StrEnum):
    """The day of a delivery compared with the promised day."""

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
    """Value of the items before shipping and discounts, in `currency`; None if a price is missing.
    """
    value_version: int
    """Version of the event that `item_value` is from; 0 for none. An event that was cut for size
    has no value and must not replace the value of an older event."""
    expected_parcels: int
    sale: Sale


class ParcelFact(Struct, frozen=True, kw_only=True):
    """One parcel with a tracking number. `version` is its order's, of the event it is from."""

    shipment_id: Uuid
    order_id: Uuid
    version: int
    shop: str
    carrier: str | None
    country: str | None
    is_return: bool
    """From the customer back to the shop; left out of all figures about deliveries."""
    phase: str
    flag: str
    attempts: int
    placed_at: datetime
    """When the order was placed."""
    promised_on: date | None
    handed_over_at: datetime | None
    """Time of the first physical scan. A label alone is not a hand-over."""
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


class OrderEventFacts(Struct, frozen=True):
    """The facts of one event about an order: the order, its parcels, its claims."""

    order: OrderFact
    parcels: tuple[ParcelFact, ...]
    is_complete: bool
    """Whether `parcels` are all parcels of the order; False when the context was cut for size."""
    claims: tuple[ClaimFact, ...] = ()
    """Only a snapshot event has them: each claim as in its own last event."""


class ClaimEventFacts(Struct, frozen=True):
    """The fact of one event about a claim."""

    claim: ClaimFact


EventFacts = OrderEventFacts | ClaimEventFacts


def judge_on_time(delivered_on: date | None, promised_on: date | None) -> OnTime:
    """Compare two days of the destination's calendar; the hour of the delivery does not count."""
    if delivered_on is None or promised_on is None:
        return OnTime.UNKNOWN
    if delivered_on == promised_on:
        return OnTime.ON_TIME
    return OnTime.EARLY if delivered_on < promised_on else OnTime.LATE


def value_of_items(
    sub_total: Decimal | None, lines: tuple[tuple[int, Decimal | None], ...]
) -> Decimal | None:
    """The value of an order's items: the shop's sub-total, else the sum over the lines.

    A line is a quantity and a unit price. None where there is no sub-total and a price is missing.
    """
    if sub_total is not None:
        return sub_total
    priced = [quantity * price for quantity, price in lines if price is not None]
    return sum(priced, Decimal()) if priced and len(priced) == len(lines) else None


def day_of(instant: datetime | None, zone: Zone, written: date | None = None) -> date | None:
    """The local day of an instant; None for None.

    `written` is the day of a scan of which only a day is known. It is a day at the destination
    already, wherever the midnight of `instant` was, and is taken as it is.
    """
    if instant is None:
        return None
    return written or local_day(instant, zone)
