"""ShipEngine, now ShipStation API: a tracking with its events.

Documented at https://www.shipengine.com/docs/tracking/webhooks/ and, of the fields, in
https://github.com/ShipEngine/shipengine-openapi (openapi.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Eta, Location, Precision, Proof
from services.orders.messages.carriers.carrier_maps import carrier_of
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    URL,
    WORD,
    link,
    location,
    member,
    spelled,
    text,
)
from services.orders.messages.carriers.reports import (
    ReadScans,
    eta_scan,
    joined,
    readable,
    text_id,
)
from services.orders.messages.carriers.wrapped import wrapped_parts

_CARRIER_IN_LINK = re.compile(r"[?&]carrier_code=([\w.-]+)|/tracking/([\w.-]+)/", re.ASCII)
_DAYS, _ZONES, _QUARTER = timedelta(hours=38), timedelta(hours=14), timedelta(minutes=15)
_OFFSET = re.compile(r"(T[\d:.,]+)(?:Z|[+-]\d\d:?\d\d)$")


def parts(body: Any) -> Iterator[Part]:
    """The trackings of webhooks, of a list, or the body itself."""
    return wrapped_parts(body, _is_tracking, ("resource_url",))


def _is_tracking(_: str, value: Mapping[str, Any]) -> bool:
    return spelled(value, "tracking_number") is not None or "events" in value


def report(tracking: Any) -> ParcelReport:
    """What a tracking says."""
    carrier = text(spelled(tracking, "carrier_code"), WORD) or _carrier_in_link(tracking)
    code_set = carrier_of("shipengine", carrier)
    found = readable(member(tracking, "events"), "/events", _scan, code_set)
    if _is_delivered(tracking) and not any(_is_delivery(said) for said in found.scans):
        delivered_at = spelled(tracking, "actual_delivery_date")
        if delivered_at is not None and not _is_newest(delivered_at, found):
            entry = {**tracking, "occurred_at": delivered_at}
            own = readable(entry, "/actual_delivery_date", _scan, code_set)
            found = joined((found, own))
    scans = _with_status(tracking, found.scans)
    eta = None if _is_delivered(tracking) else _eta(tracking)
    return ParcelReport(
        tracking_number=text(spelled(tracking, "tracking_number"), 512),
        carrier=carrier,
        scans=[*scans, *eta_scan(eta, None, scans)],
        left_out=found.left_out,
    )


def _scan(event: Any, code_set: str | None) -> SaidScan:
    name = _status_of(event)
    code = text(spelled(event, "event_code")) or text(spelled(event, "carrier_status_code"))
    words = text(member(event, "description"), LONG_LINE)
    words = words or text(spelled(event, "event_description"), LONG_LINE)
    words = words or text(spelled(event, "carrier_status_description"), LONG_LINE)
    said_at = spelled(event, "occurred_at") or spelled(event, "event_date")
    return SaidScan(
        moment=_moment(said_at, spelled(event, "carrier_occurred_at")),
        scan_id=None if code or name else text_id(said_at, words),
        code=code,
        code_set=None if name else code_set,
        name=name,
        text=words,
        location=_location(event),
        proof=_proof(event),
    )


def _moment(said_at: Any, local: Any) -> Moment:
    """The time in UTC beside that at the place, which some carriers give a false `Z`."""
    if not isinstance(local, str) or not local.strip():
        return moment_of(said_at)
    if said_at is None:
        return moment_of(local)
    return moment_of(_OFFSET.sub(r"\1", local.strip()), utc=said_at)


def _status_of(said: Any) -> str | None:
    """The detail of the status with the status for its class, else the status with the carrier's
    detail: `OUT_FOR_DELIVERY//IT`, or `IT/OT` of UPS.
    """
    status = (text(spelled(said, "status_code"), WORD) or "").upper()
    detail = (text(spelled(said, "status_detail_code"), WORD) or "").upper()
    own = text(spelled(said, "carrier_detail_code"), WORD) or ""
    words = f"{detail}//{status}" if detail else f"{status}/{own}" if status else ""
    return words[:WORD].rstrip("/") or None


def _is_delivery(said: SaidScan) -> bool:
    return said.name is not None and (said.name == "DE" or said.name.endswith("//DE"))


def _is_newest(delivered_at: Any, found: ReadScans) -> bool:
    """Whether the newest event is at the time of the delivery, as far as its time can be read."""
    if not found.scans:
        return bool(found.left_out)
    newest = max((said.moment for said in found.scans), key=lambda each: each.at)
    try:
        moment = moment_of(delivered_at)
    except ValueError:
        return True
    if moment.precision is Precision.DAY:
        return abs(moment.at - newest.at) < _DAYS
    apart = abs(moment.at - newest.at)
    return not apart or (not moment.tz_known and apart <= _ZONES and not apart % _QUARTER)


def _with_status(tracking: Any, scans: list[SaidScan]) -> list[SaidScan]:
    """The scans; where none has a status, that of the tracking is the newest one's."""
    status = _status_of(tracking)
    if not scans or status is None or any(said.name for said in scans):
        return scans
    newest = max(range(len(scans)), key=lambda place: scans[place].moment.at)
    named = replace(scans[newest], name=status, code_set=None)
    return [named if place == newest else said for place, said in enumerate(scans)]


def _location(event: Any) -> Location | None:
    return location(
        city=spelled(event, "city_locality"),
        postal_code=spelled(event, "postal_code"),
        province=spelled(event, "state_province"),
        country=spelled(event, "country_code"),
        latitude=member(event, "latitude"),
        longitude=member(event, "longitude"),
    )


def _proof(event: Any) -> Proof | None:
    signer = text(member(event, "signer"))
    image = link(spelled(event, "proof_of_delivery_url"))
    return Proof(signed_by=signer, image_url=image) if signer or image else None


def _carrier_in_link(tracking: Any) -> str | None:
    """The carrier that the link to the tracking names."""
    found = _CARRIER_IN_LINK.search(text(member(tracking, "resource_url"), URL) or "")
    return found and (found[1] or found[2])


def _is_delivered(tracking: Any) -> bool:
    return (text(spelled(tracking, "status_code"), WORD) or "").upper() == "DE"


def _eta(tracking: Any) -> Eta | None:
    at = day_or_instant(spelled(tracking, "estimated_delivery_date"))
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("shipengine.tracking", "shipengine.track", "shipstation.track"),
    scan_marks=(b'"occurred_at"', b'"occurredAt"', b'"event_date"', b'"status_code"'),
    shape=re.compile(
        rb'"(?:city_locality|cityLocality|status_detail_code|statusDetailCode)"\s*:'
        rb'|"resource_type"\s*:\s*"(?:API_TRACK|TRACK_EVENT_V2)"'
    ),
    parts=parts,
    report=report,
)
