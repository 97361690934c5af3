"""Activities of UPS: one scan, in the names of each of its forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.orders.domain.tracking.scan import Location
from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    ID,
    LONG_LINE,
    WORD,
    each,
    either,
    location,
    member,
    text,
)

_ATTEMPTS: Mapping[str | None, int] = {"022": 1, "023": 2, "024": 3}
"""Attempts by status code: first, second, last."""


def activity_scan(activity: Any, _: None) -> SaidScan:
    """What an activity of an answer says, or a push.

    Raises:
        ValueError: its time is none.
    """
    status = either(activity, "status", "Status", "activityStatus")
    number = _status_number(status)
    day, clock = digits(either(activity, "date", "Date", "localActivityDate")), _clock(activity)
    code = code_of(status, number)
    return SaidScan(
        moment=moment_of(
            day,
            clock=clock if day else None,
            utc=digits(either(activity, "gmtDate", "GMTDate", "gmtActivityDate")),
            utc_clock=time_of_day(either(activity, "gmtTime", "GMTTime", "gmtActivityTime")),
            offset=_offset(either(activity, "gmtOffset", "GMTOffset")),
        ),
        scan_id=scan_id_of(day, clock, code),
        code=code,
        text=text(
            either(status, "description", "Description")
            or member(either(status, "StatusType"), "Description"),
            LONG_LINE,
        ),
        location=_place(activity),
        attempt=_ATTEMPTS.get(number),
    )


def _clock(activity: Any) -> str | None:
    return time_of_day(either(activity, "time", "Time", "localActivityTime"))


def scan_id_of(day: str | None, clock: str | None, code: str | None) -> str | None:
    """An id of what each form says of a scan: the local time as it is written, and the code.

    Retractions name the scan by it, and a push without UTC fields is the scan of the history.
    """
    if day is None or code is None:
        return None
    return f"{day}/{clock or ''}/{code.partition('/')[0] or code}"[:ID]


def code_of(status: Any, number: str | None) -> str | None:
    """The code, the status code and the activity type: a code has several meanings by its type.

    Without a code the status code is one.
    """
    code = text(either(status, "code", "Code"), WORD)
    kind = text(either(status, "type", "Type"), WORD)
    if isinstance(inner := member(status, "StatusCode"), dict):
        code = code or text(member(inner, "Code"), WORD)
    if isinstance(inner := member(status, "StatusType"), dict):
        kind = kind or text(member(inner, "Code"), WORD)
    if code is None:
        return number or (f"//{kind}" if kind else None)
    return f"{code}/{number or ''}/{kind or ''}".rstrip("/")


def _status_number(status: Any) -> str | None:
    """The status code of three digits.

    `descriptionCode` of a push is another number: 17 is out for delivery there.
    """
    said = text(either(status, "statusCode", "StatusCode"), WORD)
    return said.zfill(3) if said is not None and said.isdecimal() else None


def _place(activity: Any) -> Location | None:
    found = either(activity, "location", "ActivityLocation", "activityLocation")
    return place_of(next((entry for _, entry in each(found)), None))


def place_of(said: Any) -> Location | None:
    """The place of an address, or of what has one."""
    address = either(said, "address", "Address", "AddressArtifactFormat") or said
    return location(
        city=either(address, "city", "City", "PoliticalDivision2"),
        postal_code=either(address, "postalCode", "PostalCode", "PostcodePrimaryLow"),
        province=either(address, "stateProvince", "StateProvinceCode", "PoliticalDivision1"),
        country=either(address, "countryCode", "country", "CountryCode"),
    )


def digits(said: Any) -> str | None:
    """A date of eight digits, however it is separated; another text as it is."""
    found = text(said, WORD)
    if found is None:
        return None
    only = "".join(c for c in found if c.isdecimal())
    return only if len(only) == 8 else found


def time_of_day(said: Any) -> str | None:
    """A time of day of six digits: some forms write colons, some leave out a leading zero."""
    found = text(said, WORD)
    if found is None:
        return None
    only = found.replace(":", "")
    return only.zfill(6) if only.isdecimal() and 4 < len(only) <= 6 else found


def _offset(said: Any) -> str | None:
    """An offset; pushes write `-04.00`."""
    found = text(said, WORD)
    return None if found is None else found.replace(".", ":")
