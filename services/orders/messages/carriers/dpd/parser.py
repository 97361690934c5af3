"""DPD: the parcel life cycle, as the SOAP service writes it and as the tracking page reads it.

Documented at https://esolutions.dpd.com/entwickler/dpdwebservices/parcellifecycleservice.aspx
(`getTrackingData`); the page asks https://tracking.dpd.de/ for JSON. The Tracking Push Service
sends each status by itself, as the parameters of a request (`pushid`, `pnr`, `status`,
`statusdate`).

The service lists all statuses of a parcel, also those that it has not reached: these are no scans.
The JSON has the scans themselves, with DPD's scan codes: where there are some, they count alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Location, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each,
    each_with_pointer,
    link,
    location,
    member,
    pointer_of,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, readable, with_last
from services.orders.messages.carriers.spelling import each_spelling, folded, name_of
from services.runtime.messages.json_codec import FieldError, Malformed

_RESULTS = ("trackingresult", "parcellifecycledata")
_NUMBERS = ("parcellabelnumber", "parcelnumber", "parcelno", "trackingnumber", "pnr")
_PUSHED = re.compile(r"(\d\d)(\d\d)(\d{4})(\d{6})")
"""A time of the push service: day, month, year and time of day."""
_PARCEL = ("statusinfo", "scaninfo", "statusdate")
_NO_NUMBER = "must be the number that was asked for, which some answers do not repeat"
_DELIVERED = "13"
"""The scan code of a delivery."""
_PUSHED_DELIVERY = "delivery_customer"
_PLACE = re.compile(r"(.*?)\s*\(([A-Z]{2})\)")
_AM_PM = re.compile(r"\d\s*[ap]\.?m\b", re.IGNORECASE)
_DAY_AFTER_MONTH = re.compile(r"\d{1,2}/(?:1[3-9]|2\d|3[01])/\d{4}")


def parts(body: Any) -> Iterator[Part]:
    """The parcels of an answer, whatever stands around them."""
    for at, entry in each_spelling(body, *_RESULTS, *_PARCEL):
        if (name := name_of(entry, *_RESULTS)) is None:
            yield Part(at, entry)
            continue
        for pointer, parcel in each_with_pointer(entry[name], at + pointer_of(name)):
            if isinstance(parcel, dict):
                yield Part(pointer, _with_number(parcel, entry))


def _with_number(parcel: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """A parcel with the number that its sender wrote beside it, where it has none."""
    beside = name_of(around, *_NUMBERS)
    if beside is None or _number(folded(parcel)) is not None:
        return parcel
    return {**parcel, "parcelLabelNumber": around[beside]}


def report(parcel: Any) -> ParcelReport:
    """What a parcel says."""
    said = folded(parcel)
    number, found = _number(said), _scans(parcel)
    if number is None:
        raise Malformed(
            "invalid_fields", [FieldError("/shipmentInfo/parcelLabelNumber", _NO_NUMBER)]
        )
    return ParcelReport(
        tracking_number=number,
        carrier="dpd",
        scans=with_last(found.scans, proof=_proof(said), is_end=_is_delivery),
        left_out=found.left_out,
    )


def _number(said: Any) -> str | None:
    info = member(said, "shipmentinfo")
    for holder in (info, said):
        for name in _NUMBERS:
            if found := _words(member(holder, name)):
                return found
    return None


def _scans(parcel: Any) -> ReadScans:
    """The scans; where there is none, the statuses that the parcel has reached."""
    if name_of(parcel, "statusdate") is not None:
        return readable(parcel, "", _pushed, None)
    info = name_of(parcel, "scaninfo") or ""
    scan = name_of(member(parcel, info), "scan", "scans", "scanlist") or ""
    scans = member(parcel, info, scan)
    if any(True for _ in each(scans)):
        return readable(scans, pointer_of(info, scan), _scan, None)
    name = name_of(parcel, "statusinfo") or ""
    statuses = member(parcel, name)
    if isinstance(statuses, list):
        statuses = [entry if _is_reached(entry) else None for entry in statuses]
    elif not _is_reached(statuses):
        statuses = None
    return readable(statuses, pointer_of(name), _status, _is_day_first(statuses))


def _is_reached(status: Any) -> bool:
    said = member(folded(status), "statushasbeenreached")
    return said is not False and (text(said, WORD) or "").lower() not in ("false", "0")


def _is_day_first(statuses: Any) -> bool:
    """Whether the dates of a list have the day first: those of a 12-hour clock have the month."""
    dates = [_words(member(folded(entry), "date")) or "" for _, entry in each(statuses)]
    return not any(_AM_PM.search(said) or _DAY_AFTER_MONTH.match(said) for said in dates)


def _status(entry: Any, is_day_first: bool) -> SaidScan:
    said = folded(entry)
    return SaidScan(
        moment=moment_of(_words(member(said, "date")), day_first=is_day_first),
        code=text(member(said, "status"), WORD),
        text=_words(member(said, "description")) or _words(member(said, "label")),
        location=_location(_words(member(said, "location")), None),
    )


def _pushed(entry: Any, _: None) -> SaidScan:
    said = folded(entry)
    written = text(member(said, "statusdate"), WORD) or ""
    return SaidScan(
        moment=moment_of(_PUSHED.sub(r"\3-\2-\1 \4", written)),
        code=text(member(said, "status"), WORD),
    )


def _scan(entry: Any, _: None) -> SaidScan:
    said = folded(entry)
    data = member(said, "scandata")
    clock = text(member(said, "time"), WORD)
    return SaidScan(
        moment=moment_of(text(member(said, "date"), WORD), clock=clock, day_first=True),
        code=_code(data),
        text=_words(member(said, "scandescription")),
        location=_location(_words(member(data, "location")), member(data, "country")),
    )


def _code(data: Any) -> str | None:
    """The scan code of two digits, with the kind of the information or the first further code."""
    kind = member(data, "scantype")
    code = text(member(kind, "code"), WORD) or text(member(kind, "name"), WORD)
    if code is None:
        return None
    code = code.zfill(2)
    more = member(data, "additionalcodes", "additionalcode") or member(data, "additionalcodes")
    extra = next((text(member(entry, "code"), WORD) for _, entry in each(more)), None)
    info = text(member(data, "infocontainer", "name"), WORD)
    return f"{code}/{info or extra or ''}".rstrip("/")


def _words(said: Any) -> str | None:
    """The first text of a content, which may be in another content or in a list."""
    for _ in range(4):
        if isinstance(said, list):
            said = next(iter(said), None)
        elif isinstance(said, dict):
            said = said.get("content")
        else:
            break
    return text(said, LONG_LINE)


def _location(place: str | None, country: Any) -> Location | None:
    found = _PLACE.fullmatch(place or "")
    city, land = (found[1], found[2]) if found else (place, None)
    return location(city=city, country=land or country)


def _proof(said: Any) -> Proof | None:
    """Who took the parcel, and the link to the proof."""
    signer = text(member(said, "receiver")) if "statusdate" in said else None
    for _, entry in each(member(said, "shipmentinfo", "additionalproperties")):
        if text(member(entry, "key"), WORD) == "RECEIVER_NAME":
            signer = text(member(entry, "value"))
    image, is_delivered = None, False
    for _, scan in each(member(said, "scaninfo", "scan")):
        is_delivered |= (_code(member(scan, "scandata")) or "").startswith(_DELIVERED)
        for _, entry in each(member(scan, "links")):
            if "POD" in (text(member(entry, "target"), WORD) or ""):
                image = link(member(entry, "url")) or image
    is_delivered |= member(said, "status") == _PUSHED_DELIVERY
    has_any = is_delivered and (signer or image)
    return Proof(signed_by=signer, image_url=image) if has_any else None


def _is_delivery(said: SaidScan) -> bool:
    return (said.code or "").startswith((_DELIVERED, _PUSHED_DELIVERY))


DIALECT = Dialect(
    types=("dpd.tracking", "dpd.parcellifecycle"),
    scan_marks=(b"tatusHasBeenReached", b'"scanData"', b'"statusdate"', b'"statusDate"'),
    shape=re.compile(
        rb"ParcelLifeCycleService|parcellifecycleResponse|parcelLifeCycleData"
        rb'|[sS]tatusHasBeenReached|"pushid"\s*:'
    ),
    parts=parts,
    report=report,
)
