"""GLS: parcels with their events.

Track and Trace v1 is documented at https://dev-portal.gls-group.net (`parcels`, times with their
offset). ShipIT (`UnitDetail`, or `trackid` in its Web API) and the tracking page (`tuStatus`, texts
without codes) are older. Eastern Europe has MyGLS (`ParcelStatusList`), the Netherlands a page of
their own (`scans` with a state), Germany an app (`deliveryEvents`, texts alone).

The texts in English are the same in all forms. They often say more than the code beside them, such
as the parcel shop for `DELIVERED`: so the text is the name of an event.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each,
    each_having,
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
_NUMBERS = (
    "unitno",
    "tuNo",
    "TrackID",
    "trackId",
    "trackID",
    "trackid",
    "requested",
    "trackingReference",
    "parcelNo",
    "parcelNumber",
    "ParcelNumber",
)
_OWN_EVENTS = ("scans", "deliveryEvents", "ParcelStatusList")
"""Lists of events of which the holder is a parcel, whatever else it has."""
_EVENTS = ("events", "history", "History", *_OWN_EVENTS)
_TIMES = (
    "eventDateTime",
    "timestamp",
    "Date",
    "dateTime",
    "occurrenceDateTime",
    "StatusDate",
    "date",
)
_TEXTS = ("description", "evtDscr", "Description", "eventReasonDescr", "StatusDescription")
_TOWNS = ("city", "Location", "location", "DepotCity")
_LESS = "the parcel has reached the parcel center."
"""A text that says less than a code beside it."""
_DAY = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}|\d{4}-\d{2}-\d{2}|\d{1,2}-[A-Za-z]{3}-\d{4}")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b")
_DEPOT = re.compile(r"([A-Z]{2}) ?[A-Z]?\d{2,4}")
"""The code of a depot, which begins with its country."""


def parts(body: Any) -> Iterator[Part]:
    """The parcels that were found: others have an error in the place of a status."""
    for pointer, parcel in _parcels(body):
        if either(parcel, "errorCode") is None or either(parcel, *_EVENTS) is not None:
            yield Part(pointer, parcel)


def _parcels(body: Any) -> Sequence[tuple[str, Any]]:
    if found := list(each_having(body, _OWN_EVENTS)):
        return found
    for name in _LISTS:
        if found := list(each_named(body, name)):
            return found
    alone = list(each_having(body, (*_EVENTS, "progressBar", *_NUMBERS)))
    return alone or list(each_with_pointer(body, ""))


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
        tracking_number=_number(parcel),
        carrier="gls",
        scans=[*_with_parcel(parcel, found), *eta_scan(_eta(parcel, found), None, found.scans)],
        left_out=found.left_out,
    )


def _number(parcel: Any) -> str | None:
    """The number of the parcel, which the page may say among its references alone."""
    said = text(either(parcel, *_NUMBERS), 512)
    for _, reference in each(member(parcel, "references")):
        if said is None and member(reference, "type") == "UNITNO":
            said = text(member(reference, "value"), 512)
    return said


def _scan(event: Any, _: None) -> SaidScan:
    said = html.unescape(text(either(event, *_TEXTS), LONG_LINE) or "")[:LONG_LINE] or None
    code = _code(event)
    is_less = said is None or (code is not None and not _says_more(said))
    return SaidScan(
        moment=_moment(event),
        code=code,
        name=None if is_less else text(said, LINE),
        text=said,
        location=_place(event),
    )


def _code(event: Any) -> str | None:
    """The code; of the Netherlands the state, of MyGLS a number without the zero before it."""
    said = text(either(event, "code", "evtNo", "StatusCode"), WORD)
    if said is None:
        state = text(member(event, "state"), WORD)
        return f"state/{state}"[:WORD] if state else None
    return (said.lstrip("0") or "0") if said.isdecimal() else said


def _says_more(said: str) -> bool:
    """Whether a text is one in English that may say more than the code beside it."""
    return _is_english(said) and said.lower() != _LESS


def _is_english(said: str) -> bool:
    return "parcel" in said.lower()


def _place(event: Any) -> Location | None:
    """The place; depots of ShipIT have their code after the town."""
    town, depot = text(either(event, *_TOWNS)), text(either(event, "LocationCode"), WORD)
    if town and depot and town != depot:
        town = town.removesuffix(depot)
    found = _DEPOT.fullmatch(depot or "")
    return location(
        city=town or member(event, "address", "city"),
        postal_code=either(event, "postalCode"),
        country=either(event, "country", "Country")
        or either(member(event, "address"), "countryCode", "countryName")
        or (found[1] if found else None),
    )


def _moment(event: Any) -> Moment:
    said = either(event, *_TIMES)
    return moment_of(said, clock=either(event, "time"), day_first=True)


def _has_codes(scans: Sequence[SaidScan]) -> bool:
    """Whether the events have codes, or are the texts in English, which the map has."""
    return any(scan.code or _is_english(scan.name or "") for scan in scans)


def _of_status(parcel: Any, _: None) -> SaidScan:
    """The status of a parcel without events."""
    said = either(parcel, "statusDateTime", "timestamp", "InitialDate", "deliveredAt")
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
    if said is None and either(parcel, "deliveredAt") is not None:
        return "DELIVERED"
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


def _eta(parcel: Any, found: ReadScans) -> Eta | None:
    """The estimate; none after the delivery."""
    if (_status(parcel) or "").startswith("DELIVERED"):
        return None
    window = member(parcel, "deliveryStatus")
    ends = [day_or_instant(either(window, f"etaTimestamp{end}")) for end in ("Min", "Max")]
    if any(ends):
        return Eta(earliest=ends[0] or ends[1], latest=ends[1] or ends[0])
    return _said_eta(text(member(parcel, "arrivalTime", "value")) or "", found)


def _said_eta(said: str, found: ReadScans) -> Eta | None:
    """The estimate of the page, which is a text for people: a day, two, or the hours of one."""
    days = [day_or_instant(day, day_first=True) for day in _DAY.findall(said)]
    known = [day for day in days if day is not None]
    if not known or len(known) > 2:
        return None
    clocks = _CLOCK.findall(said)
    if len(known) == 1 and len(clocks) == 2:
        first, last = (_local(known[0], clock, found) for clock in clocks)
        return Eta(earliest=first, latest=last)
    return Eta(earliest=known[0], latest=known[-1])


def _local(day: date | datetime, clock: str, found: ReadScans) -> date | datetime | None:
    """An hour where the parcel was last; its day where that has no known zone."""
    newest = max(found.scans, key=lambda scan: scan.moment.at, default=None)
    place = newest.location if newest is not None else None
    return day_or_local(day.isoformat(), place, clock=clock)


DIALECT = Dialect(
    types=("gls.tracking",),
    # One parcel more than events: its status may be a scan beside them.
    scan_marks=(
        b'DateTime"',
        b'"dateTime"',
        b'"country',
        b'"timestamp"',
        b'"StatusCode"',
        b'"InitialDate"',
        b'"evtDscr"',
    ),
    shape=re.compile(
        rb'"(?:statusDateTime|unitno|tuStatus|tuNo|UnitDetail|trackid|evtDscr|ParcelStatusList'
        rb'|eventReasonDescr|occurrenceDateTime)"\s*:'
    ),
    parts=parts,
    report=report,
)
