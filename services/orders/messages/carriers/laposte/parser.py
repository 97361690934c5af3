"""La Poste: a shipment with its events, of the interface Suivi.

Version 2 is documented at https://developer.laposte.fr/products/suivi/2/documentation. Version 1
has one status and its day: https://developer.laposte.fr/products/suivi/1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

from services.orders.domain.tracking.scan import Eta, Pickup
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each_having,
    each_named,
    each_with_pointer,
    either,
    listed,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import eta_scan, readable

_HOLDERS = {"3": "chronopost", "4": "colissimo"}
_PRODUCTS = ("chronopost", "colissimo")
_IDS = ("idShip", "id_ship")
_OF_ONE = (*_IDS, "code")
"""Names of a shipment that stands alone; `code` is the number in version 1."""
_COLLECT = ("AG", "A_RETIRER")


def parts(body: Any) -> Iterator[Part]:
    """The shipments of an answer, of a list of answers, or the body itself.

    A number that is not found has an answer with a message and without a shipment.
    """
    found = [
        (pointer, _with_input(shipment, answer))
        for at, answer in each_having(body, ("shipment",))
        for pointer, shipment in each_named(answer, "shipment", at)
    ] or list(each_having(body, _OF_ONE))
    for pointer, shipment in found or each_with_pointer(body, ""):
        if not _is_error(shipment):
            yield Part(pointer, shipment)


def _with_input(shipment: Any, answer: Any) -> Any:
    """A shipment with the number that was asked for: Chronopost answers with a longer one."""
    asked = either(answer, "inputIdShip")
    known = isinstance(shipment, dict) and asked is not None
    return {**shipment, "inputIdShip": asked} if known else shipment


def _is_error(answer: Any) -> bool:
    is_said = either(answer, "message") is not None and either(answer, "status", *_IDS) is None
    return is_said or either(answer, "returnMessage", "error") is not None


def report(shipment: Any) -> ParcelReport:
    """What a shipment says."""
    name = "events" if listed(shipment, "events") else "event"
    events = listed(shipment, name)
    found = readable(events, f"/{name}", _scan, _pickup(shipment))
    if not events and either(shipment, "status"):
        found = readable(shipment, "", _of_status, None)
    elif not events:
        found = readable(_steps(shipment), "/timeline", _of_step, None)
    return ParcelReport(
        tracking_number=text(either(shipment, "inputIdShip", *_OF_ONE), 512),
        carrier=_carrier(shipment),
        scans=[*found.scans, *eta_scan(_eta(shipment), None, found.scans)],
        left_out=found.left_out,
    )


def _carrier(shipment: Any) -> str:
    """Colissimo and Chronopost are carriers of their own; the rest is the post."""
    product = (text(either(shipment, "product", "type")) or "").lower()
    named = next((each for each in _PRODUCTS if product.startswith(each)), None)
    return named or _HOLDERS.get(text(member(shipment, "holder")) or "", "laposte")


def _scan(event: Any, pickup: Pickup | None) -> SaidScan:
    code = text(member(event, "code"), WORD)
    return SaidScan(
        moment=moment_of(member(event, "date"), zone="Europe/Paris"),
        code=code,
        name=text(member(event, "group"), WORD) if code is None else None,
        text=text(member(event, "label"), LONG_LINE),
        location=location(city=either(event, "location"), country=either(event, "country")),
        pickup=pickup if (code or "").startswith(_COLLECT) else None,
    )


def _of_status(shipment: Any, _: None) -> SaidScan:
    """Version 1: the newest event, in a word."""
    return SaidScan(
        moment=moment_of(member(shipment, "date"), zone="Europe/Paris", day_first=True),
        code=text(member(shipment, "status"), WORD),
        text=text(member(shipment, "message"), LONG_LINE),
    )


def _steps(shipment: Any) -> list[Any]:
    """The timeline, with None for each step that is not done or has no time."""
    steps = member(shipment, "timeline")
    return [
        step if member(step, "status") is True and either(step, "date") else None
        for step in (steps if isinstance(steps, list) else ())
    ]


def _of_step(step: Any, _: None) -> SaidScan:
    number = text(member(step, "id"), WORD) or ""
    return SaidScan(
        moment=moment_of(member(step, "date"), zone="Europe/Paris"),
        code=f"timeline/{number}"[:WORD],
        text=text(member(step, "shortLabel"), LONG_LINE),
        location=location(country=either(step, "country")),
    )


def _pickup(shipment: Any) -> Pickup | None:
    point = member(shipment, "contextData", "removalPoint")
    name = text(member(point, "name"))
    kind = (text(member(point, "type"), WORD) or "").lower()
    is_locker = "consigne" in kind or "pickup station" in kind or "locker" in kind
    return Pickup(type="locker" if is_locker else "shop", name=name) if name else None


def _eta(shipment: Any) -> Eta | None:
    """The estimate; none where it is the time of the delivery, which replaces it.

    It is a day, which some answers write as its midnight in UTC: `2026-07-23T02:00:00+02:00`.
    """
    said = either(shipment, "estimDate", "estimatedDeliveryDate")
    if said is None or said == member(shipment, "deliveryDate"):
        return None
    at = day_or_instant(said)
    if isinstance(at, datetime) and at.astimezone(UTC).time() == time():
        at = at.astimezone(UTC).date()
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("laposte.tracking",),
    scan_marks=(b'"date"',),
    # Version 1 has no name that others have not, but a link to the page of the post.
    shape=re.compile(rb'"idShip"\s*:|"link"\s*:\s*"https?://(?:[\w.-]+\.)?laposte\.fr/'),
    parts=parts,
    report=report,
)
