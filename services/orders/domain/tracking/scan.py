"""Scan: one event of a parcel as its carrier reported it, normalised (docs/scan-rules.md)."""

from __future__ import annotations

from abc import ABC
from datetime import MAXYEAR, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from services.orders.domain.tracking.catalogue import Flag, Why
from services.orders.domain.value import Value


class Precision(StrEnum):
    """How exactly a carrier knows the time of a scan."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


class Direction(StrEnum):
    """Which way a parcel travels."""

    MERCHANT_CUSTOMER = "merchant_customer"
    CUSTOMER_MERCHANT = "customer_merchant"


class Location(Value, frozen=True, kw_only=True):
    """Where a scan happened. Never part of a scan's identity: carriers reword places."""

    city: str | None = None
    postal_code: str | None = None
    province: str | None = None
    country_code: str | None = None
    latitude: str | None = None
    """Decimal degrees as text, so that the figure is kept exactly as it came."""
    longitude: str | None = None


if TYPE_CHECKING:
    DayOrMoment: TypeAlias = date | datetime
else:

    class DayOrMoment(ABC):  # noqa: B024 - a date is one by registration
        """A date, or a datetime with its zone: msgspec reads no union of the two by itself."""

    DayOrMoment.register(date)


class Eta(Value, frozen=True, kw_only=True):
    """Window of expected arrival. A day without a time stays a `date` in the destination's zone.

    Why: a day's ETA kept as midnight UTC is a day off west of Greenwich.
    """

    earliest: DayOrMoment | None = None
    latest: DayOrMoment | None = None


class Pickup(Value, frozen=True, kw_only=True):
    """Where the customer can collect the parcel."""

    type: str | None = None
    name: str | None = None
    address: str | None = None
    url: str | None = None
    opening_hours: str | None = None
    date_to: str | None = None
    """Last day of collection, as the carrier wrote it (ISO 8601 date or timestamp)."""


class Proof(Value, frozen=True, kw_only=True):
    """Proof of delivery."""

    signed_by: str | None = None
    image_url: str | None = None


class Scan(Value, frozen=True, kw_only=True):
    """One normalised scan. Every timestamp is aware; `occurred_at` is the instant in UTC.

    `key` is the scan's identity within its tracking number (rule 2): see `ids.scan_key`. It is made
    of what the carrier said, never of `event_name`, which follows from the code maps: `naming.py`.
    A scan of day precision has `occurred_at` at the local midnight that begins its day.
    """

    key: str
    event_name: str
    """A name of the catalogue, `UNMAPPED` when the carrier's code is not known to us."""
    occurred_at: datetime
    recorded_at: datetime
    """When the scan was first received. Has no effect on the state, only on whether to notify."""
    carrier: str | None = None
    scan_id: str | None = None
    code: str | None = None
    text: str | None = None
    timezone: str | None = None
    tz_known: bool = True
    precision: Precision = Precision.SECOND
    location: Location | None = None
    eta: Eta | None = None
    reason: str | None = None
    attempt: int | None = None
    direction: Direction | None = None
    pickup: Pickup | None = None
    proof: Proof | None = None
    retracts: str | None = None
    """The `scan_id` (of the same carrier) that this scan takes back."""
    written_on: date | None = None
    """The day as the carrier wrote it; only of a scan of day precision. See `day_of`."""
    name: str | None = None
    """What the sender calls it, where that is no name of the catalogue."""
    code_set: str | None = None
    """The code set that names it; None where the sender's own name of the catalogue counts."""
    is_ambiguous: bool = False
    """Its local time is one that the clocks repeat, and nothing says which: the first counts."""
    said_carrier: str | None = None
    """What the sender calls the carrier, where that is not its key; shops may call it so too."""
    why: Why | None = None
    """What the word in `reason`, or the row of the code map, says of it: see `why.why_of`."""
    flag: Flag | None = None
    """What a row of the code map without an event name sets."""


def precision_of(written: datetime, said: Precision | None) -> Precision:
    """How exact a time is: as the carrier said, else a day at midnight and a second otherwise.

    `written` is the time in the carrier's zone (rule 11).
    """
    if said is not None:
        return said
    return Precision.DAY if written.time() == _MIDNIGHT else Precision.SECOND


def day_of(scan: Scan) -> date | None:
    """The calendar day of a scan of day precision, as written; None for any other scan.

    The day is not shifted to a zone: it is the day at the place of the scan (rule 11). A scan that
    was stored without `written_on` has the day of the midnight nearest to its instant, since the
    offset that it was written with is not stored.
    """
    if scan.precision is not Precision.DAY:
        return None
    if scan.written_on is not None:
        return scan.written_on
    is_utc = not scan.tz_known or _is_on_last_day(scan.occurred_at)
    return (scan.occurred_at if is_utc else scan.occurred_at + _HALF_A_DAY).date()


def latest_of(scan: Scan) -> datetime:
    """The latest instant at which a scan may have happened: of day precision, the end of its day.

    The last day of the calendar has no end that can be written.
    """
    if scan.precision is not Precision.DAY or _is_on_last_day(scan.occurred_at):
        return scan.occurred_at
    return scan.occurred_at + _DAY


def _is_on_last_day(moment: datetime) -> bool:
    """Whether no time can be written that is a day later."""
    return moment.year == MAXYEAR and moment.date() == date.max


_MIDNIGHT = time(0)
_DAY = timedelta(days=1)
_HALF_A_DAY = timedelta(hours=12)
