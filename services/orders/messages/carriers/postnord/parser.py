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
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_named,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import eta_scan, readable, with_last

_DELIVERED = "DELIVERED"


def parts(body: Any) -> Iterator[Part]:
    """The items of all shipments: each has a number of its own. Answers of errors have none."""
    shipments = list(each_named(body, "shipments"))
    for at, shipment in shipments or [("", body)]:
        for pointer, item in each_named(shipment, "items", at):
            yield Part(pointer, item)


def report(item: Any) -> ParcelReport:
    """What an item says."""
    found = readable(listed(item, "events"), "/events", _scan, None)
    signer = text(either(member(item, "acceptor"), "name") or member(item, "acceptorName"))
    proof = Proof(signed_by=signer) if signer else None
    return ParcelReport(
        tracking_number=text(either(item, "itemId", "id"), 512),
        carrier="postnord",
        scans=[
            *with_last(found.scans, proof=proof, pickup=_pickup(member(item, "deliveryPoint"))),
            *eta_scan(_eta(item), None, found.scans),
        ],
        left_out=found.left_out,
    )


def _scan(event: Any, _: None) -> SaidScan:
    return SaidScan(
        moment=moment_of(member(event, "eventTime")),
        code=text(member(event, "eventCode"), WORD),
        name=text(member(event, "status"), WORD),
        text=text(member(event, "eventDescription"), LONG_LINE),
        location=_place(member(event, "location")),
    )


def _place(place: Any) -> Location | None:
    return location(
        city=either(place, "city", "displayName", "name"),
        postal_code=either(place, "postcode", "postCode"),
        country=either(place, "countryCode", "country"),
    )


def _pickup(point: Any) -> Pickup | None:
    name = text(either(point, "displayName", "name"))
    kind = (text(either(point, "locationType"), WORD) or "").upper()
    return Pickup(type="locker" if "LOCKER" in kind else "shop", name=name) if name else None


def _eta(item: Any) -> Eta | None:
    """The estimate of the item; none after the delivery."""
    if text(member(item, "status")) == _DELIVERED:
        return None
    at = day_or_instant(either(item, "estimatedTimeOfArrival", "publicTimeOfArrival"))
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("postnord.tracking",),
    scan_marks=(b'"eventTime"',),
    shape=re.compile(rb'"TrackingInformationResponse"\s*:|"assessedNumberOfItems"\s*:'),
    parts=parts,
    report=report,
)
