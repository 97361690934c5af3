"""Moments: the time of a scan as carriers write it (docs/scan-rules.md, rules 10 and 11)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from services.orders.domain.tracking.scan import Precision

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(2099, 12, 30, tzinfo=UTC)

_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_OFFSET = re.compile(r"(.*[\d.])\s?([+-]\d\d):?(\d\d)?", re.ASCII)
_OF_MAIL = re.compile(r"[A-Za-z]{3}, .{10,40}", re.ASCII)
_TEXT_MAX = 64


class Moment(Struct, frozen=True, gc=False):
    """When something happened, as far as the carrier says."""

    at: datetime
    """The instant in UTC; of a day its first midnight."""
    tz_known: bool = True
    precision: Precision = Precision.SECOND
    written_on: date | None = None
    """The day as it was written; only of a day."""
    timezone: str | None = None
    """The name of the zone, where it was said."""


def moment_of(said: Any, zone: str | None = None, precision: Precision | None = None) -> Moment:
    """Read a time. `zone` is the IANA name of the zone of a time without an offset.

    Midnight is a day, unless `precision` says otherwise.

    Raises:
        ValueError: it is no time, or not between 1970 and 2100; with a sentence for the sender.
    """
    written = _written(said)
    known = _zone_of(zone) if written.tzinfo is None else None
    aware = written.replace(tzinfo=known or UTC) if written.tzinfo is None else written
    at = aware.astimezone(UTC)
    if not EARLIEST <= at <= LATEST:
        raise ValueError("must be between 1970 and 2100")
    found = precision or (Precision.DAY if written.time() == time() else Precision.SECOND)
    return Moment(
        at=at,
        tz_known=written.tzinfo is not None or known is not None,
        precision=found,
        written_on=written.date() if found is Precision.DAY else None,
        timezone=zone if known else None,
    )


def day_or_instant(said: Any) -> date | datetime | None:
    """An end of an ETA: a day stays a day, an instant keeps its offset; None if it is neither.

    A midnight is a day: carriers that know no time write one, whatever the offset.
    """
    try:
        written = _written(said)
    except ValueError:
        return None
    if not EARLIEST.year < written.year < LATEST.year:
        return None
    if written.time() == time() or written.tzinfo is None:
        return written.date()
    return written


def unix_moment(said: Any) -> Moment:
    """Read seconds since 1970.

    Raises:
        ValueError: it is no such number.
    """
    if isinstance(said, bool) or not isinstance(said, int) or not 0 < said < LATEST.timestamp():
        raise ValueError("must be a number of seconds since 1970")
    at = datetime.fromtimestamp(said, UTC)
    if not EARLIEST <= at <= LATEST:
        raise ValueError("must be between 1970 and 2100")
    return Moment(at=at)


def _written(said: Any) -> datetime:
    """The time as written, with its offset if it has one."""
    if not isinstance(said, str) or not 0 < len(said.strip()) <= _TEXT_MAX:
        raise ValueError("must be a time in a string, like 2026-03-01T09:30:00+01:00")
    text = said.strip()
    try:
        found = _parsed(text)
        found.utcoffset()
        if not EARLIEST.year <= found.year <= LATEST.year:
            raise ValueError("must be between 1970 and 2100")
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        shown = "".join(each for each in text[:40] if each.isprintable())
        raise ValueError(f"{shown!r} is no time that is known here") from error
    return found


def _parsed(text: str) -> datetime:
    if day := _DATE.fullmatch(text):
        return datetime(int(day[1]), int(day[2]), int(day[3]))  # noqa: DTZ001 - a local day
    if _OF_MAIL.fullmatch(text):
        return parsedate_to_datetime(text)
    upper = text.upper()
    offset = _OFFSET.fullmatch(upper)
    # The last digits of a date are no offset: one follows a time.
    if offset and (":" in offset[1] or "T" in offset[1]):
        local = datetime.fromisoformat(offset[1])
        return local.replace(tzinfo=_offset(offset[2], offset[3] or "00"))
    return datetime.fromisoformat(upper)


def _offset(hours: str, minutes: str) -> tzinfo:
    sign = -1 if hours.startswith("-") else 1
    return timezone(sign * timedelta(hours=abs(int(hours)), minutes=int(minutes)))


def _zone_of(name: str | None) -> ZoneInfo | None:
    if not name or len(name) > _TEXT_MAX:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
