"""Quantum View of UPS: files of events, each of one parcel and named by its element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    either,
    member,
    text,
)
from services.orders.messages.carriers.ups.activities import (
    digits,
    place_of,
    scan_id_of,
    time_of_day,
)

EVENT = "@event"
"""The member in which a part has the name of its event."""
EVENTS: Mapping[str, str] = {
    "Manifest": "MP//M",
    "Origin": "OR//I",
    "Exception": "//X",
    "Delivery": "//D",
    "Generic": "",
}
"""The code of each event, with its activity type; that of some stands in the event."""
_GENERIC: Mapping[str | None, str] = {"VM": "//MV", "DS": "DS//I", "UR": "UR//X"}
"""Void of a manifest, destination scan, undeliverable and returned."""


def event_of(pointer: str) -> str | None:
    """The name of the event that a pointer leads to or into."""
    if "/SubscriptionFile" not in pointer:
        return None
    return next((step for step in pointer.split("/") if step in EVENTS), None)


def event_scan(event: Any, _: None) -> SaidScan:
    """What an event says.

    Raises:
        ValueError: its time is none.
    """
    at = either(event, "Activity") or event
    day, clock = digits(member(at, "Date")), time_of_day(member(at, "Time"))
    code = _code(event)
    return SaidScan(
        moment=moment_of(day, clock=clock),
        scan_id=scan_id_of(day, clock, code),
        code=code,
        text=_words(event),
        location=place_of(either(event, "ActivityLocation", "DeliveryLocation")),
    )


def _code(event: Any) -> str | None:
    name = text(member(event, EVENT), WORD) or ""
    if name == "Generic":
        said = text(member(event, "ActivityType"), WORD)
        return _GENERIC.get(said, said)
    said = text(either(event, "StatusCode", "Code"), WORD) if name == "Exception" else None
    return f"{said or ''}{EVENTS.get(name, '')}" or None


def _words(event: Any) -> str | None:
    said = either(event, "StatusDescription", "ReasonDescription", "Description")
    return text(said or member(event, "Resolution", "Description"), LONG_LINE)
