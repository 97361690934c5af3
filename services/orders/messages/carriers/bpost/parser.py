"""bpost: an item with its states, or with the events of the tracking page.

The service answers in XML (`itemTracking`, http://schema.post.be/tracking/v1/): codes, and times
with their offset. The page at https://track.bpost.cloud has texts in several languages without
codes, and times of Belgium: the text in English is the name of an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Eta, Pickup
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each_named,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable, with_last

_ZONE = "Europe/Brussels"
_LANGUAGES = ("EN", "en", "NL", "nl", "FR", "fr", "DE", "de")


def parts(body: Any) -> Iterator[Part]:
    """The items of an answer, or the body itself; not an answer that says an error."""
    for name in ("itemTracking", "items"):
        if found := list(each_named(body, name)):
            yield from (Part(pointer, item) for pointer, item in found)
            return
    if either(body, "itemCode", "events", "stateInfo") is not None:
        yield Part("", body)


def report(item: Any) -> ParcelReport:
    """What an item says."""
    found = _scans(item)
    return ParcelReport(
        tracking_number=text(either(item, "itemCode", "searchCode", "barcode"), 512),
        carrier="bpost",
        scans=[
            *with_last(found.scans, pickup=_pickup(item)),
            *eta_scan(_eta(item), None, found.scans),
        ],
        left_out=found.left_out,
    )


def _scans(item: Any) -> ReadScans:
    if (states := listed(item, "stateInfo")) is not None:
        return readable(states, "/stateInfo", _of_state, None)
    if (events := listed(item, "events")) is not None:
        return readable(events, "/events", _of_event, None)
    if either(member(item, "activeStep"), "knownProcessStep", "name"):
        return readable(item, "", _of_step, None)
    return ReadScans([], [])


def _of_state(state: Any, _: None) -> SaidScan:
    return SaidScan(
        moment=moment_of(member(state, "time"), zone=_ZONE),
        code=text(member(state, "stateCode"), WORD),
        text=text(member(state, "stateDescription"), LONG_LINE),
        location=location(city=member(state, "location")),
    )


def _of_event(event: Any, _: None) -> SaidScan:
    said = _words(member(event, "key"))
    place = member(event, "location")
    return SaidScan(
        moment=moment_of(member(event, "date"), zone=_ZONE, clock=either(event, "time")),
        name=text(said, LINE),
        text=text(said, LONG_LINE),
        location=location(
            city=either(place, "locationName", "municipality", "name") or place,
            postal_code=either(place, "postcode"),
            country=either(place, "countryCode"),
        ),
    )


def _words(key: Any) -> Any:
    """The text of an event; English first, so that one event has one text."""
    for language in _LANGUAGES:
        if (found := member(key, language, "description")) is not None:
            return found
    return key


def _of_step(item: Any, _: None) -> SaidScan:
    """The step of an item without events: of a delivery with its time, else of the order."""
    step, done = member(item, "activeStep"), _delivery(item)
    at = done if done is not None else member(item, "orderDate")
    return SaidScan(
        moment=moment_of(member(at, "day"), zone=_ZONE, clock=either(at, "time")),
        code=text(either(step, "knownProcessStep", "name"), WORD),
    )


def _delivery(item: Any) -> Any:
    inner = member(item, "actualDeliveryInformation", "actualDeliveryTime")
    return either(item, "actualDeliveryTime") if inner is None else inner


def _pickup(item: Any) -> Pickup | None:
    point = either(item, "pickupPoint", "deliveryPoint")
    street = (either(point, "streetName", "street"), either(point, "houseNumber", "streetNumber"))
    town = (either(point, "postalCode", "postcode"), either(point, "city", "municipality"))
    lines = (" ".join(filter(None, map(text, each))) for each in (street, town))
    name, address = text(either(point, "name")), ", ".join(filter(None, lines))
    return Pickup(type="shop", name=name, address=address or None) if name or address else None


def _eta(item: Any) -> Eta | None:
    """The window of the delivery; none after it."""
    if _delivery(item) is not None:
        return None
    window = either(item, "deliveryTimeWindow", "expectedDeliveryTimeRange")
    day = either(window, "day") or either(member(item, "expectedDeliveryDate"), "day")
    first = _end(window, day, "plannedDeliveryDateWindowStart", "time1")
    last = _end(window, day, "plannedDeliveryDateWindowEnd", "time2")
    return Eta(earliest=first or last, latest=last or first) if first or last else None


def _end(window: Any, day: Any, *names: str) -> Any:
    """An end of the window: an instant, else its day."""
    return day_or_instant(either(window, *names)) or day_or_instant(day)


DIALECT = Dialect(
    types=("bpost.tracking",),
    scan_marks=(b"stateCode>", b'"stateCode"', b'"date"', b'"knownProcessStep"'),
    shape=re.compile(
        rb'schema\.post\.be/tracking/|<(?:\w+:)?itemTracking[\s>]|"itemTracking"\s*:'
        rb'|"(?:senderCommercialName|knownProcessStep|shipmentDeliveryStatus)"\s*:'
    ),
    parts=parts,
    report=report,
)
