"""Shippo: a track with its history.

Documented at https://docs.goshippo.com/docs/Tracking/Tracking and, of the webhook, at
https://docs.goshippo.com/docs/Tracking/Webhooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import LONG_LINE, WORD, location, member, spelled, text
from services.orders.messages.carriers.reports import eta_scan, joined, readable
from services.orders.messages.carriers.wrapped import wrapped_parts
from services.runtime.messages.records import FieldError, Malformed

_MOCK = "shippo"
"""The carrier of numbers such as SHIPPO_TRANSIT, which Shippo has for tests."""


def parts(body: Any) -> Iterator[Part]:
    """The tracks of webhooks, of a list, or the body itself."""
    return wrapped_parts(body, _is_track, ("carrier",))


def _is_track(_: str, value: Mapping[str, Any]) -> bool:
    return spelled(value, "tracking_number") is not None or "tracking_history" in value


def report(track: Any) -> ParcelReport:
    """What a track says.

    Raises:
        Malformed: it is of a mock of Shippo.
    """
    carrier = text(member(track, "carrier"), WORD)
    if carrier is not None and carrier.casefold() == _MOCK:
        message = "is shippo, the carrier of test numbers, which are no parcels"
        raise Malformed("invalid_fields", [FieldError("/carrier", message)])
    history = spelled(track, "tracking_history")
    if isinstance(history, list):
        history = [entry if _is_scan(entry) else None for entry in history]
    found = readable(history, "/tracking_history", _scan, None)
    newest = spelled(track, "tracking_status")
    if isinstance(newest, dict) and _is_scan(newest):
        found = joined((found, readable(newest, "/tracking_status", _scan, None)))
    return ParcelReport(
        tracking_number=text(spelled(track, "tracking_number"), 512),
        carrier=carrier,
        scans=[*found.scans, *_eta_scans(track, found.scans)],
        left_out=found.left_out,
    )


def _is_scan(entry: Any) -> bool:
    """Whether an entry is more than the word that nothing is known."""
    status = text(member(entry, "status"), WORD)
    return bool(spelled(entry, "status_date")) or (status or "").upper() != "UNKNOWN"


def _scan(entry: Any, _: None) -> SaidScan:
    status = (text(member(entry, "status"), WORD) or "").upper()
    said = member(entry, "substatus")
    detail = (text(member(said, "code"), WORD) or text(said, WORD) or "").lower()
    words = text(spelled(entry, "status_details"), LONG_LINE)
    # Without a time of the carrier, when Shippo recorded it.
    said_at = (spelled(entry, name) for name in ("status_date", "object_created"))
    return SaidScan(
        moment=moment_of(next(filter(None, said_at), None)),
        name="/".join(filter(None, (status, detail)))[:WORD] or None,
        text=words or text(member(said, "text"), LONG_LINE),
        location=_location(member(entry, "location")),
    )


def _location(said: Any) -> Location | None:
    return location(
        city=member(said, "city"),
        postal_code=member(said, "zip"),
        province=member(said, "state"),
        country=member(said, "country"),
    )


def _eta_scans(track: Any, scans: Sequence[SaidScan]) -> Iterator[SaidScan]:
    """The first estimate as of the first scan, the newest as of the last before the delivery."""
    under_way = [said for said in scans if not (said.name or "").startswith("DELIVERED")]
    if not under_way:
        return
    under_way.sort(key=lambda said: said.moment.at)
    first, newest = _eta(track, "original_eta"), _eta(track, "eta")
    begin, end = under_way[0], under_way[-1]
    if first != newest and begin.moment.at < end.moment.at:
        yield from eta_scan(first, None, (begin,))
    yield from eta_scan(newest, None, (end,))


def _eta(track: Any, name: str) -> Eta | None:
    at = day_or_instant(spelled(track, name))
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("shippo.tracking", "shippo.track_updated"),
    scan_marks=(b'"status_date"', b'"statusDate"'),
    shape=re.compile(rb'"(?:track_updated|tracking_history|trackingHistory)"'),
    parts=parts,
    report=report,
)
