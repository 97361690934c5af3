"""Landmark Global: packages with their events (`TrackResponse`).

Described at https://track.landmarkglobal.com, Track API. Times are local to the place of the event,
of 12 hours with the month first or of 24 hours with the year first. Another carrier's number of the
last mile stands beside Landmark's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from schemas.codes import country_of
from services.orders.domain.tracking.scan import Eta, Location
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.places import has_province
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_named,
    either,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import eta_scan, readable


def parts(body: Any) -> Iterator[Part]:
    """The packages of an answer, or the body itself; not an answer that says an error."""
    found = list(each_named(body, "Package"))
    if not found and either(body, "Events") is not None:
        found = [("", body)]
    yield from (Part(pointer, package) for pointer, package in found)


def report(package: Any) -> ParcelReport:
    """What a package says."""
    events, at = member(package, "Events", "Event"), "/Events/Event"
    if events is None and isinstance(member(package, "Events"), list):
        events, at = member(package, "Events"), "/Events"
    found = readable(events, at, _scan, None)
    return ParcelReport(
        tracking_number=text(either(package, "LandmarkTrackingNumber", "TrackingNumber"), 512),
        carrier="landmark",
        scans=[*found.scans, *eta_scan(_eta(package), None, found.scans)],
        left_out=found.left_out,
    )


def _scan(event: Any, _: None) -> SaidScan:
    return SaidScan(
        moment=moment_of(member(event, "DateTime"), day_first=False),
        code=text(member(event, "EventCode"), WORD),
        text=text(member(event, "Status"), LONG_LINE),
        location=_place(text(member(event, "Location")) or ""),
    )


def _place(said: str) -> Location | None:
    """`Toronto, ON, CA`, `Paris, FR`, `Columbus, OH` or a town alone.

    The second of two words may be a state and a country, as `CA`: then no country is known.
    """
    city, *rest = (each.strip() for each in said.split(","))
    if len(rest) > 1:
        return location(city=city, province=rest[0], country=rest[-1])
    last = rest[0] if rest else None
    if last is None:
        return location(city=city)
    state_of = [country for country in ("US", "CA") if has_province(country, last)]
    if not state_of:
        return location(
            city=city, province=last if country_of(last) is None else None, country=last
        )
    return location(city=city, province=last, country=None if country_of(last) else state_of[0])


def _eta(package: Any) -> Eta | None:
    day = day_or_instant(either(package, "ExpectedDelivery"), day_first=False)
    return Eta(earliest=day, latest=day) if day else None


DIALECT = Dialect(
    types=("landmark.tracking",),
    scan_marks=(b"EventCode>", b'"EventCode"'),
    shape=re.compile(
        # UPS has answers of the same name, with shipments.
        rb"<TrackResponse[\s>](?!.*<Shipment>).*<(?:Package|LandmarkTrackingNumber)>"
        rb'|"LandmarkTracking|"TrackResponse"\s*:(?!.*"(?:Shipment|ActivityLocation)").*"Packages"\s*:',
        re.DOTALL,
    ),
    parts=parts,
    report=report,
)
