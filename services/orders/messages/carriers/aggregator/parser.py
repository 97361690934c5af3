"""Aggregator: all events of a shipment, and those that are new, in one message.

Documented as the models `Data`, `AllEvent`, `CollectionPoint` and `ExpectedDelivery` of
https://github.com/gokarla-io/gokarla-dart. An event key is a name of the catalogue, a phase, or a
carrier's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.catalogue import CATALOGUE, Phase, entry_of
from services.orders.domain.tracking.naming import said_form
from services.orders.domain.tracking.scan import Eta, Location, Pickup
from services.orders.messages.carriers.carrier_maps import carrier_of
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import (
    Moment,
    day_or_instant,
    moment_of,
)
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each,
    location,
    member,
    spelled,
    text,
)
from services.orders.messages.carriers.reports import (
    eta_scan,
    joined,
    readable,
    with_last,
)
from services.orders.messages.carriers.wrapped import wrapped_parts
from services.orders.messages.carriers.zones import zone_named

_LISTS = ("all_events", "new_events")
_NUMBERS = ("tracking_number", "parcel_id", "tracking_id", "shipment_number")
_PHASES = frozenset(Phase)
_ENDS = frozenset({Phase.DELIVERED, Phase.RETURNED, Phase.RETURN_RECEIVED})


def parts(body: Any) -> Iterator[Part]:
    """The shipments of webhooks, of a list, or the body itself."""
    return wrapped_parts(body, _is_shipment, (*_NUMBERS, "carrier_reference"))


def _is_shipment(_: str, value: Mapping[str, Any]) -> bool:
    return any(spelled(value, name) is not None for name in (*_LISTS, "shipment_uuid"))


def report(shipment: Any) -> ParcelReport:
    """What a message says of its shipment."""
    carrier = _carrier(shipment)
    code_set = carrier_of("aggregator", carrier)
    found = joined(
        readable(spelled(shipment, name), f"/{name}", _scan, code_set) for name in _LISTS
    )
    scans = with_last(found.scans, pickup=_pickup(shipment, found.scans))
    eta = None if _has_ended(scans) else _eta(shipment)
    return ParcelReport(
        tracking_number=next(_said(shipment, _NUMBERS, 512), None),
        carrier=carrier,
        scans=[*scans, *eta_scan(eta, None, scans)],
        left_out=found.left_out,
    )


def _said(shipment: Any, names: Sequence[str], most: int) -> Iterator[str]:
    """What a shipment says under these names: itself, in its own fields, or of its carrier."""
    for holder in (shipment, spelled(shipment, "additional_info"), member(shipment, "carrier")):
        yield from filter(None, (text(spelled(holder, name), most) for name in names))


def _scan(event: Any, carrier: str | None) -> SaidScan:
    key = _key(event)
    is_ours = key is not None and (key in _PHASES or said_form(key) in CATALOGUE)
    is_code = not is_ours and CODE_MAPS.find(carrier, None, key) is not None
    return SaidScan(
        moment=_moment(event),
        code=key,
        code_set=carrier if is_code else None,
        name=None if is_ours or is_code else _phase(event),
        text=text(member(event, "event"), LONG_LINE),
        location=_location(member(event, "location")),
    )


def _key(event: Any) -> str | None:
    """The event key; a phase in lower case."""
    said = text(spelled(event, "event_key"), LINE)
    return said.lower() if said is not None and said.lower() in _PHASES else said


def _phase(event: Any) -> str | None:
    """The phase of an event, where it is one of ours."""
    said = (text(spelled(event, name), WORD) for name in ("phase_key", "phase"))
    spellings = (each.lower().replace(" ", "_") for each in said if each)
    return next((each for each in spellings if each in _PHASES), None)


def _moment(event: Any) -> Moment:
    said, zone = member(event, "time"), text(member(event, "timezone"), WORD)
    found = moment_of(said, zone)
    if zone is None or zone_named(zone) is None or not found.tz_known:
        return found
    return replace(found, timezone=zone)


def _location(said: Any) -> Location | None:
    if isinstance(said, str):
        return location(city=said)
    country = (
        spelled(said, "country_code")
        or spelled(said, "country_iso_code")
        or spelled(said, "country_name")
    )
    return location(
        city=member(said, "city") or spelled(said, "location_name"),
        postal_code=spelled(said, "postal_code") or spelled(said, "zip_code"),
        province=member(said, "state") or member(said, "province"),
        country=country or member(said, "country"),
        latitude=member(said, "lat") or member(said, "latitude"),
        longitude=member(said, "long") or member(said, "longitude") or member(said, "lng"),
    )


def _carrier(shipment: Any) -> str | None:
    """The carrier of the shipment, else that of the first event that names one."""
    own = next(_said(shipment, ("carrier_reference",), WORD), None)
    if own is not None:
        return own
    for name in _LISTS:
        for _, event in each(spelled(shipment, name)):
            found = text(spelled(event, "carrier_name"), WORD)
            if found is not None:
                return found
    return None


def _eta(shipment: Any) -> Eta | None:
    said = spelled(shipment, "expected_delivery")
    earliest, latest = day_or_instant(member(said, "from")), day_or_instant(member(said, "to"))
    return Eta(earliest=earliest, latest=latest) if earliest or latest else None


def _has_ended(scans: Sequence[SaidScan]) -> bool:
    """Whether one of the scans is a delivery or a return to the shop."""
    names = (said.name or said.code or "" for said in scans)
    return any(name in _ENDS or entry_of(said_form(name)).phase in _ENDS for name in names)


def _pickup(shipment: Any, scans: Sequence[SaidScan]) -> Pickup | None:
    """The collection point, unless it has expired; its kind is said by the events."""
    point = spelled(shipment, "collection_point")
    if not isinstance(point, dict) or text(member(point, "status")) == "expired":
        return None
    address = member(point, "address")
    name = text(member(point, "name")) or text(member(address, "name"))
    line = text(address) or _line(address)
    codes = " ".join(said.code or "" for said in scans).upper()
    type_ = "locker" if "LOCKER" in codes else "shop" if "PARCEL_SHOP" in codes else "unknown"
    return Pickup(type=type_, name=name, address=line) if name or line else None


def _line(address: Any) -> str | None:
    """The members of an address in one line."""
    street = spelled(address, "street") or spelled(address, "address_line_1")
    town = (
        spelled(address, "zip_code") or spelled(address, "postal_code"),
        member(address, "city"),
    )
    words = " ".join(filter(None, map(text, town)))
    return ", ".join(filter(None, (text(street), words)))[:LINE] or None


DIALECT = Dialect(
    types=("aggregator.tracking",),
    scan_marks=(b'"event_key"', b'"eventKey"', b'"time"'),
    shape=re.compile(rb'"(?:all_events|new_events|allEvents|newEvents)"\s*:'),
    parts=parts,
    report=report,
)
