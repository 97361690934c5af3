"""bpost: an item with its states, or with the events of the tracking page.

The service answers in XML (`itemTracking`, http://schema.post.be/tracking/v1/): codes, and times
with their offset. The page at https://track.bpost.cloud has texts in several languages without
codes, and times of Belgium: the text in English is the name of an event. Where the texts do not say
what the step of the item says, the step is a scan beside them. An addressee's account (`My bpost`)
has `currentStatus` in the place of the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.orders.domain.tracking.scan import Eta, Pickup, Precision
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each,
    each_having,
    each_named,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable, with_last

_ZONE = "Europe/Brussels"
_SAYS_DELIVERY = re.compile(r"deliver(?:ed|y)|collected|picked up", re.IGNORECASE)
_LANGUAGES = ("EN", "en", "NL", "nl", "FR", "fr", "DE", "de")


def parts(body: Any) -> Iterator[Part]:
    """The items of an answer, or the body itself; not an answer that says an error."""
    for name in ("itemTracking", "items"):
        if found := list(each_named(body, name)):
            yield from (Part(pointer, item) for pointer, item in found)
            return
    for pointer, item in each_having(body, ("itemCode", "events", "stateInfo")):
        yield Part(pointer, item)


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
    events = listed(item, "events")
    found = readable(events, "/events", _of_event, None) if events is not None else None
    if _step(item) is None or (found is not None and not _says_less(item, events, found)):
        return found or ReadScans([], [])
    newest = max((scan.moment for scan in found.scans), key=_at) if found else None
    step = _of_step(item, newest)
    every = [*(found.scans if found else ()), *([step] if step else ())]
    return ReadScans(every, found.left_out if found else [])


def _at(moment: Moment) -> datetime:
    return moment.at


def _says_less(item: Any, events: Any, found: ReadScans) -> bool:
    """Whether the events do not say what the step says: in no English, or not of the delivery."""
    if not found.scans:
        return False
    has_english = any(_words(member(event, "key"), "EN", "en") for _, event in each(events))
    is_said = any(_SAYS_DELIVERY.search(scan.name or "") for scan in found.scans)
    return not has_english or (_delivery(item) is not None and not is_said)


def _of_state(state: Any, _: None) -> SaidScan:
    return SaidScan(
        moment=moment_of(member(state, "time"), zone=_ZONE),
        code=text(member(state, "stateCode"), WORD),
        text=text(member(state, "stateDescription"), LONG_LINE),
        location=location(city=member(state, "location")),
    )


def _of_event(event: Any, _: None) -> SaidScan:
    key = member(event, "key")
    said = _words(key, *_LANGUAGES) or key
    place = member(event, "location")
    return SaidScan(
        moment=moment_of(
            member(event, "date"), zone=_ZONE, clock=either(event, "time"), day_first=True
        ),
        name=text(said, LINE),
        text=text(said, LONG_LINE),
        location=location(
            city=either(place, "locationName", "municipality", "name") or place,
            postal_code=either(place, "postcode"),
            country=either(place, "countryCode"),
        ),
    )


def _words(key: Any, *languages: str) -> Any:
    """The text of an event in the first of these languages; so one event has one text."""
    said = (member(key, language, "description") for language in languages)
    return next((found for found in said if found is not None), None)


def _of_step(item: Any, newest: Moment | None) -> SaidScan | None:
    """The step of an item: at its delivery, else at its newest event, else at the order."""
    done = _delivery(item)
    at = member(item, "orderDate") if done is None else done
    if done is None and newest is not None:
        return SaidScan(moment=newest, code=_step(item))
    try:
        moment = moment_of(member(at, "day"), zone=_ZONE, clock=either(at, "time"))
    except ValueError:
        return None
    return SaidScan(moment=moment, code=_step(item))


def _step(item: Any) -> str | None:
    said = either(member(item, "activeStep"), "knownProcessStep", "name")
    return text(said or either(item, "currentStatus", "parcelActiveStatus"), WORD)


def _delivery(item: Any) -> Any:
    inner = member(item, "actualDeliveryInformation", "actualDeliveryTime")
    return either(item, "actualDeliveryTime") if inner is None else inner


def _pickup(item: Any) -> Pickup | None:
    point = either(item, "pickupPoint", "deliveryPoint")
    street = (either(point, "streetName", "street"), either(point, "houseNumber", "streetNumber"))
    town = (either(point, "postalCode", "postcode"), either(point, "city", "municipality"))
    lines = (" ".join(filter(None, map(text, each))) for each in (street, town))
    name, address = text(either(point, "name")), ", ".join(filter(None, lines))
    kind = "locker" if "LOCKER" in (text(either(point, "type")) or "").upper() else "shop"
    return Pickup(type=kind, name=name, address=address or None) if name or address else None


def _eta(item: Any) -> Eta | None:
    """The window of the delivery; none after it."""
    if _delivery(item) is not None:
        return None
    window = either(item, "deliveryTimeWindow", "expectedDeliveryTimeRange", "eta")
    day = either(window, "day") or either(member(item, "expectedDeliveryDate"), "day")
    first = _end(window, day, "plannedDeliveryDateWindowStart", "time1")
    last = _end(window, day, "plannedDeliveryDateWindowEnd", "time2")
    return Eta(earliest=first or last, latest=last or first) if first or last else None


def _end(window: Any, day: Any, *names: str) -> Any:
    """An end of the window: an instant, an hour of its day, or the day."""
    said = either(window, *names)
    if (found := day_or_instant(said)) is not None:
        return found
    try:
        hour = moment_of(day, zone=_ZONE, clock=said)
    except ValueError:
        return day_or_instant(day)
    return day_or_instant(day) if hour.precision is Precision.DAY else hour.at


DIALECT = Dialect(
    types=("bpost.tracking",),
    # `date` and `time` of an event, and `itemCode`: one item more than events is a scan.
    scan_marks=(b"stateCode>", b'"stateCode"', b'e"'),
    shape=re.compile(
        rb'schema\.post\.be/tracking/|<(?:\w+:)?itemTracking[\s>]|"itemTracking"\s*:'
        rb'|"(?:senderCommercialName|knownProcessStep|shipmentDeliveryStatus)"\s*:'
    ),
    parts=parts,
    report=report,
)
