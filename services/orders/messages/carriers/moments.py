"""Moments: the time of a scan as carriers write it (docs/scan-rules.md, rules 9 to 11)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.tracking.scan import Precision
from services.orders.messages.carriers.written_times import (
    Written,
    clock_of,
    offset_of,
    written_time,
    zone_text,
)
from services.orders.messages.carriers.zones import zone_named

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(2099, 12, 30, tzinfo=UTC)

_TEXT_MAX = 64
_MIDNIGHT = time()
_QUARTER = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_EASTERNMOST, _WESTERNMOST = timedelta(hours=14), timedelta(hours=-12)


class Moment(Struct, frozen=True, gc=False):
    """When something happened, as far as the carrier says."""

    at: datetime
    """The instant in UTC; of a day its first midnight."""
    tz_known: bool = True
    precision: Precision = Precision.SECOND
    written_on: date | None = None
    """The day as it was written; only of a day."""
    timezone: str | None = None
    """The zone: its name, or the offset (`+02:00`), or `UTC`; None where it is not known."""
    local: datetime | None = None
    """The time as it was written, read as UTC, where no offset and no UTC field says the instant.
    The key of a scan is made of it: a zone that is found must not change the key."""
    second: datetime | None = None
    """The other instant of a local time that the clocks repeat, where nothing says which it is."""


def moment_of(
    said: Any,
    zone: Any = None,
    precision: Precision | None = None,
    *,
    clock: Any = None,
    day_first: bool | None = None,
    utc: Any = None,
    utc_clock: Any = None,
    offset: Any = None,
) -> Moment:
    """Read a time.

    The zone is that of the first of these that is there: the offset in the time; the UTC field; the
    offset in a field of its own; `zone`. A time without any has `tz_known` false: the place of its
    scan may say the zone later (`resolved_times.py`). Midnight is a day, unless `precision` says
    otherwise.

    Args:
        said: The time, or the date where `clock` is the time of day.
        zone: The zone that the payload names: an IANA name, an offset or an abbreviation.
        precision: How exact it is, where the carrier says so.
        clock: The time of day, where it is a field of its own.
        day_first: Whether `8/9/2021` is in September, as the carrier documents it.
        utc: The same time in UTC, where the carrier says it as well. Counts alone without `said`.
        utc_clock: Its time of day, where that is a field of its own.
        offset: The offset, where it is a field of its own.

    Raises:
        ValueError: it is no time, or not between 1970 and 2100; with a sentence for the sender.
    """
    in_utc = _utc_of(utc, utc_clock)
    if said is None and in_utc is not None:
        return _moment(in_utc, in_utc.local.replace(tzinfo=UTC), precision, "UTC")
    written = _written(said, clock, day_first)
    if written.offset is not None:
        return _at_offset(written, written.offset, precision)
    own = _offset_of(offset)
    if in_utc is not None and (found := _beside_utc(written, in_utc, own, precision)) is not None:
        return found
    own = _offset_of(zone) if own is None else own
    if own is not None:
        return _at_offset(written, own, precision)
    local = written.local.replace(tzinfo=UTC)
    found = replace(_moment(written, local, precision, None), tz_known=False, local=local)
    named = written.zone or zone
    return in_zone(found, named if isinstance(named, str) else None)


def in_zone(moment: Moment, name: str | None) -> Moment:
    """A moment without a zone, read in the named one; the same where there is no such zone.

    A local time that the clocks skip is read by the offset before the change; so is one that they
    repeat, with the other reading in `second`.
    """
    zone = zone_named(name) if name else None
    if zone is None or moment.local is None:
        return moment
    local = moment.local.replace(tzinfo=zone)
    first = local.astimezone(UTC)
    second = local.replace(fold=1).astimezone(UTC)
    is_repeated = second > first and moment.precision is not Precision.DAY
    return replace(
        moment,
        at=_bounded(first),
        tz_known=True,
        timezone=name,
        second=second if is_repeated else None,
    )


def day_or_instant(
    said: Any, *, clock: Any = None, day_first: bool | None = None
) -> date | datetime | None:
    """An end of an ETA: a day stays a day, an instant keeps its offset; None if it is neither.

    A midnight is a day: carriers that know no time write one, whatever the offset. A time without
    an offset is its day.
    """
    try:
        written = _written(said, clock, day_first)
    except ValueError:
        return None
    local = written.local
    if not EARLIEST.year < local.year < LATEST.year:
        return None
    if local.time() == _MIDNIGHT or written.offset is None:
        return local.date()
    return local.replace(tzinfo=timezone(written.offset))


def unix_moment(said: Any) -> Moment:
    """Read seconds since 1970.

    Raises:
        ValueError: it is no such number.
    """
    if isinstance(said, bool) or not isinstance(said, int) or not 0 < said < LATEST.timestamp():
        raise ValueError("must be a number of seconds since 1970")
    return Moment(at=_bounded(datetime.fromtimestamp(said, UTC)))


def _moment(
    written: Written, at: datetime, precision: Precision | None, zone: str | None
) -> Moment:
    found = precision or _precision_of(written)
    return Moment(
        at=_bounded(at),
        precision=found,
        written_on=written.local.date() if found is Precision.DAY else None,
        timezone=zone,
    )


def _precision_of(written: Written) -> Precision:
    if written.local.time() == _MIDNIGHT:
        return Precision.DAY
    return Precision.SECOND if written.has_seconds else Precision.MINUTE


def _at_offset(written: Written, offset: timedelta, precision: Precision | None) -> Moment:
    at = written.local.replace(tzinfo=timezone(offset)).astimezone(UTC)
    return _moment(written, at, precision, zone_text(offset))


def _beside_utc(
    written: Written, in_utc: Written, offset: timedelta | None, precision: Precision | None
) -> Moment | None:
    """A local time with the carrier's UTC field; None where that cannot be the same time.

    The difference is the offset, in quarters of an hour: one of the fields may lack the seconds.
    """
    apart = written.local - in_utc.local
    near = round(apart / _QUARTER) * _QUARTER
    if not _WESTERNMOST <= near <= _EASTERNMOST:
        return None
    is_close = abs(apart - near) < _MINUTE
    found = near if is_close else offset
    at = in_utc.local.replace(tzinfo=UTC)
    finer = replace(written, has_seconds=written.has_seconds or in_utc.has_seconds)
    return _moment(finer, at, precision, None if found is None else zone_text(found))


def _utc_of(said: Any, clock: Any) -> Written | None:
    """The carrier's UTC field; None where there is none that can be read, or only a day."""
    if said is None:
        return None
    try:
        found = _written(said, clock, None)
    except ValueError:
        return None
    if found.local.time() == _MIDNIGHT and not _has_clock(said, clock):
        return None
    return replace(found, local=found.local - (found.offset or timedelta()), offset=None)


