"""Written times: the spellings of dates, clocks and offsets that carriers use.

Nothing is guessed: `8/9/2021` is read only where the caller says which number is the day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from msgspec import Struct

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_FLAGS = re.ASCII | re.IGNORECASE

_YEAR_FIRST = re.compile(
    r"(\d{4})(?:(\d\d)(\d\d)|([-/.])(\d{1,2})\4(\d{1,2}))(?!\d{1,5}\b)", _FLAGS
)
_YEAR_LAST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", _FLAGS)
_DAY_AND_MONTH = re.compile(rf"(?:[a-z]+,\s*)?(\d{{1,2}})[\s-]{_MONTH}[\s,-]+(\d{{4}})", _FLAGS)
_MONTH_AND_DAY = re.compile(rf"(?:[a-z]+,\s*)?{_MONTH}\s+(\d{{1,2}}),?\s+(\d{{4}})", _FLAGS)
_DAY_GAP = re.compile(r"\s*(?:t|,|\s|$)\s*|(?=\d{6}$)", _FLAGS)

_CLOCK = re.compile(
    r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(?:\s*([ap])\.?\s?m\b\.?)?", _FLAGS
)
_CLOCK_WITHOUT_COLONS = re.compile(
    r"(\d\d)(\d\d)?(?:(\d\d)(?:[.,](\d{1,9})\d*)?)?(?:\s*([ap])\.?\s?m\b\.?)?", _FLAGS
)
_OFFSET = re.compile(r"(?:gmt|utc)?\s*([+-])(\d{1,2})(?::?(\d\d))?", _FLAGS)
_OFFSET_MAX = timedelta(hours=16)
_NAMED = re.compile(r"(.*?)\s*\[?([a-z]{1,20}(?:/[a-z_+-]{1,30}){1,2})\]?", _FLAGS)

_OF_DOTNET = re.compile(r"\\?/date\((\d{1,14})([+-]\d{4})?\)\\?/", _FLAGS)
"""Milliseconds since 1970 and the offset of the sender, as .NET writes a time in JSON."""
_OF_MAIL = re.compile(r"[a-z]{3}, .{10,40}", _FLAGS)

# UTC; RFC 5322, 4.3; Canada Post, Get Tracking Details, event-time-zone; the zones of the European
# Union (Directive 2000/84/EC) and British summer time.
_ABBREVIATIONS = (
    "Z=0 UT=0 UTC=0 GMT=0 EST=-5 EDT=-4 CST=-6 CDT=-5 MST=-7 MDT=-6 PST=-8 PDT=-7 "
    "NST=-3.5 NDT=-2.5 AST=-4 ADT=-3 WET=0 WEST=1 CET=1 CEST=2 EET=2 EEST=3 BST=1"
)
_HOURS: Mapping[str, float] = {
    name: float(hours)
    for name, _, hours in (pair.partition("=") for pair in _ABBREVIATIONS.split(" "))
}
"""Abbreviations of offsets. Those that several countries use for other offsets, such as IST, are
not here: they count as no offset."""


class Written(Struct, frozen=True, gc=False):
    """A time as it was written."""

    local: datetime
    """Without a zone."""
    offset: timedelta | None = None
    has_seconds: bool = True
    zone: str | None = None
    """The name of the zone, where it stands in the text."""


def written_time(text: str, day_first: bool | None = None) -> Written:
    """Read a date, or a date with a time of day and perhaps an offset.

    Raises:
        ValueError: it is no such time.
    """
    if _OF_MAIL.fullmatch(text):
        return _of_mail(text)
    if said := _OF_DOTNET.fullmatch(text):
        return _of_dotnet(int(said[1]), offset_of(said[2] or "Z") or timedelta())
    found = _date(text, day_first)
    gap = found and _DAY_GAP.match(text, found[1])
    if not found or not gap:
        return _of_library(text)
    rest = text[gap.end() :].strip()
    return clock_of(found[0], rest) if rest else Written(found[0])


def clock_of(day: datetime, text: str) -> Written:
    """Read a time of day, and perhaps an offset, of a day.

    Raises:
        ValueError: it is none.
    """
    clock = _CLOCK.match(text) or _CLOCK_WITHOUT_COLONS.match(text)
    if clock is None:
        raise ValueError("no time of day")
    hour, minute, second = int(clock[1]), int(clock[2] or 0), int(clock[3] or 0)
    if clock[5]:
        hour = _of_24_hours(hour, is_afternoon=clock[5] in "pP")
    fraction = int((clock[4] or "").ljust(6, "0")[:6])
    # A leap second has no datetime: it is the second before it.
    local = day.replace(hour=hour, minute=minute, second=59 if second == 60 else second)
    rest = text[clock.end() :].strip()
    named = _NAMED.fullmatch(rest)
    rest = named[1] if named else rest
    offset = offset_of(rest) if rest else None
    if rest and offset is None:
        raise ValueError("what follows the time of day is no zone")
    local = local.replace(microsecond=fraction)
    return Written(local, offset, clock[3] is not None, named[2] if named else None)


def offset_of(text: str) -> timedelta | None:
    """The offset of `+0200`, `+02:00`, `+2`, `GMT+2`, `Z` or an abbreviation; None for others."""
    hours = _HOURS.get(text.upper())
    if hours is not None:
        return timedelta(hours=hours)
    said = _OFFSET.fullmatch(text)
    if said is None or int(said[3] or 0) > 59:
        return None
    offset = timedelta(hours=int(said[2]), minutes=int(said[3] or 0))
    if offset > _OFFSET_MAX:
        return None
    return -offset if said[1] == "-" else offset


def _of_24_hours(hour: int, *, is_afternoon: bool) -> int:
    """The hour of a 24-hour clock; some senders write AM or PM beside one of a 24-hour clock."""
    if is_afternoon:
        return hour + 12 if hour < 12 else hour
    if hour > 12:
        raise ValueError("an hour after noon with AM")
    return hour % 12


def _date(text: str, day_first: bool | None) -> tuple[datetime, int] | None:
    """The day that a text begins with, and where it ends."""
    if said := _YEAR_FIRST.match(text):
        month, day = said[2] or said[5], said[3] or said[6]
        return _day(said[1], int(month), day), said.end()
    if said := _YEAR_LAST.match(text):
        if day_first is None:
            raise ValueError("the day or the month may come first")
        day, month = (said[1], said[3]) if day_first else (said[3], said[1])
        return _day(said[4], int(month), day), said.end()
    if said := _DAY_AND_MONTH.match(text):
        return _day(said[3], _month(said[2]), said[1]), said.end()
    if said := _MONTH_AND_DAY.match(text):
        return _day(said[3], _month(said[1]), said[2]), said.end()
    return None


def _day(year: str, month: int, day: str) -> datetime:
    return datetime(int(year), month, int(day))  # noqa: DTZ001 - a local day


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _of_mail(text: str) -> Written:
    """RFC 5322, as `Fri, 20 Nov 2026 09:30:00 +0100`; `-0000` says no zone."""
    found = parsedate_to_datetime(text)
    return _of_aware(found)


def _of_dotnet(milliseconds: int, offset: timedelta) -> Written:
    """`/Date(1772625600000+0100)/`."""
    at = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)  # noqa: DTZ001 - UTC
    return Written(at + offset, offset)


def _of_library(text: str) -> Written:
    """Other spellings of ISO 8601, such as days of weeks."""
    return _of_aware(datetime.fromisoformat(text.upper()))


def _of_aware(found: datetime) -> Written:
    return Written(found.replace(tzinfo=None), found.utcoffset())


def zone_text(offset: timedelta) -> str:
    """An offset as it is shown: `+02:00`, or `UTC`."""
    return str(timezone(offset))[3:] or "UTC"
