"""PostNord: shipments with their items, and the events of each item.

Documented at https://developer.postnord.com/apis/details?systemName=shipment-v5-trackandtrace-
shipmentinformation. Times are local to the place of the event and have no zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_having,
    each_named,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable, with_last

_DELIVERED = "DELIVERED"
_SAY_MORE = ("113",)
"""Codes that say more than the status beside them, which is `EN_ROUTE`."""
_ESTIMATES = ("estimatedTimeOfArrival", "publicTimeOfArrival")
_POINTS = ("deliveryPoint", "destinationDeliveryPoint")


def parts(body: Any) -> Iterator[Part]:
    """The items of all shipments: each has a number of its own. Answers of errors have none."""
    for at, shipment in each_having(body, ("items",)):
        for pointer, item in each_named(shipment, "items", at):
            yield Part(pointer, _with_shipment(item, shipment))


def _with_shipment(item: Any, shipment: Any) -> Any:
    """An item with the estimate and the point of its shipment, where it has none of its own."""
    if not isinstance(item, dict):
        return item
    missing = [names for names in (_ESTIMATES, _POINTS) if either(item, *names) is None]
    said = {name: member(shipment, name) for names in missing for name in names}
    return {**item, **{name: value for name, value in said.items() if value is not None}}


def report(item: Any) -> ParcelReport:
    """What an item says."""
    found = readable(listed(item, "events"), "/events", _scan, None)
    signer = text(either(member(item, "acceptor"), "name") or member(item, "acceptorName"))
    proof = Proof(signed_by=signer) if signer else None
    return ParcelReport(
        tracking_number=text(either(item, "itemId", "id"), 512),
        carrier="postnord",
        scans=[
            *with_last(found.scans, proof=proof, pickup=_pickup(either(item, *_POINTS))),
            *eta_scan(_eta(item, found), None, found.scans),
        ],
        left_out=found.left_out,
    )


def _scan(event: Any, _: None) -> SaidScan:
    code = text(member(event, "eventCode"), WORD)
    return SaidScan(
        moment=moment_of(member(event, "eventTime")),
        code=code,
        name=None if code in _SAY_MORE else text(member(event, "status"), WORD),
        text=text(member(event, "eventDescription"), LONG_LINE),
        location=_place(member(event, "location")),
    )


def _place(place: Any) -> Location | None:
    return location(
        city=either(place, "city", "displayName", "name", "locationName"),
        postal_code=either(place, "postcode", "postCode"),
        country=either(place, "countryCode", "country"),
    )


def _pickup(point: Any) -> Pickup | None:
    name = text(either(point, "displayName", "name"))
    kind = (text(either(point, "locationType"), WORD) or "").upper()
    return Pickup(type="locker" if "LOCKER" in kind else "shop", name=name) if name else None


def _eta(item: Any, found: ReadScans) -> Eta | None:
    """The estimate of the item, local to where it was last; none after the delivery."""
    if text(member(item, "status")) == _DELIVERED:
        return None
    placed = [scan for scan in found.scans if scan.location is not None]
    newest = max(placed, key=lambda scan: scan.moment.at, default=None)
    at = day_or_local(either(item, *_ESTIMATES), newest.location if newest else None)
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("postnord.tracking",),
    scan_marks=(b'"eventTime"',),
    shape=re.compile(rb'"TrackingInformationResponse"\s*:|"assessedNumberOfItems"\s*:'),
    parts=parts,
    report=report,
)
