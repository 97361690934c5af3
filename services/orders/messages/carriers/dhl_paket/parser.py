"""DHL Paket: parcels of the Sendungsverfolgung of DHL Paket Deutschland, as XML or as JSON.

Documented at https://developer.dhl.com/api-reference/dhl-parcel-de-tracking-post-parcel-germany:
`d-get-piece-detail`, `d-get-piece`, `d-get-piece-events` and `get-status-for-public-user`.

An event is named by its pair (`ice`, `ric`) with its class (`standard-event-code`). DHL gives no
ids of events: the id here is the code and the time as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Direction, Eta, Location, Proof
from services.orders.messages.carriers.dhl_paket.storno import is_of_data, with_retractions
from services.orders.messages.carriers.dhl_paket.tree import (
    Node,
    attribute,
    event_lists,
    is_failure,
    nodes,
)
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.made_ids import made_id
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import LONG_LINE, WORD, location, text
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable, with_last
from services.runtime.messages.json_codec import FieldError, Malformed

ZONE = "Europe/Berlin"
_TIMES = ("event-timestamp", "status-timestamp", "last-event-timestamp")


def parts(body: Any) -> Iterator[Part]:
    """The parcels of an answer; a list of events alone is one."""
    found = list(nodes(body))
    shipments = [node for node in found if node.is_shipment]
    lists = [node for node in found if node.is_event_list]
    for node in shipments or lists:
        yield Part(node.pointer, _with_events(node, lists) if shipments else node.value)


def _with_events(node: Node, lists: list[Node]) -> Any:
    """A parcel with its events; some answers have these beside it."""
    if any(event_lists(node.value)):
        return node.value
    for name in ("piece-id", "piece-identifier"):
        said = attribute(node.value, name)
        beside = [other.value for other in lists if said and attribute(other.value, name) == said]
        if beside:
            return {**node.value, "data": beside}
    return node.value


def report(piece: Any) -> ParcelReport:
    """What a parcel says."""
    found = _scans(piece)
    scans = with_retractions(found.scans)
    delivered = text(attribute(piece, "delivery-event-flag"), WORD) == "1"
    signer = text(attribute(piece, "recipient-name")) if delivered else None
    proof = Proof(signed_by=signer) if signer else None
    eta = None if delivered else _eta(piece)
    return ParcelReport(
        tracking_number=_number(piece),
        carrier="dhl",
        scans=[*with_last(scans, proof=proof, is_end=_is_delivery), *eta_scan(eta, None, scans)],
        left_out=found.left_out,
    )


def _is_delivery(said: SaidScan) -> bool:
    return (said.code or "").rpartition("/")[2] == "ZU"


def _number(piece: Any) -> str | None:
    for name in ("piece-code", "searched-piece-code"):
        if found := text(attribute(piece, name), 512):
            return found
    found = text(attribute(piece, "piece-identifier"), 512)
    # The identifier is the piece code without the two zeros of GS1 before an SSCC.
    is_sscc = found is not None and len(found) == 18 and found.isdecimal()
    return f"00{found}" if is_sscc else found


def _scans(piece: Any) -> ReadScans:
    """The events; where there is none, the status of the parcel."""
    is_return = _is_true(attribute(piece, "ruecksendung"))
    found = ReadScans([], [])
    for pointer, events in event_lists(piece):
        more = readable(events, pointer, _scan, is_return)
        found.scans.extend(more.scans)
        found.left_out.extend(more.left_out)
    if found.scans or found.left_out or not _time(piece):
        if not found.scans and not found.left_out and is_failure(piece):
            raise Malformed("invalid_fields", [FieldError("", "is an error of the carrier")])
        return found
    return readable(piece, "", _scan, is_return)


def _time(said: Any) -> Any:
    return next(filter(None, (attribute(said, name) for name in _TIMES)), None)


def _scan(event: Any, is_return: bool) -> SaidScan:
    moment = moment_of(_time(event), ZONE, day_first=True)
    code = _code(event)
    own = attribute(event, "ruecksendung")
    comes_back = is_return if own is None else _is_true(own)
    return SaidScan(
        moment=moment,
        scan_id=made_id(code, moment) if code else None,
        code=code,
        text=_words(event),
        location=None if is_of_data(code) else _location(event),
        direction=Direction.CUSTOMER_MERCHANT if comes_back else None,
    )


def _code(event: Any) -> str | None:
    """Pair and class; without a reason the class, which the pair would be more exact than."""
    names = ("ice", "ric", "standard-event-code")
    ice, ric, standard = (text(attribute(event, name), WORD) or "" for name in names)
    if ice and ric:
        return f"{ice}/{ric}/{standard}".rstrip("/")
    return standard or ice or None


def _words(event: Any) -> str | None:
    for name in ("event-text", "event-status", "status", "event-short-status", "short-status"):
        if found := text(attribute(event, name), LONG_LINE):
            return found
    return None


def _location(event: Any) -> Location | None:
    return location(
        city=attribute(event, "event-location"), country=attribute(event, "event-country")
    )


def _is_true(said: Any) -> bool:
    return said is True or text(said, WORD) in ("true", "1")


def _eta(piece: Any) -> Eta | None:
    """The day of delivery, with its hours where they are said."""
    day = attribute(piece, "delivery-date")
    ends = [
        _hour(day, attribute(piece, f"delivery-timeframe-{end}")) or _day(day)
        for end in ("from", "to")
    ]
    return Eta(earliest=ends[0], latest=ends[1]) if any(ends) else None


def _hour(day: Any, clock: Any) -> Any:
    try:
        return moment_of(day, ZONE, clock=clock, day_first=True).at if clock and day else None
    except ValueError:
        return None


def _day(day: Any) -> Any:
    return day_or_instant(day, day_first=True)


DIALECT = Dialect(
    types=("dhl_paket.tracking", "dhl.paket"),
    scan_marks=(b"event-timestamp", b"status-timestamp", b"eventTimestamp", b"event_timestamp"),
    shape=re.compile(rb"standard-event-code|piece-?(?:shipment|event|status-public)\b"),
    parts=parts,
    report=report,
)
