"""Hermes Germany: parcels with their statuses.

Documented at https://developer.hermesworld.com/ (shipment info, with codes of four digits) and, as
the page for addressees asks for it, at https://www.myhermes.de/empfangen/sendungsverfolgung/
(a list of parcels, with a word for each status).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location, Pickup
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_with_pointer,
    location,
    member,
    pointer_of,
    text,
)
from services.orders.messages.carriers.reports import (
    ReadScans,
    eta_scan,
    readable,
    with_last,
)
from services.orders.messages.carriers.spelling import each_spelling, folded, name_of

ZONE = "Europe/Berlin"
_LISTS = ("shipmentinfo", "shipments", "parcels")
_OF_THE_PAGE = ("parcelprogress", "parcelhistory")
_HISTORIES = (*_OF_THE_PAGE, "status", "statuses", "history")
_NUMBERS = ("shipmentid", "barcode", "trackingnumber", "parcelnumber")
_TWO_BY_TWO = re.compile(r"(\d\d)[ ./-]?(\d\d)")
"""A code of four digits, written as one or as two of two."""


def parts(body: Any) -> Iterator[Part]:
    """The parcels of an answer, of a list, or the body itself."""
    for at, found in each_spelling(body, *_LISTS, *_NUMBERS, *_OF_THE_PAGE):
        if (name := name_of(found, *_LISTS)) is None:
            yield Part(at, found)
            continue
        for pointer, parcel in each_with_pointer(found[name], at + pointer_of(name)):
            yield Part(pointer, parcel)


def report(parcel: Any) -> ParcelReport:
    """What a parcel says; one for which Hermes has no information is refused."""
    said = folded(parcel)
    found = _with_delivery(_scans(parcel), said)
    is_unknown = member(said, "result", "code") is not None and not found.scans
    numbers = (text(member(said, name), 512) for name in _NUMBERS)
    return ParcelReport(
        tracking_number=None if is_unknown else next(filter(None, numbers), None),
        carrier="hrs",
        scans=[
            *with_last(found.scans, pickup=_pickup(said)),
            *eta_scan(_eta(said), None, found.scans),
        ],
        left_out=found.left_out,
    )


def _scans(parcel: Any) -> ReadScans:
    for name in _HISTORIES:
        own = name_of(parcel, name)
        # A parcel with a history has its last status beside it, as an object.
        if own is not None and isinstance(entries := parcel[own], list | dict):
            if isinstance(entries, list):
                entries = [entry if _is_reached(entry) else None for entry in entries]
            return readable(entries, f"/{own}", _scan, None)
    return ReadScans([], [])


def _with_delivery(found: ReadScans, said: Any) -> ReadScans:
    """The scans, with the delivery that the page says beside a history whose words do not say it.

    Its words for deliveries are several, and grow.
    """
    marks = member(said, "parcelattributes")
    is_said = any("DELIVERED" in (scan.code or "") for scan in found.scans)
    if member(marks, "delivered") is not True or member(marks, "directionenum") == "RETURN":
        return found
    if is_said or not found.scans:
        return found
    newest = max(found.scans, key=lambda scan: scan.moment.at)
    try:
        moment = moment_of(member(marks, "deliveredtimestamp"), ZONE)
    except ValueError:
        moment = newest.moment
    return ReadScans([*found.scans, SaidScan(moment=moment, code="DELIVERED")], found.left_out)


def _is_reached(entry: Any) -> bool:
    """Whether a status has a time: those that the parcel is yet to reach have none."""
    said = folded(entry)
    return not (isinstance(said, dict) and "status" in said and "timestamp" not in said)


def _scan(entry: Any, _: None) -> SaidScan:
    said = folded(entry)
    return SaidScan(
        moment=moment_of(member(said, "timestamp") or member(said, "datetime"), ZONE),
        code=_code(said),
        text=_words(said),
        location=_location(member(said, "scanningunit")),
    )


def _code(said: Any) -> str | None:
    for name in ("code", "statuscode", "eventcode", "parcelstatus", "status"):
        found = member(said, name)
        if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= 9999:
            return f"{found:04d}"
        if word := text(found, WORD):
            digits = _TWO_BY_TWO.fullmatch(word)
            return f"{digits[1]}{digits[2]}" if digits else word
    return None


def _words(said: Any) -> str | None:
    for name in ("description", "historytext", "statushistorytext", "text"):
        if found := text(member(said, name), LONG_LINE):
            return found
    return None


def _location(unit: Any) -> Location | None:
    return location(
        city=member(unit, "city"),
        postal_code=member(unit, "zipcode"),
        country=member(unit, "countrycode"),
    )


def _pickup(said: Any) -> Pickup | None:
    """The shop that has the parcel; an address of another kind is of a person."""
    address = member(said, "address")
    if text(member(address, "addresstype"), WORD) != "PARCELSHOP":
        return None
    lines = (member(address, "street"), member(address, "zipcode"), member(address, "city"))
    return Pickup(
        type="shop",
        name=text(member(address, "lastname")),
        address=text(", ".join(filter(None, map(text, lines)))),
    )


def _eta(said: Any) -> Eta | None:
    """The day of the forecast, with its hours where they are said."""
    shown = member(said, "viewparameters")
    for name in ("deliveryforecast", "forecast", "eta"):
        if (found := _forecast(member(said, name))) is not None:
            return found
    window = {"date": member(shown, "deliverydate"), **_dict(member(shown, "deliverytimeframe"))}
    return _forecast(window)


def _forecast(forecast: Any) -> Eta | None:
    if not isinstance(forecast, dict):
        at = day_or_instant(forecast)
        return Eta(earliest=at, latest=at) if at else None
    day = member(forecast, "date")
    hours = member(forecast, "timeslot") or member(forecast, "timeframe") or forecast
    ends = [
        _end(day, member(hours, name)) or _in_utc(member(hours, f"deliverytime{name}utc"))
        for name in ("from", "to")
    ]
    return Eta(earliest=ends[0] or ends[1], latest=ends[1] or ends[0]) if any(ends) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _in_utc(said: Any) -> datetime | None:
    try:
        return moment_of(said, "UTC").at
    except ValueError:
        return None


def _end(day: Any, clock: Any) -> date | datetime | None:
    if day is None or isinstance(day_or_instant(clock), datetime):
        return day_or_instant(clock)
    try:
        return moment_of(day, ZONE, clock=clock).at if clock else day_or_instant(day)
    except ValueError:
        return day_or_instant(day)


DIALECT = Dialect(
    types=("hermes.tracking", "hermes.shipmentinfo"),
    # `deliveredTimestamp` of a parcel may be a scan as well.
    scan_marks=(b'imestamp"', b'"dateTime"'),
    shape=re.compile(rb'"(?:shipmentinfo|parcelProgress|parcelHistory)"\s*:'),
    parts=parts,
    report=report,
)
