"""DHL Shipment Tracking Unified: shipments with their events, pulled or pushed.

Documented at https://developer.dhl.com/api-reference/shipment-tracking and, as it is pushed, at
https://developer.dhl.com/api-reference/shipment-tracking-unified-push.

DHL gives a status three times: `statusCode`, one of five groups; `status`, the code of the service
that carries the shipment, or a text; and of DHL Paket `statusDetailed`, the pair of event and
reason with its class. What says more counts, where it is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.tracking.scan import Direction, Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dhl_paket.storno import STORNO, is_of_data, with_retractions
from services.orders.messages.carriers.dhl_unified.places import place_of
from services.orders.messages.carriers.dhl_unified.texts import code_of_text, has_texts
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.made_ids import made_id
from services.orders.messages.carriers.moments import Moment, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each,
    link,
    member,
    text,
)
from services.orders.messages.carriers.reports import (
    ReadScans,
    eta_scan,
    readable,
    text_id,
    with_last,
)
from services.orders.messages.carriers.spelling import folded, folded_name, name_of
from services.orders.messages.carriers.wrapped import wrapped_parts

_SHIPMENTS = ("shipments", "shipment")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9_./-]*")
_PAIR = re.compile(r"([A-Z]{5})_([A-Z]{5})_([A-Z]{2})")
_PAKET = "dhl"
"""The key whose code sets have the pairs of DHL Paket, and the codes of its service."""
_GERMAN = ("parcel-de", "post-de", "svb")
_GROUPS = {"pretransit", "transit", "delivered", "failure", "unknown"}


def parts(body: Any) -> Iterator[Part]:
    """The shipments of an answer, of a push message or of a list, whatever stands around them."""
    yield from wrapped_parts(body, _is_shipment)


def _is_shipment(name: str, value: Mapping[str, Any]) -> bool:
    if folded_name(name) in _SHIPMENTS:
        return True
    own = name_of(value, "events", "status")
    is_one = own is not None and isinstance(value[own], dict | list)
    return is_one and name_of(value, *_SHIPMENTS) is None


class _Given(Struct, frozen=True, gc=False):
    """What a shipment says of all its events."""

    service: str
    direction: Direction | None
    status: Any
    """The status of the shipment, folded."""


def report(shipment: Any) -> ParcelReport:
    """What a shipment says. Its pieces travel under its number: they are no parcels here."""
    said = folded(shipment)
    service = text(member(said, "service"), WORD)
    given = _Given(
        service=service.lower() if service else "",
        direction=_direction(said),
        status=member(said, "status"),
    )
    found = _scans(shipment, given)
    return ParcelReport(
        tracking_number=text(member(said, "id"), 512) or text(member(said, "trackingnumber"), 512),
        carrier=service,
        scans=[
            *with_last(_with_retractions(found.scans), proof=_proof(said), is_end=_is_delivery),
            *eta_scan(_eta(said, given.service), None, found.scans),
        ],
        left_out=found.left_out,
    )


def _scans(shipment: Any, given: _Given) -> ReadScans:
    """The events, and the status of the shipment where no event has its time."""
    name = name_of(shipment, "events") or "events"
    events = member(shipment, name)
    found = readable(events, f"/{name}", _scan, given)
    written = _clock(given.status)
    is_event = written and any(_clock_of(event) == written for _, event in each(events))
    if is_event or not isinstance(given.status, dict) or not given.status:
        return found
    more = readable(given.status, f"/{name_of(shipment, 'status')}", _scan, given)
    left_out = [] if found.scans else more.left_out
    return ReadScans([*more.scans, *found.scans], [*found.left_out, *left_out])


def _clock(event: Any) -> str | None:
    """The time of a folded event as it is written, without seconds and offset."""
    return _minute(member(event, "timestamp"))


def _clock_of(event: Any) -> str | None:
    """As `_clock`, of an event as it came."""
    name = name_of(event, "timestamp")
    return _minute(event[name]) if name is not None else None


def _minute(said: Any) -> str | None:
    return (text(said, WORD) or "")[:16] or None


def _scan(event: Any, given: _Given) -> SaidScan:
    said, service = folded(event), given.service
    written = _clock(said)
    is_code = _is_code(said)
    if written and not is_code and not _group(said) and written == _clock(given.status):
        # Some services give an event a text alone, and its status code in the status.
        said = {**said, "statuscode": member(given.status, "statuscode")}
    place = place_of(member(said, "location"))
    moment = moment_of(member(said, "timestamp"), _zone(service, place))
    status = text(member(said, "status"), LONG_LINE)
    words = text(member(said, "description"), LONG_LINE)
    pair = _pair(said, service)
    name = pair or (None if is_code else _known_text(said, service))
    return SaidScan(
        moment=moment,
        scan_id=made_id(f"{status}/{service}", moment)
        if is_code
        else _id_without_code(said, service, moment, pair),
        code=_code(said, service, is_code=is_code),
        code_set=_PAKET if name is not None and service == "parcel-de" else None,
        name=name,
        text=words or status or text(member(said, "remark"), LONG_LINE),
        location=None if name is not None and is_of_data(name) else place,
        direction=given.direction,
        pickup=_pickup(member(said, "location", "servicepoint")),
    )


def _id_without_code(said: Any, service: str, moment: Moment, pair: str | None) -> str | None:
    """The id of a scan without a code: of its pair, else of its text.

    The group is DHL's own map, and the code for a text is ours. Both may change: neither is in the
    id.
    """
    words = pair or next(filter(None, _texts(said)), None)
    if words is None:
        return None
    return made_id(pair or text_id(service, words), moment)


def _texts(said: Any) -> Iterator[str | None]:
    for name in ("description", "status", "remark"):
        yield text(member(said, name), LONG_LINE)


def _pair(said: Any, service: str) -> str | None:
    """The pair of event and reason of DHL Paket, with its class."""
    detailed = said.get("statusdetailed")
    if service != "parcel-de" or not isinstance(detailed, str):
        return None
    pair = _PAIR.fullmatch(detailed)
    return "/".join(pair.groups()) if pair is not None else None


def _known_text(said: Any, service: str) -> str | None:
    """The code that a text stands for, where it is known."""
    group = _group(said)
    if not group or not has_texts(service):
        return None
    codes = (code_of_text(service, group, each) for each in _texts(said))
    return next(filter(None, codes), None)


def _with_retractions(scans: list[SaidScan]) -> list[SaidScan]:
    """The scans, each storno of DHL Paket with the scan that it takes back."""
    if not any(scan.name is not None and scan.name.startswith(STORNO) for scan in scans):
        return scans
    pairs = with_retractions([replace(scan, code=scan.name or scan.code) for scan in scans])
    return [replace(scan, retracts=pair.retracts) for scan, pair in zip(scans, pairs, strict=True)]


def _code(said: Any, service: str, *, is_code: bool) -> str | None:
    """Code, group and service; without a code, group and service."""
    group = _group(said)
    if is_code:
        status = text(member(said, "status"), WORD) or ""
        # A code with `/` in it has no room for the group.
        return f"{status}/{'' if '/' in status else group}/{service}".rstrip("/")
    return f"{group}//{service}".rstrip("/") if group else None


def _group(said: Any) -> str:
    return (text(member(said, "statuscode"), WORD) or "").lower()


def _is_code(said: Any) -> bool:
    """Whether the status is a code: no text, and no group in other letters."""
    status = text(member(said, "status"), WORD + 1)
    if status is None or len(status) > WORD or _CODE.fullmatch(status) is None:
        return False
    return folded_name(status) not in _GROUPS


def _zone(service: str, place: Location | None) -> str | None:
    """The zone of times without an offset, where the service works in one country alone.

    Elsewhere it is that of the place.
    """
    is_german = place is None or place.country_code in (None, "DE")
    return "Europe/Berlin" if service in _GERMAN and is_german else None


def _pickup(said: Any) -> Pickup | None:
    """The service point at which an event happened; an area of Express is none."""
    name = text(member(said, "label"))
    if name is None or "area" in name.lower():
        return None
    return Pickup(type="unknown", name=name, url=link(member(said, "url")))


def _direction(said: Any) -> Direction | None:
    flag = member(said, "returnflag")
    is_return = flag is True or text(flag, WORD) == "true"
    return Direction.CUSTOMER_MERCHANT if is_return else None


def _proof(said: Any) -> Proof | None:
    proof = member(said, "details", "proofofdelivery")
    signed = member(proof, "signed")
    names = (text(member(signed, "givenname")), text(member(signed, "familyname")))
    signer = text(member(signed, "name")) or text(" ".join(filter(None, names))) or text(signed)
    image = link(member(proof, "signatureurl")) or link(member(proof, "documenturl"))
    return Proof(signed_by=signer, image_url=image) if signer or image else None


def _eta(said: Any, service: str) -> Eta | None:
    """The time frame, else the time; hours without an offset are local at the destination."""
    place = place_of(member(said, "destination"))
    if place is None and service in _GERMAN:
        place = Location(country_code="DE")
    frame = member(said, "estimateddeliverytimeframe")
    at = _end_of(
        member(said, "estimatedtimeofdelivery") or member(said, "agreeddeliverydate"), place
    )
    earliest = _end_of(member(frame, "estimatedfrom"), place) or at
    through = member(frame, "estimatedthrough") or member(frame, "estimatedto")
    latest = _end_of(through, place) or at
    return Eta(earliest=earliest, latest=latest) if earliest or latest else None


def _end_of(said: Any, place: Location | None) -> date | datetime | None:
    return day_or_local(said, place) if said is not None else None


def _is_delivery(said: SaidScan) -> bool:
    return "delivered" in (said.code or "").split("/")[:2]


DIALECT = Dialect(
    types=("dhl_unified.tracking", "dhl.unified"),
    scan_marks=(b'"timestamp"',),
    shape=re.compile(
        rb'"addressLocality"\s*:'
        # An event may have no place, or one without a town.
        rb'|\A.{0,400}?"shipments"\s*:.{0,4000}?"statusCode"\s*:',
        re.DOTALL,
    ),
    parts=parts,
    report=report,
)
