"""Canada Post: a tracking detail with its significant events, or summaries of the newest event.

Documented at https://www.canadapost-postescanada.ca/info/mc/business/productsservices/developers/
services/tracking/trackingdetails.jsf and, of summaries, .../trackingsummary.jsf. The page for
addressees reads JSON, with the same codes of events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.places import has_province
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_having,
    each_named,
    either,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable

_EVENTS = ("significant-events", "occurrence")
_COMPACT = re.compile(r"(\d{8}):(\d{4,6})")


def parts(body: Any) -> Iterator[Part]:
    """The parcels of details and of summaries, or the body itself; not a message of an error."""
    for name in ("tracking-detail", "pin-summary"):
        if found := list(each_named(body, name)):
            yield from (Part(pointer, parcel) for pointer, parcel in found)
            return
    for pointer, parcel in each_having(body, ("pin",)):
        if either(parcel, "error") is None:
            yield Part(pointer, parcel)


def report(parcel: Any) -> ParcelReport:
    """What a detail or a summary says of a parcel."""
    found = _scans(parcel)
    return ParcelReport(
        tracking_number=text(member(parcel, "pin"), 512),
        carrier="canadapost",
        scans=[*found.scans, *eta_scan(_eta(parcel), None, found.scans)],
        left_out=found.left_out,
    )


def _scans(parcel: Any) -> ReadScans:
    if isinstance(member(parcel, "events"), list):
        return readable(member(parcel, "events"), "/events", _of_page, None)
    if member(parcel, *_EVENTS) is not None:
        return readable(member(parcel, *_EVENTS), "/" + "/".join(_EVENTS), _of_event, None)
    if either(parcel, "event-date-time") is not None:
        return readable(parcel, "", _of_summary, None)
    if either(parcel, "actual-delivery-date") is not None:
        return readable(parcel, "", _of_delivery, None)
    return ReadScans([], [])


def _of_event(event: Any, _: None) -> SaidScan:
    clock, zone = either(event, "event-time"), either(event, "event-time-zone")
    signer = text(member(event, "signatory-name"))
    return SaidScan(
        moment=moment_of(member(event, "event-date"), clock=clock, offset=zone, zone=zone),
        code=text(member(event, "event-identifier"), WORD),
        text=text(member(event, "event-description"), LONG_LINE),
        location=_place(member(event, "event-site"), member(event, "event-province")),
        pickup=_pickup(event),
        proof=Proof(signed_by=signer) if signer else None,
    )


def _of_page(event: Any, _: None) -> SaidScan:
    at, place = member(event, "datetime"), member(event, "locationAddr")
    shop = text(either(event, "retailNmEn", "retailNmFr"))
    return SaidScan(
        moment=moment_of(
            member(at, "date"), clock=either(at, "time"), offset=either(at, "zoneOffset")
        ),
        code=text(member(event, "cd"), WORD),
        text=text(either(event, "descEn", "descFr"), LONG_LINE),
        location=location(
            city=either(place, "city"),
            postal_code=either(place, "postCd"),
            province=either(place, "regionCd"),
            country=either(place, "countryCd"),
        ),
        pickup=Pickup(type="shop", name=shop) if shop else None,
    )


def _of_summary(summary: Any, _: None) -> SaidScan:
    """The newest event, whose word is its type."""
    said = text(member(summary, "event-date-time"), WORD) or ""
    city, _comma, province = (text(member(summary, "event-location")) or "").rpartition(",")
    signer = text(member(summary, "signatory-name"))
    return SaidScan(
        moment=moment_of(_COMPACT.sub(r"\1T\2", said)),
        name=text(member(summary, "event-type"), WORD),
        text=text(member(summary, "event-description"), LONG_LINE),
        location=_place(city or province, province if city else None),
        proof=Proof(signed_by=signer) if signer else None,
    )


def _of_delivery(summary: Any, _: None) -> SaidScan:
    return SaidScan(moment=moment_of(member(summary, "actual-delivery-date")), name="DELIVERED")


def _place(city: Any, province: Any) -> Location | None:
    """A place; one in a Canadian province is in Canada."""
    said = text(province, WORD)
    country = "CA" if said and has_province("CA", said) else None
    return location(city=city, province=said, country=country)


def _pickup(event: Any) -> Pickup | None:
    """The post office where the parcel waits."""
    name = text(member(event, "event-retail-name"))
    return Pickup(type="shop", name=name) if name else None


def _eta(parcel: Any) -> Eta | None:
    """The day on which the parcel is expected, as it was last changed."""
    page = member(parcel, "expectedDlvryDateTime")
    if member(parcel, "delivered") is True:
        return None
    changed = day_or_instant(either(parcel, "changed-expected-date") or either(page, "revisedDate"))
    said = either(parcel, "expected-delivery-date") or either(page, "dlvryDate")
    day = changed or day_or_instant(said)
    return Eta(earliest=day, latest=day) if day else None


DIALECT = Dialect(
    types=("canadapost.tracking",),
    scan_marks=(
        b"event-identifier>",
        b'"event-identifier"',
        b"pin-summary>",
        b'"event-date-time"',
        b'"zoneOffset"',
    ),
    shape=re.compile(
        rb"canadapost\.ca/ws/track|<(?:\w+:)?tracking-detail[\s>]|event-identifier"
        rb'|"(?:pin-summary|tracking-detail|active-exists|actual-delivery-date)"\s*:'
        rb'|"(?:zoneOffset|expectedDlvryDateTime)"\s*:'
    ),
    parts=parts,
    report=report,
)
