"""USPS: parcels with their tracking events.

Documented at https://developers.usps.com/trackingv3 (the pushes:
https://developers.usps.com/subscriptions-trackingv3) and, of the older XML, at
https://www.usps.com/business/web-tools-apis/track-and-confirm-api.htm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    either,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import readable, with_last
from services.orders.messages.carriers.usps.summaries import event_of
from services.orders.messages.carriers.wrapped import wrapped_parts

_SCANS = ("trackingEvents", "trackingEvent", "eventSummaries", "TrackSummary", "TrackDetail")
_ONE = ("eventTimestamp", "GMTTimestamp", "EventDate")
_NUMBERS = ("trackingNumber", "@ID", "TrackID", "ID")
_DELIVERED = ("01", "17")
_EXPECTATION = "deliveryDateExpectation"
_DAYS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("predictedDeliveryDate", "PredictedDeliveryDate"),
        ("predictedDeliveryWindowStartTime",),
        ("predictedDeliveryWindowEndTime", "PredictedDeliveryTime"),
    ),
    (
        ("expectedDeliveryDate", "ExpectedDeliveryDate", "expectedDeliveryTimeStamp"),
        (),
        ("expectedDeliveryTime", "ExpectedDeliveryTime"),
    ),
    (
        ("guaranteedDeliveryDate", "GuaranteedDeliveryDate", "guaranteedDeliveryTimeStamp"),
        (),
        (),
    ),
)
"""Names of the days of an ETA, the best first, and of the hours that begin and end them."""


def parts(body: Any) -> Iterator[Part]:
    """The parcels of an answer, of a push or of an XML reply, without those that are an error."""
    yield from wrapped_parts(body, _is_parcel, _NUMBERS)


def _is_parcel(name: str, value: Mapping[str, Any]) -> bool:
    if any(each in value for each in (*_SCANS, *_ONE)):
        return True
    has_number = any(each in value for each in _NUMBERS)
    is_error = "Error" in value or "error" in value
    return has_number and not is_error and (name == "TrackInfo" or "statusCategory" in value)


def report(parcel: Any) -> ParcelReport:
    """What a parcel, or an event that is pushed alone, says."""
    scans: list[SaidScan] = []
    left_out = []
    names = [name for name in _SCANS if member(parcel, name) is not None]
    for entries, pointer in [(member(parcel, name), f"/{name}") for name in names] or [
        (parcel, "")
    ]:
        if pointer or any(name in parcel for name in _ONE):
            found = readable(entries, pointer, _scan, None)
            scans += found.scans
            left_out += found.left_out
    return ParcelReport(
        tracking_number=text(either(parcel, *_NUMBERS), 512),
        carrier="usps",
        scans=with_last(scans, eta=_eta(parcel)),
        left_out=left_out,
    )


def _scan(entry: Any, _: None) -> SaidScan:
    event = event_of(entry) if isinstance(entry, str) else entry
    if event == {}:
        raise ValueError("says no event with a day and a year")
    name = text(either(event, "eventType", "Event", "eventDescription"), LONG_LINE)
    signer = text(either(event, "name", "Name")) or text(either(event, "firm", "FirmName"))
    code = text(either(event, "eventCode", "EventCode"), WORD)
    return SaidScan(
        moment=moment_of(
            _local(event),
            clock=either(event, "EventTime"),
            utc=either(event, "GMTTimestamp"),
            offset=either(event, "GMTOffset"),
        ),
        code=code,
        name=text(name, WORD),
        text=name,
        location=_location(event),
        proof=Proof(signed_by=signer) if signer and code in _DELIVERED else None,
    )


def _local(event: Any) -> Any:
    """The local time: a `Z` in it is none where the event says the time in GMT as well."""
    said = either(event, "eventTimestamp", "EventDate")
    has_utc = either(event, "GMTTimestamp") is not None
    return said.removesuffix("Z") if has_utc and isinstance(said, str) else said


def _location(event: Any) -> Location | None:
    """The place; without a country it is in the United States."""
    named = {
        "city": either(event, "eventCity", "EventCity"),
        "postal_code": either(event, "eventZIP", "eventZIPCode", "EventZIPCode"),
        "province": either(event, "eventState", "EventState"),
    }
    country = text(either(event, "eventCountry", "EventCountry"))
    is_said = any(text(said) is not None for said in named.values())
    return location(**named, country=country or ("US" if is_said else None))


def _eta(parcel: Any) -> Eta | None:
    """The predicted day with its window, else the expected one, perhaps until an hour."""
    for source in (parcel, member(parcel, _EXPECTATION)):
        for names, first, last in _DAYS:
            said = text(either(source, *names))
            day = said.partition("T")[0] if said else None
            place = _destination(parcel)
            earliest = day_or_local(day, place, clock=either(source, *first))
            latest = day_or_local(day, place, clock=either(source, *last))
            if earliest is not None and latest is not None:
                return Eta(earliest=earliest, latest=latest)
    return None


def _destination(parcel: Any) -> Location | None:
    return location(
        postal_code=either(parcel, "destinationZIP", "DestinationZip"),
        province=either(parcel, "destinationState", "DestinationState"),
        country=either(parcel, "destinationCountryCode", "DestinationCountryCode") or "US",
    )


DIALECT = Dialect(
    types=("usps.tracking",),
    scan_marks=(b'"eventTimestamp"', b'"GMTTimestamp"', b"EventDate>", b'"EventDate"', b", 20"),
    shape=re.compile(
        rb'"(?:GMTTimestamp|eventZIP|eventZIPCode|eventSummaries|TrackInfo)"\s*:'
        rb"|<(?:\w+:)?TrackInfo\b"
        # Events may have neither a place nor a time in GMT, and a parcel no events.
        rb'|\A(?=.{0,9999}?"statusCategory"\s*:).{0,9999}?"trackingEvents"\s*:',
        re.DOTALL,
    ),
    parts=parts,
    report=report,
)
