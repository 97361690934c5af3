"""GLS: parcels with their events.

Track and Trace v1 is documented at https://dev-portal.gls-group.net (`parcels`, times with their
offset). ShipIT (`UnitDetail`) and the tracking page (`tuStatus`, texts without codes) are older.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Eta, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each_named,
    each_with_pointer,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable, with_last

_LISTS = ("parcels", "tuStatus", "UnitDetail", "UnitItems")
_NUMBERS = ("unitno", "tuNo", "TrackID", "trackId", "trackID", "requested", "parcelNumber")
_EVENTS = ("events", "history", "History")
_COLLECT = "DELIVEREDPS"
_DAY = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}|\d{4}-\d{2}-\d{2}")


def parts(body: Any) -> Iterator[Part]:
    """The parcels that were found: others have an error in the place of a status."""
    for pointer, parcel in _parcels(body):
        if either(parcel, "errorCode") is None or either(parcel, *_EVENTS) is not None:
            yield Part(pointer, parcel)


def _parcels(body: Any) -> Sequence[tuple[str, Any]]:
    for name in _LISTS:
        if found := list(each_named(body, name)):
            return found
    return list(each_with_pointer(body, ""))


def report(parcel: Any) -> ParcelReport:
    """What a parcel says."""
    name = next((name for name in _EVENTS if listed(parcel, name)), _EVENTS[0])
    events = listed(parcel, name)
    found = readable(events, f"/{name}", _scan, None)
    if not events:
        found = readable(parcel, "", _of_status, None)
    elif found.scans and not _has_codes(found.scans):
        found.scans.append(_beside(parcel, found.scans))
    return ParcelReport(
        tracking_number=text(either(parcel, *_NUMBERS), 512),
        carrier="gls",
        scans=[*_with_parcel(parcel, found), *eta_scan(_eta(parcel), None, found.scans)],
        left_out=found.left_out,
    )


def _scan(event: Any, _: None) -> SaidScan:
    said = text(either(event, "description", "evtDscr", "Description"), LONG_LINE)
    return SaidScan(
        moment=_moment(event),
        code=text(either(event, "code", "evtNo", "StatusCode"), WORD),
        name=text(member(event, "evtDscr"), LINE) if not either(event, "evtNo") else None,
        text=said,
        location=location(
            city=either(event, "city", "Location") or member(event, "address", "city"),
            postal_code=either(event, "postalCode"),
            country=either(event, "country", "Country")
            or either(member(event, "address"), "countryCode", "countryName"),
        ),
    )


def _moment(event: Any) -> Moment:
    said = either(event, "eventDateTime", "timestamp", "Date", "date")
    return moment_of(said, clock=either(event, "time"), day_first=True)


def _has_codes(scans: Sequence[SaidScan]) -> bool:
    """Whether the events have codes, or are the page's texts in English, which the map has."""
    return any(scan.code or "parcel" in (scan.name or "").lower() for scan in scans)


def _of_status(parcel: Any, _: None) -> SaidScan:
    """The status of a parcel without events."""
    said = either(parcel, "statusDateTime", "timestamp", "InitialDate")
    return SaidScan(moment=moment_of(said), code=_status(parcel))


def _beside(parcel: Any, scans: Sequence[SaidScan]) -> SaidScan:
    """The status of a parcel whose events cannot be read, at the time of the newest of them."""
    newest = max(scans, key=lambda scan: scan.moment.at)
    said = text(member(parcel, "progressBar", "statusText"), LONG_LINE)
    return replace(newest, code=_status(parcel), name=None, text=said)


def _status(parcel: Any) -> str | None:
    """The status; on the way back with `RETURN`, which the page says in a field of its own."""
    bar = member(parcel, "progressBar")
    said = text(member(bar, "statusInfo") or either(parcel, "status", "Status"), WORD)
    return f"{said}/RETURN"[:WORD] if said and member(bar, "retourFlag") is True else said


def _with_parcel(parcel: Any, found: ReadScans) -> list[SaidScan]:
    signer = text(member(parcel, "signature", "value"))
    is_name = signer is not None and signer.lower() not in ("true", "false")
    proof = Proof(signed_by=signer) if is_name else None
    pickup = _pickup(either(parcel, "parcelShop", "parcelshop"))
    return with_last(found.scans, proof=proof, pickup=pickup)


def _pickup(shop: Any) -> Pickup | None:
    place = member(shop, "address") or shop
    name = text(either(place, "name1", "name") or either(shop, "name"))
    lines = (either(place, "street1", "street"), either(place, "zipCode", "zip"))
    said = [text(line) for line in (*lines, either(place, "city"))]
    address = text(", ".join(line for line in said if line))
    return Pickup(type="shop", name=name, address=address) if name or address else None


def _eta(parcel: Any) -> Eta | None:
    """The day of the page's estimate, which is a text for people; none after the delivery."""
    said = _DAY.search(text(member(parcel, "arrivalTime", "value")) or "")
    if said is None or (_status(parcel) or "").startswith("DELIVERED"):
        return None
    day = day_or_instant(said[0], day_first=True)
    return Eta(earliest=day, latest=day) if day else None


DIALECT = Dialect(
    types=("gls.tracking",),
    # One parcel more than events: its status may be a scan beside them.
    scan_marks=(b'DateTime"', b'"country', b'"timestamp"', b'"StatusCode"', b'"InitialDate"'),
    shape=re.compile(rb'"(?:statusDateTime|unitno|tuStatus|tuNo|UnitDetail)"\s*:'),
    parts=parts,
    report=report,
)
