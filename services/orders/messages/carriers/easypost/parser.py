"""EasyPost: a tracker with its tracking details.

Documented at https://docs.easypost.com/docs/trackers and https://docs.easypost.com/docs/events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.orders.domain.tracking.scan import Direction, Eta, Location, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import (
    ReadScans,
    apart,
    eta_scan,
    readable,
    status_scan,
    with_last,
)
from services.orders.messages.carriers.wrapped import wrapped_parts

_SAYS_NOTHING = ("unknown", "status_update")


def parts(body: Any) -> Iterator[Part]:
    """The trackers of events, of a list, of shipments, or the body itself."""
    return wrapped_parts(body, _is_tracker)


def _is_tracker(_: str, value: Mapping[str, Any]) -> bool:
    kind = value.get("object")
    return (
        kind == "Tracker" or "tracking_details" in value or (not kind and "tracking_code" in value)
    )


def report(tracker: Any) -> ParcelReport:
    """What a tracker says."""
    is_return = member(tracker, "is_return") is True
    direction = Direction.CUSTOMER_MERCHANT if is_return else None
    found = readable(member(tracker, "tracking_details"), "/tracking_details", _scan, direction)
    signer, updated = text(member(tracker, "signed_by")), member(tracker, "updated_at")
    scans = [*apart(found.scans, _statuses), *_status(tracker, found)]
    scans = with_last(scans, proof=Proof(signed_by=signer) if signer else None)
    return ParcelReport(
        tracking_number=text(member(tracker, "tracking_code"), 512),
        carrier=text(member(tracker, "carrier"), WORD),
        scans=[*scans, *eta_scan(_eta(tracker), updated, scans)],
        left_out=found.left_out,
    )


def _statuses(name: str) -> tuple[str, str]:
    """The status of a name, and its detail where that says more."""
    status, _, more = name.partition("/")
    return status, "" if more in _SAYS_NOTHING or more == status else more


def _status(tracker: Any, found: ReadScans) -> Iterable[SaidScan]:
    """The status of the tracker where no detail has it: no details, or EasyPost gave it up."""
    name = _name_of(tracker)
    if name is None or name.startswith("unknown/unknown"):
        return ()
    is_expired = name.endswith("/expired") and all(said.name != name for said in found.scans)
    if not is_expired and (found.scans or found.left_out):
        return ()
    return status_scan(name, (member(tracker, "updated_at"),), found.scans)


def _name_of(said: Any) -> str | None:
    status = text(member(said, "status"), WORD)
    more = text(member(said, "status_detail"), WORD) or "unknown"
    return f"{status}/{more}"[:WORD] if status else None


def _scan(detail: Any, direction: Direction | None) -> SaidScan:
    said = text(member(detail, "message"), LONG_LINE)
    return SaidScan(
        moment=moment_of(member(detail, "datetime")),
        code=text(member(detail, "carrier_code")),
        name=_name_of(detail),
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
    scan_marks=(b'"datetime"', b'"status_detail"'),
    shape=re.compile(rb'"object"\s*:\s*"(?:Tracker|TrackingDetail)"'),
    parts=parts,
    report=report,
)
