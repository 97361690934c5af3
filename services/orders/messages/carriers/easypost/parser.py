"""EasyPost: a tracker with its tracking details.

Documented at https://docs.easypost.com/docs/trackers and https://docs.easypost.com/docs/events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Direction, Eta, Location, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_with_pointer,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import eta_scan, readable, with_last


def parts(body: Any) -> Iterator[Part]:
    """The tracker of an event, the trackers of a list, or the body itself."""
    if isinstance(found := member(body, "trackers"), list):
        for pointer, entry in each_with_pointer(found, "/trackers"):
            yield Part(pointer, entry)
    elif isinstance(found := member(body, "result"), dict):
        yield Part("/result", found)
    elif isinstance(body, dict):
        yield Part("", body)


def report(tracker: Any) -> ParcelReport:
    """What a tracker says."""
    is_return = member(tracker, "is_return") is True
    direction = Direction.CUSTOMER_MERCHANT if is_return else None
    found = readable(member(tracker, "tracking_details"), "/tracking_details", _scan, direction)
    signer = text(member(tracker, "signed_by"))
    scans = with_last(found.scans, proof=Proof(signed_by=signer) if signer else None)
    return ParcelReport(
        tracking_number=text(member(tracker, "tracking_code"), 512),
        carrier=text(member(tracker, "carrier"), WORD),
        scans=[*scans, *eta_scan(_eta(tracker), member(tracker, "updated_at"), scans)],
        left_out=found.left_out,
    )


def _scan(detail: Any, direction: Direction | None) -> SaidScan:
    status = text(member(detail, "status"), WORD)
    more = text(member(detail, "status_detail"), WORD) or "unknown"
    said = text(member(detail, "message"), LONG_LINE)
    return SaidScan(
        moment=moment_of(member(detail, "datetime")),
        code=text(member(detail, "carrier_code")),
        name=f"{status}/{more}"[:WORD] if status else None,
        text=said or text(member(detail, "description"), LONG_LINE),
        location=_location(member(detail, "tracking_location")),
        direction=direction,
    )


def _location(said: Any) -> Location | None:
    return location(
        city=member(said, "city"),
        postal_code=member(said, "zip"),
        province=member(said, "state"),
        country=member(said, "country"),
    )


def _eta(tracker: Any) -> Eta | None:
    """The day at the destination, else the estimate in UTC; none after the delivery."""
    if text(member(tracker, "status")) == "delivered":
        return None
    local = member(tracker, "carrier_detail", "est_delivery_date_local")
    at = day_or_instant(local) or day_or_instant(member(tracker, "est_delivery_date"))
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=(
        "easypost.tracking",
        "easypost.tracker",
    ),
    scan_marks=(b'"datetime"',),
    shape=re.compile(rb'"object"\s*:\s*"(?:Tracker|TrackingDetail)"'),
    parts=parts,
    report=report,
)
