"""UPS: packages with their activities.

Documented at https://developer.ups.com/api/reference/tracking/api (Tracking API),
https://developer.ups.com/tag/UPS-Track-Alert (pushes), https://developer.ups.com/tag/Quantum-View,
and, of the older XML, in the UPS Tracking developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.moments import day_or_instant
from services.orders.messages.carriers.plain import each, either, member, text
from services.orders.messages.carriers.reports import readable, with_last
from services.orders.messages.carriers.ups.activities import activity_scan, place_of, time_of_day
from services.orders.messages.carriers.ups.quantum_view import EVENT, EVENTS, event_of, event_scan
from services.orders.messages.carriers.ups.retractions import with_retractions
from services.orders.messages.carriers.wrapped import wrapped_parts

_NUMBERS = ("trackingNumber", "TrackingNumber", "trackNumber")
_OUTER_NUMBERS = ("inquiryNumber", "ShipmentIdentificationNumber")
_DAYS = ("RescheduledDeliveryDate", "ScheduledDeliveryDate", "scheduledDeliveryDate")
_INHERITED = (*_OUTER_NUMBERS, "ScheduledDeliveryDate", "RescheduledDeliveryDate", "DeliveryDetail")
_ESTIMATED, _SCHEDULED = "02", "03"
"""Types of a `DeliveryDetail` of SOAP; another is that of the delivery itself."""
_WINDOWS = ("EDW", "CDW", "IDW")
_UNTIL = (*_WINDOWS, "CMT")


def parts(body: Any) -> Iterator[Part]:
    """The packages of an answer, the activity of a push, the events of a Quantum View file."""
    for part in wrapped_parts(body, _is_package, _INHERITED):
        event = event_of(part.pointer)
        yield part if event is None else replace(part, value={**part.value, EVENT: event})


def _is_package(name: str, value: Mapping[str, Any]) -> bool:
    if any(each in value for each in ("activity", "Activity", "localActivityDate")):
        return True
    has_number = any(each in value for each in _NUMBERS)
    return has_number and (name in EVENTS or name in ("package", "Package"))


def report(package: Any) -> ParcelReport:
    """What a package, a push or an event says."""
    if text(member(package, EVENT)) is not None:
        found = readable(package, "", event_scan, None)
    elif member(package, "localActivityDate") is not None:
        found = readable(package, "", activity_scan, None)
    else:
        name = "activity" if member(package, "activity") is not None else "Activity"
        found = readable(member(package, name), f"/{name}", activity_scan, None)
    scans = with_last(
        found.scans,
        proof=_proof(package),
        pickup=_pickup(package),
        eta=_eta(package),
        is_end=_is_delivery,
    )
    return ParcelReport(
        tracking_number=_number(package),
        carrier="ups",
        scans=with_retractions(scans),
        left_out=found.left_out,
    )


def _number(package: Any) -> str | None:
    said = either(package, *_NUMBERS, *_OUTER_NUMBERS)
    return text(either(said, "Value", "value") if isinstance(said, dict) else said, 512)


def _is_delivery(scan: SaidScan) -> bool:
    return (scan.code or "").endswith("/D")


def _proof(package: Any) -> Proof | None:
    """Who took the parcel: pictures are in the payload itself, and are not kept."""
    said = member(package, "deliveryInformation", "receivedBy") or member(package, "receivedBy")
    if said is None:
        places = (
            either(activity, "ActivityLocation")
            for _, activity in each(member(package, "Activity"))
        )
        names = (member(place, "SignedForByName") for found in places for _, place in each(found))
        said = next(filter(None, names), None)
    signer = text(said or member(package, "DeliveryLocation", "SignedForByName"))
    return Proof(signed_by=signer) if signer else None


def _pickup(package: Any) -> Pickup | None:
    """The access point, where the package is for one."""
    until = text(member(package, "accessPointInformation", "pickupByDate"))
    if until is None:
        return None
    return Pickup(type="shop", date_to=str(day_or_instant(until) or until))


def _eta(package: Any) -> Eta | None:
    """The rescheduled day, else the scheduled one, with the window of the day.

    Hours are local at the destination.
    """
    said = _day_of(package)
    if said is None or text(member(package, "actualDeliveryDate")) is not None:
        return None
    hours = either(package, "deliveryTime")
    kind = text(member(hours, "type"))
    first = member(hours, "startTime") if kind in _WINDOWS else None
    last = member(hours, "endTime") if kind in _UNTIL else None
    place = _destination(package)
    earliest = day_or_local(said, place, clock=time_of_day(first))
    latest = day_or_local(said, place, clock=time_of_day(last))
    return Eta(earliest=earliest, latest=latest) if earliest and latest else None


def _destination(package: Any) -> Location | None:
    for _, entry in each(member(package, "packageAddress")):
        if text(member(entry, "type")) == "DESTINATION":
            return place_of(entry)
    return None


def _day_of(package: Any) -> str | None:
    days = {
        text(member(entry, "type")): text(member(entry, "date"))
        for _, entry in each(member(package, "deliveryDate"))
    }
    details = {
        text(member(entry, "Type", "Code")): text(member(entry, "Date"))
        for _, entry in each(member(package, "DeliveryDetail"))
    }
    said = days.get("RDD") or days.get("SDD") or text(either(package, *_DAYS))
    return said or details.get(_ESTIMATED) or details.get(_SCHEDULED)


DIALECT = Dialect(
    types=("ups.tracking",),
    scan_marks=(b'"date"', b'Date"', b"Date>"),
    shape=re.compile(
        rb'"trackResponse"\s*:|"localActivityDate"\s*:|QuantumViewResponse\b'
        rb"|<(?:\w+:)?(?:ActivityLocation|ShipmentIdentificationNumber)\b"
        rb'|"(?:ActivityLocation|ShipmentIdentificationNumber)"\s*:'
    ),
    parts=parts,
    report=report,
)