def _has_clock(said: Any, clock: Any) -> bool:
    return clock is not None or (isinstance(said, str) and ":" in said)


def _offset_of(said: Any) -> timedelta | None:
    is_text = isinstance(said, str) and len(said) <= _TEXT_MAX
    return offset_of(said.strip()) if is_text else None


def _bounded(at: datetime) -> datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError("must be between 1970 and 2100")
    return at


def _written(said: Any, clock: Any, day_first: bool | None) -> Written:
    """The time as written, with its offset if it has one."""
    if not isinstance(said, str) or not 0 < len(said.strip()) <= _TEXT_MAX:
        raise ValueError("must be a time in a string, like 2026-03-01T09:30:00+01:00")
    text = said.strip()
    try:
        found = written_time(text, day_first)
        if clock is not None:
            found = _with_clock(found, clock)
        if not EARLIEST.year <= found.local.year <= LATEST.year:
            raise ValueError("must be between 1970 and 2100")
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        shown = "".join(each for each in text[:40] if each.isprintable())
        raise ValueError(f"{shown!r} is no time that is known here") from error
    return found


def _with_clock(day: Written, clock: Any) -> Written:
    """A day with its time of day; the day alone where that is empty."""
    if not isinstance(clock, str) or len(clock) > _TEXT_MAX:
        raise ValueError("must be a time of day in a string")
    text = clock.strip()
    midnight = datetime.combine(day.local, _MIDNIGHT)
    return clock_of(midnight, text) if text else Written(midnight)
